//! Kafka's record batch, version 2, to and from bytes. The hot path: a record is written once and read in place.
//!
//! Imports: `model`. Follows the protocol guide, "Record Batch" (KIP-98, KIP-482's varints).
//!
//! In reading order:
//! - `layout`: where the header's fields stand
//! - `encode`: [`BatchBuilder`], the open batch, and [`SealedBatch`]
//! - `decode`: [`RecordSet`] over fetched bytes, [`Batch`], its header and checksum
//! - `append`: what a broker writes into a batch
//! - `records`: [`Records`], the lazy reader of one batch
//! - `varint`, `crc`, `compression`: the parts
//! - `error`: [`BatchError`], what bytes can be instead

#[cfg(feature = "embedded")]
mod append;
mod compression;
mod crc;
mod decode;
mod encode;
mod error;
mod layout;
mod records;
mod varint;

#[cfg(feature = "embedded")]
pub(crate) use append::Appended;
pub use compression::Compression;
#[cfg(feature = "embedded")]
pub(crate) use crc::crc32c;
pub use decode::{Batch, ControlRecord, DecodeLimits, RecordSet};
pub use encode::{BatchBuilder, SealedBatch};
pub use error::BatchError;
pub use records::{HeaderView, Headers, RawRecord, RecordView, Records};
