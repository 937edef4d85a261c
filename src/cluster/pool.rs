use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::time::{Instant, sleep_until};

use super::outage::Outages;
use crate::{
    time::Backoff,
    wire::{Address, ConnectOptions, Connection, WireError},
};

/// What a connection is for. A broker answers the requests of one connection in order, so those that may wait long
/// (a fetch at the log's end) never stand before those that may not (a heartbeat).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Purpose {
    Produce,
    Fetch,
    /// Heartbeats and commits of a group's member.
    Coordinate,
    /// Joining a group, which waits for all its members.
    Join,
    Control,
}

/// One connection per peer and purpose, made when it is first asked for and made anew when it has ended.
#[derive(Debug)]
pub(crate) struct Pool {
    options: ConnectOptions,
    /// What an answer on a fetch connection may measure, in bytes.
    max_fetch_frame: usize,
    reconnect: (Duration, Duration),
    slots: Mutex<BTreeMap<(Address, Purpose), Arc<Slot>>>,
    outages: Outages<Peer>,
}

/// Held while a connection is being made, so that all who want it wait for the one attempt.
type Slot = tokio::sync::Mutex<SlotState>;

#[derive(Debug)]
struct SlotState {
    connection: Option<Arc<Connection>>,
    backoff: Backoff,
    not_before: Option<Instant>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Peer(Address);

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "broker at {}", self.0)
    }
}

impl Pool {
    pub(crate) fn new(options: ConnectOptions, max_fetch_frame: usize, reconnect: (Duration, Duration)) -> Self {
        Pool { options, max_fetch_frame, reconnect, slots: Mutex::default(), outages: Outages::new() }
    }

    /// The connection to this address for this purpose. After a failed attempt the next one waits for its back-off.
    pub(crate) async fn get(&self, address: &Address, purpose: Purpose) -> Result<Arc<Connection>, WireError> {
        let slot = self.slot(address, purpose);
        let mut slot = slot.lock().await;
        if let Some(connection) = slot.connection.as_ref().filter(|c| !c.is_used_up()) {
            return Ok(Arc::clone(connection));
        }
        slot.connection = None;
        if let Some(not_before) = slot.not_before {
            sleep_until(not_before).await;
        }
        // Set before the attempt: one that is dropped halfway counts as failed.
        slot.not_before = Some(Instant::now() + slot.backoff.next_wait());
        let mut options = self.options.clone();
        if purpose == Purpose::Fetch {
            options.max_frame = self.max_fetch_frame;
        }
        match Connection::open(address, &options).await {
            Ok(connection) => {
                self.outages.answered(&Peer(address.clone()));
                slot.backoff.reset();
                slot.not_before = None;
                let connection = Arc::new(connection);
                slot.connection = Some(Arc::clone(&connection));
                Ok(connection)
            }
            Err(error) => {
                self.outages.failed(&Peer(address.clone()), &error);
                Err(error)
            }
        }
    }

    /// Forgets the peers that are not in `known`, closing their connections once nobody uses them.
    pub(crate) fn retain(&self, known: impl Fn(&Address) -> bool) {
        self.slots.lock().retain(|(address, _), _| known(address));
    }

    fn slot(&self, address: &Address, purpose: Purpose) -> Arc<Slot> {
        let mut slots = self.slots.lock();
        let slot = slots.entry((address.clone(), purpose)).or_insert_with(|| {
            let backoff = Backoff::new(self.reconnect.0, self.reconnect.1);
            Arc::new(Slot::new(SlotState { connection: None, backoff, not_before: None }))
        });
        Arc::clone(slot)
    }
}
