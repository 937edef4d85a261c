//! Record batches that are not what they say: none harms the broker, and what it takes can be read.

use std::{collections::BTreeMap, io::Write, time::Duration};

use kafka_wire::{ProduceResponse, produce_response::PartitionProduceResponse};
use kafka_wire_core::{ApiVersion, DecodeLimits, Decoder, KafkaDecode};
use milena::{
    Kafka, OffsetSpec, TopicPartition,
    batch::{BatchBuilder, Compression},
};

use super::{
    broker,
    peer::{Honest, Peer, Told},
    requests::{self, Sample, TOPIC},
};
use crate::{
    MEMORY, SOON,
    support::health::{panics, peak_of, resident},
};

/// Where the fields of a batch stand.
const LENGTH: usize = 8;
const MAGIC: usize = 16;
const CRC: usize = 17;
const ATTRIBUTES: usize = 21;
const COUNT: usize = 57;
const HEADER: usize = 61;

const VERSION: i16 = 9;

// Kafka's error codes.
const UNKNOWN_SERVER_ERROR: i16 = -1;
const CORRUPT_MESSAGE: i16 = 2;
const MESSAGE_TOO_LARGE: i16 = 10;
const INVALID_TIMESTAMP: i16 = 32;
const INVALID_RECORD: i16 = 87;

/// What producing these batches is answered with: a code for each.
async fn produced(peer: &mut Peer, batches: &[Vec<u8>]) -> Vec<i16> {
    answered(peer, batches).await.iter().map(|told| told.error_code).collect()
}

/// What producing these batches is answered with, for each.
async fn answered(peer: &mut Peer, batches: &[Vec<u8>]) -> Vec<PartitionProduceResponse> {
    let batches: Vec<bytes::Bytes> = batches.iter().map(|batch| batch.clone().into()).collect();
    let samples: Vec<Sample> = requests::in_each((VERSION, VERSION), |v| requests::produce(v, [0; 16], -1, &batches));
    let Told::Answer(answer) = peer.ask(&samples[0].frame).await else { panic!("no answer") };
    // Behind the correlation id and no tags.
    let mut decoder = Decoder::new(bytes::Bytes::from(answer).slice(5..), DecodeLimits::default()).unwrap();
    let answer = ProduceResponse::decode(&mut decoder, ApiVersion::new(VERSION)).unwrap();
    answer.responses.into_iter().flat_map(|topic| topic.partition_responses).collect()
}

fn with_checksum(mut batch: Vec<u8>) -> Vec<u8> {
    if batch.len() > ATTRIBUTES {
        let crc = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32Iscsi, &batch[ATTRIBUTES..]) as u32;
        batch[CRC..CRC + 4].copy_from_slice(&crc.to_be_bytes());
    }
    batch
}

/// A batch of one record whose records are these bytes, compressed with codec number `codec`.
fn compressed(codec: u8, records: &[u8]) -> Vec<u8> {
    let mut batch = requests::batch(Compression::None);
    batch.truncate(HEADER);
    batch[ATTRIBUTES + 1] = codec;
    batch.extend_from_slice(records);
    let length = (batch.len() - 12) as u32;
    batch[LENGTH..LENGTH + 4].copy_from_slice(&length.to_be_bytes());
    with_checksum(batch)
}

