//! Groups of the embedded broker: members share, hand over, come back, commit and are missed.

mod support;

use std::{sync::Arc, time::Duration};

use milena::{
    AdminError, Api, ConsumeError, ConsumerBuilder, Embedded, ErrorCode, Fault, GroupState, Kafka, NewTopic,
    OffsetReset, TopicPartition,
    assignor::{Assignor, CooperativeStickyAssignor, RangeAssignor},
};
use support::{Commits, Journal, Member, Numbers, eventually};
use tokio::time::{Instant, timeout};

const SOON: Duration = Duration::from_secs(600);
const TOPIC: &str = "readings";

async fn cluster(partitions: u32) -> (Embedded, Kafka, Numbers) {
    let embedded = Embedded::builder().topic(TOPIC, partitions).start().await.unwrap();
    let kafka = embedded.kafka().await.unwrap();
    let numbers = Numbers::new(&kafka.producer().build().await.unwrap(), TOPIC, partitions);
    (embedded, kafka, numbers)
}

fn reader(kafka: &Kafka) -> ConsumerBuilder {
    kafka.consumer("readers").subscribe([TOPIC]).auto_offset_reset(OffsetReset::Earliest)
}

#[tokio::test(start_paused = true)]
async fn two_members_share_and_hand_over() {
    let assignors: [Arc<dyn Assignor>; 2] = [Arc::new(RangeAssignor), Arc::new(CooperativeStickyAssignor)];
    for assignor in assignors {
        let (_embedded, kafka, mut numbers) = cluster(4).await;
        let journal = Journal::new();
        let start = async |name: &str| {
            let consumer = reader(&kafka).assignors([Arc::clone(&assignor)]).build().await.unwrap();
            Member::start(name, consumer, &journal, Commits::Every(10))
        };
        let one = start("one").await;
        eventually(SOON, "the first has all", async || journal.shared_by(&["one"], 4)).await;
        numbers.send(100).await;
        let two = start("two").await;
        eventually(SOON, "they share", async || journal.shared_by(&["one", "two"], 4)).await;
        assert_eq!((one.owns(), two.owns()), (2, 2), "{assignor:?}");
        assert_eq!(one.generation().await, two.generation().await);
        numbers.send(100).await;
        eventually(SOON, "all are handed out", async || journal.has_all(200)).await;
        one.close().await;
        eventually(SOON, "the second has all", async || journal.shared_by(&["two"], 4)).await;
        numbers.send(100).await;
        eventually(SOON, "all are handed out", async || journal.has_all(300)).await;
        two.close().await;
        journal.assert_nothing_twice();
        journal.assert_one_owner();
    }
}

#[tokio::test(start_paused = true)]
async fn a_static_member_that_comes_back_is_not_noticed_and_one_that_does_not_is_missed() {
    let (_embedded, kafka, mut numbers) = cluster(4).await;
    let journal = Journal::new();
    let start = async |name: &str| {
        let consumer = reader(&kafka).instance_id(name).set("session.timeout.ms", "300000").build().await.unwrap();
        Member::start(name, consumer, &journal, Commits::Every(10))
    };
    let leader = start("leader").await;
    eventually(SOON, "it has all", async || journal.shared_by(&["leader"], 4)).await;
    let follower = start("follower").await;
    eventually(SOON, "they share", async || journal.shared_by(&["leader", "follower"], 4)).await;
    let generation = leader.generation().await.expect("it has joined");
    follower.close().await;
    eventually(SOON, "it has closed", async || journal.shared_by(&["leader"], 2)).await;
    let follower = start("follower").await;
    eventually(SOON, "it has its own again", async || journal.shared_by(&["leader", "follower"], 4)).await;
    assert_eq!((leader.generation().await, follower.generation().await), (Some(generation), Some(generation)));

    leader.close().await;
    eventually(SOON, "it has closed", async || journal.shared_by(&["follower"], 2)).await;
    let leader = start("leader").await;
    eventually(SOON, "it has its own again", async || journal.shared_by(&["leader", "follower"], 4)).await;
    assert_eq!((leader.generation().await, follower.generation().await), (Some(generation), Some(generation)));

    let (since, wall) = (Instant::now(), std::time::Instant::now());
    follower.close().await;
    eventually(SOON, "it is missed", async || journal.shared_by(&["leader"], 4)).await;
    let missed_after = since.elapsed();
    assert!((290..310).contains(&missed_after.as_secs()), "{missed_after:?}");
    assert!(wall.elapsed() < Duration::from_secs(30), "the clock is paused: {:?}", wall.elapsed());
    assert!(leader.generation().await > Some(generation));
    numbers.send(100).await;
    eventually(SOON, "all are handed out", async || journal.has_all(100)).await;
    leader.close().await;
    journal.assert_one_owner();
}

