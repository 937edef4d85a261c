//! Commits beside each other, beside a rebalance and beside the consumer's end.

mod support;

use std::{sync::Arc, time::Duration};

use futures_util::FutureExt;
use milena::{
    CommitError, Consumer, ConsumerEvent, ErrorCode, Kafka, OffsetAndMetadata, OffsetSpec, Rebalance, TopicPartition,
    assignor::CooperativeStickyAssignor,
};
use support::{
    Commits, Fault, Filter, Journal, Member, Numbers, broker, eventually, new_topic, quick, real_kafka_only, unique,
};
use tokio::time::{Instant, sleep, timeout};

const SOON: Duration = Duration::from_secs(30);

/// API keys.
const OFFSET_COMMIT: i16 = 8;
const JOIN_GROUP: i16 = 11;

/// Has the coordinator's answer to a commit of one partition say that it cannot take it yet.
fn not_yet() -> Fault {
    // From version 8 on an answer ends with the last partition's error code, and three empty sets of tagged fields.
    Fault::rewrite(|answer| {
        let at = answer.len() - 5;
        answer[at..at + 2].copy_from_slice(&ErrorCode::COORDINATOR_LOAD_IN_PROGRESS.code().to_be_bytes());
    })
}

async fn committed(consumer: &Consumer, at: &TopicPartition) -> Option<i64> {
    consumer.committed(std::slice::from_ref(at)).await.unwrap().get(at).map(|committed| committed.offset)
}

