//! What a producer holds until it is acknowledged. Decision code: takes `now` and what happened, tells what to do.
//!
//! Imports: `batch`, `model`.
//!
//! In reading order:
//! - `completion`: [`Completion`], what becomes of one batch, for all who wait on its records
//! - `spares`: [`Spares`], buffers to be used again
//! - `queue`: [`PartitionQueue`], one partition's batches: open, sealed, in flight, to be sent again

mod completion;
mod queue;
mod spares;

pub(crate) use completion::{Completion, Fate, Waiting};
pub(crate) use queue::{Answer, Limits, PartitionQueue, Refused, Step};
pub(crate) use spares::Spares;