#[tokio::test(start_paused = true)]
async fn closing_takes_no_longer_than_it_says_when_no_coordinator_answers() {
    let (embedded, kafka, mut numbers) = cluster(1).await;
    numbers.send(10).await;
    let mut consumer = reader(&kafka).build().await.unwrap();
    consumer.recv().await.unwrap().unwrap();
    let _silence = embedded.fault(None).always(Fault::Silence);
    let commit = consumer.commit();
    let began = Instant::now();
    consumer.close().await;
    let took = began.elapsed();
    assert!((20..=25).contains(&took.as_secs()), "{took:?}");
    timeout(SOON, commit).await.expect("it has ended").unwrap_err();
}

#[tokio::test(start_paused = true)]
async fn a_member_goes_on_where_it_committed() {
    let (_embedded, kafka, mut numbers) = cluster(1).await;
    numbers.send(100).await;
    let mut consumer = reader(&kafka).auto_commit(None).build().await.unwrap();
    for offset in 0..10 {
        assert_eq!(consumer.recv().await.unwrap().unwrap().offset(), offset);
    }
    consumer.commit().await.unwrap();
    assert_eq!(consumer.recv().await.unwrap().unwrap().offset(), 10);
    consumer.close().await;
    let mut consumer = reader(&kafka).auto_commit(None).build().await.unwrap();
    assert_eq!(consumer.recv().await.unwrap().unwrap().offset(), 10);
    consumer.close().await;
}

