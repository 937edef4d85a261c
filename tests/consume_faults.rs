//! The consumer on a real cluster while connections break, answers come late or broken and a broker stands still: every record
//! is handed out once, whole and in order, and the consumer needs no help.

mod support;

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use milena::{ConsumeError, Consumer, Kafka, NewTopic, OffsetSpec, Properties, Record, TopicPartition};
use support::{
    Broker, Fault, Filter, Numbers, ProxiedCluster, broker, cluster_control, eventually, new_topic, number_of,
    real_cluster_control,
};
use tokio::time::timeout;

const PRODUCE: i16 = 0;
const FETCH: i16 = 1;
const PARTITIONS: u32 = 3;
const SOON: Duration = Duration::from_secs(60);

/// A topic with so many records in small batches, and a proxy before each node.
async fn filled(prefix: &str, records: u32) -> Option<(Broker, ProxiedCluster, String)> {
    let broker = broker();
    let proxied = broker.proxied()?;
    let topic = new_topic(broker.bootstrap(), prefix, PARTITIONS as i32).await;
    // Through the proxies, so that they count the bytes.
    let kafka = Kafka::connect(proxied.bootstrap()).await.unwrap();
    let producer = kafka.producer().batch_bytes(1_000).build().await.unwrap();
    Numbers::new(&producer, &topic, PARTITIONS).send(records).await;
    producer.close().await;
    Some((broker, proxied, topic))
}

/// A consumer of the whole topic. `fetch` bytes of a partition in one answer.
async fn consumer(bootstrap: &str, topic: &str, fetch: usize, settings: &[(&str, &str)]) -> Consumer {
    let mut properties = Properties::from_iter([("bootstrap.servers", bootstrap)]);
    for (key, value) in settings {
        properties.set(*key, *value);
    }
    let kafka = Kafka::with_properties(properties).await.unwrap();
    let reading = kafka.standalone_consumer().set("max.partition.fetch.bytes", fetch.to_string());
    reading.assign_topics([topic], OffsetSpec::Beginning).build().await.unwrap()
}

/// What was handed out: the next number of each partition.
#[derive(Default)]
struct Read(BTreeMap<i32, u32>);

impl Read {
    /// Reads until `records` have come in all, each the next of its partition.
    async fn until(&mut self, consumer: &mut Consumer, records: u32) {
        while self.count() < records {
            let next = timeout(SOON, consumer.recv()).await;
            let record = next.unwrap_or_else(|_| panic!("nothing comes behind {:?}", self.0));
            let record = record.unwrap().expect("it has no end");
            let expected = self.0.entry(record.partition()).or_insert(record.partition() as u32);
            let number = number_of(record.value());
            assert_eq!(number, *expected, "in partition {}", record.partition());
            assert_eq!(record.value(), Some(format!("{number:<88}").as_bytes()), "it is broken");
            assert_eq!(record.offset(), i64::from(number / PARTITIONS));
            *expected += PARTITIONS;
        }
    }

