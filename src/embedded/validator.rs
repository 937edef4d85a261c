//! Which batches are appended to a log, as Kafka's `ProduceRequest`, `UnifiedLog` and `LogValidator` have it. Where those say only
//! a code, the words are this broker's.

use bytes::Bytes;

use super::topic::Topic;
use crate::{
    batch::{Batch, BatchError, DecodeLimits, RecordSet, Records},
    model::TimestampType,
    wire::ErrorCode,
};

/// Why a batch is not appended.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) code: ErrorCode,
    pub(crate) why: Option<String>,
    /// The records that are to blame, by their numbers in the batch, and what is wrong with each (KIP-467).
    pub(crate) records: Vec<(i32, String)>,
}

impl Refused {
    pub(crate) fn new(code: ErrorCode, why: impl Into<String>) -> Self {
        Refused { code, why: Some(why.into()), records: Vec::new() }
    }

    fn of_records(code: ErrorCode, blamed: Blamed) -> Self {
        let Blamed { count, records } = blamed;
        let why = match code {
            ErrorCode::INVALID_TIMESTAMP => {
                "One or more records have been rejected due to invalid timestamp".to_owned()
            }
            _ => {
                let each = records.iter().take(3);
                let each = each.map(|(index, why)| format!("RecordError(batchIndex={index}, message='{why}')"));
                format!(
                    "One or more records have been rejected due to {} record errors in total, and only showing the first \
                     three errors at most: [{}]",
                    count,
                    each.collect::<Vec<_>>().join(", ")
                )
            }
        };
        Refused { code, why: Some(why), records }
    }
}

impl From<ErrorCode> for Refused {
    fn from(code: ErrorCode) -> Self {
        Refused { code, why: None, records: Vec::new() }
    }
}

impl From<BatchError> for Refused {
    fn from(error: BatchError) -> Self {
        let code = match error {
            BatchError::Checksum { .. } => ErrorCode::CORRUPT_MESSAGE,
            // What its decompressors throw Kafka does not tell from faults of its own.
            BatchError::Codec { .. } => ErrorCode::UNKNOWN_SERVER_ERROR,
            BatchError::TooLarge { .. } => ErrorCode::MESSAGE_TOO_LARGE,
            _ => ErrorCode::INVALID_RECORD,
        };
        Refused::new(code, error.to_string())
    }
}

/// Records of a batch that are to blame for the same.
#[derive(Debug, Default)]
struct Blamed {
    count: usize,
    /// Those that are told, by their numbers, and what is wrong with each.
    records: Vec<(i32, String)>,
}

impl Blamed {
    fn add(&mut self, room: &mut Room, index: i32, why: impl FnOnce() -> String) {
        self.count += 1;
        if room.blamed > 0 {
            room.blamed -= 1;
            self.records.push((index, why()));
        }
    }
}

/// What the compressed batches of one request may hold together, or else this many times what they measure: nobody else is
/// served while they are read.
const MAX_DECOMPRESSED: usize = 64 << 20;
const MAX_RATIO: usize = 8;
/// So many records one request is told that they are to blame; Kafka tells of all.
const MAX_BLAMED: usize = 10_000;

/// What checking the batches of one request may still take.
#[derive(Debug)]
pub(crate) struct Room {
    decompressed: usize,
    blamed: usize,
}

impl Room {
    /// For batches that measure so many bytes together.
    pub(crate) fn of(bytes: usize) -> Self {
        Room { decompressed: MAX_DECOMPRESSED.max(MAX_RATIO * bytes), blamed: MAX_BLAMED }
    }
}

fn invalid(why: impl Into<String>) -> Refused {
    Refused::new(ErrorCode::INVALID_RECORD, why)
}

// Where a batch's length and its format's version are, in any version.
const LENGTH: usize = 8;
const MAGIC: usize = 16;
/// What the shortest message of the oldest format measures behind its length.
const SHORTEST: i32 = 14;
const NO_TIMESTAMP: i64 = -1;
const UNCOMPRESSED: i16 = 0;
const ZSTD: i16 = 4;
/// The first version of Produce whose clients may use zstd (KIP-110).
const ZSTD_FROM: i16 = 7;

/// The one batch that a produce request of this version may carry for a partition.
pub(crate) fn batch_of(version: i16, records: Bytes) -> Result<Batch, Refused> {
    let magic = next(&records)?.ok_or_else(|| invalid("a produce request without a record batch"))?;
    if magic < 2 {
        return Err(invalid(format!("a record batch of the format version {magic}; only version 2 is kept")));
    }
    let mut set = RecordSet::new(records);
    let batch = set.next().transpose()?.ok_or_else(|| invalid("a record batch that is cut off"))?;
    if version < ZSTD_FROM && batch.codec() == ZSTD {
        return Err(ErrorCode::UNSUPPORTED_COMPRESSION_TYPE.into());
    }
    // The beginning of another is left, as Kafka does.
    match next(set.rest())? {
        None => Ok(batch),
        Some(_) => Err(invalid("a produce request may carry one record batch for a partition")),
    }
}

