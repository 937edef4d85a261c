//! The consumer: fetches in the background, hands out records one by one or in batches.
//!
//! Imports: `fetch`, `cluster`, `wire`, `batch`, `config`, `model`, `time`.
//!
//! In reading order:
//! - `builder`, `config`: [`StandaloneBuilder`], the settings and their defaults
//! - `handle`: [`Consumer`], what a user holds
//! - `offsets`: its questions about offsets
//! - `member`: what it can do as a member of a group
//! - `record`, `batch`: [`ConsumerRecord`], [`RecordBatch`]: what it hands out
//! - `table`: the partitions, and what was fetched of them
//! - `shared`: the table between the handle and the tasks
//! - `fetcher`: the task of one broker
//! - `keeper`: the task that refreshes metadata, finds offsets and checks positions against new leaders
//! - `group`: membership in a group, and the task of one member
//! - `assignor`: how the members of a group share its partitions; pure
//! - `error`: [`ConsumeError`]

pub mod assignor;
mod batch;
mod builder;
mod config;
mod error;
mod fetcher;
mod group;
mod handle;
mod keeper;
mod member;
mod offsets;
mod record;
mod shared;
mod table;

pub use batch::{RecordBatch, RecordRef};
pub use builder::{ConsumerBuilder, StandaloneBuilder};
pub use error::ConsumeError;
pub use group::{CommitError, Rebalance};
pub use handle::Consumer;
pub use member::{Commit, ConsumerEvent};
pub use offsets::OffsetAndTimestamp;
pub use record::{ConsumerHeader, ConsumerHeaders, ConsumerRecord};

pub(crate) use config::{CONSUMER_KEYS, ConsumerConfig};
