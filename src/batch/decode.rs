use bytes::Bytes;

use super::{BatchError, Records, compression, crc::crc32c, layout::*};
use crate::model::TimestampType;

/// The batches of one partition as a fetch answer carries them.
///
/// Iterates over the whole ones. A broker may cut the last one off in the middle; that one is no error and not yielded.
/// After an error nothing more is yielded.
#[derive(Debug, Clone)]
pub struct RecordSet {
    rest: Bytes,
}

/// One batch: its bytes as they came, its header read where it is asked for.
#[derive(Debug, Clone)]
pub struct Batch {
    pub(super) bytes: Bytes,
}

/// What reading one batch may take, whatever its header says.
#[derive(Debug, Clone, Copy)]
pub struct DecodeLimits {
    /// Bytes of its records, decompressed. Default: 128 MiB.
    pub max_decompressed_bytes: usize,
    /// Records. Default: 16 Mi.
    pub max_records: usize,
}

impl Default for DecodeLimits {
    fn default() -> Self {
        DecodeLimits { max_decompressed_bytes: 128 << 20, max_records: 16 << 20 }
    }
}

/// What a control batch says (KIP-98).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ControlRecord {
    /// The producer's transaction is aborted.
    Abort,
    /// The producer's transaction is committed.
    Commit,
    /// A kind for brokers among themselves.
    Other(i16),
}

impl RecordSet {
    /// Over the bytes of a fetch answer.
    pub fn new(bytes: Bytes) -> Self {
        RecordSet { rest: bytes }
    }

    /// What has not been read.
    pub fn rest(&self) -> &Bytes {
        &self.rest
    }

    /// The length of the batch that the bytes are cut off in, if they are: what a fetch has to allow to get it.
    pub fn cut_off(&self) -> Option<usize> {
        let length = self.rest.get(LENGTH..LOG_OVERHEAD)?;
        let length = i32::from_be_bytes(length.try_into().ok()?);
        usize::try_from(length).ok().map(|length| length + LOG_OVERHEAD)
    }
}

impl Iterator for RecordSet {
    type Item = Result<Batch, BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.len() <= MAGIC {
            return None;
        }
        let batch = Batch { bytes: self.rest.clone() };
        let offset = batch.base_offset();
        let length = batch.i32_at(LENGTH);
        let magic = self.rest[MAGIC] as i8;
        let error = if magic != 2 {
            BatchError::OldFormat { offset, magic }
        } else if length < (HEADER - LOG_OVERHEAD) as i32 {
            BatchError::Malformed { offset, why: format!("a length of {length} bytes") }
        } else if self.rest.len() - LOG_OVERHEAD < length as usize {
            return None;
        } else {
            let bytes = self.rest.split_to(LOG_OVERHEAD + length as usize);
            let batch = Batch { bytes };
            match batch.check_header() {
                Ok(()) => return Some(Ok(batch)),
                Err(error) => error,
            }
        };
        self.rest = Bytes::new();
        Some(Err(error))
    }
}

impl Batch {
    /// The offset of its first record, as written: compaction may have taken that record away.
    pub fn base_offset(&self) -> i64 {
        self.i64_at(BASE_OFFSET)
    }

    /// The offset of its last record, likewise.
    pub fn last_offset(&self) -> i64 {
        self.base_offset() + i64::from(self.i32_at(LAST_OFFSET_DELTA))
    }

    /// Where reading goes on behind it.
    pub fn next_offset(&self) -> i64 {
        self.last_offset() + 1
    }

    /// The leader's epoch when it was appended; −1 where unknown.
    pub fn leader_epoch(&self) -> i32 {
        self.i32_at(LEADER_EPOCH)
    }

    /// The producer's id; −1 for one that is not idempotent.
    pub fn producer_id(&self) -> i64 {
        self.i64_at(PRODUCER_ID)
    }

    /// The producer's epoch.
    pub fn producer_epoch(&self) -> i16 {
        i16::from_be_bytes(self.array(PRODUCER_EPOCH))
    }

    /// The sequence number of its first record.
    pub fn base_sequence(&self) -> i32 {
        self.i32_at(BASE_SEQUENCE)
    }

    /// How many records it says it has.
    pub fn count(&self) -> i32 {
        self.i32_at(COUNT)
    }

