//! Decisions about fetching, apart from time and network: what to ask a broker for, and what its answers mean.
//!
//! Imports: `cluster` (its pictures only), `wire` (messages), `batch`, `model`. Nothing here waits, spawns or locks.
//!
//! In reading order:
//! - `partition`: [`PartitionFetch`], where reading one partition stands and what comes next
//! - `session`: [`Session`], what a broker has been told already (KIP-227)
//! - `chunk`: [`Chunk`], the bytes of one partition from one answer, and [`ChunkReader`], the records in them
//! - `aborted`: [`AbortedFilter`], which batches belong to aborted transactions (KIP-98)

mod aborted;
mod chunk;
mod partition;
mod session;

pub(crate) use aborted::AbortedFilter;
pub(crate) use chunk::{BatchRest, Chunk, ChunkReader};
pub(crate) use partition::{Ask, FetchFailure, Inquiry, Next, PartitionFetch, Rules, Taken, Want};
pub(crate) use session::{Session, Wanted};