/// The format's version of the batch that these bytes begin with; `None` if it is not there as a whole.
fn next(bytes: &[u8]) -> Result<Option<i8>, Refused> {
    let (Some(length), Some(magic)) = (bytes.get(LENGTH..LENGTH + 4), bytes.get(MAGIC)) else { return Ok(None) };
    let length = i32::from_be_bytes([length[0], length[1], length[2], length[3]]);
    let corrupt = |why: String| Err(Refused::new(ErrorCode::CORRUPT_MESSAGE, why));
    if length < SHORTEST {
        return corrupt(format!("a record batch of {length} bytes"));
    }
    let magic = *magic as i8;
    if !(0..=2).contains(&magic) {
        return corrupt(format!("Invalid magic found in record: {magic}"));
    }
    Ok((bytes.len() - LENGTH - 4 >= length as usize).then_some(magic))
}

/// Whether a topic takes this batch, by its header.
pub(crate) fn check_batch(topic: &Topic, batch: &Batch) -> Result<(), Refused> {
    if batch.base_offset() != 0 {
        return Err(invalid(format!("the batch's base offset is {}, where 0 is due", batch.base_offset())));
    }
    let (size, limit) = (batch.size_in_bytes(), topic.number("max.message.bytes"));
    if size as i64 > limit {
        let why = format!("the batch measures {size} bytes, where {limit} are allowed (max.message.bytes)");
        return Err(Refused::new(ErrorCode::MESSAGE_TOO_LARGE, why));
    }
    batch.verify()?;
    if batch.is_control() {
        return Err(invalid("clients may not write control records"));
    }
    if batch.is_transactional() {
        return Err(Refused::new(ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED, "there are no transactions here"));
    }
    if batch.producer_id() >= 0 && batch.base_sequence() < 0 {
        return Err(invalid("an idempotent producer's batch without a sequence number"));
    }
    Ok(())
}

/// Whether a topic takes its records, each of which is read; the latest timestamp of them, −1 if they have none.
pub(crate) fn check_records(
    topic: &Topic,
    partition: i32,
    batch: &Batch,
    now: i64,
    room: &mut Room,
) -> Result<i64, Refused> {
    let (compacted, by_producer) = (topic.is_compacted(), topic.timestamp_type() == TimestampType::CreateTime);
    let (before, after) =
        (topic.number("message.timestamp.before.max.ms"), topic.number("message.timestamp.after.max.ms"));
    let (earliest, latest) = (now.saturating_sub(before), now.saturating_add(after));
    let (mut count, mut max_timestamp) = (0, NO_TIMESTAMP);
    let (mut keyless, mut untimely) = (Blamed::default(), Blamed::default());
    for record in decompressed(batch, room)? {
        let record = record.map_err(|error| invalid(error.to_string()))?;
        let time = record.timestamp;
        // Kafka counts on its clients for this.
        if record.offset != i64::from(count) {
            return Err(invalid(format!("record {count} of the batch does not follow the one before")));
        }
        if compacted && record.key_range().is_none() {
            let name = &topic.name;
            keyless.add(room, count, || {
                format!("Compacted topic cannot accept message without key in topic partition {name}-{partition}")
            });
        }
        if by_producer && time != NO_TIMESTAMP && !(earliest..=latest).contains(&time) {
            untimely.add(room, count, || {
                format!(
                    "Timestamp {time} of message with offset {count} is out of range. The timestamp should be within \
                     [{earliest}, {latest}]"
                )
            });
        }
        max_timestamp = max_timestamp.max(time);
        count += 1;
    }
    if untimely.count > 0 {
        return Err(Refused::of_records(ErrorCode::INVALID_TIMESTAMP, untimely));
    }
    if keyless.count > 0 {
        return Err(Refused::of_records(ErrorCode::INVALID_RECORD, keyless));
    }
    match count > 0 && count == batch.count() && i64::from(count) == batch.next_offset() {
        true => Ok(max_timestamp),
        false => Err(invalid(format!("the batch has {count} records, its header says {}", batch.count()))),
    }
}

/// Its records, which take of the room that there is for what is decompressed.
fn decompressed(batch: &Batch, room: &mut Room) -> Result<Records, BatchError> {
    let mut limits = DecodeLimits::default();
    limits.max_decompressed_bytes = limits.max_decompressed_bytes.min(room.decompressed);
    let records = batch.records(limits).inspect_err(|error| {
        if matches!(error, BatchError::TooLarge { .. }) {
            room.decompressed = room.decompressed.saturating_sub(limits.max_decompressed_bytes);
        }
    })?;
    if batch.codec() != UNCOMPRESSED {
        room.decompressed -= records.bytes().len();
    }
    Ok(records)
}
