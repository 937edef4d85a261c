use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use crate::{model::TopicId, wire::ErrorCode};

/// How a fetch names a topic: by id since version 13.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum TopicKey {
    Name(Arc<str>),
    Id(TopicId),
}

/// One partition as a client fetches it.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub(crate) topic: TopicKey,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) max_bytes: i32,
    /// −1 where the client does not know.
    pub(crate) leader_epoch: i32,
    /// Of the last record that it has; −1 where it does not know.
    pub(crate) last_epoch: i32,
    /// High watermark and log start, as this session's client was told last.
    pub(crate) told: Option<(i64, i64)>,
}

/// Partitions as a client fetches them, each once, in the order in which they are read.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    by_turn: BTreeMap<u64, Wanted>,
    turns: HashMap<(TopicKey, i32), u64>,
    last: u64,
}

impl Turns {
    /// A partition is fetched from now on, or otherwise than before: then what its client was told stays known.
    pub(crate) fn set(&mut self, wanted: Wanted) {
        let (turn, told) = match self.turns.get(&wanted.key()) {
            Some(turn) => (*turn, self.by_turn.get(turn).and_then(|known| known.told)),
            None => (self.next_turn(), wanted.told),
        };
        self.turns.insert(wanted.key(), turn);
        self.by_turn.insert(turn, Wanted { told, ..wanted });
    }

    fn remove(&mut self, key: &(TopicKey, i32)) -> Option<Wanted> {
        self.turns.remove(key).and_then(|turn| self.by_turn.remove(&turn))
    }

    fn next_turn(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Wanted> {
        self.by_turn.values()
    }
}

impl FromIterator<Wanted> for Turns {
    fn from_iter<I: IntoIterator<Item = Wanted>>(wanted: I) -> Self {
        let mut turns = Turns::default();
        wanted.into_iter().for_each(|wanted| turns.set(wanted));
        turns
    }
}

impl Wanted {
    fn key(&self) -> (TopicKey, i32) {
        (self.topic.clone(), self.partition)
    }
}

/// The fetch sessions of all brokers (KIP-227).
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    made: i32,
    sessions: BTreeMap<i32, Session>,
}

#[derive(Debug)]
struct Session {
    broker: i32,
    /// The one that the client's next fetch must carry.
    epoch: i32,
    /// Whether its topics go by their ids.
    by_id: bool,
    turns: Turns,
    used: u64,
}

/// As Kafka's `max.incremental.fetch.session.cache.slots`.
const MOST: usize = 1000;

/// The epoch that asks for a new session.
pub(crate) const INITIAL_EPOCH: i32 = 0;
/// The epoch that asks for none.
pub(crate) const FINAL_EPOCH: i32 = -1;

/// How a client goes on with a session.
#[derive(Debug)]
pub(crate) struct Step<'a> {
    pub(crate) broker: i32,
    pub(crate) session: i32,
    pub(crate) epoch: i32,
    /// Whether its topics go by their ids.
    pub(crate) by_id: bool,
    /// Partitions that are new, or fetched otherwise from now on.
    pub(crate) changed: Vec<Wanted>,
    pub(crate) forgotten: &'a [(TopicKey, i32)],
}

impl Sessions {
    /// A new session for these partitions; its id.
    pub(crate) fn open(&mut self, broker: i32, by_id: bool, turns: Turns) -> i32 {
        if self.sessions.len() >= MOST {
            let oldest = self.sessions.iter().min_by_key(|(_, session)| session.used).map(|(id, _)| *id);
            oldest.map(|id| self.sessions.remove(&id));
        }
        self.made = self.made.checked_add(1).unwrap_or(1);
        let session = Session { broker, epoch: 1, by_id, turns, used: self.made as u64 };
        self.sessions.insert(self.made, session);
        self.made
    }

    /// What a session fetches; nothing if there is no such session.
    pub(crate) fn partitions(&self, id: i32) -> impl Iterator<Item = &Wanted> {
        self.sessions.get(&id).into_iter().flat_map(|session| session.turns.iter())
    }

    pub(crate) fn close(&mut self, id: i32) {
        self.sessions.remove(&id);
    }

    /// The client goes on with a session. All that it fetches now; the session ends if that is nothing.
    pub(crate) fn go_on(&mut self, step: Step<'_>) -> Result<Vec<Wanted>, ErrorCode> {
        let session = self.sessions.get_mut(&step.session).filter(|session| session.broker == step.broker);
        let session = session.ok_or(ErrorCode::FETCH_SESSION_ID_NOT_FOUND)?;
        if step.epoch != session.epoch {
            return Err(ErrorCode::INVALID_FETCH_SESSION_EPOCH);
        }
        if step.by_id != session.by_id {
            return Err(ErrorCode::FETCH_SESSION_TOPIC_ID_ERROR);
        }
        session.epoch = step.epoch.checked_add(1).unwrap_or(1);
        session.used += 1;
        step.forgotten.iter().for_each(|key| drop(session.turns.remove(key)));
        step.changed.into_iter().for_each(|wanted| session.turns.set(wanted));
        let wanted: Vec<Wanted> = session.turns.iter().cloned().collect();
        if wanted.is_empty() {
            self.close(step.session);
        }
        Ok(wanted)
    }

    /// What the client is being told of a partition: `None` for an error, so that it is told all when that is over. One that had
    /// records goes behind the others, so that each has its turn.
    pub(crate) fn told(
        &mut self,
        id: i32,
        topic: &TopicKey,
        partition: i32,
        told: Option<(i64, i64)>,
        had_records: bool,
    ) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let key = (topic.clone(), partition);
        let Some(turn) = session.turns.turns.get(&key).copied() else { return };
        if had_records && let Some(wanted) = session.turns.remove(&key) {
            session.turns.set(Wanted { told, ..wanted });
        } else if let Some(wanted) = session.turns.by_turn.get_mut(&turn) {
            wanted.told = told;
        }
    }

    /// The broker has stopped: it remembers nothing.
    pub(crate) fn forget_broker(&mut self, broker: i32) {
        self.sessions.retain(|_, session| session.broker != broker);
    }
}
