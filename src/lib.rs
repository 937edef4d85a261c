//! A Kafka client stack in pure Rust: no librdkafka, no C compiler, one static binary.
//!
//! # Layout
//!
//! A module imports only from those below its own line.

mod model;
pub use model::{Header, IsolationLevel, OffsetSpec, Payload, Record, Timestamp, TimestampType, TopicId, TopicPartition};