    /// Whether it says something to clients in place of carrying records.
    pub fn is_control(&self) -> bool {
        self.attributes() & CONTROL != 0
    }

    /// Whether it belongs to a transaction.
    pub fn is_transactional(&self) -> bool {
        self.attributes() & TRANSACTIONAL != 0
    }

    /// Who set its records' timestamps.
    pub fn timestamp_type(&self) -> TimestampType {
        match self.attributes() & LOG_APPEND_TIME {
            0 => TimestampType::CreateTime,
            _ => TimestampType::LogAppendTime,
        }
    }

    /// The timestamp that those of its records count from, in milliseconds.
    pub fn base_timestamp(&self) -> i64 {
        self.i64_at(BASE_TIMESTAMP)
    }

    /// The latest timestamp of its records, in milliseconds; the append's under `LogAppendTime`.
    pub fn max_timestamp(&self) -> i64 {
        self.i64_at(MAX_TIMESTAMP)
    }

    /// Its length, header included.
    pub fn size_in_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Checks the checksum.
    ///
    /// # Errors
    /// [`BatchError::Checksum`].
    pub fn verify(&self) -> Result<(), BatchError> {
        let stated = u32::from_be_bytes(self.array(CRC));
        let found = crc32c(&self.bytes[ATTRIBUTES..]);
        match stated == found {
            true => Ok(()),
            false => Err(BatchError::Checksum { offset: self.base_offset(), stated, found }),
        }
    }

    /// Its records, decompressed if they are compressed, each read when it is asked for.
    ///
    /// # Errors
    /// When the codec fails, or the records pass a limit.
    pub fn records(&self, limits: DecodeLimits) -> Result<Records, BatchError> {
        let offset = self.base_offset();
        let records = match self.attributes() & CODEC_MASK {
            0 => self.bytes.slice(HEADER..),
            code => {
                let limit = limits.max_decompressed_bytes;
                let decompressed = compression::decompress(code, &self.bytes[HEADER..], limit)?;
                Bytes::from(decompressed.ok_or(BatchError::TooLarge { offset, limit })?)
            }
        };
        let count = self.count() as usize;
        if count > limits.max_records || count > records.len() / SMALLEST_RECORD {
            let why = format!("{count} records in {} bytes, {} allowed", records.len(), limits.max_records);
            return Err(BatchError::Malformed { offset, why });
        }
        Ok(Records::new(records, self))
    }

    /// What it says, if it is a control batch.
    ///
    /// # Errors
    /// As [`records`](Batch::records), and when its key is none of a control record.
    pub fn control(&self, limits: DecodeLimits) -> Result<Option<ControlRecord>, BatchError> {
        if !self.is_control() {
            return Ok(None);
        }
        let mut records = self.records(limits)?;
        let Some(record) = records.next().transpose()? else { return Ok(None) };
        match records.view(&record).key() {
            // A version, then the kind.
            Some([_, _, high, low, ..]) => Ok(Some(match i16::from_be_bytes([*high, *low]) {
                0 => ControlRecord::Abort,
                1 => ControlRecord::Commit,
                other => ControlRecord::Other(other),
            })),
            _ => {
                Err(BatchError::Malformed { offset: self.base_offset(), why: "a control record without a kind".into() })
            }
        }
    }

    fn check_header(&self) -> Result<(), BatchError> {
        let (offset, delta, count) = (self.base_offset(), self.i32_at(LAST_OFFSET_DELTA), self.count());
        let why = if offset < 0 || delta < 0 || offset.checked_add(i64::from(delta) + 1).is_none() {
            format!("offsets from {offset}, {delta} more")
        } else if count < 0 || i64::from(count) > i64::from(delta) + 1 {
            format!("{count} records for {delta} offsets")
        } else {
            return Ok(());
        };
        Err(BatchError::Malformed { offset, why })
    }

    pub(super) fn attributes(&self) -> i16 {
        i16::from_be_bytes(self.array(ATTRIBUTES))
    }

    fn i32_at(&self, at: usize) -> i32 {
        i32::from_be_bytes(self.array(at))
    }

    fn i64_at(&self, at: usize) -> i64 {
        i64::from_be_bytes(self.array(at))
    }

    fn array<const N: usize>(&self, at: usize) -> [u8; N] {
        self.bytes[at..at + N].try_into().expect("a slice of N bytes")
    }
}
