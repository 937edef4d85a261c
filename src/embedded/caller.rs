use tokio::time::Instant;

use super::fault::{Fault, PartialFault};
use crate::wire::ErrorCode;

/// Who asks, when, and how.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) now: Instant,
    /// The broker that is asked.
    pub(crate) broker: i32,
    pub(crate) door: Door,
    /// Of the request.
    pub(crate) version: i16,
    pub(crate) client_id: String,
    /// Where the client stands, as `/127.0.0.1`.
    pub(crate) host: String,
    /// What a test wants to happen to parts of the request.
    pub(crate) faults: Vec<PartialFault>,
}

impl Caller {
    /// Whether it may have what it asks of this partition, or a test wants otherwise.
    pub(crate) fn check(&self, topic: &str, partition: i32) -> Result<(), ErrorCode> {
        let fault = self.faults.iter().find_map(|part| match part.fault {
            Fault::Error(code) if part.is_of(topic, partition) => Some(code),
            _ => None,
        });
        fault.map_or(Ok(()), Err)
    }

    /// Whether records of this partition are to be broken.
    pub(crate) fn breaks_records(&self, topic: &str, partition: i32) -> bool {
        self.faults.iter().any(|part| part.fault == Fault::CorruptRecords && part.is_of(topic, partition))
    }
}

/// Through which door a client came: it is told addresses that it can reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Door {
    Memory,
    Tcp,
    /// Through a proxy, which stands before a TCP listener of its own.
    Proxied,
}
