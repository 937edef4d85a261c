//! What passed through a proxy.

use std::collections::BTreeMap;

/// Frames, and their bytes with the length before each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    pub frames: u64,
    pub bytes: u64,
}

impl Traffic {
    pub(super) fn add(&mut self, body: usize) {
        self.frames += 1;
        self.bytes += body as u64 + 4;
    }
}

/// A proxy's traffic, by API key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// As clients sent them, whatever became of them then.
    pub by_request: BTreeMap<i16, Traffic>,
    /// As they reached the clients.
    pub by_answer: BTreeMap<i16, Traffic>,
    /// The most requests that one connection had on the way at once.
    pub most_in_flight: BTreeMap<i16, u64>,
    /// Accepted so far, also those closed at once.
    pub connections: u64,
    /// Now.
    pub open: u64,
}

impl Counts {
    pub fn requests(&self, api: i16) -> u64 {
        self.by_request.get(&api).map_or(0, |traffic| traffic.frames)
    }

    pub fn answers(&self, api: i16) -> u64 {
        self.by_answer.get(&api).map_or(0, |traffic| traffic.frames)
    }

    pub fn request_bytes(&self, api: i16) -> u64 {
        self.by_request.get(&api).map_or(0, |traffic| traffic.bytes)
    }

    pub fn answer_bytes(&self, api: i16) -> u64 {
        self.by_answer.get(&api).map_or(0, |traffic| traffic.bytes)
    }

    pub fn most_in_flight(&self, api: i16) -> u64 {
        self.most_in_flight.get(&api).copied().unwrap_or(0)
    }
}
