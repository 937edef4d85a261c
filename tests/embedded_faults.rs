//! Faults of the embedded broker, each with a producer or a consumer that has to live with it: every record is in the log
//! once and in order, and is read once. The clock is tokio's, paused: minutes take milliseconds.

use std::time::Duration;

use milena::{
    Api, Consumer, ConsumerEvent, Embedded, ErrorCode, Fault, Kafka, OffsetSpec, Producer, Properties, Rebalance,
    Record, TopicPartition,
};
use tokio::time::Instant;

const TOPIC: &str = "t";
/// So many records of a partition, in more batches than are in flight at once.
const RECORDS: u32 = 100;

async fn three_brokers(partitions: u32) -> (Embedded, Kafka) {
    let broker = Embedded::builder().brokers(3).topic(TOPIC, partitions).start().await.unwrap();
    let kafka = broker.kafka_with(Properties::from_iter([("client.id", "test")])).await.unwrap();
    (broker, kafka)
}

async fn small_batches(kafka: &Kafka) -> Producer {
    kafka.producer().batch_bytes(200).build().await.unwrap()
}

/// Sends the numbers from `first` on to partition 0; all are acknowledged, each at its own offset.
async fn send(producer: &Producer, first: u32) {
    let mut deliveries = Vec::new();
    for number in first..first + RECORDS {
        let record = Record::to(TOPIC).partition(0).value(number.to_string());
        deliveries.push(producer.enqueue(record).await.unwrap());
    }
    for (number, delivery) in (i64::from(first)..).zip(deliveries) {
        assert_eq!(delivery.await.unwrap().offset(), number);
    }
}

/// Reads the numbers from `first` on, each at its own offset.
async fn read(consumer: &mut Consumer, first: u32) {
    for number in first..first + RECORDS {
        let record = consumer.recv().await.unwrap().unwrap();
        assert_eq!(record.value(), Some(number.to_string().as_bytes()));
        assert_eq!(record.offset(), i64::from(number));
    }
}

/// The log of partition 0 is the numbers below `end`.
async fn check_log(kafka: &Kafka, end: u32) {
    let from = [(TopicPartition::new(TOPIC, 0), OffsetSpec::Beginning)];
    let mut consumer = kafka.standalone_consumer().assign(from).until_end().build().await.unwrap();
    let mut numbers = 0..end;
    while let Some(record) = consumer.recv().await.unwrap() {
        assert_eq!(record.value(), numbers.next().map(|number| number.to_string().into_bytes()).as_deref());
    }
    assert_eq!(numbers.next(), None, "these are missing");
}

async fn a_producer_survives(fault: Fault) {
    let (broker, kafka) = three_brokers(1).await;
    let producer = small_batches(&kafka).await;
    send(&producer, 0).await;
    let injected = broker.fault(Api::Produce).after(3).times(3, fault);
    send(&producer, RECORDS).await;
    assert_eq!(injected.fired(), 3);
    // Also the very first one that a producer sends.
    let first = small_batches(&kafka).await;
    broker.fault(Api::Produce).once(fault);
    let ack = first.send(Record::to(TOPIC).partition(0).value((2 * RECORDS).to_string())).await.unwrap();
    assert_eq!(ack.offset(), i64::from(2 * RECORDS));
    check_log(&kafka, 2 * RECORDS + 1).await;
}

async fn a_consumer_survives(fault: Fault) {
    let (broker, kafka) = three_brokers(1).await;
    let producer = small_batches(&kafka).await;
    let mut consumer = kafka.standalone_consumer().assign_topics([TOPIC], OffsetSpec::Beginning).build().await.unwrap();
    send(&producer, 0).await;
    read(&mut consumer, 0).await;
    let injected = broker.fault(Api::Fetch).times(4, fault);
    for round in 1..6 {
        send(&producer, round * RECORDS).await;
        read(&mut consumer, round * RECORDS).await;
    }
    injected.until_fired(4).await;
}

