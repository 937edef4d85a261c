//! The assignors share a group's partitions as those of the Java client do, so that members of both may lead it in turn.
//!
//! Java decides some ties by the order of its hash maps. The groups of [`Names::InJavasOrder`] are named so that this
//! order is the alphabetical one, which ours is: there every share must be the same. Under [`Names::Usual`] `range` and
//! `roundrobin` must still be the same; the sticky ones must be as even, and keep as many partitions with their owners.
//!
//! One difference is meant: where racks are known Java passes partitions round that are near to none of those who get
//! them, though nothing needs to move; ours stay.

mod support;

use std::collections::{BTreeMap, BTreeSet};

use fastrand::Rng;
use milena::{
    TopicPartition,
    assignor::{
        Assignor, CooperativeStickyAssignor, GroupMember, GroupTopics, JoiningMember, RangeAssignor,
        RoundRobinAssignor, StickyAssignor,
    },
};
use support::java_assignors::{Group, java_shares};

const ASSIGNORS: [&dyn Assignor; 4] =
    [&RangeAssignor, &RoundRobinAssignor, &StickyAssignor, &CooperativeStickyAssignor];

fn by_name(name: &str) -> &'static dyn Assignor {
    ASSIGNORS.into_iter().find(|assignor| assignor.name() == name).unwrap()
}

/// Of members and topics.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Names {
    /// One character, whose hash is its code: consecutive ones lie in order in every hash map that is large enough. And
    /// the topics' are such that a hash set has the highest partition of a topic first.
    InJavasOrder,
    Usual,
}

impl Names {
    fn member(self, rng: &mut Rng, number: u32) -> String {
        match self {
            Names::InJavasOrder => char::from_u32(0x4000 + number).unwrap().to_string(),
            Names::Usual => format!("consumer-{}-{:08x}", number % 3, rng.u32(..)),
        }
    }

    fn topic(self, number: u32) -> String {
        match self {
            Names::InJavasOrder => char::from_u32(0x4000 + 30 + 32 * number).unwrap().to_string(),
            Names::Usual => format!("orders.{number}"),
        }
    }
}

/// What members owned before.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Owned {
    Nothing,
    /// What they got before some joined or left and topics grew.
    Before,
    /// Anything, each partition one owner.
    Anything,
    /// Some partitions are claimed twice, in the same or in different generations.
    Disputed,
}

fn group(rng: &mut Rng, names: Names, before: Owned, assignor: &'static str) -> Group {
    let largest = if rng.u8(..20) == 0 { 40 } else { 8 };
    let topic_names = (0..rng.u32(1..=6)).map(|number| names.topic(number)).collect::<Vec<_>>();
    let racks = if rng.bool() { 0 } else { rng.usize(1..=4) };
    let rack = |number: usize| format!("rack-{number}");
    let replicas = rng.usize(1..=3);
    let same_size = rng.bool().then(|| rng.usize(1..=16));
    let (mut topics, mut smaller) = (GroupTopics::new(), GroupTopics::new());
    for name in &topic_names {
        let partitions = (0..same_size.unwrap_or_else(|| rng.usize(1..=16))).map(|_| {
            let mut of = (0..racks).map(|number| rack(number).into()).collect::<Vec<_>>();
            rng.shuffle(&mut of);
            of.truncate(replicas);
            of
        });
        let partitions = partitions.collect::<Vec<_>>();
        let fewer = partitions[..rng.usize(1..=partitions.len())].to_vec();
        topics = topics.with_racks(&**name, partitions);
        smaller = smaller.with_racks(&**name, fewer);
    }

    let are_alike = rng.bool();
    let subscription = |rng: &mut Rng| {
        let mut of = topic_names.clone();
        of.push(names.topic(7)); // which does not exist
        rng.shuffle(&mut of);
        of.truncate(rng.usize(1..=of.len()));
        of
    };
    let common = subscription(rng);
    let mut members = Vec::new();
    for number in 0..rng.u32(1..=largest) {
        let topics = if are_alike { common.clone() } else { subscription(rng) };
        let mut member = GroupMember::new(names.member(rng, number), topics.iter().map(String::as_str));
        member.rack = (racks > 0 && rng.u8(..4) > 0).then(|| rack(rng.usize(..=racks)).into());
        member.group_instance_id = (rng.u8(..4) == 0).then(|| format!("instance-{}-{number}", rng.u8(..)).into());
        members.push(member);
    }
    rng.shuffle(&mut members);

    own(rng, before, assignor, are_alike, (&topics, &smaller), &mut members);
    let owned = members.iter().map(|member| member.owned.clone()).collect();
    for member in &mut members {
        let last_assignment = (!member.owned.is_empty()).then(|| std::mem::take(&mut member.owned));
        let joining = JoiningMember {
            topics: &member.topics,
            last_assignment: last_assignment.as_deref(),
            generation: member.generation.unwrap_or(-1),
        };
        member.user_data = by_name(assignor).user_data(&joining);
        // eager members have revoked everything
        if assignor == "cooperative-sticky" {
            member.owned = last_assignment.unwrap_or_default();
        }
    }
    Group { assignor, topics, members, owned }
}

