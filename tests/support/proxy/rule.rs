//! Which frames, and what happens to them.

use std::{fmt, ops::RangeInclusive, sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::sync::watch;

/// Which requests or answers a fault is for; an answer has its request's API key.
#[derive(Debug, Clone, Copy)]
pub struct Filter {
    api: Option<i16>,
    connection: Option<u64>,
    first: u64,
    last: u64,
}

impl Filter {
    /// Every frame.
    pub fn any() -> Filter {
        Filter { api: None, connection: None, first: 1, last: u64::MAX }
    }

    /// Frames of one API, by its key: 0 is Produce, 1 Fetch, 3 Metadata.
    pub fn api(key: i16) -> Filter {
        Filter { api: Some(key), ..Filter::any() }
    }

    /// Only the `n`-th from when the fault begins, counted from 1.
    pub fn nth(self, n: u64) -> Filter {
        self.range(n..=n)
    }

    /// Only the first `n` from when the fault begins.
    pub fn first(self, n: u64) -> Filter {
        self.range(1..=n)
    }

    /// All but the first `n`.
    pub fn after(self, n: u64) -> Filter {
        self.range(n + 1..=u64::MAX)
    }

    /// Only on one connection: the proxy's first is 1.
    pub fn connection(self, connection: u64) -> Filter {
        Filter { connection: Some(connection), ..self }
    }

    fn range(self, range: RangeInclusive<u64>) -> Filter {
        Filter { first: *range.start(), last: *range.end(), ..self }
    }

    fn matches(&self, api: Option<i16>, connection: u64) -> bool {
        // A connection that has just come has no API yet.
        self.api.is_none_or(|wanted| api.is_none_or(|api| api == wanted))
            && self.connection.is_none_or(|wanted| connection == wanted)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    Requests,
    Answers,
    Both,
}

/// Changes an answer, from its correlation id on.
pub type Change = Box<dyn FnMut(&mut Vec<u8>) + Send>;

/// What happens to a frame. A fault of answers counts and meets answers, also to requests from before it began.
pub enum Fault {
    /// A new connection is closed at once; the filter's API means nothing here.
    Refuse,
    /// The request never arrives, and the connection closes.
    Cut,
    /// The request arrives and is answered; the answer is lost, and the connection closes.
    CutBeforeAnswer,
    /// As `CutBeforeAnswer`, but the answer's first half reaches the client.
    CutWithinAnswer,
    /// The answer comes this much later. Answers behind it wait, but no longer than each has to.
    Delay(Duration),
    /// The frame, and all behind it in its direction, wait until the fault is removed.
    Stall(Direction),
    /// The request never arrives, and from then on nothing passes on its connection, which stays open.
    Blackhole,
    /// Some bytes of the answer, behind the correlation id, are others.
    Corrupt,
    /// The answer's frame, from the correlation id on, is rewritten; the length before it follows.
    Rewrite(Change),
}

impl Fault {
    /// [`Fault::Rewrite`] without the box.
    pub fn rewrite(change: impl FnMut(&mut Vec<u8>) + Send + 'static) -> Fault {
        Fault::Rewrite(Box::new(change))
    }

    fn happens_in(&self, phase: Phase) -> bool {
        match self {
            Fault::Refuse => phase == Phase::Connect,
            Fault::Cut | Fault::Blackhole | Fault::Stall(Direction::Requests) => phase == Phase::Request,
            Fault::Stall(Direction::Both) => phase != Phase::Connect,
            Fault::CutBeforeAnswer
            | Fault::CutWithinAnswer
            | Fault::Delay(_)
            | Fault::Stall(Direction::Answers)
            | Fault::Corrupt
            | Fault::Rewrite(_) => phase == Phase::Answer,
        }
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Refuse => f.write_str("Refuse"),
            Fault::Cut => f.write_str("Cut"),
            Fault::CutBeforeAnswer => f.write_str("CutBeforeAnswer"),
            Fault::CutWithinAnswer => f.write_str("CutWithinAnswer"),
            Fault::Delay(by) => write!(f, "Delay({by:?})"),
            Fault::Stall(direction) => write!(f, "Stall({direction:?})"),
            Fault::Blackhole => f.write_str("Blackhole"),
            Fault::Corrupt => f.write_str("Corrupt"),
            Fault::Rewrite(_) => f.write_str("Rewrite"),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Connect,
    Request,
    Answer,
}

/// A fault in force.
#[derive(Debug)]
pub(super) struct Rule {
    filter: Filter,
    pub(super) fault: Mutex<Fault>,
    /// How many matching frames came, in each phase.
    seen: Mutex<[u64; 3]>,
    pub(super) fired: watch::Sender<u64>,
    removed: watch::Sender<bool>,
}

impl Rule {
    pub(super) async fn removed(&self) {
        // The sender is `self`, so it is still there.
        let _ = self.removed.subscribe().wait_for(|removed| *removed).await;
    }
}

#[derive(Debug, Default)]
pub(super) struct Rules(Mutex<Vec<Arc<Rule>>>);

impl Rules {
    pub(super) fn add(&self, filter: Filter, fault: Fault) -> Arc<Rule> {
        let rule = Arc::new(Rule {
            filter,
            fault: Mutex::new(fault),
            seen: Mutex::default(),
            fired: watch::Sender::new(0),
            removed: watch::Sender::new(false),
        });
        self.0.lock().push(rule.clone());
        rule
    }

    pub(super) fn remove(&self, rule: &Arc<Rule>) {
        self.0.lock().retain(|other| !Arc::ptr_eq(rule, other));
        rule.removed.send_replace(true);
    }

    pub(super) fn clear(&self) {
        for rule in self.0.lock().drain(..) {
            rule.removed.send_replace(true);
        }
    }

    /// Counts the frame with every rule that it concerns, and returns the eldest whose turn it is.
    pub(super) fn choose(&self, phase: Phase, api: Option<i16>, connection: u64) -> Option<Arc<Rule>> {
        let rules = self.0.lock();
        let mut chosen = None;
        for rule in rules.iter() {
            if !rule.filter.matches(api, connection) || !rule.fault.lock().happens_in(phase) {
                continue;
            }
            let mut seen = rule.seen.lock();
            seen[phase as usize] += 1;
            if chosen.is_none() && (rule.filter.first..=rule.filter.last).contains(&seen[phase as usize]) {
                chosen = Some(rule.clone());
            }
        }
        if let Some(rule) = &chosen {
            rule.fired.send_modify(|fired| *fired += 1);
        }
        chosen
    }
}
