//! A member lives as long as its user comes back, however long he takes within `max.poll.interval.ms`; then it leaves, and says so.

mod support;

use std::time::Duration;

use milena::{ConsumeError, ConsumerEvent, Kafka, Rebalance};
use support::{
    Commits, Direction, Fault, Filter, Journal, Member, Numbers, broker, eventually, new_topic, quick,
    real_cluster_control, unique,
};
use tokio::time::timeout;

const SOON: Duration = Duration::from_secs(30);

/// API keys.
const FETCH: i16 = 1;
const HEARTBEAT: i16 = 12;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_whose_user_is_away_leaves_says_so_once_and_joins_again() {
    let broker = broker();
    let kafka = Kafka::connect(broker.bootstrap()).await.unwrap();
    let (group, topic) = (unique("overdue"), new_topic(broker.bootstrap(), "overdue", 2).await);
    let mut numbers = Numbers::new(&kafka.producer().build().await.unwrap(), &topic, 2);
    numbers.send(100).await;
    let journal = Journal::new();
    // Only the poll is missed: the session outlasts the test.
    let member = || quick(&kafka, &group).subscribe([&*topic]).auto_commit(None).set("session.timeout.ms", "60000");
    let mut away = member().set("max.poll.interval.ms", "1500").build().await.unwrap();
    let first = timeout(SOON, away.recv()).await.unwrap().unwrap().unwrap();
    away.commit().await.unwrap();
    assert_eq!(timeout(SOON, away.recv()).await.unwrap().unwrap().unwrap().offset(), 1);
    let here = Member::start("here", member().build().await.unwrap(), &journal, Commits::Every(1));
    eventually(SOON, "the one who polls has all", async || journal.shared_by(&["here"], 2)).await;
    let late = away.commit().await.unwrap_err();
    assert!(
        late.to_string().contains("belongs to this member no more") || matches!(late, milena::CommitError::Closed),
        "{late}"
    );
    eventually(SOON, "all but what was committed", async || journal.numbers().len() == 99).await;

    let error = timeout(SOON, away.next_event()).await.expect("it is told").unwrap_err();
    assert!(matches!(error, ConsumeError::PollOverdue { .. }), "{error:?}");
    assert!(error.to_string().contains("max.poll.interval.ms"), "{error}");
    let mut rebalances = Vec::new();
    while rebalances.len() < 2 {
        match timeout(SOON, away.next_event()).await.expect("it joins again").expect("once is enough").unwrap() {
            ConsumerEvent::Rebalance(rebalance) => rebalances.push(rebalance),
            record => panic!("{record:?}"),
        }
    }
    let [Rebalance::Lost(lost), Rebalance::Assigned(assigned)] = &rebalances[..] else { panic!("{rebalances:?}") };
    assert_eq!((lost.len(), assigned.len()), (2, 1));
    numbers.send(100).await;
    let mut read = 0;
    while read < 50 {
        let event = timeout(SOON, away.next_event()).await.unwrap().unwrap().unwrap();
        let ConsumerEvent::Record(record) = event else { panic!("{event:?}") };
        assert!(record.offset() >= 50, "{record:?}");
        read += 1;
    }
    eventually(SOON, "the other half", async || journal.numbers().len() == 149).await;
    journal.assert_nothing_twice();
    assert_eq!(first.offset(), 0);
    here.close().await;
    away.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heartbeats_go_on_while_the_user_holds_a_record_and_while_no_fetch_is_answered() {
    let broker = broker();
    let Some(proxied) = broker.proxied() else { return };
    let kafka = Kafka::connect(broker.bootstrap()).await.unwrap();
    let (group, topic) = (unique("beats"), new_topic(broker.bootstrap(), "beats", 6).await);
    let mut numbers = Numbers::new(&kafka.producer().build().await.unwrap(), &topic, 6);
    numbers.send(60).await;
    let journal = Journal::new();
    let through = Kafka::connect(proxied.bootstrap()).await.unwrap();
    let slow = quick(&through, &group).set("session.timeout.ms", "3000").auto_commit(None);
    let mut slow = slow.subscribe([&*topic]).build().await.unwrap();
    let first = timeout(SOON, slow.recv()).await.unwrap().unwrap().unwrap();
    let (_, generation) = slow.membership().expect("it has joined");
    // More heartbeats than fit into a session, without a poll.
    let beats = 3_000 / 300 + 3;
    let until = proxied.answers(HEARTBEAT) + beats;
    eventually(SOON, "heartbeats go on", async || proxied.answers(HEARTBEAT) >= until).await;
    assert_eq!(slow.membership().map(|(_, generation)| generation), Some(generation));
    slow.commit_record(&first).await.unwrap();

    // Now it polls, and no fetch is answered.
    let consumer = Member::start("slow", slow, &journal, Commits::Every(1));
    eventually(SOON, "what was there", async || journal.numbers().len() == 59).await;
    let stalled = proxied.on_each(Filter::api(FETCH), || Fault::Stall(Direction::Answers));
    numbers.send(60).await;
    let until = proxied.answers(HEARTBEAT) + beats;
    eventually(SOON, "heartbeats go on", async || proxied.answers(HEARTBEAT) >= until).await;
    assert_eq!(consumer.generation().await, Some(generation));
    assert_eq!(journal.numbers().len(), 59, "it is stalled");
    drop(stalled);
    eventually(SOON, "what came meanwhile", async || journal.numbers().len() == 119).await;
    assert_eq!(consumer.generation().await, Some(generation));
    journal.assert_nothing_twice();
    consumer.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heartbeats_go_on_while_a_broker_that_is_fetched_from_stands_still() {
    let Some(mut control) = real_cluster_control("a process is paused") else { return };
    let proxied = control.proxied();
    let kafka = Kafka::connect(&control.bootstrap()).await.unwrap();
    let (group, topic) = (unique("still"), new_topic(&control.bootstrap(), "still", 6).await);
    let mut numbers = Numbers::new(&kafka.producer().build().await.unwrap(), &topic, 6);
    numbers.send(60).await;
    let journal = Journal::new();
    let through = Kafka::connect(proxied.bootstrap()).await.unwrap();
    let consumer = quick(&through, &group).subscribe([&*topic]).auto_commit(None).build().await.unwrap();
    let consumer = Member::start("steady", consumer, &journal, Commits::Every(1));
    eventually(SOON, "all are handed out", async || journal.has_all(60)).await;
    let generation = consumer.generation().await.expect("it has joined");

    let coordinator = control.coordinator(SOON, &group, |_| true).await;
    let led = async |partition| control.leader(SOON, &topic, partition, |leader| leader.is_some()).await;
    let mut victim = None;
    for partition in 0..6 {
        victim = victim.or(led(partition).await.filter(|leader| *leader != coordinator));
    }
    let victim = victim.expect("six partitions have more than one leader");
    tokio::task::block_in_place(|| control.pause(victim));
    // More heartbeats than fit into a session.
    let until = proxied.answers(HEARTBEAT) + 6_000 / 300 + 3;
    eventually(SOON, "heartbeats go on", async || proxied.answers(HEARTBEAT) >= until).await;
    assert_eq!(consumer.generation().await, Some(generation));
    tokio::task::block_in_place(|| control.resume(victim));
    numbers.send(60).await;
    eventually(SOON, "what came afterwards", async || journal.has_all(120)).await;
    assert_eq!(consumer.generation().await, Some(generation));
    journal.assert_nothing_twice();
    consumer.close().await;
}
