//! All brokers are down for longer than the delivery timeout while a producer sends: every delivery ends with the truth, and
//! once the brokers are back the producer goes on by itself, in order, with nothing doubled.

mod support;

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use milena::{Kafka, Record};
use support::{cluster_control, kafka_tool};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_delivery_ends_with_the_truth_and_the_producer_goes_on() {
    let Some(mut control) = cluster_control() else { return };
    let brokers = control.bootstrap();
    let topic = control.topic("down", 3).await;
    let kafka = Kafka::connect(&brokers).await.unwrap();
    let producer = kafka.producer().delivery_timeout(Duration::from_secs(5)).build().await.unwrap();

    let (mut acknowledged, mut impossible, mut possible) = (HashSet::new(), HashSet::new(), HashSet::new());
    let mut after_outage = 0;
    let mut down = false;
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
        }
        for (number, delivery) in round {
            match delivery.await {
                Ok(_) => assert!(acknowledged.insert(number)),
                Err(error) if error.is_possibly_written() => assert!(possible.insert(number)),
                Err(_) => assert!(impossible.insert(number)),
            }
        }
        if down && possible.len() + impossible.len() >= 500 {
            tokio::task::block_in_place(|| control.start_all());
            down = false;
        } else if number > 5_000 && !down {
            after_outage = acknowledged.iter().filter(|n| **n > 6_000).count();
        }
    }
    producer.close().await;
    assert!(!possible.is_empty() || !impossible.is_empty(), "nothing expired: there was no outage");

    let max = (number * 2).to_string();
    #[rustfmt::skip]
    let args = [
        "--bootstrap-server", &brokers, "--topic", &topic, "--from-beginning", "--max-messages", &max, "--timeout-ms", "15000",
        "--formatter-property", "print.partition=true",
    ];
    let text = kafka_tool("org.apache.kafka.tools.consumer.ConsoleConsumer", &args);
    let mut last = [None; 3];
    let mut written = HashSet::new();
    for line in text.lines().filter(|line| line.starts_with("Partition:")) {
        let (partition, value) = line.split_once('\t').unwrap();
        let partition: usize = partition.trim_start_matches("Partition:").parse().unwrap();
        let number: u32 = value.parse().unwrap();
        assert!(written.insert(number), "{number} is there twice");
        assert!(last[partition] < Some(number), "partition {partition}: {number} behind {:?}", last[partition]);
        last[partition] = Some(number);
    }
    assert!(acknowledged.is_subset(&written), "acknowledged and lost: {:?}", acknowledged.difference(&written).min());
    assert!(
        impossible.is_disjoint(&written),
        "said not to be written, and is: {:?}",
        impossible.intersection(&written).min()
    );
    println!("{} acknowledged, {} not written, {} possibly", acknowledged.len(), impossible.len(), possible.len());
}
