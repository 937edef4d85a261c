//! What holds of every assignor, whatever the group.

use std::{
    collections::{BTreeSet, HashMap},
    time::{Duration, Instant},
};

use proptest::prelude::*;

use super::{
    Assignor, CooperativeStickyAssignor, GroupMember, GroupTopics, JoiningMember, RangeAssignor, RebalanceProtocol,
    RoundRobinAssignor, StickyAssignor,
    fixture::{rack, striped},
};
use crate::model::TopicPartition;

const ASSIGNORS: [&dyn Assignor; 4] =
    [&RangeAssignor, &RoundRobinAssignor, &StickyAssignor, &CooperativeStickyAssignor];

/// Topics t0 to t3 exist; members subscribe to t0 to t4, also twice.
fn any_topics() -> impl Strategy<Value = GroupTopics> {
    let racks = prop::collection::vec((0..4_usize).prop_map(rack), 0..4);
    prop::collection::vec(prop::collection::vec(racks, 0..9), 4).prop_map(|topics| {
        let named = topics.into_iter().enumerate();
        named.fold(GroupTopics::new(), |all, (number, racks)| all.with_racks(format!("t{number}"), racks))
    })
}

fn any_partition() -> impl Strategy<Value = TopicPartition> {
    (0..6, -1..12).prop_map(|(topic, number)| TopicPartition::new(format!("t{topic}"), number))
}

/// Ids may be the same, claims may be false, user data may be anything.
fn any_member() -> impl Strategy<Value = GroupMember> {
    let topics = prop_oneof![Just(vec![0, 1, 2, 3]), prop::collection::vec(0..5, 0..6),];
    let names = (0..9_u8, prop::option::weighted(0.3, 0..3_u8), prop::option::of((0..5_usize).prop_map(rack)));
    let owned = prop::collection::vec(any_partition(), 0..10);
    let user_data = prop::option::of(prop_oneof![
        prop::collection::vec(any::<u8>(), 0..12).prop_map(bytes::Bytes::from),
        (prop::collection::vec(any_partition(), 0..10), -1..4).prop_map(|(owned, generation)| {
            let member = JoiningMember { topics: &[], last_assignment: Some(&owned), generation };
            StickyAssignor.user_data(&member).unwrap()
        }),
    ]);
    (names, topics, owned, prop::option::of(-1..4), user_data).prop_map(
        |(names, topics, owned, generation, user_data)| GroupMember {
            member_id: format!("member-{}", names.0).into(),
            group_instance_id: names.1.map(|number| format!("instance-{number}").into()),
            topics: topics.into_iter().map(|topic| format!("t{topic}").into()).collect(),
            owned,
            generation,
            rack: names.2,
            user_data,
        },
    )
}

fn any_members() -> impl Strategy<Value = Vec<GroupMember>> {
    prop::collection::vec(any_member(), 0..9)
}

/// What a group must share: all partitions of the topics that somebody subscribed to.
fn wanted(topics: &GroupTopics, members: &[GroupMember]) -> BTreeSet<TopicPartition> {
    let is_wanted = |topic| members.iter().any(|member| member.topics.contains(topic));
    let wanted = topics.iter().filter(|(topic, _)| is_wanted(topic));
    wanted.flat_map(|(topic, count)| (0..count).map(|it| TopicPartition::new(topic.clone(), it as i32))).collect()
}

/// The members after a rebalance that gave them `shares`.
fn after(assignor: &dyn Assignor, members: &[GroupMember], shares: &[Vec<TopicPartition>]) -> Vec<GroupMember> {
    let after = |(member, share): (&GroupMember, &Vec<TopicPartition>)| {
        let joining = JoiningMember { topics: &member.topics, last_assignment: Some(share), generation: 10 };
        GroupMember {
            owned: share.clone(),
            generation: Some(10),
            user_data: assignor.user_data(&joining),
            ..member.clone()
        }
    };
    members.iter().zip(shares).map(after).collect()
}

/// Whether no member has two partitions more than another that could take one of them.
fn are_even(members: &[GroupMember], shares: &[Vec<TopicPartition>]) -> bool {
    let may_take =
        |member: &GroupMember, share: &[TopicPartition]| share.iter().any(|it| member.topics.contains(&it.topic));
    members
        .iter()
        .zip(shares)
        .all(|(member, share)| shares.iter().all(|other| other.len() <= share.len() + 1 || !may_take(member, other)))
}

