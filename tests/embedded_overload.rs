//! Clients that want much of `milena broker`, on many connections, or that never read: memory stays bounded, and others are
//! served at once.

#![cfg(target_os = "linux")]

mod support;

#[allow(unreachable_pub, dead_code, reason = "these are modules of a test, and of another")]
#[path = "embedded_hostile/peer.rs"]
mod peer;
#[allow(unreachable_pub, dead_code, reason = "these are modules of a test, and of another")]
#[path = "embedded_hostile/requests.rs"]
mod requests;

use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, Command, Stdio},
    time::Duration,
};

use bytes::Bytes;
use kafka_wire::{
    ApiVersionsRequest, CreatePartitionsRequest, FetchResponse, MetadataRequest, create_partitions_request,
    metadata_request,
};
use kafka_wire_core::{ApiVersion, DecodeLimits, Decoder, KafkaDecode};
use milena::batch::{BatchBuilder, Compression};
use peer::{HONEST, Honest, Peer, Told};
use requests::{TOPIC, in_each};
use support::health::{peak_of, resident_of};
use tokio::{io::AsyncWriteExt, time::timeout};

const MIB: usize = 1 << 20;
/// What others wait at most, on a machine that has more to do.
const SOON: Duration = Duration::from_secs(5);

/// `milena broker` as a process, which ends with the test.
struct Broker {
    process: Child,
    address: String,
    /// Its memory before anybody asked it for anything.
    memory: usize,
}

impl Broker {
    fn start() -> Broker {
        let mut process = Command::new(env!("CARGO_BIN_EXE_milena"));
        process.args(["broker", "--listen", "127.0.0.1:0", "--topic", "t:3", "--topic", &format!("{HONEST}:1")]);
        let mut process = process.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut address = String::new();
        BufReader::new(process.stdout.as_mut().unwrap()).read_line(&mut address).unwrap();
        let memory = resident_of(process.id());
        Broker { process, address: address.trim().to_owned(), memory }
    }

    /// How much more memory it has now.
    fn grown(&self) -> usize {
        resident_of(self.process.id()).saturating_sub(self.memory)
    }

    /// How much more it ever had.
    fn peak(&self) -> usize {
        peak_of(self.process.id()).saturating_sub(self.memory)
    }

