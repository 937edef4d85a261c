use super::{Batch, crc::crc32c, layout::*};
use crate::model::TimestampType;

/// What a broker writes into a batch that it appends to a log.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Appended {
    pub(crate) base_offset: i64,
    pub(crate) leader_epoch: i32,
    pub(crate) timestamp_type: TimestampType,
    /// The latest of its records, whatever the producer says, or the time of all of them under `LogAppendTime`; milliseconds.
    pub(crate) max_timestamp: i64,
}

impl Batch {
    /// The batch as the log keeps it: a copy of its own, so that the frame that it came in is let go of.
    pub(crate) fn appended(&self, as_of: Appended) -> Batch {
        let mut bytes = self.bytes.to_vec();
        bytes[BASE_OFFSET..BASE_OFFSET + 8].copy_from_slice(&as_of.base_offset.to_be_bytes());
        bytes[LEADER_EPOCH..LEADER_EPOCH + 4].copy_from_slice(&as_of.leader_epoch.to_be_bytes());
        let attributes = match as_of.timestamp_type {
            TimestampType::LogAppendTime => self.attributes() | LOG_APPEND_TIME,
            TimestampType::CreateTime => self.attributes() & !LOG_APPEND_TIME,
        };
        let max = as_of.max_timestamp;
        if max != self.max_timestamp() || attributes != self.attributes() {
            bytes[ATTRIBUTES..ATTRIBUTES + 2].copy_from_slice(&attributes.to_be_bytes());
            bytes[MAX_TIMESTAMP..MAX_TIMESTAMP + 8].copy_from_slice(&max.to_be_bytes());
            let crc = crc32c(&bytes[ATTRIBUTES..]);
            bytes[CRC..CRC + 4].copy_from_slice(&crc.to_be_bytes());
        }
        Batch { bytes: bytes.into() }
    }

    /// The number of the codec of its records.
    pub(crate) fn codec(&self) -> i16 {
        self.attributes() & CODEC_MASK
    }

    /// A copy of its own, so that what it is a part of is let go of.
    pub(crate) fn detached(&self) -> Batch {
        Batch { bytes: bytes::Bytes::copy_from_slice(&self.bytes) }
    }

    /// All of it.
    pub(crate) fn bytes(&self) -> &bytes::Bytes {
        &self.bytes
    }
}
