//! The producer: idempotent, acks=all, all of a broker's ready partitions in one request.
//!
//! Imports: `accumulate`, `cluster`, `wire`, `batch`, `config`, `model`, `time`.
//!
//! In reading order:
//! - `builder`, `config`: [`ProducerBuilder`], the settings and their defaults
//! - `handle`: [`Producer`], what a user holds
//! - `delivery`: [`Delivery`], [`Ack`]: what becomes of a record
//! - `shared`: topics and partitions, between the handle and the tasks
//! - `memory`: bytes of unacknowledged records, up to a limit
//! - `partitioner`: [`Partitioner`], the user's; murmur2 for keys, sticky for the rest
//! - `sender`: the task of one broker
//! - `keeper`: the task that refreshes metadata, hands partitions to senders and ends overdue waits
//! - `error`: [`ProduceError`]

mod builder;
mod config;
mod delivery;
mod error;
mod handle;
mod keeper;
mod memory;
mod partitioner;
mod sender;
mod shared;

pub use builder::ProducerBuilder;
pub use delivery::{Ack, Delivery};
pub use error::ProduceError;
pub use handle::Producer;
pub use partitioner::Partitioner;

pub(crate) use config::{PRODUCER_KEYS, ProducerConfig};