    /// Ends it; it has not panicked.
    fn end(mut self) {
        assert!(self.process.try_wait().unwrap().is_none(), "it still runs");
        let _ = self.process.kill();
        let mut said = String::new();
        self.process.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert!(!said.contains("panicked"), "{said}");
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// So many connections may be open here beside what else is.
fn connections(wanted: usize) -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
    let files = limits.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap();
    let files: usize = files.split_whitespace().next().unwrap().parse().unwrap_or(usize::MAX);
    let count = wanted.min(files.saturating_sub(300) / 2);
    assert!(count >= 100, "ulimit -n allows {files} files only");
    count
}

#[tokio::test]
async fn idle_connections_and_frames_that_never_end_cost_little() {
    let broker = Broker::start();
    let mut honest = Honest::at(&broker.address).await;
    let count = connections(1000);
    let mut idle = Vec::new();
    for _ in 0..count {
        idle.push(Peer::connect(&broker.address).await);
    }
    let mut served = honest.is_served().await;
    let for_idle = broker.grown();
    // Each begins a frame of 100 MiB.
    let mut half_open = Vec::new();
    for _ in 0..count {
        let mut peer = Peer::connect(&broker.address).await;
        peer.send(&[&(100_u32 << 20).to_be_bytes()[..], &[0]].concat()).await;
        half_open.push(peer);
    }
    served = served.max(honest.is_served().await);
    let for_half_open = broker.peak() - for_idle.min(broker.peak());
    println!(
        "{count} idle: {} KiB each; as many half open: {} KiB each; others waited {served:.1?}",
        for_idle / count / 1024,
        for_half_open / count / 1024
    );
    assert!(for_idle < count * (32 << 10) + 16 * MIB, "{} MiB for {count} idle connections", for_idle / MIB);
    assert!(for_half_open < count * (40 << 10) + 16 * MIB, "{} MiB for {count} half-open frames", for_half_open / MIB);
    assert!(served < SOON, "others waited {served:?}");
    drop((idle, half_open));
    broker.end();
}

/// Fills the first partition with 60 batches of a mebibyte.
async fn fill(address: &str) {
    let mut builder = BatchBuilder::new(Vec::new());
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_millis() as i64;
    builder.append(now, None, Some(&vec![7; 1_000_000]), &[]);
    let batch = Bytes::from(builder.seal(Compression::None).unwrap().bytes().to_vec());
    let mut peer = Peer::connect(address).await;
    let frame = &in_each((9, 9), |v| requests::produce(v, [0; 16], -1, std::slice::from_ref(&batch)))[0].frame;
    for _ in 0..60 {
        assert!(matches!(peer.ask(frame).await, Told::Answer(_)));
    }
}

fn fetch_all(times: usize) -> Vec<u8> {
    in_each((12, 12), |v| requests::fetch(v, [0; 16], 3, times, i32::MAX)).remove(0).frame
}

#[tokio::test]
async fn who_asks_for_much_and_never_reads_is_answered_once() {
    const READERS: usize = 4;
    /// As Kafka's `fetch.max.bytes` of brokers.
    const ANSWER: usize = 55 * MIB;
    let broker = Broker::start();
    fill(&broker.address).await;
    let mut honest = Honest::at(&broker.address).await;
    let full = broker.grown();
    assert!(full < 60 * 2 * MIB, "{} MiB for 60 MiB of records", full / MIB);
    let mut readers = Vec::new();
    for _ in 0..READERS {
        let mut peer = Peer::connect(&broker.address).await;
        peer.send(&fetch_all(1).repeat(200)).await;
        readers.push(peer);
    }
    let mut longest = Duration::ZERO;
    for peer in &readers {
        // Its first answer has begun.
        timeout(peer::HANG, peer.0.readable()).await.unwrap().unwrap();
        longest = longest.max(honest.is_served().await);
    }
    for _ in 0..20 {
        longest = longest.max(honest.is_served().await);
    }
    let (peak, bound) = (broker.peak() - full, READERS * ANSWER + 2 * ANSWER + 32 * MIB);
    println!("{READERS} who do not read: {} MiB more at the most; others waited {longest:.1?}", peak / MIB);
    assert!(peak < bound, "{} MiB, {} MiB allowed", peak / MIB, bound / MIB);
    assert!(longest < SOON, "others waited {longest:?}");
    drop(readers);
    broker.end();
}

#[tokio::test]
async fn a_partition_named_often_is_fetched_once_and_no_answer_is_larger_than_kafkas() {
    let broker = Broker::start();
    fill(&broker.address).await;
    let mut peer = Peer::connect(&broker.address).await;
    let Told::Answer(answer) = peer.ask(&fetch_all(10_000)).await else { panic!("no answer") };
    let size = answer.len();
    let mut limits = DecodeLimits::default();
    limits.max_frame_bytes = 1 << 30;
    let mut decoder = Decoder::new(Bytes::from(answer).slice(5..), limits).unwrap();
    let answer = FetchResponse::decode(&mut decoder, ApiVersion::new(12)).unwrap();
    let partitions = answer.responses.iter().flat_map(|topic| &topic.partitions);
    assert_eq!(partitions.map(|partition| partition.partition_index).collect::<Vec<_>>(), [0, 1, 2]);
    assert!((50 * MIB..56 * MIB).contains(&size), "{} MiB", size / MIB);
    broker.end();
}

#[tokio::test]
async fn who_pipelines_is_answered_in_order_and_waits_where_it_does_not_read() {
    const REQUESTS: i32 = 5_000;
    let broker = Broker::start();
    let mut honest = Honest::at(&broker.address).await;
    let ask = in_each((0, 0), |_| ApiVersionsRequest::default()).remove(0).frame;
    let numbered = |number: i32| {
        let mut frame = ask.clone();
        frame[8..12].copy_from_slice(&number.to_be_bytes());
        frame
    };
    let mut peer = Peer::connect(&broker.address).await;
    peer.send(&(0..REQUESTS).flat_map(numbered).collect::<Vec<u8>>()).await;
    for number in 0..REQUESTS {
        let Told::Answer(answer) = peer.told(peer::HANG).await else { panic!("no answer to {number}") };
        assert_eq!(answer[..4], number.to_be_bytes());
    }
    // One that reads none of the answers cannot send for ever.
    let many = ask.repeat(10_000);
    let mut sent = 0;
    while let Ok(written) = timeout(Duration::from_millis(300), peer.0.write(&many)).await {
        sent += written.unwrap();
        assert!(sent < 256 * MIB, "nothing keeps it from sending");
    }
    let served = honest.is_served().await;
    println!("{} KiB of requests were taken; {} MiB; others waited {served:.1?}", sent / 1024, broker.peak() / MIB);
    assert!(broker.peak() < 32 * MIB, "{} MiB", broker.peak() / MIB);
    assert!(served < SOON);
    broker.end();
}

/// Sends it, and what its answer measures, if it has one.
async fn answer_to(address: &str, frame: &[u8]) -> Option<usize> {
    match Peer::connect(address).await.ask(frame).await {
        Told::Answer(answer) => Some(answer.len()),
        Told::Closed => None,
        Told::Nothing => panic!("it takes too long"),
    }
}

#[tokio::test]
async fn a_request_for_more_than_it_measures_costs_no_more_than_others() {
    let broker = Broker::start();
    let mut honest = Honest::at(&broker.address).await;
    let mut longest = Duration::ZERO;
    let address = &*broker.address;

    // The same topic 50,000 times.
    let topic = || {
        let mut topic = metadata_request::MetadataRequestTopic::default();
        topic.name = Some(TOPIC.into());
        topic
    };
    let metadata = in_each((9, 9), |_| {
        let mut request = MetadataRequest::default();
        request.topics = Some(vec![topic(); 50_000]);
        request
    });
    let size = answer_to(address, &metadata[0].frame).await.unwrap();
    assert!(size < 1000, "{size} bytes of metadata");
    longest = longest.max(honest.is_served().await);

    let grown = in_each((3, 3), |_| {
        let mut topic = create_partitions_request::CreatePartitionsTopic::default();
        topic.name = TOPIC.into();
        let mut request = CreatePartitionsRequest::default();
        request.topics = vec![topic; 50_000];
        request
    });
    let size = answer_to(address, &grown[0].frame).await.unwrap();
    assert!(size < 1000, "{size} bytes of an error");
    longest = longest.max(honest.is_served().await);

    // Sessions of as many partitions as a request may name, each remembered until they are too many.
    let opened = in_each((12, 12), |v| {
        let mut request = requests::fetch(v, [0; 16], 50_000, 1, 1000);
        request.session_epoch = 0;
        request
    });
    for _ in 0..12 {
        assert!(answer_to(address, &opened[0].frame).await.is_some());
    }
    longest = longest.max(honest.is_served().await);

    // Partitions without records: eight bytes each.
    let body = [&[0xff, 0xff, 0, 1][..], &[0; 4], &1_i32.to_be_bytes(), &[0, 1, b't'], &10_000_000_i32.to_be_bytes()];
    let body = [&body.concat()[..], &[0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff].repeat(10_000_000)].concat();
    let header = [0, 0, 0, 8, 0, 0, 0, 7, 0xff, 0xff];
    let frame = [&((header.len() + body.len()) as u32).to_be_bytes()[..], &header, &body].concat();
    drop(body);
    assert_eq!(answer_to(address, &frame).await, None);
    longest = longest.max(honest.is_served().await);

    println!("{} MiB at the most; others waited {longest:.1?}", broker.peak() / MIB);
    // The largest request, and as much again as its buffer grew.
    assert!(broker.peak() < 384 * MIB, "{} MiB", broker.peak() / MIB);
    assert!(longest < SOON, "others waited {longest:?}");
    broker.end();
}
