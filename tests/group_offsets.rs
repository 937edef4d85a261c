//! Offsets of a group: what is committed when, by whom, and where a member begins.

mod support;

use std::time::Duration;

use milena::{
    ConsumeError, Consumer, ConsumerBuilder, ConsumerEvent, Kafka, OffsetReset, Properties, Rebalance, TopicPartition,
    assignor::CooperativeStickyAssignor,
};
use support::{Broker, Java, Numbers, broker, eventually, new_topic, number_of, quick, real_kafka_only, unique};
use tokio::time::{Instant, timeout};

const SOON: Duration = Duration::from_secs(30);
/// How long "nothing is committed" is watched: several times the interval.
const A_WHILE: Duration = Duration::from_millis(500);

/// A group, and a topic that holds numbers.
struct Setting {
    kafka: Kafka,
    group: String,
    topic: String,
    numbers: Numbers,
}

impl Setting {
    async fn new(broker: &Broker, name: &str, partitions: u32, count: u32) -> Setting {
        let properties = [("bootstrap.servers", broker.bootstrap()), ("metadata.max.age.ms", "300")];
        let kafka = Kafka::with_properties(Properties::from_iter(properties)).await.unwrap();
        let topic = new_topic(broker.bootstrap(), name, partitions as i32).await;
        let mut numbers = Numbers::new(&kafka.producer().build().await.unwrap(), &topic, partitions);
        numbers.send(count).await;
        Setting { group: unique(name), kafka, topic, numbers }
    }

    fn member(&self) -> ConsumerBuilder {
        quick(&self.kafka, &self.group).subscribe([&*self.topic])
    }

    fn at(&self, partition: i32) -> TopicPartition {
        TopicPartition::new(&*self.topic, partition)
    }

    /// Asked by a consumer that is in no group.
    async fn committed(&self, partition: i32) -> Option<i64> {
        let at = self.at(partition);
        let consumer = self.kafka.consumer(&*self.group).assign([(at.clone(), milena::OffsetSpec::Beginning)]);
        let consumer = consumer.auto_commit(None).build().await.unwrap();
        let committed = consumer.committed(std::slice::from_ref(&at)).await.unwrap().get(&at).map(|c| c.offset);
        consumer.close().await;
        committed
    }
}

