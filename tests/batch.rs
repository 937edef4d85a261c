//! Record batches: what is written is read back; any other bytes are an error, never a panic.

use bytes::Bytes;
use milena::{
    Header,
    batch::{BatchBuilder, BatchError, Compression, DecodeLimits, RecordSet},
};
use proptest::{collection::vec, option, prelude::*};

const CODECS: [Compression; 5] =
    [Compression::None, Compression::GZIP, Compression::Snappy, Compression::Lz4, Compression::ZSTD];

/// Key, value, headers, timestamp.
type Plain = (Option<Vec<u8>>, Option<Vec<u8>>, Vec<(String, Option<Vec<u8>>)>, i64);

fn encode(records: &[Plain], codec: Compression) -> Vec<u8> {
    let mut builder = BatchBuilder::new(Vec::new());
    for (index, (key, value, headers, timestamp)) in records.iter().enumerate() {
        let headers: Vec<Header<'_>> = headers
            .iter()
            .map(|(name, value)| match value {
                Some(value) => Header::new(name.as_str(), value),
                None => Header::null(name.as_str()),
            })
            .collect();
        let size = builder.size_with(*timestamp, key.as_deref(), value.as_deref(), &headers);
        assert_eq!(builder.append(*timestamp, key.as_deref(), value.as_deref(), &headers), index as u32);
        assert_eq!(builder.len(), size);
    }
    let mut sealed = builder.seal(codec).unwrap();
    sealed.stamp(9, 2, 77, false);
    sealed.bytes().to_vec()
}

fn decode(bytes: Vec<u8>, verify: bool) -> Result<Vec<Plain>, BatchError> {
    let limits = DecodeLimits { max_decompressed_bytes: 1 << 20, max_records: 10_000 };
    let mut plain = Vec::new();
    for batch in RecordSet::new(Bytes::from(bytes)) {
        let batch = batch?;
        if verify {
            batch.verify()?;
        }
        batch.control(limits)?;
        let mut records = batch.records(limits)?;
        while let Some(record) = records.next().transpose()? {
            let view = records.view(&record);
            let headers = view.headers().map(|h| (String::from_utf8_lossy(h.name).into(), h.value.map(Into::into)));
            plain.push((view.key().map(Into::into), view.value().map(Into::into), headers.collect(), view.timestamp()));
        }
    }
    Ok(plain)
}

fn any_record() -> impl Strategy<Value = Plain> {
    let bytes = || option::of(vec(any::<u8>(), 0..200));
    (bytes(), bytes(), vec((".{0,20}", bytes()), 0..4), any::<i64>())
}

#[test]
fn a_higher_level_compresses_more_and_one_that_a_codec_lacks_is_its_nearest() {
    let value = |number: u32| {
        format!("{{\"order\":{number},\"product\":{},\"quantity\":3}}", number.wrapping_mul(2_654_435_761))
    };
    let records: Vec<Plain> = (0..2_000).map(|n| (None, Some(value(n).into_bytes()), vec![], 0)).collect();
    let at = |codec| {
        let bytes = encode(&records, codec);
        assert_eq!(decode(bytes.clone(), true).unwrap(), records, "{codec:?}");
        bytes
    };
    assert!(at(Compression::Gzip(9)).len() < at(Compression::Gzip(1)).len());
    assert!(at(Compression::Zstd(4)) != at(Compression::Zstd(1)));
    assert!(at(Compression::Zstd(1)).len() < at(Compression::Zstd(-7)).len());
    for (lacking, nearest) in [
        (Compression::Gzip(0), Compression::Gzip(1)),
        (Compression::Gzip(10), Compression::Gzip(9)),
        (Compression::Zstd(22), Compression::Zstd(4)),
        (Compression::Zstd(-131_072), Compression::Zstd(-7)),
        (Compression::Zstd(0), Compression::ZSTD),
    ] {
        assert!(at(lacking) == at(nearest), "{lacking:?}");
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(records in vec(any_record(), 1..40)) {
        for codec in CODECS {
            prop_assert_eq!(decode(encode(&records, codec), true).unwrap(), records.clone(), "{:?}", codec);
        }
    }

    #[test]
    fn any_bytes_are_records_or_an_error(bytes in vec(any::<u8>(), 0..400)) {
        let _ = decode(bytes, false);
    }
}

#[test]
fn mutated_batches_are_records_or_an_error() {
    let count: u32 = std::env::var("MILENA_MUTATIONS").map_or(50_000, |n| n.parse().expect("a number"));
    let mut random = fastrand::Rng::with_seed(4);
    let records: Vec<Plain> = (0..20u8)
        .map(|i| (Some(vec![i; 3]), Some(vec![b'x'; 40]), vec![("h".to_owned(), Some(vec![i]))], i64::from(i)))
        .collect();
    let (mut accepted, mut refused) = (0, 0);
    for round in 0..count {
        let mut bytes = encode(&records, CODECS[round as usize % CODECS.len()]);
        for _ in 0..random.usize(1..4) {
            let at = random.usize(..bytes.len());
            match random.u8(..5) {
                0 => bytes[at] ^= 1 << random.u8(..8),
                1 => bytes[at] = random.u8(..),
                2 => bytes.truncate(at.max(1)),
                3 => bytes[at..].iter_mut().take(5).for_each(|b| *b = 0xff),
                _ => bytes.extend_from_within(at..),
            }
        }
        // Without the checksum, so that the mutation reaches the reader.
        match decode(bytes, false) {
            Ok(_) => accepted += 1,
            Err(_) => refused += 1,
        }
    }
    assert!(accepted > 0 && refused > count / 10, "{accepted} accepted, {refused} refused");
}

#[test]
fn a_flipped_bit_fails_the_checksum() {
    let records = [(None, Some(b"value".to_vec()), Vec::new(), 5)];
    let mut bytes = encode(&records, Compression::None);
    *bytes.last_mut().unwrap() ^= 1;
    assert!(matches!(decode(bytes, true), Err(BatchError::Checksum { offset: 0, .. })));
}

#[test]
fn a_bomb_is_refused_by_every_codec() {
    let records = [(None, Some(vec![0; 8 << 20]), Vec::new(), 5)];
    for codec in &CODECS[1..] {
        let bytes = encode(&records, *codec);
        assert!(matches!(decode(bytes, true), Err(BatchError::TooLarge { limit: 1_048_576, .. })), "{codec:?}");
    }
}

#[test]
fn a_batch_that_is_cut_off_is_not_yielded() {
    let records = [(None, Some(vec![1; 100]), Vec::new(), 5)];
    let whole = encode(&records, Compression::None);
    let mut both = whole.clone();
    both.extend_from_slice(&whole[..80]);
    let mut set = RecordSet::new(Bytes::from(both));
    assert!(set.next().unwrap().is_ok() && set.next().is_none());
    assert_eq!(set.cut_off(), Some(whole.len()));
}