proptest! {
    #[test]
    fn each_partition_goes_once_to_a_subscriber(topics in any_topics(), members in any_members()) {
        let wanted = wanted(&topics, &members);
        for assignor in ASSIGNORS {
            let shares = assignor.assign(&topics, &members);
            prop_assert_eq!(shares.len(), members.len());
            for (member, share) in members.iter().zip(&shares) {
                prop_assert!(share.iter().all(|partition| member.topics.contains(&partition.topic)), "{}", assignor.name());
            }
            let given = shares.iter().flatten().cloned().collect::<BTreeSet<_>>();
            prop_assert_eq!(given.len(), shares.iter().map(Vec::len).sum::<usize>(), "{}", assignor.name());
            if assignor.rebalance_protocol() == RebalanceProtocol::Eager {
                prop_assert_eq!(&given, &wanted, "{}", assignor.name());
            } else {
                prop_assert!(given.is_subset(&wanted), "{}", assignor.name());
            }
        }
    }

    #[test]
    fn the_order_in_which_members_come_is_nothing(topics in any_topics(), members in any_members()) {
        let members = members.into_iter().map(|member| (member.member_id.clone(), member)).collect::<HashMap<_, _>>();
        let members = members.into_values().collect::<Vec<_>>();
        let reversed = members.iter().rev().cloned().collect::<Vec<_>>();
        for assignor in ASSIGNORS {
            let mut shares = assignor.assign(&topics, &reversed);
            shares.reverse();
            prop_assert_eq!(shares, assignor.assign(&topics, &members), "{}", assignor.name());
        }
    }

    #[test]
    fn sticky_shares_are_even(topics in any_topics(), members in any_members()) {
        let shares = StickyAssignor.assign(&topics, &members);
        prop_assert!(are_even(&members, &shares), "{shares:?}");
    }

    /// With racks they do in practice; but Java's way, which ours is, has no proof of it.
    #[test]
    fn without_racks_sticky_shares_come_to_rest(topics in any_topics(), mut members in any_members()) {
        members.iter_mut().for_each(|member| member.rack = None);
        for assignor in [&StickyAssignor as &dyn Assignor, &CooperativeStickyAssignor] {
            let mut members = members.clone();
            let mut shares = assignor.assign(&topics, &members);
            // a cooperative group needs two rebalances, and rarely more: shares are evened out without what is withheld
            for rebalance in 1.. {
                members = after(assignor, &members, &shares);
                let before = std::mem::replace(&mut shares, assignor.assign(&topics, &members));
                if shares == before {
                    break;
                }
                prop_assert!(rebalance < 10, "{shares:?}");
            }
            prop_assert_eq!(shares.iter().map(Vec::len).sum::<usize>(), wanted(&topics, &members).len());
            prop_assert!(are_even(&members, &shares), "{shares:?}");
        }
    }

    #[test]
    fn racks_alone_move_nothing_unless_more_is_near(topics in any_topics(), members in any_members()) {
        let before = StickyAssignor.assign(&topics, &members);
        let members = after(&StickyAssignor, &members, &before);
        let shares = StickyAssignor.assign(&topics, &members);
        let near = |shares: &[Vec<TopicPartition>]| {
            let each = members.iter().zip(shares).flat_map(|(member, share)| share.iter().map(move |it| (member, it)));
            let racks = |partition: &TopicPartition| topics.racks(&partition.topic, partition.partition as usize);
            each.filter(|(member, it)| member.rack.as_ref().is_none_or(|rack| racks(it).contains(rack))).count()
        };
        prop_assert!(shares == before || near(&shares) > near(&before));
    }

    #[test]
    fn nobody_gets_what_another_still_owns(topics in any_topics(), members in any_members()) {
        let shares = CooperativeStickyAssignor.assign(&topics, &members);
        for (place, share) in shares.iter().enumerate() {
            for partition in share {
                let others = members.iter().enumerate().filter(|(other, _)| *other != place);
                let mut others = others.filter(|(_, other)| other.owned.contains(partition));
                // unless it owns it itself, and since a later generation
                prop_assert!(others.next().is_none() || members[place].owned.contains(partition), "{partition}");
            }
        }
    }

    #[test]
    fn when_a_member_leaves_the_others_keep_what_they_have(
        topics in any_topics(),
        count in 2..8_usize,
        left in any::<prop::sample::Index>(),
    ) {
        for assignor in [&StickyAssignor as &dyn Assignor, &CooperativeStickyAssignor] {
            let member = |number| GroupMember::new(format!("member-{number}"), ["t0", "t1", "t2", "t3"]);
            let members = (0..count).map(member).collect::<Vec<_>>();
            let mut before = assignor.assign(&topics, &members);
            let mut members = after(assignor, &members, &before);
            members.remove(left.index(count));
            before.remove(left.index(count));
            let shares = assignor.assign(&topics, &members);
            for (before, share) in before.iter().zip(&shares) {
                prop_assert!(before.iter().all(|partition| share.contains(partition)));
            }
        }
    }
}

/// Each in a few milliseconds in a release build; anything quadratic would take minutes here.
#[test]
fn a_thousand_members_share_ten_thousand_partitions_at_once() {
    let names = (0..100).map(|number| format!("topic-{number}")).collect::<Vec<_>>();
    let sizes = names.iter().map(|name| (name.as_str(), 100)).collect::<Vec<_>>();
    for are_alike in [true, false] {
        let topics = striped(&sizes, 2, 5);
        let member = |number: usize| {
            let topics = names.iter().enumerate().filter(|(topic, _)| are_alike || !(topic + number).is_multiple_of(3));
            let mut member = GroupMember::new(format!("member-{number}"), topics.map(|(_, name)| name.as_str()));
            member.rack = Some(rack(number % 4));
            member
        };
        let members = (0..1000).map(member).collect::<Vec<_>>();
        for assignor in ASSIGNORS {
            let start = Instant::now();
            let shares = assignor.assign(&topics, &members);
            let left = &after(assignor, &members, &shares)[100..];
            let again = assignor.assign(&topics, left);
            let elapsed = start.elapsed();
            eprintln!("{}, alike {are_alike}: {elapsed:?} for two rebalances", assignor.name());
            assert_eq!(shares.iter().map(Vec::len).sum::<usize>(), 10_000);
            assert!(again.iter().map(Vec::len).sum::<usize>() > 9_000);
            assert!(elapsed < Duration::from_secs(20), "{}: {elapsed:?}", assignor.name());
        }
    }
}