async fn next(consumer: &mut Consumer) -> u32 {
    let record = timeout(SOON, consumer.recv()).await.expect("a record comes").unwrap();
    number_of(record.expect("it has no end").value())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_commits_by_itself_never_commits_what_the_user_still_holds() {
    let broker = broker();
    let setting = Setting::new(&broker, "auto", 1, 1_000).await;
    let interval = Some(Duration::from_millis(100));
    let mut consumer = setting.member().auto_commit(interval).build().await.unwrap();
    let mut committed = 0;
    let mut held = 0;
    while committed < 10 {
        held = next(&mut consumer).await;
        let at = setting.at(0);
        let now = consumer.committed(std::slice::from_ref(&at)).await.unwrap().get(&at).map_or(0, |c| c.offset);
        assert!(now >= committed && now <= i64::from(held), "{now} is committed, and {held} is in the user's hand");
        committed = now;
    }
    let since = Instant::now();
    while since.elapsed() < A_WHILE {
        let committed = setting.committed(0).await.unwrap();
        assert!(committed <= i64::from(held), "{committed} is committed, and {held} is in the user's hand");
    }
    let committed = setting.committed(0).await.unwrap();
    drop(consumer);
    let mut consumer = setting.member().auto_commit(interval).build().await.unwrap();
    assert_eq!(i64::from(next(&mut consumer).await), committed, "exactly at the commit");
    consumer.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closing_commits_and_leaves_at_once_and_dropping_leaves_without() {
    let broker = broker();
    let setting = Setting::new(&broker, "leave", 1, 100).await;
    // Nobody is missed within a test's patience: whoever is gone has left.
    let member = || setting.member().set("session.timeout.ms", "300000");
    let mut consumer = member().build().await.unwrap();
    for number in 0..10 {
        assert_eq!(next(&mut consumer).await, number);
    }
    consumer.close().await;
    assert_eq!(setting.committed(0).await, Some(10));

    let mut consumer = member().build().await.unwrap();
    assert_eq!(next(&mut consumer).await, 10);
    assert_eq!(next(&mut consumer).await, 11);
    drop(consumer);
    let mut consumer = member().auto_commit(None).build().await.unwrap();
    assert_eq!(next(&mut consumer).await, 10, "dropping commits nothing");
    // A commit that nobody waits for is made before it leaves.
    drop(consumer.commit());
    assert_eq!(next(&mut consumer).await, 11);
    consumer.close().await;
    assert_eq!(setting.committed(0).await, Some(11), "nor does closing, unless it is to commit by itself");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closing_ends_at_once_where_nobody_has_to_be_told() {
    let broker = broker();
    let setting = Setting::new(&broker, "untold", 1, 10).await;
    // With metadata that are fresh for longer than the test: nothing else wakes the member.
    let kafka = Kafka::connect(broker.bootstrap()).await.unwrap();
    let group = unique("untold");
    let builders = [
        kafka.consumer(&*group).assign([(setting.at(0), milena::OffsetSpec::Beginning)]).auto_commit(None),
        quick(&kafka, &group).subscribe([&*setting.topic]).instance_id("one").auto_commit(None),
    ];
    for builder in builders {
        let mut consumer = builder.build().await.unwrap();
        next(&mut consumer).await;
        timeout(SOON, consumer.commit()).await.unwrap().unwrap();
        timeout(Duration::from_secs(3), consumer.close()).await.expect("it has nothing to wait for");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consumer_that_is_told_what_to_read_commits_too() {
    let broker = broker();
    let setting = Setting::new(&broker, "manual", 1, 100).await;
    let member = || {
        let start = [(setting.at(0), milena::OffsetSpec::At(5))];
        // Nobody waits for the next poll of a consumer that is no member.
        quick(&setting.kafka, &setting.group).assign(start).set("max.poll.interval.ms", "100")
    };
    let mut consumer = member().auto_commit(None).build().await.unwrap();
    assert_eq!(next(&mut consumer).await, 5);
    consumer.commit().await.unwrap();
    assert_eq!(setting.committed(0).await, Some(6));
    tokio::time::sleep(A_WHILE).await;
    assert_eq!(next(&mut consumer).await, 6);
    drop(consumer.commit());
    consumer.close().await;
    assert_eq!(setting.committed(0).await, Some(7), "a commit is made before closing, waited for or not");

    let mut consumer = member().auto_commit(Some(Duration::from_millis(100))).build().await.unwrap();
    for number in 5..15 {
        assert_eq!(next(&mut consumer).await, number);
    }
    eventually(SOON, "it commits by itself", async || {
        let _ = timeout(Duration::from_millis(1), next(&mut consumer)).await;
        setting.committed(0).await.is_some_and(|offset| offset > 7)
    })
    .await;
    let position = consumer.position(&setting.at(0));
    consumer.close().await;
    assert_eq!(setting.committed(0).await, position, "and when it closes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_reset_policy_a_partition_waits_for_a_seek() {
    let broker = broker();
    let setting = Setting::new(&broker, "no-reset", 2, 100).await;
    let mut consumer = setting.member().auto_offset_reset(OffsetReset::None).build().await.unwrap();
    let mut waiting = Vec::new();
    while waiting.len() < 2 {
        match timeout(SOON, consumer.recv()).await.expect("it says so").unwrap_err() {
            ConsumeError::NothingCommitted { partition } => waiting.push(partition),
            other => panic!("{other:?}"),
        }
    }
    waiting.sort();
    assert_eq!(waiting, [setting.at(0), setting.at(1)]);
    consumer.seek(&setting.at(1), 20).unwrap();
    assert_eq!(next(&mut consumer).await, 41);
    consumer.commit().await.unwrap();
    consumer.close().await;
    assert_eq!((setting.committed(0).await, setting.committed(1).await), (None, Some(21)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_to_begin_can_be_said_when_partitions_are_assigned() {
    let broker = broker();
    let setting = Setting::new(&broker, "seek-first", 2, 100).await;
    let mut consumer = setting.member().auto_commit(None).build().await.unwrap();
    let Ok(Ok(Some(ConsumerEvent::Rebalance(Rebalance::Assigned(all))))) = timeout(SOON, consumer.next_event()).await
    else {
        panic!("partitions are assigned first")
    };
    assert_eq!((all.len(), consumer.assignment()), (2, all.clone()));
    consumer.seek(&all[0], 30).unwrap();
    consumer.pause(&all[1..]).unwrap();
    for number in 30..50 {
        assert_eq!(next(&mut consumer).await, number * 2);
    }
    consumer.resume(&all[1..]).unwrap();
    assert_eq!(next(&mut consumer).await, 1);
    consumer.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pausing_and_seeking_with_records_on_their_way_loses_nothing() {
    let broker = broker();
    let mut setting = Setting::new(&broker, "flight", 2, 4_000).await;
    let mut consumer = setting.member().auto_commit(None).build().await.unwrap();
    let (even, odd) = (setting.at(0), setting.at(1));
    let mut seen: Vec<u32> = Vec::new();
    for _ in 0..10 {
        seen.push(next(&mut consumer).await);
    }
    let is_odd = |number: &&u32| **number % 2 == 1;
    consumer.pause(std::slice::from_ref(&even)).unwrap();
    let before = seen.len() - seen.iter().filter(is_odd).count();
    while seen.iter().filter(is_odd).count() < 2_000 {
        seen.push(next(&mut consumer).await);
    }
    assert_eq!(seen.len() - 2_000, before, "none of the paused partition");
    // Back in one while the other's are on their way.
    setting.numbers.enqueue(4_000).await;
    consumer.seek(&odd, 1_000).unwrap();
    consumer.resume(std::slice::from_ref(&even)).unwrap();
    while seen.len() < before + 2_000 + (4_000 - before) + 3_000 {
        seen.push(next(&mut consumer).await);
    }
    setting.numbers.settle_acknowledged().await;
    let evens: Vec<u32> = seen.iter().copied().filter(|n| n % 2 == 0).collect();
    assert!(evens.iter().copied().eq((0..8_000).step_by(2)), "{} even ones", evens.len());
    let odds: Vec<u32> = seen.iter().copied().filter(|n| n % 2 == 1).collect();
    assert!(odds.iter().copied().eq((1..4_000).step_by(2).chain((2_001..8_000).step_by(2))), "{} odd ones", odds.len());
    consumer.commit().await.unwrap();
    consumer.close().await;
    assert_eq!((setting.committed(0).await, setting.committed(1).await), (Some(4_000), Some(4_000)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn offsets_that_a_transaction_may_still_change_are_waited_for() {
    let Some(broker) = real_kafka_only("transactions are not embedded") else { return };
    let setting = Setting::new(&broker, "unstable", 1, 100).await;
    let mut java = Java::start(broker.bootstrap());
    for (commits, begins_at) in [(true, 50), (false, 0)] {
        let group = unique("unstable");
        let producer = java.producer(&[&format!("transactional.id={}", unique("unstable"))]).await;
        java.begin(producer).await;
        java.send_offset(producer, &group, &setting.topic, 0, 50).await;
        // Partitions that come while the first is waited for do not push it aside.
        let topics = [new_topic(broker.bootstrap(), "unstable-more", 1).await, setting.topic.clone()];
        let builder = quick(&setting.kafka, &group).subscribe(topics.each_ref().map(|topic| &**topic));
        let builder = builder.assignors([std::sync::Arc::new(CooperativeStickyAssignor) as _]);
        let mut consumer = builder.auto_commit(None).build().await.unwrap();
        let mut assigned = 0;
        while assigned < 2 {
            match timeout(SOON, consumer.next_event()).await.unwrap().unwrap() {
                Some(ConsumerEvent::Rebalance(Rebalance::Assigned(partitions))) => assigned += partitions.len(),
                other => panic!("{other:?}"),
            }
        }
        setting.kafka.admin().create_partitions(&topics[0], 2).await.unwrap();
        while assigned < 3 {
            match timeout(SOON, consumer.next_event()).await.unwrap().unwrap() {
                Some(ConsumerEvent::Rebalance(Rebalance::Assigned(partitions))) => assigned += partitions.len(),
                other => panic!("{other:?}"),
            }
        }
        let early = timeout(A_WHILE, consumer.recv()).await;
        assert!(early.is_err(), "the transaction is open: {early:?}");
        match commits {
            true => java.commit(producer).await,
            false => java.abort(producer).await,
        }
        assert_eq!(next(&mut consumer).await, begins_at);
        consumer.close().await;
    }
}
