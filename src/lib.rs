//! A Kafka client stack in pure Rust: no librdkafka, no C compiler, one static binary.
//!
//! # Layout
//!
//! A module imports only from those below its own (`tests/layout.rs` checks it); `docs/architecture.md` tells why.

mod kafka;
pub use kafka::{ConnectError, Kafka};

mod producer;
pub use producer::{Ack, Delivery, ProduceError, Producer, ProducerBuilder};

mod admin;
pub use admin::{
    Admin, AdminError, ConfigChange, ConfigEntry, ConfigResource, ConfigSource, CreatedTopic, DryRun, NewTopic,
    PartitionDescription, PerTopic, TopicDescription, TopicListing,
};

mod accumulate;

#[allow(dead_code, unused_imports, reason = "the consumer, which uses the rest, comes next")]
mod cluster;
pub use cluster::ClusterError;

#[allow(dead_code, unused_imports, reason = "the consumer, which uses the rest, comes next")]
mod wire;
pub use wire::{Address, ErrorCode, InvalidAddress, Remedy, WireError};

mod config;
pub use config::{ConfigError, Properties};

#[doc(hidden)]
pub mod batch;
pub use batch::Compression;

mod model;
pub use model::{
    Header, IsolationLevel, OffsetSpec, Payload, Record, Timestamp, TimestampType, TopicId, TopicPartition,
};

mod time;
