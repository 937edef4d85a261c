use std::collections::BTreeSet;

use tokio::time::Instant;

use super::{caller::Caller, turns::Wanted};

/// A fetch that waits for records.
#[derive(Debug)]
pub(crate) struct Parked {
    pub(crate) until: Instant,
    pub(crate) caller: Caller,
    pub(crate) fetch: Fetch,
}

/// What is fetched, in this order.
#[derive(Debug)]
pub(crate) struct Fetch {
    pub(crate) partitions: Vec<Wanted>,
    /// Which of them did not exist when the fetch came, by their places.
    pub(crate) unknown: BTreeSet<usize>,
    /// 0 without a session.
    pub(crate) session: i32,
    /// Only what is new to the client is answered.
    pub(crate) incremental: bool,
    pub(crate) min_bytes: usize,
    pub(crate) max_bytes: usize,
    pub(crate) isolation: i8,
    /// Where the client stands; empty where it does not say.
    pub(crate) rack: String,
}