/// A gibibyte and more of zeros, by codec.
fn bombs() -> BTreeMap<u8, Vec<u8>> {
    let mut member = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(9));
    member.write_all(&[0; 1 << 20]).unwrap();
    let gzip = member.finish().unwrap().repeat(800);
    let mut frame = lz4_flex::frame::FrameEncoder::with_frame_info(
        lz4_flex::frame::FrameInfo::new()
            .block_size(lz4_flex::frame::BlockSize::Max4MB)
            .block_mode(lz4_flex::frame::BlockMode::Independent),
        Vec::new(),
    );
    frame.write_all(&[0; 4 << 20]).unwrap();
    let lz4 = frame.finish().unwrap();
    // Its header, its one block again and again, and its end.
    let (header, rest) = lz4.split_at(7);
    let (block, end) = rest.split_at(rest.len() - 4);
    let lz4 = [header, &block.repeat(60), end].concat();
    // A frame of blocks of 128 KiB, each one byte again and again.
    let zstd = [&[0x28, 0xb5, 0x2f, 0xfd, 0, 0x38][..], &[0x02, 0, 0x10, 0].repeat(8192), &[1, 0, 0]].concat();
    // A snappy block of 2 GiB, as it says.
    let snappy = [&[0xff, 0xff, 0xff, 0xff, 0x07][..], &[0; 1000]].concat();
    BTreeMap::from([(1, gzip), (2, snappy), (3, lz4), (4, zstd)])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_small_batch_of_much_is_refused_before_it_is_all_there() {
    let (panics_before, memory_before) = (panics(), resident());
    let (_broker, address, _) = broker().await;
    let mut honest = Honest::at(&address).await;
    for (codec, bomb) in bombs() {
        let size = bomb.len();
        assert!(size < 1 << 20, "codec {codec}: {size} bytes are too large a batch anyway");
        let address = address.clone();
        let told = tokio::spawn(async move {
            let mut peer = Peer::connect(&address).await;
            // The second of two finds less room.
            produced(&mut peer, &[compressed(codec, &bomb), compressed(codec, &bomb), compressed(codec, &bomb)]).await
        });
        let mut longest = Duration::ZERO;
        while !told.is_finished() {
            longest = longest.max(honest.is_served().await);
        }
        let memory = peak_of(std::process::id()).saturating_sub(memory_before);
        let told = told.await.unwrap();
        println!("codec {codec}, {size} bytes: {told:?}; others waited {longest:.1?}; {} MiB", memory >> 20);
        let is_refused = told.iter().all(|code| matches!(*code, MESSAGE_TOO_LARGE | CORRUPT_MESSAGE));
        assert!(is_refused && told.len() == 3, "codec {codec}: {told:?}");
        assert!(memory < MEMORY, "codec {codec}: {} MiB", memory >> 20);
        // A debug build decompresses 50 MB/s, and others wait for it.
        assert!(longest < 4 * SOON, "codec {codec}: another waited for {longest:?}");
    }
    assert!(honest.is_served().await < SOON);
    assert_eq!(panics(), panics_before, "something panicked");
}

#[tokio::test]
async fn a_batch_that_is_not_what_it_says_is_refused_with_kafkas_code() {
    let (_broker, address, _) = broker().await;
    let mut peer = Peer::connect(&address).await;
    let good = || requests::batch(Compression::None);
    let set = |at: usize, bytes: &[u8]| {
        let mut batch = good();
        batch[at..at + bytes.len()].copy_from_slice(bytes);
        batch
    };
    let cases = [
        ("good", good(), 0),
        ("a wrong checksum", set(CRC, &[0; 4]), CORRUPT_MESSAGE),
        ("a byte of a record changed", set(HEADER + 20, &[0xff]), CORRUPT_MESSAGE),
        ("the format of before 0.11", set(MAGIC, &[1]), INVALID_RECORD),
        ("a length of nothing", set(LENGTH, &[0; 4]), CORRUPT_MESSAGE),
        ("a negative length", set(LENGTH, &[0xff; 4]), CORRUPT_MESSAGE),
        ("more bytes than there are", set(LENGTH, &[0x7f, 0xff, 0xff, 0xff]), INVALID_RECORD),
        ("a negative count", with_checksum(set(COUNT, &[0xff; 4])), INVALID_RECORD),
        ("a count of two thousand millions", with_checksum(set(COUNT, &[0x7f, 0xff, 0xff, 0xff])), INVALID_RECORD),
        ("fewer records than it says", with_checksum(set(COUNT, &[0, 0, 0, 2])), INVALID_RECORD),
        ("a codec that there is not", with_checksum(set(ATTRIBUTES, &[0, 7])), UNKNOWN_SERVER_ERROR),
        ("compressed, it says", with_checksum(set(ATTRIBUTES, &[0, 1])), UNKNOWN_SERVER_ERROR),
        ("no batch", Vec::new(), INVALID_RECORD),
        ("two batches", good().repeat(2), INVALID_RECORD),
        ("half a batch", good()[..HEADER + 5].to_vec(), INVALID_RECORD),
        ("half a header", good()[..20].to_vec(), INVALID_RECORD),
    ];
    for (what, batch, code) in cases {
        assert_eq!(produced(&mut peer, &[batch]).await, [code], "{what}");
    }
}