fn own(
    rng: &mut Rng,
    owned: Owned,
    assignor: &str,
    are_alike: bool,
    (topics, smaller): (&GroupTopics, &GroupTopics),
    members: &mut [GroupMember],
) {
    let all =
        topics.iter().flat_map(|(topic, count)| (0..count).map(|it| TopicPartition::new(topic.clone(), it as i32)));
    match owned {
        Owned::Nothing => {}
        Owned::Before => {
            let mut earlier = members.to_vec();
            let (joined, left) = (rng.usize(..=members.len() / 2), rng.u32(..3));
            earlier.drain(..joined);
            for number in 0..left {
                earlier.push(GroupMember { member_id: format!("left-{number}").into(), ..members[0].clone() });
            }
            let shares = by_name(assignor).assign(smaller, &earlier);
            for (member, share) in members[joined..].iter_mut().zip(shares) {
                (member.owned, member.generation) = (share, Some(5));
            }
        }
        Owned::Anything => {
            for partition in all.filter(|_| rng.u8(..4) > 0).collect::<Vec<_>>() {
                rng.choice(members.iter_mut()).unwrap().owned.push(partition);
            }
            members.iter_mut().for_each(|member| member.generation = Some(5));
        }
        Owned::Disputed => {
            // where subscriptions differ Java gives members of an older generation what they no longer subscribe to, and
            // has cooperative members read disputed partitions twice
            let is_disputed = are_alike || assignor == "sticky";
            members.iter_mut().for_each(|member| member.generation = (rng.u8(..5) > 0).then(|| rng.i32(3..6)));
            for partition in all.collect::<Vec<_>>() {
                let mut owners =
                    members.iter_mut().filter(|it| it.topics.contains(&partition.topic)).collect::<Vec<_>>();
                rng.shuffle(&mut owners);
                let claims = if is_disputed { rng.usize(..=2) } else { rng.usize(..=1) };
                owners.into_iter().take(claims).for_each(|owner| owner.owned.push(partition.clone()));
            }
        }
    }
}

fn ours(group: &Group) -> Vec<Vec<TopicPartition>> {
    by_name(group.assignor).assign(&group.topics, &group.members)
}