#[tokio::test(start_paused = true)]
async fn of_two_members_with_one_instance_id_the_elder_is_fenced() {
    let (embedded, kafka, mut numbers) = cluster(1).await;
    numbers.send(10).await;
    let member = || reader(&kafka).instance_id("twin").auto_commit(None);
    let mut elder = member().build().await.unwrap();
    elder.recv().await.unwrap().unwrap();
    let mut younger = member().build().await.unwrap();
    younger.recv().await.unwrap().unwrap();
    let members = embedded.group_members("readers");
    assert_eq!(members.len(), 1, "{members:?}");
    assert_eq!(members[0].1.as_deref(), Some("twin"));
    let error = loop {
        match elder.recv().await {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    let ConsumeError::Group { code: ErrorCode::FENCED_INSTANCE_ID, .. } = error else { panic!("{error:?}") };
    younger.commit().await.unwrap();
    elder.close().await;
    younger.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_group_outlives_its_coordinator() {
    let embedded = Embedded::builder().brokers(3).topic(TOPIC, 3).start().await.unwrap();
    let kafka = embedded.kafka().await.unwrap();
    let mut numbers = Numbers::new(&kafka.producer().build().await.unwrap(), TOPIC, 3);
    let journal = Journal::new();
    let mut members = Vec::new();
    for name in ["one", "two"] {
        let consumer = reader(&kafka).build().await.unwrap();
        members.push(Member::start(name, consumer, &journal, Commits::Every(10)));
    }
    eventually(SOON, "they share", async || journal.shared_by(&["one", "two"], 3)).await;
    // Whichever coordinates it, each has been stopped once.
    let mut count = 0;
    for id in 1..=3 {
        embedded.stop_broker(id);
        numbers.send(100).await;
        count += 100;
        eventually(SOON, "all are handed out", async || journal.has_all(count)).await;
        eventually(SOON, "they share", async || journal.shared_by(&["one", "two"], 3)).await;
        embedded.start_broker(id);
    }
    for member in members {
        member.close().await;
    }
    journal.assert_only_what_was_handed_out_is_committed();
}

/// A member that has given up partitions is thrown out, and its coordinator's successor knows of neither: it has its place again,
/// in the generation in which it gave them up, and nobody else would ask for the next.
#[tokio::test(start_paused = true)]
async fn what_was_given_up_is_handed_on_though_the_coordinator_moves() {
    let builder = Embedded::builder().brokers(2).topic(TOPIC, 4).topic("aside", 1);
    let embedded = builder.start().await.unwrap();
    let kafka = embedded.kafka().await.unwrap();
    let journal = Journal::new();
    let start = async |name: &str, topic: &str| {
        let consumer =
            kafka.consumer("readers").subscribe([topic]).assignors([Arc::new(CooperativeStickyAssignor) as _]);
        // Heartbeats that are far apart: what happens in between is seen by the one member alone.
        let consumer = consumer.set("session.timeout.ms", "300000").set("heartbeat.interval.ms", "60000");
        let consumer = consumer.instance_id(name).build().await.unwrap();
        Member::start(name, consumer, &journal, Commits::Every(10))
    };
    let leader = start("leader", "aside").await;
    eventually(SOON, "it leads", async || journal.shared_by(&["leader"], 1)).await;
    let one = start("one", TOPIC).await;
    eventually(SOON, "it has all", async || journal.shared_by(&["leader", "one"], 5)).await;
    let two = start("two", TOPIC).await;
    eventually(SOON, "it has given two up", async || journal.shared_by(&["leader", "one"], 3)).await;

    let of_one =
        || embedded.group_members("readers").into_iter().find(|(_, instance)| instance.as_deref() == Some("one"));
    embedded.expire_member("readers", &of_one().expect("it is one").0);
    eventually(SOON, "it has lost the others", async || journal.shared_by(&["leader"], 1)).await;
    eventually(SOON, "it is back", async || of_one().map(drop).ok_or("it is not".to_owned())).await;
    let coordinator = kafka.admin().describe_group("readers").await.unwrap().coordinator;
    embedded.move_coordinator("readers", 3 - coordinator);
    eventually(SOON, "all are read", async || journal.shared_by(&["leader", "one", "two"], 5)).await;
    assert_eq!((one.owns(), two.owns()), (2, 2));
    for member in [leader, one, two] {
        member.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_admin_sees_and_changes_groups() {
    let (_embedded, kafka, mut numbers) = cluster(2).await;
    numbers.send(20).await;
    let mut consumer = reader(&kafka).auto_commit(None).build().await.unwrap();
    for _ in 0..20 {
        consumer.recv().await.unwrap().unwrap();
    }
    consumer.commit().await.unwrap();
    let admin = kafka.admin();
    let listed = admin.list_groups().await.unwrap();
    assert_eq!(listed.iter().map(|group| &*group.id).collect::<Vec<_>>(), ["readers"]);
    let described = admin.describe_group("readers").await.unwrap();
    assert_eq!((described.state, &*described.protocol), (GroupState::Stable, "range"));
    assert_eq!(described.members[0].assignment.as_ref().map(Vec::len), Some(2));
    assert_eq!(admin.list_groups_in([GroupState::Empty]).await.unwrap().len(), 0);
    let at = TopicPartition::new(TOPIC, 0);
    for (_, result) in admin.delete_group_offsets("readers", [at.clone()]).await {
        assert!(matches!(result, Err(AdminError::ActiveMembers { .. })), "{result:?}");
    }
    assert!(matches!(admin.delete_group("readers").await, Err(AdminError::ActiveMembers { .. })));

    consumer.close().await;
    assert_eq!(admin.describe_group("readers").await.unwrap().state, GroupState::Empty);
    let offsets = admin.group_offsets("readers").await.unwrap();
    assert_eq!(offsets.values().map(|committed| committed.offset).sum::<i64>(), 20);
    for (_, result) in admin.alter_group_offsets("readers", [(at.clone(), 3)]).await {
        result.unwrap();
    }
    assert_eq!(admin.group_offsets("readers").await.unwrap()[&at].offset, 3);
    for (_, result) in admin.delete_group_offsets("readers", [at.clone()]).await {
        result.unwrap();
    }
    assert_eq!(admin.group_offsets("readers").await.unwrap().len(), 1);
    // What goes with its topic does not come back with one of the same name.
    admin.delete_topic(TOPIC).await.unwrap();
    assert!(admin.group_offsets("readers").await.unwrap().is_empty());
    admin.create_topic(NewTopic::new(TOPIC).partitions(2)).await.unwrap();
    assert!(admin.group_offsets("readers").await.unwrap().is_empty());
    admin.delete_group("readers").await.unwrap();
    assert!(admin.list_groups().await.unwrap().is_empty());
}

/// As `offsets.retention.minutes` has it.
#[tokio::test(start_paused = true)]
async fn what_a_group_has_committed_is_forgotten_a_week_after_its_last_member() {
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    let (embedded, kafka, mut numbers) = cluster(1).await;
    let journal = Journal::new();
    let member = Member::start("one", reader(&kafka).build().await.unwrap(), &journal, Commits::Every(10));
    numbers.send(20).await;
    eventually(SOON, "all are handed out", async || journal.has_all(20)).await;
    member.close().await;
    let admin = kafka.admin();
    let at = TopicPartition::new(TOPIC, 0);

    tokio::time::advance(DAY * 7 - Duration::from_secs(60)).await;
    let kept = admin.group_offsets("readers").await.unwrap();
    assert_eq!(kept.get(&at).map(|committed| committed.offset), Some(20));
    // It is looked at every ten minutes.
    tokio::time::advance(Duration::from_secs(11 * 60)).await;
    assert!(admin.group_offsets("readers").await.unwrap().is_empty());
    assert!(admin.list_groups().await.unwrap().is_empty(), "nothing is left of the group either");
    assert!(embedded.committed("readers").is_empty());
}

/// The session is 45 s: without heartbeats the member would be missed long before its user is done.
#[tokio::test(start_paused = true)]
async fn a_record_may_be_held_for_a_minute_and_more() {
    let (embedded, kafka, mut numbers) = cluster(2).await;
    numbers.send(10).await;
    let mut consumer = reader(&kafka).auto_commit(None).build().await.unwrap();
    let first = consumer.recv().await.unwrap().unwrap();
    let membership = consumer.membership();
    embedded.clear_requests();
    tokio::time::sleep(Duration::from_secs(60)).await;
    let beats = embedded.requests().iter().filter(|request| request.api == Api::Heartbeat).count();
    assert!((18..=22).contains(&beats), "one each three seconds: {beats}");
    // As long as it polls within max.poll.interval.ms, which is five minutes.
    tokio::time::sleep(Duration::from_secs(230)).await;
    assert_eq!(consumer.membership(), membership, "the same member in the same generation");
    consumer.commit_record(&first).await.expect("it still owns the partition");
    consumer.close().await;
}

/// No broker that a member knows of is left, nor any address that it has used: it begins anew with the servers that it was given.
#[tokio::test(start_paused = true)]
async fn members_outlive_all_their_brokers() {
    let embedded = Embedded::builder().brokers(6).start().await.unwrap();
    let (old, new) = (1..=3, 4..=6);
    new.clone().for_each(|id| embedded.stop_broker(id));
    let kafka = embedded.kafka().await.unwrap();
    new.clone().for_each(|id| embedded.start_broker(id));
    kafka.admin().create_topic(NewTopic::new(TOPIC).partitions(4).replication_factor(6)).await.unwrap();
    new.clone().for_each(|id| embedded.stop_broker(id));
    let mut numbers = Numbers::new(&kafka.producer().build().await.unwrap(), TOPIC, 4);
    let journal = Journal::new();
    let mut members = Vec::new();
    for name in ["one", "two"] {
        let consumer = reader(&kafka).build().await.unwrap();
        members.push(Member::start(name, consumer, &journal, Commits::Every(10)));
    }
    eventually(SOON, "they share", async || journal.shared_by(&["one", "two"], 4)).await;
    numbers.send(100).await;
    eventually(SOON, "all are handed out", async || journal.has_all(100)).await;

    old.for_each(|id| embedded.stop_broker(id));
    new.for_each(|id| embedded.start_broker(id));
    numbers.send(100).await;
    eventually(SOON, "all are handed out", async || journal.has_all(200)).await;
    eventually(SOON, "they share", async || journal.shared_by(&["one", "two"], 4)).await;
    for member in members {
        member.close().await;
    }
    journal.assert_only_what_was_handed_out_is_committed();
}
