use std::{collections::BTreeMap, sync::Arc};

use crate::{
    model::TopicId,
    wire::messages::{
        fetch_request::{FetchPartition, FetchTopic, ForgottenTopic},
        message,
    },
};

/// What the broker's fetch session holds, so that a request names only what has changed (KIP-227).
///
/// An answer belongs to the request before it: one request at a time.
#[derive(Debug, Default)]
pub(crate) struct Session {
    id: i32,
    /// 0 asks for a new session.
    epoch: i32,
    held: BTreeMap<Partition, Held>,
    rounds: u64,
}

type Partition = (Arc<str>, TopicId, i32);

#[derive(Debug, Clone, Copy)]
struct Held {
    sent: Sent,
    /// The last request that wanted it.
    round: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Sent {
    offset: i64,
    leader_epoch: i32,
}

/// A partition that the next request is to fetch.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub(crate) topic: Arc<str>,
    pub(crate) id: TopicId,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) leader_epoch: i32,
}

/// The parts of a request that concern the session.
#[derive(Debug, Default)]
pub(crate) struct SessionRequest {
    pub(crate) id: i32,
    pub(crate) epoch: i32,
    pub(crate) topics: Vec<FetchTopic>,
    pub(crate) forgotten: Vec<ForgottenTopic>,
}

impl Session {
    /// The next request, that the broker fetches exactly `wanted`.
    pub(crate) fn request(&mut self, wanted: &[Wanted], partition_max_bytes: i32) -> SessionRequest {
        self.rounds += 1;
        let round = self.rounds;
        let mut request = SessionRequest { id: self.id, epoch: self.epoch, ..Default::default() };
        if self.epoch == 0 {
            self.held.clear();
        }
        let mut topics: BTreeMap<(&str, TopicId), Vec<FetchPartition>> = BTreeMap::new();
        for w in wanted {
            let sent = Sent { offset: w.offset, leader_epoch: w.leader_epoch };
            let held = self.held.insert((Arc::clone(&w.topic), w.id, w.partition), Held { sent, round });
            if held.is_none_or(|held| held.sent != sent) {
                topics.entry((&w.topic, w.id)).or_default().push(message!(FetchPartition {
                    partition: w.partition,
                    current_leader_epoch: w.leader_epoch,
                    fetch_offset: w.offset,
                    partition_max_bytes: partition_max_bytes,
                }));
            }
        }
        let topic = |((name, id), partitions): ((&str, TopicId), _)| {
            message!(FetchTopic { topic: name.into(), topic_id: id.into(), partitions: partitions })
        };
        request.topics = topics.into_iter().map(topic).collect();
        let mut forgotten: BTreeMap<(Arc<str>, TopicId), Vec<i32>> = BTreeMap::new();
        self.held.retain(|(topic, id, partition), held| {
            if held.round != round {
                forgotten.entry((Arc::clone(topic), *id)).or_default().push(*partition);
            }
            held.round == round
        });
        let topic = |((name, id), partitions): ((Arc<str>, TopicId), _)| {
            message!(ForgottenTopic { topic: (&*name).into(), topic_id: id.into(), partitions: partitions })
        };
        request.forgotten = forgotten.into_iter().map(topic).collect();
        request
    }

    /// After an answer without an error: the session that the broker keeps, 0 if it keeps none.
    pub(crate) fn answered(&mut self, id: i32) {
        self.id = id;
        self.epoch = match (id, self.epoch) {
            (0, _) => 0,
            // Behind the largest comes 1: 0 asks for a new session.
            (_, i32::MAX) => 1,
            (_, epoch) => epoch + 1,
        };
    }

    /// After a failure: the next request replaces the session, whatever has become of it. If that fails too the session is
    /// left alone: a broker may choke on an id that is not its own, and says so in a way that tells nothing of ids.
    pub(crate) fn failed(&mut self) {
        if self.epoch == 0 {
            self.id = 0;
        }
        self.epoch = 0;
    }

    /// After the broker said that it knows no such session.
    pub(crate) fn forgotten(&mut self) {
        *self = Session { rounds: self.rounds, ..Default::default() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(partition: i32, offset: i64) -> Wanted {
        Wanted { topic: "t".into(), id: TopicId([1; 16]), partition, offset, leader_epoch: 0 }
    }

    fn named(request: &SessionRequest) -> (Vec<(i32, i64)>, Vec<i32>) {
        let topics = request.topics.iter().flat_map(|t| &t.partitions);
        let forgotten = request.forgotten.iter().flat_map(|t| &t.partitions);
        (topics.map(|p| (p.partition, p.fetch_offset)).collect(), forgotten.copied().collect())
    }

    #[test]
    fn names_only_what_has_changed() {
        let mut session = Session::default();
        let full = session.request(&[wanted(0, 5), wanted(1, 5)], 100);
        assert_eq!((full.id, full.epoch, named(&full)), (0, 0, (vec![(0, 5), (1, 5)], vec![])));
        session.answered(77);
        let next = session.request(&[wanted(0, 5), wanted(1, 9)], 100);
        assert_eq!((next.id, next.epoch, named(&next)), (77, 1, (vec![(1, 9)], vec![])));
        session.answered(77);
        let fewer = session.request(&[wanted(1, 9)], 100);
        assert_eq!((fewer.epoch, named(&fewer)), (2, (vec![], vec![0])));
        session.answered(77);
        let again = session.request(&[wanted(0, 5), wanted(1, 9)], 100);
        assert_eq!(named(&again), (vec![(0, 5)], vec![]));
    }

    #[test]
    fn starts_anew_after_a_failure_and_where_the_broker_keeps_none() {
        let mut session = Session::default();
        session.request(&[wanted(0, 5)], 100);
        session.answered(77);
        session.request(&[wanted(0, 6)], 100);
        session.failed();
        let full = session.request(&[wanted(0, 6)], 100);
        assert_eq!((full.id, full.epoch, named(&full)), (77, 0, (vec![(0, 6)], vec![])));
        session.failed();
        let full = session.request(&[wanted(0, 6)], 100);
        assert_eq!((full.id, full.epoch, named(&full)), (0, 0, (vec![(0, 6)], vec![])));
        session.answered(0);
        let full = session.request(&[wanted(0, 6)], 100);
        assert_eq!((full.id, full.epoch, named(&full)), (0, 0, (vec![(0, 6)], vec![])));
    }
}
