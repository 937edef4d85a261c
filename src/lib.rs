//! A Kafka client stack in pure Rust: no librdkafka, no C compiler, one static binary.
//!
//! # Layout
//!
//! A module imports only from those below its own (`tests/layout.rs` checks it); `docs/architecture.md` tells why.

mod kafka;
pub use kafka::{ConnectError, Kafka};

mod producer;
pub use producer::{Ack, Delivery, Partitioner, ProduceError, Producer, ProducerBuilder};

mod consumer;
pub use consumer::{
    Commit, CommitError, ConsumeError, Consumer, ConsumerBuilder, ConsumerEvent, ConsumerHeader, ConsumerHeaders,
    ConsumerRecord, OffsetAndTimestamp, Rebalance, RecordBatch, RecordRef, StandaloneBuilder, assignor,
};

mod admin;
pub use admin::{
    Admin, AdminError, ConfigChange, ConfigEntry, ConfigResource, ConfigSource, CreatedTopic, DryRun, GroupDescription,
    GroupLag, GroupListing, GroupState, GroupType, MemberDescription, NewTopic, OffsetChange, PartitionDescription,
    PartitionLag, PerPartition, PerTopic, ResetTo, TopicDescription, TopicListing,
};

mod accumulate;
mod fetch;

#[cfg(feature = "embedded")]
mod embedded;
#[cfg(feature = "embedded")]
pub use embedded::{
    Api, DataError, Embedded, EmbeddedBuilder, EmbeddedError, Fault, FaultBuilder, InjectedFault, ReceivedRequest,
};

mod cluster;
pub use cluster::ClusterError;

mod wire;
pub use wire::{Address, ErrorCode, InvalidAddress, Remedy, WireError};

mod config;
pub use config::{ConfigError, Properties};

#[doc(hidden)]
pub mod batch;
pub use batch::Compression;

mod model;
pub use model::{
    Header, IsolationLevel, OffsetAndMetadata, OffsetReset, OffsetSpec, Payload, Record, Timestamp, TimestampType,
    TopicId, TopicPartition,
};

mod time;
mod watched;
