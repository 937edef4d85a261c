//! The cluster as this client sees it: who leads what, and a connection to each.
//!
//! Imports: `wire`, `model`, `time`, `config`.
//!
//! In reading order:
//! - `metadata`: [`Snapshot`], the picture of brokers, topics and leaders
//! - `view`: [`Cluster`], which keeps the picture fresh and hands out connections
//! - `pool`: one connection per broker and purpose
//! - `outage`: what is said of brokers that do not answer
//! - `offsets`: offsets and epoch ends, from the leaders
//! - `coordinator`: who coordinates a group or a transaction
//! - `error`: what can go wrong before a broker has taken a request

mod coordinator;
mod error;
mod metadata;
mod offsets;
mod outage;
mod pool;
mod view;

pub use error::ClusterError;

pub(crate) use coordinator::CoordinatorKind;
#[cfg(test)]
pub(crate) use metadata::Partition;
pub(crate) use metadata::{Snapshot, Topic};
pub(crate) use offsets::{EpochEnd, EpochQuery, FoundOffset};
pub(crate) use pool::Purpose;
pub(crate) use view::Cluster;