/// A test for each fault and each client.
macro_rules! survived {
    ($($name:ident: $fault:expr;)*) => {
        mod a_producer {
            use super::*;
            $(#[tokio::test(start_paused = true)] async fn $name() { a_producer_survives($fault).await })*
        }
        mod a_consumer {
            use super::*;
            $(#[tokio::test(start_paused = true)] async fn $name() { a_consumer_survives($fault).await })*
        }
    };
}

survived! {
    survives_an_error: Fault::Error(ErrorCode::NOT_LEADER_OR_FOLLOWER);
    survives_another_error: Fault::Error(ErrorCode::REQUEST_TIMED_OUT);
    survives_a_delay: Fault::Delay(Duration::from_secs(20));
    survives_a_delay_beyond_its_patience: Fault::Delay(Duration::from_secs(45));
    survives_a_disconnection: Fault::Disconnect;
    survives_a_lost_answer: Fault::LoseAnswer;
    survives_a_late_answer: Fault::AnswerLate(Duration::from_secs(20));
    survives_an_answer_beyond_its_patience: Fault::AnswerLate(Duration::from_secs(45));
    survives_silence: Fault::Silence;
    survives_bytes_that_are_no_answer: Fault::Corrupt;
}

#[tokio::test(start_paused = true)]
async fn records_that_are_broken_once_are_fetched_again() {
    let (broker, kafka) = three_brokers(1).await;
    send(&small_batches(&kafka).await, 0).await;
    let broken = broker.fault(Api::Fetch).once(Fault::CorruptRecords);
    let mut consumer = kafka.standalone_consumer().assign_topics([TOPIC], OffsetSpec::Beginning).build().await.unwrap();
    read(&mut consumer, 0).await;
    assert_eq!(broken.fired(), 1);
}

#[tokio::test(start_paused = true)]
async fn records_that_stay_broken_are_told_with_their_place() {
    let (broker, kafka) = three_brokers(2).await;
    send(&small_batches(&kafka).await, 0).await;
    let broken = broker.fault(Api::Fetch).partition(TOPIC, 0).always(Fault::CorruptRecords);
    let mut consumer = kafka.standalone_consumer().assign_topics([TOPIC], OffsetSpec::Beginning).build().await.unwrap();
    let error = consumer.recv().await.unwrap_err().to_string();
    assert!(error.contains("t-0") && error.contains("offset 0"), "{error}");
    drop(broken);
    consumer.seek(&TopicPartition::new(TOPIC, 0), OffsetSpec::Beginning).unwrap();
    read(&mut consumer, 0).await;
}

#[tokio::test(start_paused = true)]
async fn an_error_of_one_partition_leaves_the_others_alone() {
    let (broker, kafka) = three_brokers(2).await;
    let one = Embedded::builder().topic("two", 2).start().await.unwrap();
    let guard = one.fault(Api::Produce).partition("two", 1).always(Fault::Error(ErrorCode::NOT_ENOUGH_REPLICAS));
    let producer = one.kafka().await.unwrap().producer().build().await.unwrap();
    let held_up = producer.enqueue(Record::to("two").partition(1).value("held up")).await.unwrap();
    let started = Instant::now();
    producer.send(Record::to("two").partition(0).value("not")).await.unwrap();
    assert!(started.elapsed() < Duration::from_secs(1));
    guard.until_fired(3).await;
    drop(guard);
    assert_eq!(held_up.await.unwrap().offset(), 0);

    // Of a consumer: both are read by one fetch session, which names neither once it stands.
    let producer = kafka.producer().build().await.unwrap();
    let mut consumer = kafka.standalone_consumer().assign_topics([TOPIC], OffsetSpec::Beginning).build().await.unwrap();
    broker.move_leader(TOPIC, 0, 1);
    broker.move_leader(TOPIC, 1, 1);
    producer.send(Record::to(TOPIC).partition(0).value("0")).await.unwrap();
    assert_eq!(consumer.recv().await.unwrap().unwrap().partition(), 0);
    let guard = broker.fault(Api::Fetch).partition(TOPIC, 0).always(Fault::Error(ErrorCode::KAFKA_STORAGE_ERROR));
    // The fetch that waits already has met no fault.
    producer.send(Record::to(TOPIC).partition(1).value("0")).await.unwrap();
    assert_eq!(consumer.recv().await.unwrap().unwrap().partition(), 1);
    guard.until_fired(1).await;
    producer.send(Record::to(TOPIC).partition(0).value("1")).await.unwrap();
    producer.send(Record::to(TOPIC).partition(1).value("1")).await.unwrap();
    assert_eq!(consumer.recv().await.unwrap().unwrap().partition(), 1);
    drop(guard);
    assert_eq!(consumer.recv().await.unwrap().unwrap().value(), Some(&b"1"[..]));
}

/// A member that begins gets over it, and asks again for that partition alone or for all.
#[tokio::test(start_paused = true)]
async fn committed_offsets_of_one_partition_can_be_refused_too() {
    let (broker, kafka) = three_brokers(2).await;
    let admin = kafka.admin();
    let committed = [(TopicPartition::new(TOPIC, 0), 5), (TopicPartition::new(TOPIC, 1), 7)];
    for (partition, altered) in admin.alter_group_offsets("g", committed).await {
        altered.unwrap_or_else(|error| panic!("{partition}: {error}"));
    }
    let error = Fault::Error(ErrorCode::UNSTABLE_OFFSET_COMMIT);
    let fault = broker.fault(Api::OffsetFetch).partition(TOPIC, 1).times(2, error);
    let mut consumer = kafka.consumer("g").subscribe([TOPIC]).build().await.unwrap();
    let producer = kafka.producer().build().await.unwrap();
    for number in 0..10 {
        producer.send(Record::to(TOPIC).partition(1).value(number.to_string())).await.unwrap();
    }
    assert_eq!(consumer.recv().await.unwrap().unwrap().offset(), 7);
    assert_eq!(fault.fired(), 2);
    let of_one = broker.requests().into_iter().filter(|request| request.api == Api::OffsetFetch);
    assert!(of_one.clone().count() >= 3);
    assert!(of_one.last().unwrap().partitions.contains(&TopicPartition::new(TOPIC, 1)));
}

#[tokio::test(start_paused = true)]
async fn only_the_broker_that_is_named_fails() {
    let (broker, kafka) = three_brokers(3).await;
    let producer = kafka.producer().build().await.unwrap();
    let silent = broker.fault(None).broker(2).always(Fault::Silence);
    let started = Instant::now();
    for partition in 0..3 {
        producer.send(Record::to(TOPIC).partition(partition).value("a")).await.unwrap();
        if partition == 0 {
            assert!(started.elapsed() < Duration::from_secs(1));
            // Another can lead what the silent one leads.
            broker.move_leader(TOPIC, 1, 3);
        }
    }
    drop(silent);
    assert!(broker.requests().iter().any(|request| request.api == Api::Produce && request.broker == 3));
}

#[tokio::test(start_paused = true)]
async fn a_moved_leader_is_followed() {
    let (broker, kafka) = three_brokers(1).await;
    let producer = small_batches(&kafka).await;
    let mut consumer = kafka.standalone_consumer().assign_topics([TOPIC], OffsetSpec::Beginning).build().await.unwrap();
    for round in 0..6 {
        send(&producer, round * RECORDS).await;
        broker.move_leader(TOPIC, 0, 1 + (round as i32) % 3);
        read(&mut consumer, round * RECORDS).await;
    }
    check_log(&kafka, 6 * RECORDS).await;
    let asked = broker.requests().into_iter().filter(|request| request.api == Api::Produce);
    let asked = asked.map(|request| request.broker).collect::<std::collections::BTreeSet<_>>();
    assert_eq!(asked, [1, 2, 3].into());
}

#[tokio::test(start_paused = true)]
async fn a_member_that_is_missed_and_a_coordinator_that_moves_are_lived_with() {
    let (broker, kafka) = three_brokers(2).await;
    let producer = small_batches(&kafka).await;
    let member = async || {
        let builder = kafka.consumer("readers").subscribe([TOPIC]).auto_offset_reset(milena::OffsetReset::Earliest);
        builder.auto_commit(None).build().await.unwrap()
    };
    let mut consumer = member().await;
    for round in 0..6 {
        send(&producer, round * RECORDS).await;
        read(&mut consumer, round * RECORDS).await;
        consumer.commit().await.unwrap();
        match round {
            0..3 => broker.move_coordinator("readers", 1 + round as i32),
            3 => {
                let [(id, None)] = &broker.group_members("readers")[..] else { panic!("one member") };
                broker.expire_member("readers", id);
            }
            _ => drop(broker.fault(Api::Heartbeat).once(Fault::Error(ErrorCode::UNKNOWN_MEMBER_ID))),
        }
        // Nothing is left to be read: what comes next is that it lost its partitions, and has them again.
        if round < 3 {
            continue;
        }
        loop {
            match consumer.next_event().await.unwrap() {
                Some(ConsumerEvent::Rebalance(Rebalance::Assigned(_))) => break,
                Some(ConsumerEvent::Rebalance(_)) => {}
                other => panic!("{other:?}"),
            }
        }
    }
    // Whoever comes after finds what was committed.
    consumer.close().await;
    let mut consumer = member().await;
    send(&producer, 6 * RECORDS).await;
    read(&mut consumer, 6 * RECORDS).await;
}

#[tokio::test(start_paused = true)]
async fn a_stopped_broker_is_gone_until_it_starts() {
    let (broker, kafka) = three_brokers(1).await;
    let producer = small_batches(&kafka).await;
    let mut consumer = kafka.standalone_consumer().assign_topics([TOPIC], OffsetSpec::Beginning).build().await.unwrap();
    for round in 0..3 {
        send(&producer, round * RECORDS).await;
        if round < 2 {
            broker.stop_broker(1 + round as i32);
        }
        read(&mut consumer, round * RECORDS).await;
    }
    broker.stop_broker(3);
    // None is left.
    let waiting = producer.enqueue(Record::to(TOPIC).partition(0).value((3 * RECORDS).to_string())).await.unwrap();
    let mut waiting = std::pin::pin!(waiting.into_future());
    assert!(tokio::time::timeout(Duration::from_secs(60), &mut waiting).await.is_err());
    for id in 1..=3 {
        broker.start_broker(id);
    }
    assert_eq!(waiting.await.unwrap().offset(), i64::from(3 * RECORDS));
    check_log(&kafka, 3 * RECORDS + 1).await;
}

#[tokio::test(start_paused = true)]
async fn a_log_that_lost_records_is_noticed_and_written_to_again() {
    let (broker, kafka) = three_brokers(1).await;
    let producer = small_batches(&kafka).await;
    let reset = milena::OffsetReset::Latest;
    let builder = kafka.standalone_consumer().assign_topics([TOPIC], OffsetSpec::Beginning).auto_offset_reset(reset);
    let mut consumer = builder.build().await.unwrap();
    send(&producer, 0).await;
    read(&mut consumer, 0).await;
    broker.truncate(TOPIC, 0, 50);
    // The producer's next number follows on what is lost: it goes on under a new epoch.
    let ack = producer.send(Record::to(TOPIC).partition(0).value("after")).await.unwrap();
    assert!(ack.offset() <= 50, "{}", ack.offset());
    // The consumer goes back to where the logs parted (KIP-320).
    let record = consumer.recv().await.unwrap().unwrap();
    assert_eq!((record.offset(), record.value()), (ack.offset(), Some(&b"after"[..])));
}

#[tokio::test(start_paused = true)]
async fn a_fault_ends_when_it_is_removed() {
    let (broker, kafka) = three_brokers(1).await;
    let producer = kafka.producer().build().await.unwrap();
    let never = broker.fault(Api::Produce).times(1_000, Fault::Disconnect);
    let held_up = producer.enqueue(Record::to(TOPIC).value("a")).await.unwrap();
    never.until_fired(2).await;
    never.remove();
    assert_eq!(held_up.await.unwrap().offset(), 0);
    let guard = broker.fault(Api::Produce).always(Fault::Disconnect);
    drop(guard);
    broker.clear_requests();
    producer.send(Record::to(TOPIC).value("b")).await.unwrap();
    let sent: Vec<_> = broker.requests().into_iter().filter(|request| request.api == Api::Produce).collect();
    assert_eq!(sent.len(), 1);
    assert_eq!((&*sent[0].client_id, &*sent[0].partitions), ("test", &[TopicPartition::new(TOPIC, 0)][..]));
}
