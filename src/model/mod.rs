//! The nouns that every layer shares: records, headers, topics and partitions, offsets, timestamps.
//!
//! Imports nothing of the crate.

mod header;
mod offset;
mod payload;
mod record;
mod timestamp;
mod topic;

pub use header::Header;
pub use offset::{IsolationLevel, OffsetAndMetadata, OffsetReset, OffsetSpec};
pub use payload::Payload;
pub use record::Record;
pub use timestamp::{Timestamp, TimestampType};
pub use topic::{TopicId, TopicPartition};