/// On one thread: the user's task and the member's take turns, so that both kinds of commits lie there together.
#[tokio::test]
async fn what_is_committed_by_hand_is_not_set_back_by_what_commits_by_itself() {
    let broker = broker();
    let kafka = Kafka::connect(broker.bootstrap()).await.unwrap();
    let (group, topic) = (unique("both"), new_topic(broker.bootstrap(), "both", 1).await);
    Numbers::new(&kafka.producer().build().await.unwrap(), &topic, 1).send(300).await;
    let builder = quick(&kafka, &group).subscribe([&*topic]).auto_commit(Some(Duration::from_millis(1)));
    let mut consumer = builder.build().await.unwrap();
    let at = TopicPartition::new(&*topic, 0);
    for _ in 0..300 {
        let record = timeout(SOON, consumer.recv()).await.unwrap().unwrap().unwrap();
        consumer.commit_record(&record).await.unwrap();
        assert_eq!(committed(&consumer, &at).await, Some(record.offset() + 1));
    }
    consumer.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commits_without_a_pause_hold_up_no_rebalance() {
    let broker = broker();
    let Some(proxied) = broker.proxied() else { return };
    let kafka = Kafka::connect(proxied.bootstrap()).await.unwrap();
    let (group, topic) = (unique("stream"), new_topic(broker.bootstrap(), "stream", 4).await);
    Numbers::new(&kafka.producer().build().await.unwrap(), &topic, 4).send(40).await;
    let member = async || {
        let builder = quick(&kafka, &group).subscribe([&*topic]).auto_commit(None);
        builder.assignors([Arc::new(CooperativeStickyAssignor) as _]).build().await.unwrap()
    };
    let journal = Journal::new();
    let mut one = member().await;
    for _ in 0..40 {
        while !matches!(timeout(SOON, one.next_event()).await.unwrap(), Ok(Some(ConsumerEvent::Record(_)))) {}
    }
    // Whenever one is answered the next waits already.
    let slow = proxied.on_each(Filter::api(OFFSET_COMMIT), || Fault::Delay(Duration::from_millis(100)));
    let two = Member::start("two", member().await, &journal, Commits::Never);
    let began = Instant::now();
    while journal.owns("two") < 2 {
        assert!(began.elapsed() < SOON, "the other has {} partitions", journal.owns("two"));
        drop(one.commit());
        if let Some(Ok(Some(ConsumerEvent::Rebalance(Rebalance::Lost(lost))))) = one.next_event().now_or_never() {
            panic!("{lost:?} were lost");
        }
        sleep(Duration::from_millis(1)).await;
    }
    drop(slow);
    one.close().await;
    two.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consumer_whose_closing_is_not_waited_for_commits_all_the_same() {
    let broker = broker();
    let Some(proxied) = broker.proxied() else { return };
    let kafka = Kafka::connect(broker.bootstrap()).await.unwrap();
    let (group, topic) = (unique("hasty"), new_topic(broker.bootstrap(), "hasty", 1).await);
    Numbers::new(&kafka.producer().build().await.unwrap(), &topic, 1).send(10).await;
    let through = Kafka::connect(proxied.bootstrap()).await.unwrap();
    let mut consumer = quick(&through, &group).subscribe([&*topic]).build().await.unwrap();
    for _ in 0..10 {
        timeout(SOON, consumer.recv()).await.unwrap().unwrap().unwrap();
    }
    // The commit never arrives as long as this lasts.
    let cut = proxied.on_each(Filter::api(OFFSET_COMMIT), || Fault::Cut);
    let closing = tokio::spawn(consumer.close());
    eventually(SOON, "it tries to commit", async || cut.iter().any(|fault| fault.fired() > 0)).await;
    closing.abort();
    assert!(closing.await.unwrap_err().is_cancelled());
    drop(cut);
    let beside = kafka.consumer(&*group).assign([(TopicPartition::new(&*topic, 0), OffsetSpec::End)]).auto_commit(None);
    let beside = beside.build().await.unwrap();
    let at = TopicPartition::new(&*topic, 0);
    eventually(SOON, "all is committed", async || committed(&beside, &at).await == Some(10)).await;
    beside.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consumer_that_is_told_what_to_read_joins_no_group_not_even_when_it_closes() {
    let broker = broker();
    let Some(proxied) = broker.proxied() else { return };
    let kafka = Kafka::connect(proxied.bootstrap()).await.unwrap();
    let (group, topic) = (unique("told"), new_topic(broker.bootstrap(), "told", 1).await);
    Numbers::new(&kafka.producer().build().await.unwrap(), &topic, 1).send(10).await;
    let at = TopicPartition::new(&*topic, 0);
    let mut consumer = kafka.consumer(&*group).assign([(at.clone(), OffsetSpec::Beginning)]).build().await.unwrap();
    timeout(SOON, consumer.recv()).await.unwrap().unwrap().unwrap();
    let refused = proxied.on_each(Filter::api(OFFSET_COMMIT).first(3), not_yet);
    timeout(SOON, consumer.close()).await.unwrap();
    assert!(refused.iter().any(|fault| fault.fired() == 3), "its last commit took a while");
    assert_eq!(proxied.requests(JOIN_GROUP), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metadata_go_with_an_offset_and_have_a_limit() {
    let broker = broker();
    let kafka = Kafka::connect(broker.bootstrap()).await.unwrap();
    let (group, topic) = (unique("metadata"), new_topic(broker.bootstrap(), "metadata", 1).await);
    Numbers::new(&kafka.producer().build().await.unwrap(), &topic, 1).send(10).await;
    let mut consumer = quick(&kafka, &group).subscribe([&*topic]).auto_commit(None).build().await.unwrap();
    timeout(SOON, consumer.recv()).await.unwrap().unwrap().unwrap();
    let at = TopicPartition::new(&*topic, 0);
    let unknown = [at.clone(), TopicPartition::new(&*topic, 99), TopicPartition::new("no-such-topic", 0)];
    assert!(consumer.committed(&unknown).await.unwrap().is_empty(), "nothing is committed yet");
    let with = |metadata: String| OffsetAndMetadata { offset: 1, leader_epoch: 0, metadata: metadata.into() };
    consumer.commit_offsets([(at.clone(), with("so far".into()))]).await.unwrap();
    // Over the broker's limit, and over the protocol's, on which a broker gives up the connection.
    for length in [5_000, 50_000] {
        let refused = timeout(SOON, consumer.commit_offsets([(at.clone(), with("x".repeat(length)))])).await;
        let error = refused.expect("it is told").unwrap_err();
        let is_told = matches!(&error, CommitError::Refused { code: ErrorCode::OFFSET_METADATA_TOO_LARGE, .. });
        assert!(is_told, "{error}");
    }
    let negative = consumer.commit_offsets([(at.clone(), -1)]).await.unwrap_err();
    assert!(matches!(&negative, CommitError::Refused { code: ErrorCode::OFFSET_OUT_OF_RANGE, .. }), "{negative}");
    let committed = consumer.committed(&unknown).await.unwrap();
    assert_eq!((committed.len(), &*committed[&at].metadata, committed[&at].leader_epoch), (1, "so far", 0));
    consumer.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closing_takes_no_longer_than_it_says_when_no_coordinator_answers() {
    let why = "it takes 25 s; tests/embedded_groups.rs has it under the paused clock";
    let Some(broker) = real_kafka_only(why) else { return };
    let Some(proxied) = broker.proxied() else { return };
    let kafka = Kafka::connect(proxied.bootstrap()).await.unwrap();
    let (group, topic) = (unique("silent"), new_topic(broker.bootstrap(), "silent", 1).await);
    Numbers::new(&kafka.producer().build().await.unwrap(), &topic, 1).send(10).await;
    let mut consumer = quick(&kafka, &group).subscribe([&*topic]).build().await.unwrap();
    timeout(SOON, consumer.recv()).await.unwrap().unwrap().unwrap();
    let commit = consumer.commit();
    let silence = proxied.freeze();
    let other = consumer.commit();
    timeout(Duration::from_secs(27), consumer.close()).await.expect("25 s, and a little for the machine");
    // The first may have gone before the silence.
    let _ = timeout(SOON, commit).await.expect("it has ended");
    timeout(SOON, other).await.expect("it has ended").unwrap_err();
    drop(silence);
}