/// Compressed they are small, and what is said of each is not.
#[tokio::test]
async fn of_records_that_are_to_blame_not_all_are_told() {
    let (_broker, address, _) = broker().await;
    let mut peer = Peer::connect(&address).await;
    let mut builder = BatchBuilder::new(Vec::new());
    // As late as can be.
    for _ in 0..6_000 {
        builder.append(i64::MAX, None, None, &[]);
    }
    let batch = builder.seal(Compression::GZIP).unwrap().bytes().to_vec();
    let answer = answered(&mut peer, &[batch.clone(), batch.clone(), batch]).await;
    let told: Vec<_> = answer.iter().map(|told| (told.error_code, told.record_errors.len())).collect();
    assert_eq!(told, [(INVALID_TIMESTAMP, 6_000), (INVALID_TIMESTAMP, 4_000), (INVALID_TIMESTAMP, 0)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_taken_of_mutated_batches_can_be_read() {
    let panics_before = panics();
    let (_broker, address, _) = broker().await;
    let mut random = fastrand::Rng::with_seed(6);
    let codecs = [Compression::None, Compression::GZIP, Compression::Snappy, Compression::Lz4, Compression::ZSTD];
    let batches = codecs.map(requests::batch);
    let mut peer = Peer::connect(&address).await;
    let mut codes: BTreeMap<i16, usize> = BTreeMap::new();
    for _ in 0..500 {
        let mutated: Vec<Vec<u8>> = (0..3)
            .map(|_| {
                let mut batch = batches[random.usize(..batches.len())].clone();
                for _ in 0..random.usize(1..3) {
                    let at = random.usize(..batch.len());
                    match random.u8(..4) {
                        0 => batch[at] ^= 1 << random.u8(..8),
                        1 => batch[at] = [0, 0x7f, 0xff][random.usize(..3)],
                        2 => batch[at..].iter_mut().take(4).for_each(|byte| *byte = 0xff),
                        _ => batch[at] = random.u8(..),
                    }
                }
                if random.u8(..8) > 0 { with_checksum(batch) } else { batch }
            })
            .collect();
        for code in produced(&mut peer, &mutated).await {
            *codes.entry(code).or_default() += 1;
        }
    }
    println!("codes: {codes:?}");
    assert!([0, CORRUPT_MESSAGE, INVALID_RECORD].iter().all(|code| codes[code] > 50), "{codes:?}");
    // To the end, checksums and all.
    let kafka = Kafka::connect(&address).await.unwrap();
    let reading = kafka.standalone_consumer().assign_topics([TOPIC], OffsetSpec::Beginning);
    let mut consumer = reading.build().await.unwrap();
    let partitions = [0, 1, 2].map(|partition| TopicPartition::new(TOPIC, partition));
    let ends = consumer.end_offsets(&partitions).await.unwrap();
    let mut left: i64 = ends.values().sum();
    while left > 0 {
        let record = tokio::time::timeout(SOON, consumer.recv()).await.expect("all can be read");
        record.unwrap().unwrap();
        left -= 1;
    }
    assert_eq!(panics(), panics_before, "something panicked");
}
