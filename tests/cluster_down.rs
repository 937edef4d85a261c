//! All brokers are down for longer than the delivery timeout while a producer sends and a consumer reads: every delivery ends
//! with the truth, and once the brokers are back both go on by themselves, in order, with nothing doubled and nothing missed.
//! Meanwhile neither spins.

mod support;

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::{Duration, Instant},
};

use milena::{Kafka, OffsetSpec, Record};
use support::{cluster_control, eventually, kafka_tool, read_log};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_delivery_ends_with_the_truth_and_the_producer_goes_on() {
    let Some(mut control) = cluster_control() else { return };
    let brokers = control.bootstrap();
    let topic = control.topic("down", 3).await;
    let kafka = Kafka::connect(&brokers).await.unwrap();
    let producer = kafka.producer().delivery_timeout(Duration::from_secs(5)).build().await.unwrap();

    let mut consumer =
        kafka.standalone_consumer().assign_topics([&*topic], OffsetSpec::Beginning).build().await.unwrap();
    let read = Arc::new(parking_lot::Mutex::new(HashMap::<i32, Vec<u32>>::new()));
    let reader = tokio::spawn({
        let read = Arc::clone(&read);
        async move {
            while let Some(record) = consumer.recv().await.unwrap() {
                let number = std::str::from_utf8(record.value().unwrap()).unwrap().parse().unwrap();
                read.lock().entry(record.partition()).or_default().push(number);
            }
        }
    });

    let (mut acknowledged, mut impossible, mut possible) = (HashSet::new(), HashSet::new(), HashSet::new());
    let mut after_outage = 0;
    let mut down = false;
    let mut outage = None;
    let mut number = 0u32;
    let started = Instant::now();
    // Rounds of deliveries, so that their ends steer what happens next.
    while after_outage < 5_000 {
        assert!(started.elapsed() < Duration::from_secs(150), "the producer did not go on");
        let mut round = Vec::new();
        for _ in 0..500 {
            let value = number.to_string();
            let record = Record::to(&topic).partition((number % 3) as i32).value(&value);
            round.push((number, producer.enqueue(record).await.unwrap()));
            number += 1;
        }
        if number == 5_000 {
            (1..=control.nodes()).for_each(|node| control.kill(node));
            down = true;
            outage = Some((Instant::now(), cpu_seconds()));
        }
        for (number, delivery) in round {
            match delivery.await {
                Ok(_) => assert!(acknowledged.insert(number)),
                Err(error) if error.is_possibly_written() => assert!(possible.insert(number)),
                Err(_) => assert!(impossible.insert(number)),
            }
        }
        if down && possible.len() + impossible.len() >= 500 {
            let (since, cpu) = outage.take().expect("there is one");
            let share = (cpu_seconds() - cpu) / since.elapsed().as_secs_f64();
            println!("CPU while no broker answered: {:.1} % of one core for {:.1?}", share * 100.0, since.elapsed());
            assert!(share < 0.1, "something spins: {share} of a core");
            tokio::task::block_in_place(|| control.start_all());
            down = false;
        } else if number > 5_000 && !down {
            after_outage = acknowledged.iter().filter(|n| **n > 6_000).count();
        }
    }
    producer.close().await;
    assert!(!possible.is_empty() || !impossible.is_empty(), "nothing expired: there was no outage");

    let log = match control.is_real() {
        true => by_the_console(&brokers, &topic, number),
        false => by_milena(&brokers, &topic).await,
    };
    let mut logs: HashMap<i32, Vec<u32>> = HashMap::new();
    let mut written = HashSet::new();
    for (partition, number) in log {
        assert!(written.insert(number), "{number} is there twice");
        logs.entry(partition).or_default().push(number);
    }
    assert!(logs.values().all(|log| log.is_sorted()), "out of order");
    assert!(acknowledged.is_subset(&written), "acknowledged and lost: {:?}", acknowledged.difference(&written).min());
    assert!(
        impossible.is_disjoint(&written),
        "said not to be written, and is: {:?}",
        impossible.intersection(&written).min()
    );
    eventually(Duration::from_secs(20), "the consumer has read the log", async || *read.lock() == logs).await;
    reader.abort();
    println!("{} acknowledged, {} not written, {} possibly", acknowledged.len(), impossible.len(), possible.len());
}

/// User and system time of this process.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let mut fields = stat.rsplit_once(')').expect("a name in parentheses").1.split_whitespace();
    let user: f64 = fields.nth(11).unwrap().parse().unwrap();
    let system: f64 = fields.next().unwrap().parse().unwrap();
    // In USER_HZ, which is 100 on Linux everywhere.
    (user + system) / 100.0
}

/// Partition and number of each record, as Kafka's console consumer reads them.
fn by_the_console(brokers: &str, topic: &str, number: u32) -> Vec<(i32, u32)> {
    let max = (number * 2).to_string();
    #[rustfmt::skip]
    let args = [
        "--bootstrap-server", brokers, "--topic", topic, "--from-beginning", "--max-messages", &max, "--timeout-ms", "15000",
        "--formatter-property", "print.partition=true",
    ];
    let text = kafka_tool("org.apache.kafka.tools.consumer.ConsoleConsumer", &args);
    let lines = text.lines().filter(|line| line.starts_with("Partition:"));
    let record = |line: &str| {
        let (partition, value) = line.split_once('\t').unwrap();
        (partition.trim_start_matches("Partition:").parse().unwrap(), value.parse().unwrap())
    };
    lines.map(record).collect()
}

/// The same by a consumer of this crate that begins anew.
async fn by_milena(brokers: &str, topic: &str) -> Vec<(i32, u32)> {
    let log = read_log(brokers, topic).await;
    log.into_iter().flat_map(|(partition, records)| records.into_iter().map(move |(_, n)| (partition, n))).collect()
}
