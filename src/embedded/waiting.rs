use std::collections::BTreeMap;

use tokio::time::Instant;

use super::{
    group::{Joined, Synced},
    parked::Parked,
};
use crate::wire::messages::FetchResponse;

/// Names a request that is answered later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Ticket(u64);

/// An answer that was waited for.
#[derive(Debug)]
pub(crate) enum Answer {
    Fetch(FetchResponse),
    Join(Joined),
    Sync(Synced),
}

impl From<FetchResponse> for Answer {
    fn from(answer: FetchResponse) -> Self {
        Answer::Fetch(answer)
    }
}

impl From<Joined> for Answer {
    fn from(answer: Joined) -> Self {
        Answer::Join(answer)
    }
}

impl From<Synced> for Answer {
    fn from(answer: Synced) -> Self {
        Answer::Sync(answer)
    }
}

/// Requests that are answered later, and answers that are ready for them.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    issued: u64,
    ready: Vec<(Ticket, Answer)>,
    /// Fetches that wait for records.
    fetches: BTreeMap<Ticket, Parked>,
}

impl Waiting {
    /// A new ticket. Whoever takes it sees to it that it is answered once, or withdrawn.
    pub(crate) fn ticket(&mut self) -> Ticket {
        self.issued += 1;
        Ticket(self.issued)
    }

    pub(crate) fn answer(&mut self, ticket: Ticket, answer: impl Into<Answer>) {
        self.ready.push((ticket, answer.into()));
    }

    /// The answers that became ready since this was called last.
    pub(crate) fn take_ready(&mut self) -> Vec<(Ticket, Answer)> {
        std::mem::take(&mut self.ready)
    }

    pub(crate) fn park(&mut self, ticket: Ticket, fetch: Parked) {
        self.fetches.insert(ticket, fetch);
    }

    pub(crate) fn take_fetches(&mut self) -> BTreeMap<Ticket, Parked> {
        std::mem::take(&mut self.fetches)
    }

    pub(crate) fn has_fetches(&self) -> bool {
        !self.fetches.is_empty()
    }

    /// When the first fetch has waited long enough.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.fetches.values().map(|fetch| fetch.until).min()
    }

    /// The client has gone: nobody waits for this answer.
    pub(crate) fn withdraw(&mut self, ticket: Ticket) {
        self.fetches.remove(&ticket);
        self.ready.retain(|(ready, _)| *ready != ticket);
    }
}
