use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use crate::{model::TopicId, wire::ErrorCode};

/// How a fetch names a topic: by id since version 13.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    /// The next to be read first.
    partitions: VecDeque<Wanted>,
    used: u64,
}

/// As Kafka's `max.incremental.fetch.session.cache.slots`.
const MOST: usize = 1000;

/// The epoch that asks for a new session.
pub(crate) const INITIAL_EPOCH: i32 = 0;
/// The epoch that asks for none.
pub(crate) const FINAL_EPOCH: i32 = -1;

impl Sessions {
    /// A new session for these partitions; its id.
    pub(crate) fn open(&mut self, broker: i32, partitions: Vec<Wanted>) -> i32 {
        if self.sessions.len() >= MOST {
            let oldest = self.sessions.iter().min_by_key(|(_, session)| session.used).map(|(id, _)| *id);
            oldest.map(|id| self.sessions.remove(&id));
        }
        self.made = self.made.checked_add(1).unwrap_or(1);
        let session = Session { broker, epoch: 1, partitions: partitions.into(), used: self.made as u64 };
        self.sessions.insert(self.made, session);
        self.made
    }

    /// What a session fetches; nothing if there is no such session.
    pub(crate) fn partitions(&self, id: i32) -> impl Iterator<Item = &Wanted> {
        self.sessions.get(&id).into_iter().flat_map(|session| &session.partitions)
    }

    pub(crate) fn close(&mut self, id: i32) {
        self.sessions.remove(&id);
    }

    /// The client goes on with a session: it adds or changes some partitions and takes others out. All that it fetches now.
    pub(crate) fn go_on(
        &mut self,
        broker: i32,
        (id, epoch): (i32, i32),
        changed: Vec<Wanted>,
        forgotten: &[(TopicKey, i32)],
    ) -> Result<Vec<Wanted>, ErrorCode> {
        let session = self.sessions.get_mut(&id).filter(|session| session.broker == broker);
        let session = session.ok_or(ErrorCode::FETCH_SESSION_ID_NOT_FOUND)?;
        if epoch != session.epoch {
            return Err(ErrorCode::INVALID_FETCH_SESSION_EPOCH);
        }
        session.epoch = epoch.checked_add(1).unwrap_or(1);
        session.used += 1;
        session.partitions.retain(|known| {
            !forgotten.iter().any(|(topic, partition)| *topic == known.topic && *partition == known.partition)
        });
        for wanted in changed {
            match session.partitions.iter_mut().find(|p| p.topic == wanted.topic && p.partition == wanted.partition) {
                Some(known) => *known = Wanted { told: known.told, ..wanted },
                None => session.partitions.push_back(wanted),
            }
        }
        Ok(session.partitions.iter().cloned().collect())
    }

    /// What the client is being told of a partition. One that had records goes behind the others, so that each has its turn.
    pub(crate) fn told(&mut self, id: i32, topic: &TopicKey, partition: i32, told: (i64, i64), had_records: bool) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let Some(at) = session.partitions.iter().position(|p| p.topic == *topic && p.partition == partition) else {
            return;
        };
        session.partitions[at].told = Some(told);
        if had_records && let Some(moved) = session.partitions.remove(at) {
            session.partitions.push_back(moved);
        }
    }

    /// The broker has stopped: it remembers nothing.
    pub(crate) fn forget_broker(&mut self, broker: i32) {
        self.sessions.retain(|_, session| session.broker != broker);
    }
}
