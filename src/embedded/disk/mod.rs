//! What is kept in a directory over a restart: topics, records, producer ids, committed offsets.
//!
//! [`State`](super::state::State) writes nothing: it notes what has changed, and the host lets [`Disk`] write that before
//! the answer of the request goes out. What is written:
//!
//! - `lock`: held by the process that uses the directory
//! - `journal`: everything but records, one small entry for each change, written anew without the old ones at start
//! - `topics/ID/PARTITION/OFFSET.log`: the batches of one partition from this offset on, as they are sent to clients
//!
//! An answer goes out when what it says has been handed to the operating system (write(2)), so it survives the death of
//! the process. Files are synced to the device on a clean stop, and the journal also when it is written anew: a power cut
//! may lose the last of what was acknowledged. Writing happens under the host's lock, on the task that serves the request:
//! right for a development broker, whose writes end in the page cache.
//!
//! In reading order:
//! - `entry`: [`Entry`](entry::Entry), what the journal says
//! - `changes`: [`Changes`], which parts of the state differ from the directory
//! - `journal`: entries to bytes and back; `segments`: the files of one partition; `append`: a file that grows
//! - `write`: [`Disk`]; `read`: what a directory holds;
//!   `restore`: a state of that
//! - `error`: [`DataError`]

mod append;
mod changes;
mod entry;
mod error;
mod journal;
mod read;
mod restore;
mod segments;
mod write;

#[cfg(test)]
mod tests;

pub(crate) use changes::Changes;
pub use error::DataError;
pub(crate) use read::Kept;
pub(crate) use write::Disk;

use crate::wire::{
    messages::{
        CreatePartitionsRequest, CreateTopicsRequest, DeleteGroupsRequest, DeleteRecordsRequest, DeleteTopicsRequest,
        IncrementalAlterConfigsRequest, InitProducerIdRequest, OffsetCommitRequest, OffsetDeleteRequest,
        ProduceRequest,
    },
    serve::{Request, Served},
};

/// Whether an answer to this request says that something is kept: it is refused where that cannot be written.
pub(crate) fn is_write(request: &Request) -> bool {
    const WRITES: &[i16] = &[
        <ProduceRequest as Served>::KEY,
        <CreateTopicsRequest as Served>::KEY,
        <DeleteTopicsRequest as Served>::KEY,
        <CreatePartitionsRequest as Served>::KEY,
        <IncrementalAlterConfigsRequest as Served>::KEY,
        <DeleteRecordsRequest as Served>::KEY,
        <InitProducerIdRequest as Served>::KEY,
        <OffsetCommitRequest as Served>::KEY,
        <OffsetDeleteRequest as Served>::KEY,
        <DeleteGroupsRequest as Served>::KEY,
    ];
    WRITES.contains(&request.api_key)
}
