//! What a producer takes while no broker answers: its buffer and little more, however many records are sent, and whatever
//! their size and codec. Then all of them are delivered.
//!
//! Resident memory is the process's, so that each case has one. The buffer of 64 MiB is full after some
//! 600,000 records of 100 bytes; `MILENA_TEST_RECORDS` sets how many are sent, and 10,000,000 take minutes in a debug build,
//! most of them spent by the brokers on writing 3 GB.

mod support;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use milena::{Compression, Kafka, OffsetSpec, Record};
use support::{ClusterControl, eventually, new_topic, real_cluster_control};
use tokio::time::timeout;

const BUFFER: usize = 64 << 20;
/// Beside the buffer: requests that are being written, and what the allocator keeps.
const ALLOWANCE: usize = 32 << 20;
const PARTITIONS: u32 = 12;
const SOON: Duration = Duration::from_secs(60);
/// For what depends on the number of records.
const LATER: Duration = Duration::from_secs(1_200);

/// Resident memory of this process in bytes: as it is, and the most that it was since [`forget_peak`].
fn resident(field: &str) -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':')).expect("the field");
    line.trim().trim_end_matches(" kB").parse::<usize>().expect("a number") << 10
}

fn forget_peak() {
    std::fs::write("/proc/self/clear_refs", "5").expect("Linux since 4.0");
}

async fn stays_in_its_buffer(control: &mut ClusterControl, codec: Compression, value_bytes: usize, records: u32) {
    let topic = new_topic(&control.bootstrap(), "memory", PARTITIONS as i32).await;
    let kafka = Kafka::connect(&control.bootstrap()).await.unwrap();
    let producer = kafka.producer().compression(codec).buffer_bytes(BUFFER).build().await.unwrap();
    producer.send(Record::to(&topic).value("first")).await.unwrap();
    forget_peak();
    let before = resident("VmRSS");
    let taken = Arc::new(AtomicU32::new(0));
    let sending = tokio::spawn({
        let (producer, topic, taken) = (producer.clone(), topic.clone(), taken.clone());
        async move {
            // A quarter of it is random, so that it compresses, but not to nothing.
            let mut value = vec![b'x'; value_bytes];
            for number in 0..records {
                fastrand::fill(&mut value[..value_bytes.div_ceil(4)]);
                let record = Record::to(&topic).partition((number % PARTITIONS) as i32).value(&value);
                drop(producer.enqueue(record).await.unwrap());
                taken.store(number + 1, Ordering::Release);
            }
        }
    });
    // At full speed, so that as much as possible is on its way. Standing brokers, not a proxy: its memory would be ours.
    let a_lot = records / 5;
    eventually(LATER, "records flow", async || taken.load(Ordering::Acquire) > a_lot).await;
    (1..=control.nodes()).for_each(|node| control.pause(node));
    // The buffer is full when nothing has been taken for a while.
    let mut last = 0;
    eventually(LATER, "the buffer is full", async || {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let now = taken.load(Ordering::Acquire);
        std::mem::replace(&mut last, now) == now && now > 0
    })
    .await;
    assert!(last < records, "all {last} records were taken: the buffer was not full");
    let charged = (last - a_lot) as usize * (value_bytes + 12);
    assert!(charged > BUFFER / 2, "{last} records of {value_bytes} bytes do not fill it");
    let peak = resident("VmHWM");
    println!(
        "{codec:?}, values of {value_bytes} bytes: {last} records taken, {:.1} MiB resident at most, {:.1} before",
        mib(peak),
        mib(before)
    );
    assert!(peak - before < BUFFER + ALLOWANCE, "{:.1} MiB", mib(peak - before));

    (1..=control.nodes()).for_each(|node| control.resume(node));
    timeout(LATER, sending).await.unwrap().unwrap();
    timeout(LATER, producer.flush()).await.unwrap();
    let peak = resident("VmHWM");
    println!("  until all was delivered: {:.1} MiB", mib(peak));
    assert!(peak - before < BUFFER + ALLOWANCE, "{:.1} MiB", mib(peak - before));
    producer.close().await;
    let consumer = kafka.standalone_consumer().assign_topics([&*topic], OffsetSpec::End).build().await.unwrap();
    let ends = timeout(SOON, consumer.end_offsets(&consumer.assignment())).await.unwrap().unwrap();
    assert_eq!(ends.values().sum::<i64>(), i64::from(records) + 1, "each once");
    kafka.admin().delete_topic(&topic).await.unwrap();
}

fn mib(bytes: usize) -> f64 {
    bytes as f64 / (1 << 20) as f64
}

/// Codec, bytes of a value, and how many times as many records.
const CASES: [(Compression, usize, u32); 3] =
    [(Compression::None, 100, 1), (Compression::Lz4, 100, 1), (Compression::None, 10, 5)];

#[test]
fn a_stalled_cluster_costs_the_buffer_and_little_more() {
    const CASE: &str = "MILENA_TEST_MEMORY_CASE";
    let records = std::env::var("MILENA_TEST_RECORDS").map_or(1_000_000, |n| n.parse().expect("a number"));
    if let Ok(case) = std::env::var(CASE) {
        let (codec, value_bytes, times) = CASES[case.parse::<usize>().expect("a case's number")];
        let Some(mut control) = real_cluster_control("processes have to stand still") else { return };
        let case = stays_in_its_buffer(&mut control, codec, value_bytes, records * times);
        return tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap()
            .block_on(case);
    }
    // Each in a process of its own: an allocator keeps what was freed, and the next case would seem to need nothing.
    for (case, values) in CASES.iter().enumerate() {
        let mut command = std::process::Command::new(std::env::current_exe().unwrap());
        command.args(["a_stalled_cluster_costs_the_buffer_and_little_more", "--exact", "--nocapture"]);
        assert!(command.env(CASE, case.to_string()).status().unwrap().success(), "{values:?}");
    }
}
