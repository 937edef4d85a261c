use std::time::Duration;

use super::*;
use crate::{
    batch::{BatchBuilder, Compression, DecodeLimits},
    fetch::{ChunkReader, Next, PartitionFetch, Rules, Want},
    model::{IsolationLevel, OffsetReset, OffsetSpec},
    wire::{
        Api,
        messages::fetch_response::{AbortedTransaction, FetchableTopicResponse},
        mutations,
    },
};

const PARTITIONS: i32 = 3;
/// Records in each batch: few, so that what is around them is often hit.
const BATCH: i64 = 5;

/// Two batches from `offset` on, as a broker has them.
fn records(offset: i64, codec: Compression) -> Vec<u8> {
    let batch = |base: i64| {
        let mut builder = BatchBuilder::new(Vec::new());
        for number in 0..BATCH {
            builder.append(number, Some(b"key"), Some(b"a value, a value"), &[]);
        }
        let mut bytes = builder.seal(codec).unwrap().bytes().to_vec();
        bytes[..8].copy_from_slice(&base.to_be_bytes());
        bytes
    };
    [batch(offset), batch(offset + BATCH)].concat()
}

/// The first partition's batches are compressed, or none.
fn answer(codec: Compression) -> FetchResponse {
    let partition = |index| {
        message!(PartitionData {
            partition_index: index,
            high_watermark: 2 * BATCH,
            last_stable_offset: 2 * BATCH,
            aborted_transactions: Some(vec![message!(AbortedTransaction { producer_id: 7, first_offset: 3 })]),
            records: Some(records(0, if index == 0 { codec } else { Compression::None }).into()),
        })
    };
    message!(FetchResponse {
        responses: vec![message!(FetchableTopicResponse {
            topic: Default::default(),
            partitions: (0..PARTITIONS).map(partition).collect(),
        })],
    })
}

#[test]
fn a_mutated_answer_is_records_in_order_or_a_failure() {
    let mut random = fastrand::Rng::with_seed(4);
    let now = Instant::now();
    let (low, high) = <FetchRequest as Api>::VERSIONS;
    // Mutated batches of every codec are the subject of tests/batch.rs. In a debug build this one takes ten times as long as all
    // of the rest, since its reader fills 64 KiB with zeros first.
    let codecs = [Compression::None, Compression::None, Compression::None, Compression::Lz4];
    let frames: Vec<(i16, Vec<u8>)> = (low..=high)
        .flat_map(|version| codecs.map(|codec| (version, mutations::frame::<FetchRequest>(version, &answer(codec)))))
        .collect();
    let rules = |check_crcs| {
        Arc::new(Rules {
            reset: OffsetReset::Earliest,
            isolation: IsolationLevel::ReadCommitted,
            check_crcs,
            retry_backoff: Duration::ZERO,
            retry_backoff_max: Duration::ZERO,
            replica_for: Duration::ZERO,
        })
    };
    let rules = [rules(true), rules(false)];
    let (mut read, mut broken, mut failed) = (0u64, 0u64, 0u64);
    for round in 0..mutations::count() as usize {
        let (version, frame) = &frames[round % frames.len()];
        let mut frame = frame.clone();
        mutations::mutate(&mut random, &mut frame);
        let Ok(answer) = mutations::read::<FetchRequest>(*version, frame) else {
            failed += 1;
            continue;
        };
        let parts = by_partition(&answer);
        for partition in 0..PARTITIONS {
            // One out of two checks no checksum, so that the change reaches what reads the records.
            let mut fetch =
                PartitionFetch::new(Arc::clone(&rules[round / frames.len() % 2]), 1, OffsetSpec::At(3), false);
            fetch.see(TopicId::ZERO, Some(1), 0);
            let Want::Fetch(ask) = fetch.want(now, 1, &"".into(), partition) else { panic!("nothing to fetch") };
            let Some(data) = parts.of(&ask.wanted) else {
                fetch.unchanged(ask.attempt);
                continue;
            };
            let Some(Next::Chunk(chunk)) = fetch.answered(now, 1, &ask, data).next else { continue };
            let limits = DecodeLimits { max_decompressed_bytes: 1 << 20, max_records: 10_000 };
            let mut reader = ChunkReader::new(chunk.clone(), None, limits);
            let mut last = 2;
            while let Some(record) = reader.next_record() {
                let Ok((record, bytes, _)) = record else {
                    broken += 1;
                    break;
                };
                assert!(record.offset > last, "{} behind {last}", record.offset);
                last = record.offset;
                let view = record.view(bytes);
                let _ = (view.key(), view.value(), view.headers().count());
                read += 1;
            }
            assert!(reader.position() >= 3);
            let mut reader = ChunkReader::new(chunk, Some(7), limits);
            while let Some(Ok(rest)) = reader.next_batch() {
                assert!(rest.from < 7 && rest.records.count() < 10_000);
            }
            let rest = reader.into_rest();
            assert!(rest.from <= rest.next);
        }
    }
    println!("{failed} were no answers; {read} records read, {broken} batches broken inside");
    assert!(failed > 0 && read > 0 && broken > 0);
}
