//! The header of a record batch: 61 bytes, numbers big-endian.

pub(super) const BASE_OFFSET: usize = 0;
/// Counts the bytes behind itself.
pub(super) const LENGTH: usize = 8;
/// Base offset and length: what stands before the bytes that the length counts.
pub(super) const LOG_OVERHEAD: usize = 12;
pub(super) const LEADER_EPOCH: usize = 12;
pub(super) const MAGIC: usize = 16;
pub(super) const CRC: usize = 17;
/// The checksum covers everything from here on.
pub(super) const ATTRIBUTES: usize = 21;
pub(super) const LAST_OFFSET_DELTA: usize = 23;
pub(super) const BASE_TIMESTAMP: usize = 27;
pub(super) const MAX_TIMESTAMP: usize = 35;
pub(super) const PRODUCER_ID: usize = 43;
pub(super) const PRODUCER_EPOCH: usize = 51;
pub(super) const BASE_SEQUENCE: usize = 53;
pub(super) const COUNT: usize = 57;
pub(super) const HEADER: usize = 61;

pub(super) const CODEC_MASK: i16 = 0b111;
pub(super) const LOG_APPEND_TIME: i16 = 1 << 3;
pub(super) const TRANSACTIONAL: i16 = 1 << 4;
pub(super) const CONTROL: i16 = 1 << 5;

/// A record is at least a length, attributes, two deltas, two lengths and a header count of one byte each.
pub(super) const SMALLEST_RECORD: usize = 7;
