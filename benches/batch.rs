//! What the batch code costs, apart from any network: nanoseconds a record, to write it and to read it.
//!
//! `cargo bench --bench batch`

use std::{hint::black_box, time::Instant};

use bytes::Bytes;
use milena::{
    Compression,
    batch::{BatchBuilder, DecodeLimits, RecordSet, SealedBatch},
};

const ROUNDS: usize = 200;
const BATCH: usize = 900_000;

fn encode(value: &[u8], compression: Compression) -> SealedBatch {
    let mut batch = BatchBuilder::new(Vec::with_capacity(BATCH + value.len() + 100));
    while batch.len() < BATCH {
        batch.append(1_700_000_000_000, None, Some(value), &[]);
    }
    batch.seal(compression).expect("the codec works")
}

fn decode(bytes: Bytes) -> usize {
    let mut total = 0;
    for batch in RecordSet::new(bytes) {
        let batch = batch.expect("a batch");
        batch.verify().expect("its checksum");
        let mut records = batch.records(DecodeLimits::default()).expect("its records");
        while let Some(record) = records.next() {
            total += records.view(&record.expect("a record")).value().map_or(0, <[u8]>::len);
        }
    }
    total
}

fn main() {
    println!("| value | codec | write, ns a record | read with CRC, ns a record |\n|---|---|---|---|");
    for size in [100, 1000] {
        let value: Vec<u8> = (0..size).map(|n: usize| (n.wrapping_mul(2_654_435_761) >> 7) as u8).collect();
        for codec in
            [Compression::None, Compression::Lz4, Compression::Snappy, Compression::Zstd(3), Compression::Gzip(6)]
        {
            let rounds = if matches!(codec, Compression::None) { ROUNDS } else { ROUNDS / 10 };
            let started = Instant::now();
            let mut sealed = encode(&value, codec);
            for _ in 1..rounds {
                sealed = black_box(encode(black_box(&value), codec));
            }
            let records = f64::from(sealed.count()) * rounds as f64;
            let write = started.elapsed().as_nanos() as f64 / records;
            let bytes = Bytes::copy_from_slice(sealed.bytes());
            let started = Instant::now();
            for _ in 0..rounds {
                assert_eq!(black_box(decode(bytes.clone())), sealed.count() as usize * size);
            }
            let read = started.elapsed().as_nanos() as f64 / records;
            println!("| {size} B | {codec:?} | {write:.1} | {read:.1} |");
        }
    }
}