fn groups(names: Names, count: usize, assignors: &[&'static str]) -> Vec<Group> {
    let mut rng = Rng::with_seed(4_300_001);
    let mut groups = Vec::new();
    for _ in 0..count {
        for owned in [Owned::Nothing, Owned::Before, Owned::Anything, Owned::Disputed] {
            groups.extend(assignors.iter().map(|assignor| group(&mut rng, names, owned, assignor)));
        }
    }
    groups
}

/// Whether members have racks, and everything stays with its owner.
fn stays(group: &Group) -> bool {
    let is_wanted = |it: &&TopicPartition| group.members.iter().any(|member| member.topics.contains(&it.topic));
    let wanted = |owned: &Vec<TopicPartition>| {
        let mut owned = owned.iter().filter(is_wanted).cloned().collect::<Vec<_>>();
        owned.sort();
        owned
    };
    group.members.iter().any(|member| member.rack.is_some())
        && ours(group) == group.owned.iter().map(wanted).collect::<Vec<_>>()
}

/// How many partitions have a replica in the rack of who gets them, or go to a member without a rack.
fn near(group: &Group, shares: &[Vec<TopicPartition>]) -> usize {
    let racks = |partition: &TopicPartition| group.topics.racks(&partition.topic, partition.partition as usize);
    let is_near =
        |member: &GroupMember, it: &TopicPartition| member.rack.as_ref().is_none_or(|rack| racks(it).contains(rack));
    let near =
        |(member, share): (&GroupMember, &Vec<TopicPartition>)| share.iter().filter(|it| is_near(member, it)).count();
    group.members.iter().zip(shares).map(near).sum()
}

fn assert_same(names: Names, count: usize, assignors: &[&'static str]) {
    let groups = groups(names, count, assignors);
    let Some(shares) = java_shares(&groups) else { return };
    let mut different = BTreeMap::<_, usize>::new();
    let (mut stayed, mut failed) = (0, 0);
    for (number, (group, java)) in groups.iter().zip(&shares).enumerate() {
        match java {
            Ok(java) if *java == ours(group) => {}
            Ok(java) if stays(group) => {
                assert!(near(group, &ours(group)) >= near(group, java), "group {number}: {group:#?}");
                stayed += 1;
            }
            Ok(java) => {
                let before = different.entry(group.assignor).or_default();
                if *before == 0 {
                    eprintln!("group {number}: {group:#?}\nJava: {java:#?}\nours: {:#?}", ours(group));
                }
                *before += 1;
            }
            Err(error) => {
                eprintln!("group {number}, {}: {error}", group.assignor);
                failed += 1;
            }
        }
    }
    eprintln!(
        "of {} groups {stayed} stay as they are, where Java moves partitions that are near to nobody",
        groups.len()
    );
    assert!(different.is_empty(), "of {} groups: {different:?}", groups.len());
    assert_eq!(failed, 0, "of {} groups Java failed", groups.len());
}

#[test]
fn range_and_roundrobin_are_javas() {
    assert_same(Names::Usual, 200, &["range", "roundrobin"]);
}

#[test]
fn where_javas_order_is_known_every_share_is_javas() {
    assert_same(Names::InJavasOrder, 400, &["range", "roundrobin", "sticky", "cooperative-sticky"]);
}

/// How many partitions stay with a member that says that it owned them.
fn kept(group: &Group, shares: &[Vec<TopicPartition>]) -> usize {
    let is_kept = |member: usize, partition: &&TopicPartition| group.owned[member].contains(partition);
    shares.iter().enumerate().map(|(member, share)| share.iter().filter(|it| is_kept(member, it)).count()).sum()
}

fn sizes(shares: &[Vec<TopicPartition>]) -> Vec<usize> {
    let mut sizes = shares.iter().map(Vec::len).collect::<Vec<_>>();
    sizes.sort_unstable();
    sizes
}

/// Whether all members take any partition alike, and none is disputed.
fn is_simple(group: &Group) -> bool {
    let topics = |member: &GroupMember| member.topics.iter().cloned().collect::<BTreeSet<_>>();
    let first = topics(&group.members[0]);
    let owned = group.owned.iter().flatten();
    group.members.iter().all(|member| member.rack.is_none() && topics(member) == first)
        && owned.clone().collect::<BTreeSet<_>>().len() == owned.count()
}

#[test]
fn whatever_the_names_shares_are_as_even_and_as_sticky_as_javas() {
    let groups = groups(Names::Usual, 300, &["sticky", "cooperative-sticky"]);
    let Some(shares) = java_shares(&groups) else { return };
    let (mut totals, mut squares, mut same) = ([0, 0], [0, 0], 0);
    for (number, (group, java)) in groups.iter().zip(shares).enumerate() {
        let (java, ours) = (java.unwrap_or_else(|error| panic!("group {number}: {error}")), ours(group));
        let what = || format!("group {number}: {group:#?}\nJava: {java:#?}\nours: {ours:#?}");
        let (javas, our) = (kept(group, &java), kept(group, &ours));
        same += usize::from(java == ours);
        totals[0] += javas;
        totals[1] += our;
        // what is withheld by the cooperative one depends on the order too, so sizes are compared where nothing is
        let is_eager = group.assignor == "sticky";
        if is_eager {
            squares[0] += sizes(&java).iter().map(|size| size * size).sum::<usize>();
            squares[1] += sizes(&ours).iter().map(|size| size * size).sum::<usize>();
        }
        if is_simple(group) {
            assert!(!is_eager || sizes(&ours) == sizes(&java), "{}", what());
            assert!(our >= javas, "Java keeps {javas}, we keep {our}; {}", what());
        }
    }
    let ([javas, our], [java_squares, our_squares]) = (totals, squares);
    eprintln!("of {} groups {same} are the same; partitions kept: Java's {javas}, ours {our}", groups.len());
    eprintln!("sums of the squares of the sizes: Java's {java_squares}, ours {our_squares}");
    // elsewhere ties, decided one way or the other, lead to a partition more or less, here or there
    assert!(our * 1000 >= javas * 999, "Java keeps {javas}, we keep {our}");
    assert!(our_squares * 1000 <= java_squares * 1001, "Java's {java_squares}, ours {our_squares}");
}
