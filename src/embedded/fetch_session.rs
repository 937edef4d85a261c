use std::collections::BTreeMap;

use super::turns::{TopicKey, Turns, Wanted};
use crate::wire::ErrorCode;

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
/// What the partitions of all sessions may take together: some 300,000 of them. Less in this module's tests, which fill it.
const MOST_BYTES: usize = if cfg!(test) { 1 << 20 } else { 64 << 20 };

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
    /// A new session for these partitions; its id. 0, for none, if they are too many.
    pub(crate) fn open(&mut self, broker: i32, by_id: bool, turns: Turns) -> i32 {
        if turns.bytes > MOST_BYTES {
            return 0;
        }
        self.made = self.made.checked_add(1).unwrap_or(1);
        let id = self.made;
        self.sessions.insert(id, Session { broker, epoch: 1, by_id, turns, used: id as u64 });
        self.keep_within_limits(id);
        id
    }

    /// Those that were not used for longest go, but not `kept`.
    fn keep_within_limits(&mut self, kept: i32) {
        let mut bytes: usize = self.sessions.values().map(|session| session.turns.bytes).sum();
        while self.sessions.len() > MOST || bytes > MOST_BYTES {
            let others = self.sessions.iter().filter(|(id, _)| **id != kept);
            let Some(oldest) = others.min_by_key(|(_, session)| session.used).map(|(id, _)| *id) else { return };
            bytes -= self.sessions.remove(&oldest).map_or(0, |session| session.turns.bytes);
        }
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
        if session.turns.bytes > MOST_BYTES {
            self.close(step.session);
            return Err(ErrorCode::FETCH_SESSION_ID_NOT_FOUND);
        }
        let wanted: Vec<Wanted> = session.turns.iter().cloned().collect();
        match wanted.is_empty() {
            true => self.close(step.session),
            false => self.keep_within_limits(step.session),
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
        if let Some(session) = self.sessions.get_mut(&id) {
            session.turns.told(&(topic.clone(), partition), told, had_records);
        }
    }

    /// The broker has stopped: it remembers nothing.
    pub(crate) fn forget_broker(&mut self, broker: i32) {
        self.sessions.retain(|_, session| session.broker != broker);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn wanted(topic: &str, partition: i32) -> Wanted {
        let topic = TopicKey::Name(Arc::from(topic));
        Wanted { topic, partition, offset: 0, max_bytes: 1, leader_epoch: -1, last_epoch: -1, told: None }
    }

    fn step(
        broker: i32,
        (session, epoch): (i32, i32),
        changed: Vec<Wanted>,
        forgotten: &[(TopicKey, i32)],
    ) -> Step<'_> {
        Step { broker, session, epoch, by_id: false, changed, forgotten }
    }

    fn numbers(wanted: &[Wanted]) -> Vec<i32> {
        wanted.iter().map(|wanted| wanted.partition).collect()
    }

    #[test]
    fn each_partition_is_there_once_and_has_its_turn() {
        let mut sessions = Sessions::default();
        let asked = [0, 1, 1, 2, 0].map(|partition| wanted("t", partition));
        let id = sessions.open(1, false, Turns::from_iter(asked));
        let topic = TopicKey::Name("t".into());
        sessions.told(id, &topic, 0, Some((5, 0)), true);
        let next = sessions.go_on(step(1, (id, 1), vec![wanted("t", 3)], &[])).unwrap();
        assert_eq!(numbers(&next), [1, 2, 0, 3]);
        let next = sessions.go_on(step(1, (id, 2), vec![wanted("t", 0)], &[(topic, 1)])).unwrap();
        assert_eq!((numbers(&next), next[1].told), (vec![2, 0, 3], Some((5, 0))));
        assert_eq!(
            sessions.go_on(step(1, (id, 2), Vec::new(), &[])).unwrap_err(),
            ErrorCode::INVALID_FETCH_SESSION_EPOCH
        );
        assert_eq!(
            sessions.go_on(step(2, (id, 3), Vec::new(), &[])).unwrap_err(),
            ErrorCode::FETCH_SESSION_ID_NOT_FOUND
        );
    }

    #[test]
    fn sessions_that_are_too_many_or_too_large_are_forgotten() {
        let mut sessions = Sessions::default();
        let opened: Vec<i32> =
            (0..=MOST).map(|_| sessions.open(1, false, Turns::from_iter([wanted("t", 0)]))).collect();
        assert_eq!(sessions.sessions.len(), MOST);
        assert!(sessions.go_on(step(1, (opened[0], 1), Vec::new(), &[])).is_err());
        assert!(sessions.go_on(step(1, (opened[1], 1), Vec::new(), &[])).is_ok());
        // Names count too.
        let name = "t".repeat(MOST_BYTES / 100 - 2 * size_of::<Wanted>());
        let large = |count| Turns::from_iter((0..count).map(|partition| wanted(&name, partition)));
        let id = sessions.open(1, false, large(90));
        assert!(sessions.go_on(step(1, (id, 1), Vec::new(), &[])).is_ok());
        let other = sessions.open(1, false, large(90));
        assert_eq!(
            sessions.go_on(step(1, (id, 2), Vec::new(), &[])).unwrap_err(),
            ErrorCode::FETCH_SESSION_ID_NOT_FOUND
        );
        let more = (0..30).map(|partition| wanted(&name, 100 + partition)).collect();
        assert_eq!(sessions.go_on(step(1, (other, 1), more, &[])).unwrap_err(), ErrorCode::FETCH_SESSION_ID_NOT_FOUND);
        assert_eq!(sessions.open(1, false, large(101)), 0);
    }
}