    fn count(&self) -> u32 {
        self.0.values().map(|next| next / PARTITIONS).sum()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_break_lose_and_double_nothing() {
    let Some((_broker, proxied, topic)) = filled("cut-fetches", 6_000).await else { return };
    let requests = [1, 6].map(|nth| proxied.on_each(Filter::api(FETCH).nth(nth), || Fault::Cut));
    let answers = [2, 3, 8].map(|nth| proxied.on_each(Filter::api(FETCH).nth(nth), || Fault::CutBeforeAnswer));
    let halves = [5, 12].map(|nth| proxied.on_each(Filter::api(FETCH).nth(nth), || Fault::CutWithinAnswer));
    let mut consumer = consumer(proxied.bootstrap(), &topic, 8_000, &[]).await;
    let mut read = Read::default();
    read.until(&mut consumer, 5_000).await;
    proxied.cut_all();
    read.until(&mut consumer, 6_000).await;
    for fault in requests.iter().chain(&answers).chain(&halves).flatten() {
        assert_eq!(fault.fired(), 1, "a connection did not break");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_that_come_too_late_are_fetched_anew() {
    let Some((_broker, proxied, topic)) = filled("late-fetches", 3_000).await else { return };
    let late = proxied.on_each(Filter::api(FETCH).first(2), || Fault::Delay(Duration::from_secs(3)));
    let quick = [("request.timeout.ms", "500"), ("fetch.max.wait.ms", "100")];
    let mut consumer = consumer(proxied.bootstrap(), &topic, 8_000, &quick).await;
    Read::default().until(&mut consumer, 3_000).await;
    assert!(late.iter().all(|fault| fault.fired() == 2), "an answer was not late");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broken_answers_are_fetched_once_more() {
    let Some((_broker, proxied, topic)) = filled("broken-fetches", 6_000).await else { return };
    // All over the answer, and in a record, which only the checksum sees: one answer out of two.
    let anywhere = [1, 3].map(|nth| proxied.on_each(Filter::api(FETCH).nth(nth), || Fault::Corrupt));
    let in_a_record = [5, 7, 9, 11]
        .map(|nth| proxied.on_each(Filter::api(FETCH).nth(nth), || Fault::rewrite(|answer| spoil(answer))));
    let mut consumer = consumer(proxied.bootstrap(), &topic, 8_000, &[]).await;
    Read::default().until(&mut consumer, 6_000).await;
    for fault in anywhere.iter().chain(&in_a_record).flatten() {
        assert_eq!(fault.fired(), 1, "an answer was not broken");
    }
}

/// Changes a byte of the last record's value.
fn spoil(answer: &mut [u8]) {
    // Behind the records there are a few bytes of tagged fields.
    if let Some(at) = answer.len().checked_sub(30) {
        answer[at] ^= 1;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_of_which_the_broker_knows_nothing_is_left() {
    let Some((_broker, proxied, topic)) = filled("false-sessions", 600).await else { return };
    // Time-out, error code, session id: an id that no broker gives and none can look up.
    let false_id = |answer: &mut Vec<u8>| answer[11..15].copy_from_slice(&(i32::MIN / 2).to_be_bytes());
    let fault = proxied.on_each(Filter::api(FETCH).first(1), || Fault::rewrite(false_id));
    let mut consumer = consumer(proxied.bootstrap(), &topic, 2_000, &[]).await;
    Read::default().until(&mut consumer, 600).await;
    assert!(fault.iter().all(|fault| fault.fired() == 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_stays_broken_is_told_with_its_place_and_read_once_it_is_whole() {
    let Some((_broker, proxied, topic)) = filled("stays-broken", 300).await else { return };
    // In the middle of the one whole batch of the answer.
    let spoil = |answer: &mut Vec<u8>| {
        let middle = answer.len() / 2;
        answer[middle] ^= 1;
    };
    let broken = proxied.on_each(Filter::api(FETCH), || Fault::rewrite(spoil));
    let mut consumer = consumer(proxied.bootstrap(), &topic, 1_024, &[]).await;
    for _ in 0..PARTITIONS {
        match timeout(SOON, consumer.recv()).await.unwrap() {
            Err(ConsumeError::Corrupt { offset: 0, partition, .. }) => assert_eq!(&*partition.topic, topic),
            other => panic!("{other:?}"),
        }
    }
    drop(broken);
    let nothing = timeout(Duration::from_millis(200), consumer.recv()).await;
    assert!(nothing.is_err(), "it waits for a seek: {nothing:?}");
    for partition in 0..PARTITIONS as i32 {
        consumer.seek(&TopicPartition::new(&*topic, partition), 0).unwrap();
    }
    Read::default().until(&mut consumer, 300).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_calm_weather_no_byte_is_fetched_twice() {
    let Some((_broker, proxied, topic)) = filled("calm-fetches", 30_000).await else { return };
    let bytes =
        |of: fn(&support::Counts) -> u64| proxied.proxies().iter().map(|proxy| of(&proxy.counts())).sum::<u64>();
    let mut consumer = consumer(proxied.bootstrap(), &topic, 1 << 20, &[]).await;
    Read::default().until(&mut consumer, 30_000).await;
    consumer.close().await;
    let (log, fetched) = (bytes(|c| c.request_bytes(PRODUCE)), bytes(|c| c.answer_bytes(FETCH)));
    println!("{log} bytes were sent, {fetched} fetched in {} answers", proxied.answers(FETCH));
    assert!(fetched < log + log / 20, "{log} bytes were sent, {fetched} fetched");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_stands_still_until_others_lead_stops_nothing() {
    let Some(mut control) = real_cluster_control("a process has to stand still") else { return };
    let topic = new_topic(&control.bootstrap(), "still-fetches", PARTITIONS as i32).await;
    let kafka = Kafka::connect(&control.bootstrap()).await.unwrap();
    let producer = kafka.producer().set("batch.size", "1000").build().await.unwrap();
    let mut numbers = Numbers::new(&producer, &topic, PARTITIONS);
    let quick = [("request.timeout.ms", "2000")];
    let mut consumer = consumer(&control.bootstrap(), &topic, 8_000, &quick).await;
    let mut read = Read::default();
    numbers.send(3_000).await;
    read.until(&mut consumer, 300).await;
    let leader = async || kafka.admin().describe_topic(&topic).await.ok()?.partitions[0].leader;
    let still = eventually(SOON, "partition 0 has a leader", leader).await;
    control.pause(still as u16);
    let began = Instant::now();
    // What it had, and what was to come from it, comes from the others.
    read.until(&mut consumer, 3_000).await;
    println!("read on after {:.1?}", began.elapsed());
    eventually(SOON, "another leads partition 0", async || leader().await.is_some_and(|now| now != still)).await;
    control.resume(still as u16);
    numbers.send(3_000).await;
    read.until(&mut consumer, 6_000).await;
    numbers.check(&control.bootstrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_goes_before_anything_was_written_is_no_truncation() {
    let Some(mut control) = cluster_control() else { return };
    let topic = new_topic(&control.bootstrap(), "unwritten", 1).await;
    let kafka = Kafka::connect(&control.bootstrap()).await.unwrap();
    let first = control.leader(SOON, &topic, 0, |leader| leader.is_some()).await.unwrap();
    // One that resets by itself would begin behind what it takes for cut off.
    let reading = kafka.standalone_consumer().set("auto.offset.reset", "none");
    let mut consumer = reading.assign_topics([&*topic], OffsetSpec::Beginning).build().await.unwrap();
    assert!(timeout(Duration::from_millis(500), consumer.recv()).await.is_err(), "there is nothing to read");
    control.kill(first);
    control.leader(SOON, &topic, 0, |leader| leader.is_some_and(|now| now != first)).await;
    let producer = kafka.producer().build().await.unwrap();
    producer.send(Record::to(&topic).value("one")).await.unwrap();
    let record = timeout(SOON, consumer.recv()).await.expect("it comes").unwrap().expect("it has no end");
    assert_eq!((record.offset(), record.value()), (0, Some(&b"one"[..])));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_that_is_gone_is_told_once_and_read_when_it_is_made_anew() {
    const METADATA: i16 = 3;
    let Some((broker, proxied, topic)) = filled("consume-gone", 30).await else { return };
    let mut consumer = consumer(proxied.bootstrap(), &topic, 1 << 20, &[]).await;
    for _ in 0..30 {
        timeout(SOON, consumer.recv()).await.unwrap().unwrap().unwrap();
    }
    let kafka = Kafka::connect(broker.bootstrap()).await.unwrap();
    kafka.admin().delete_topic(&topic).await.unwrap();
    for _ in 0..PARTITIONS {
        let error = timeout(SOON, consumer.recv()).await.unwrap().unwrap_err();
        assert!(error.to_string().contains("UNKNOWN_TOPIC_OR_PARTITION"), "{error}");
    }
    // It is asked for about once a second now.
    let asked = || proxied.requests(METADATA);
    let before = asked();
    timeout(Duration::from_secs(3), consumer.recv()).await.unwrap_err();
    assert!((1..8).contains(&(asked() - before)), "asked {} times in three seconds", asked() - before);

    kafka.admin().create_topic(NewTopic::new(&*topic).partitions(1)).await.unwrap();
    let producer = kafka.producer().build().await.unwrap();
    producer.send(Record::to(&topic).value("new")).await.unwrap();
    let record = timeout(SOON, consumer.recv()).await.unwrap().unwrap().unwrap();
    assert_eq!((record.offset(), record.value()), (0, Some(&b"new"[..])));
    assert_eq!(consumer.assignment(), [TopicPartition::new(topic.as_str(), 0)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn partitions_paused_again_and_again_are_not_fetched_ahead_of_their_reader() {
    const ROUNDS: u32 = 60;
    let Some((_broker, proxied, topic)) = filled("consume-pauses", 6_000).await else { return };
    let mut consumer = consumer(proxied.bootstrap(), &topic, 2_000, &[]).await;
    let mut read = Read::default();
    let partitions = consumer.assignment();
    for round in 1..=ROUNDS {
        read.until(&mut consumer, round).await;
        consumer.pause(&partitions).unwrap();
        // What was fetched is put aside meanwhile.
        timeout(Duration::from_millis(20), consumer.recv()).await.unwrap_err();
        consumer.resume(&partitions).unwrap();
    }
    let fetched: u64 = proxied.proxies().iter().map(|proxy| proxy.counts().answer_bytes(FETCH)).sum();
    assert!(fetched < 60_000, "{fetched} bytes fetched for {ROUNDS} records of 88");
    read.until(&mut consumer, 6_000).await;
}
