//! Rebalances as a member goes through them: it has time to commit, nothing is lost or handed out twice, and under a cooperative
//! assignor what stays is never taken away.

mod support;

use std::{sync::Arc, time::Duration};

use milena::{
    Consumer, ConsumerEvent, Kafka, NewTopic, OffsetSpec, Properties, Rebalance, Record, TopicPartition,
    assignor::{Assignor, CooperativeStickyAssignor, RangeAssignor, StickyAssignor},
};
use support::{Commits, Happening, Journal, Member, Numbers, broker, eventually, new_topic, quick, unique};
use tokio::time::{Instant, timeout};

const SOON: Duration = Duration::from_secs(30);

fn range() -> Arc<dyn Assignor> {
    Arc::new(RangeAssignor)
}

fn cooperative() -> Arc<dyn Assignor> {
    Arc::new(CooperativeStickyAssignor)
}

async fn next(consumer: &mut Consumer) -> ConsumerEvent {
    timeout(SOON, consumer.next_event()).await.expect("something comes").unwrap().expect("it has no end")
}

/// The next rebalance; records before it are passed over.
async fn rebalance(consumer: &mut Consumer) -> Rebalance {
    loop {
        if let ConsumerEvent::Rebalance(rebalance) = next(consumer).await {
            return rebalance;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_while_partitions_are_revoked_is_made_and_reading_goes_on() {
    let broker = broker();
    let kafka = Kafka::connect(broker.bootstrap()).await.unwrap();
    for assignor in [range(), cooperative()] {
        let (group, topic) = (unique("revoke"), new_topic(broker.bootstrap(), "revoke", 4).await);
        let producer = kafka.producer().build().await.unwrap();
        let mut numbers = Numbers::new(&producer, &topic, 4);
        numbers.send(400).await;
        let member = async || {
            let builder = quick(&kafka, &group).subscribe([&*topic]).assignors([assignor.clone()]).auto_commit(None);
            builder.build().await.unwrap()
        };
        let journal = Journal::new();
        let mut one = member().await;
        let Rebalance::Assigned(all) = rebalance(&mut one).await else { panic!() };
        assert_eq!(all.len(), 4);
        for _ in 0..400 {
            assert!(matches!(next(&mut one).await, ConsumerEvent::Record(_)));
        }
        let two = Member::start("two", member().await, &journal, Commits::Never);
        // Under a cooperative assignor the leader hears of it first, and is assigned what it has.
        let revoked = loop {
            match rebalance(&mut one).await {
                Rebalance::Revoked(revoked) => break revoked,
                Rebalance::Assigned(nothing) if nothing.is_empty() => {}
                other => panic!("{other:?}"),
            }
        };
        timeout(SOON, one.commit()).await.expect("it ends").expect("they are still its own");
        let committed = one.committed(&all).await.unwrap();
        assert!(revoked.iter().all(|at| committed[at].offset == 100), "{committed:?}");
        assert!(two.owns() == 0 || assignor.name() == "range", "nobody has them before they are given up");
        numbers.send(400).await;
        let mut offsets = Vec::new();
        while offsets.len() + journal.numbers().len() < 400 {
            if let Ok(Ok(Some(ConsumerEvent::Record(record)))) =
                timeout(Duration::from_millis(50), one.next_event()).await
            {
                assert!(record.offset() >= 100, "{record:?} was committed");
                offsets.push(record.offset());
            }
        }
        assert!(offsets.len() == 200 && journal.twice().is_empty(), "{} by the first", offsets.len());
        one.close().await;
        two.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_fetched_ahead_of_a_rebalance_is_neither_lost_nor_handed_out_twice() {
    let broker = broker();
    let kafka = Kafka::connect(broker.bootstrap()).await.unwrap();
    for assignor in [range(), Arc::new(StickyAssignor), cooperative()] {
        let (group, topic) = (unique("ahead"), new_topic(broker.bootstrap(), "ahead", 6).await);
        let producer = kafka.producer().build().await.unwrap();
        let mut numbers = Numbers::new(&producer, &topic, 6);
        let journal = Journal::new();
        let start = async |name: &str| {
            let builder = quick(&kafka, &group).subscribe([&*topic]).assignors([assignor.clone()]).auto_commit(None);
            Member::start(name, builder.build().await.unwrap(), &journal, Commits::Every(50))
        };
        numbers.send(6_000).await;
        // They are all in memory, and each member comes or goes in the midst of them.
        let one = start("one").await;
        eventually(SOON, "some were handed out", async || journal.numbers().len() > 100).await;
        let two = start("two").await;
        eventually(SOON, "they share", async || journal.shared_by(&["one", "two"], 6)).await;
        numbers.send(6_000).await;
        let three = start("three").await;
        eventually(SOON, "they share", async || journal.shared_by(&["one", "two", "three"], 6)).await;
        numbers.send(6_000).await;
        one.close().await;
        eventually(SOON, "they share", async || journal.shared_by(&["two", "three"], 6)).await;
        two.close().await;
        eventually(SOON, "all are handed out", async || journal.has_all(18_000)).await;
        three.close().await;
        journal.assert_nothing_twice();
        journal.assert_one_owner();
        journal.assert_nothing_again();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_a_cooperative_assignor_what_stays_is_never_revoked() {
    let broker = broker();
    let kafka = Kafka::connect(broker.bootstrap()).await.unwrap();
    let (group, topic) = (unique("stays"), new_topic(broker.bootstrap(), "stays", 12).await);
    let journal = Journal::new();
    let names = ["one", "two", "three", "four"];
    let mut members = Vec::new();
    for name in names {
        let builder = quick(&kafka, &group).subscribe([&*topic]).assignors([cooperative()]);
        members.push(Member::start(name, builder.build().await.unwrap(), &journal, Commits::Never));
        let so_far = &names[..members.len()];
        eventually(SOON, "they share", async || journal.shared_by(so_far, 12)).await;
        assert!(members.iter().all(|member| member.owns() == 12 / members.len()), "{:?}", journal.owned());
    }
    journal.assert_one_owner();
    let taken = |what: Happening| match what {
        Happening::Revoked(partitions) | Happening::Lost(partitions) => partitions.len(),
        _ => 0,
    };
    // 12, 6, 4, 3: each gives up no more than what it has too much.
    for (name, gives_up) in names.into_iter().zip([9, 3, 1, 0]) {
        assert_eq!(journal.of(name).into_iter().map(taken).sum::<usize>(), gives_up, "{name}: {:?}", journal.of(name));
    }
    for (member, left) in members.into_iter().zip([&names[1..], &names[2..], &names[3..], &[]]) {
        let before = journal.owned();
        member.close().await;
        let count = if left.is_empty() { 0 } else { 12 };
        eventually(SOON, "they share", async || journal.shared_by(left, count)).await;
        for (name, partitions) in journal.owned() {
            assert!(before[&name].is_subset(&partitions), "{name} had {:?}", before[&name]);
        }
    }
    journal.assert_one_owner();
}

/// A handle that looks at the cluster often.
async fn attentive(bootstrap: &str) -> Kafka {
    let properties = [("bootstrap.servers", bootstrap), ("metadata.max.age.ms", "300")];
    Kafka::with_properties(Properties::from_iter(properties)).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn partitions_that_are_added_are_shared_too() {
    let broker = broker();
    let kafka = attentive(broker.bootstrap()).await;
    for assignor in [range(), cooperative()] {
        let (group, topic) = (unique("grows"), new_topic(broker.bootstrap(), "grows", 2).await);
        let journal = Journal::new();
        let start = async |name: &str| {
            let builder = quick(&kafka, &group).subscribe([&*topic]).assignors([assignor.clone()]);
            Member::start(name, builder.build().await.unwrap(), &journal, Commits::Every(10))
        };
        let (one, two) = (start("one").await, start("two").await);
        eventually(SOON, "they share", async || journal.shared_by(&["one", "two"], 2)).await;
        let producer = kafka.producer().build().await.unwrap();
        let mut numbers = Numbers::new(&producer, &topic, 2);
        numbers.send(100).await;
        kafka.admin().create_partitions(&topic, 6).await.unwrap();
        eventually(SOON, "they share", async || journal.shared_by(&["one", "two"], 6)).await;
        for number in 100..160u32 {
            let record = Record::to(&*topic).partition((number % 6) as i32).value(number.to_string());
            eventually(SOON, "the producer sees the partition", async || producer.send(record.clone()).await).await;
        }
        eventually(SOON, "all are handed out", async || journal.has_all(160)).await;
        journal.assert_nothing_twice();
        journal.assert_one_owner();
        one.close().await;
        two.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pattern_finds_topics_that_come_and_forgets_those_that_go() {
    let broker = broker();
    let kafka = attentive(broker.bootstrap()).await;
    let prefix = unique("pattern");
    let first = new_topic(broker.bootstrap(), &format!("{prefix}-a"), 2).await;
    // Beside it and Kafka's own, which no pattern finds.
    new_topic(broker.bootstrap(), &format!("other-{prefix}"), 2).await;
    let journal = Journal::new();
    let start = async |name: &str| {
        let builder = quick(&kafka, &prefix).subscribe_pattern(format!("__.*|{prefix}-.*")).assignors([cooperative()]);
        Member::start(name, builder.build().await.unwrap(), &journal, Commits::Every(1))
    };
    let one = start("one").await;
    eventually(SOON, "the first topic's", async || journal.shared_by(&["one"], 2)).await;
    let two = start("two").await;
    eventually(SOON, "they share", async || journal.shared_by(&["one", "two"], 2)).await;
    let second = new_topic(broker.bootstrap(), &format!("{prefix}-b"), 4).await;
    let producer = kafka.producer().build().await.unwrap();
    Numbers::new(&producer, &second, 4).send(40).await;
    eventually(SOON, "the second's too", async || journal.shared_by(&["one", "two"], 6)).await;
    eventually(SOON, "they are read", async || journal.has_all(40)).await;
    journal.assert_nothing_twice();
    kafka.admin().delete_topic(&first).await.unwrap();
    eventually(SOON, "only the second's", async || journal.shared_by(&["one", "two"], 4)).await;
    assert!(journal.owned().values().flatten().all(|at: &TopicPartition| *at.topic == *second));
    journal.assert_one_owner();
    one.close().await;
    two.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_that_is_not_there_yet_is_read_once_it_is() {
    let broker = broker();
    // Its metadata are fresh for longer than the test.
    let kafka = Kafka::connect(broker.bootstrap()).await.unwrap();
    let (group, topic) = (unique("early"), unique("early"));
    let mut consumer = quick(&kafka, &group).subscribe([&*topic]).build().await.unwrap();
    assert_eq!(rebalance(&mut consumer).await, Rebalance::Assigned(Vec::new()));
    kafka.admin().create_topic(NewTopic::new(&*topic).partitions(2)).await.unwrap();
    Numbers::new(&kafka.producer().build().await.unwrap(), &topic, 2).send(10).await;
    // Each generation tells what is new; the partitions come before any of their records.
    loop {
        match next(&mut consumer).await {
            ConsumerEvent::Rebalance(Rebalance::Assigned(all)) if all.len() == 2 => break,
            ConsumerEvent::Rebalance(Rebalance::Assigned(none)) if none.is_empty() => {}
            other => panic!("{other:?}"),
        }
    }
    for _ in 0..10 {
        assert!(matches!(next(&mut consumer).await, ConsumerEvent::Record(_)));
    }
    consumer.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_rebalance_is_passed_over_among_records() {
    let broker = broker();
    let kafka = Kafka::connect(broker.bootstrap()).await.unwrap();
    let (group, topic) = (unique("among"), new_topic(broker.bootstrap(), "among", 4).await);
    let mut numbers = Numbers::new(&kafka.producer().build().await.unwrap(), &topic, 4);
    for _ in 0..50 {
        // Small batches: between two of them is where one would be passed over.
        numbers.send(8).await;
    }
    let builder = quick(&kafka, &group).subscribe([&*topic]).assignors([cooperative()]).auto_commit(None);
    let mut consumer = builder.build().await.unwrap();
    let mut rebalances = 0;
    let mut last = Instant::now();
    while rebalances < 300 {
        assert!(last.elapsed() < SOON, "after {rebalances} none was told");
        // Each is asked for after the one before it was told.
        match next(&mut consumer).await {
            ConsumerEvent::Record(record) if record.offset() == 99 => {
                consumer.seek(&record.topic_partition(), OffsetSpec::Beginning).unwrap();
            }
            ConsumerEvent::Record(_) => {}
            ConsumerEvent::Rebalance(_) => {
                (rebalances, last) = (rebalances + 1, Instant::now());
                consumer.rejoin();
            }
        }
    }
    consumer.close().await;
}
