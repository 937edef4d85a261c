//! Brokers of a three-node cluster are killed with -9, one after another, while a producer writes and a consumer reads: what
//! was acknowledged is in the log once, in order per partition, where the acknowledgement says; all of it is read, once and in
//! order; and neither needs help. `MILENA_TEST_RECORDS` sets how many records; on Kafka 60,000 take about a minute.

mod support;

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use milena::{ConsumerRecord, Kafka, OffsetSpec, Record};
use support::{cluster_control, eventually, kafka_tool, read_log};

/// How long the consumer may need for what is left once everything is acknowledged.
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_acknowledged_record_is_there_once_and_in_order() {
    let Some(mut control) = cluster_control() else { return };
    let is_real = control.is_real();
    // The embedded broker starts at once, so that there are as many kills in a tenth of the time.
    let usual = if is_real { 60_000 } else { 6_000 };
    let records: usize = std::env::var("MILENA_TEST_RECORDS").map_or(usual, |n| n.parse().expect("a number"));
    let brokers = control.bootstrap();
    let topic = control.topic("killed", 6).await;
    let kafka = Kafka::connect(&brokers).await.unwrap();
    let producer = kafka.producer().build().await.unwrap();

    let mut consumer =
        kafka.standalone_consumer().assign_topics([&*topic], OffsetSpec::Beginning).build().await.unwrap();
    let reader = tokio::spawn(async move {
        let mut read: HashMap<i32, Vec<(i64, usize)>> = HashMap::new();
        let mut left = records;
        while left > 0 {
            let record: ConsumerRecord = consumer.recv().await.unwrap().expect("it has no end");
            let number = std::str::from_utf8(record.value().unwrap()).unwrap().parse().unwrap();
            read.entry(record.partition()).or_default().push((record.offset(), number));
            left -= 1;
        }
        read
    });

    let done = Arc::new(AtomicBool::new(false));
    let kills = Arc::new(AtomicUsize::new(0));
    let killer = std::thread::spawn({
        let (done, kills) = (Arc::clone(&done), Arc::clone(&kills));
        move || {
            while !done.load(Ordering::Acquire) {
                let victim = kills.load(Ordering::Acquire) as u16 % 3 + 1;
                control.kill(victim);
                control.start(victim);
                kills.fetch_add(1, Ordering::AcqRel);
                // The others' turn comes when the one before is back among the replicas; the schedule is the fault.
                std::thread::sleep(Duration::from_millis(if control.is_real() { 4_000 } else { 400 }));
            }
            control
        }
    });

    let started = Instant::now();
    let mut deliveries = Vec::new();
    for number in 0..records {
        let value = number.to_string();
        let record = Record::to(&topic).partition((number % 6) as i32).value(&value);
        deliveries.push((number, producer.enqueue(record).await.unwrap()));
        if number % 200 == 0 {
            tokio::time::sleep(Duration::from_millis(80)).await;
        }
        // Spread over three kills at least, however long a node takes to start.
        if number % (records / 4) == 0 {
            let enough = async || kills.load(Ordering::Acquire) >= number / (records / 4);
            eventually(Duration::from_secs(60), "the next broker has been killed", enough).await;
        }
    }
    let mut acknowledged = HashMap::new();
    for (number, delivery) in deliveries {
        let ack = delivery.await.unwrap_or_else(|error| panic!("record {number}: {error}"));
        assert!(acknowledged.insert((ack.partition(), ack.offset()), number).is_none(), "{ack:?} twice");
    }
    let took = started.elapsed();
    done.store(true, Ordering::Release);
    let _control = killer.join().unwrap();
    let kills = kills.load(Ordering::Acquire);
    assert!(kills >= 3, "only {kills} brokers were killed in {took:?}");
    producer.close().await;
    let read = tokio::time::timeout(PATIENCE, reader).await.expect("the consumer reads it all").unwrap();

    let log = if is_real { by_the_console(&brokers, &topic, records) } else { by_milena(&brokers, &topic).await };
    let mut logs: HashMap<i32, Vec<(i64, usize)>> = HashMap::new();
    let mut last = HashMap::new();
    let mut seen = 0;
    for (partition, offset, number) in log {
        if let Some(previous) = last.insert(partition, number) {
            assert!(previous < number, "partition {partition}: {number} behind {previous}");
        }
        match acknowledged.get(&(partition, offset)) {
            Some(expected) => assert_eq!(*expected, number, "at {partition}:{offset}"),
            None => assert!(
                acknowledged.contains_key(&(partition, -1)),
                "{number} at {partition}:{offset} was not acknowledged there"
            ),
        }
        logs.entry(partition).or_default().push((offset, number));
        seen += 1;
    }
    assert_eq!(seen, records);
    for (partition, log) in logs {
        assert!(
            read[&partition] == log,
            "partition {partition}: read {}, in the log {}",
            read[&partition].len(),
            log.len()
        );
    }
    println!("{kills} brokers killed in {took:?}");
}

/// Partition, offset and number of each record, as Kafka's console consumer reads them.
fn by_the_console(brokers: &str, topic: &str, records: usize) -> Vec<(i32, i64, usize)> {
    let max = (records * 2).to_string();
    #[rustfmt::skip]
    let args = [
        "--bootstrap-server", brokers, "--topic", topic, "--from-beginning", "--max-messages", &max, "--timeout-ms", "15000",
        "--formatter-property", "print.partition=true", "--formatter-property", "print.offset=true",
    ];
    let text = kafka_tool("org.apache.kafka.tools.consumer.ConsoleConsumer", &args);
    let lines = text.lines().filter(|line| line.starts_with("Partition:"));
    let record = |line: &str| {
        let parts: Vec<&str> = line.split('\t').collect();
        let partition = parts[0].trim_start_matches("Partition:").parse().unwrap();
        let offset = parts[1].trim_start_matches("Offset:").parse().unwrap();
        (partition, offset, parts.last().unwrap().parse().unwrap())
    };
    lines.map(record).collect()
}

/// The same by a consumer of this crate that begins anew.
async fn by_milena(brokers: &str, topic: &str) -> Vec<(i32, i64, usize)> {
    let log = read_log(brokers, topic).await;
    let records = log.into_iter().flat_map(|(partition, records)| {
        records.into_iter().map(move |(offset, number)| (partition, offset, number as usize))
    });
    records.collect()
}
