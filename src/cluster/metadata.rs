use std::{collections::BTreeMap, sync::Arc};

use tokio::time::Instant;

use crate::{
    model::TopicId,
    wire::{Address, ErrorCode, messages::MetadataResponse},
};

/// What this client knows of the cluster: a picture that is replaced, never changed.
#[derive(Debug, Clone)]
pub(crate) struct Snapshot {
    /// Counts refreshes; 0 is the empty picture before the first.
    pub(crate) version: u64,
    pub(crate) taken: Instant,
    pub(crate) controller: Option<i32>,
    pub(crate) brokers: BTreeMap<i32, Broker>,
    pub(crate) topics: BTreeMap<Arc<str>, Arc<Topic>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Broker {
    pub(crate) id: i32,
    pub(crate) address: Address,
    pub(crate) rack: Option<Arc<str>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Topic {
    pub(crate) name: Arc<str>,
    /// Zero where the broker knows no ids.
    pub(crate) id: TopicId,
    pub(crate) error: ErrorCode,
    pub(crate) internal: bool,
    /// By partition number. Dense: a number that the answer leaves out stands here without a leader.
    pub(crate) partitions: Vec<Partition>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Partition {
    pub(crate) index: i32,
    pub(crate) error: ErrorCode,
    /// `None` while there is none: the partition waits, it is not an error.
    pub(crate) leader: Option<i32>,
    /// −1 where the broker tells none.
    pub(crate) leader_epoch: i32,
    pub(crate) replicas: Vec<i32>,
    pub(crate) isr: Vec<i32>,
    pub(crate) offline: Vec<i32>,
}

/// How many partitions a topic is believed to have of which an answer lists so many. Brokers list all that they know of; one
/// false number must not make a client keep a hundred thousand.
fn believed(listed: usize) -> usize {
    2 * listed + 8
}

impl Snapshot {
    pub(crate) fn empty(now: Instant) -> Self {
        Snapshot { version: 0, taken: now, controller: None, brokers: BTreeMap::new(), topics: BTreeMap::new() }
    }

    pub(crate) fn topic(&self, name: &str) -> Option<&Arc<Topic>> {
        self.topics.get(name)
    }

    pub(crate) fn partition(&self, topic: &str, index: i32) -> Option<&Partition> {
        self.topics.get(topic)?.partitions.get(usize::try_from(index).ok()?)
    }

    /// The name under which a topic id is known.
    pub(crate) fn topic_by_id(&self, id: TopicId) -> Option<&Arc<Topic>> {
        self.topics.values().find(|topic| topic.id == id)
    }

    /// The next picture: what the answer says, but for leaders that it knows less well than this one.
    ///
    /// Topics that the answer leaves out are kept only if `keep_others`.
    pub(crate) fn next(&self, answer: &MetadataResponse, keep_others: bool, now: Instant) -> Snapshot {
        let brokers = answer.brokers.iter().filter_map(|b| {
            let port = u16::try_from(b.port).ok()?;
            let rack = b.rack.as_ref().map(|r| Arc::from(r.as_str()));
            Some((b.node_id, Broker { id: b.node_id, address: Address::new(b.host.as_str(), port), rack }))
        });
        let mut topics = if keep_others { self.topics.clone() } else { BTreeMap::new() };
        for topic in &answer.topics {
            // Deleted while asked for by id: there is no name to file it under.
            let Some(name) = topic.name.as_ref().map(|n| n.as_str()) else { continue };
            let (name, known) = match self.topics.get_key_value(name) {
                Some((name, topic)) => (Arc::clone(name), Some(topic)),
                None => (Arc::from(name), None),
            };
            let id = TopicId::from(topic.topic_id);
            let known = known.filter(|known| known.id == id);
            let mut partitions: Vec<Partition> = Vec::new();
            for answered in &topic.partitions {
                let index = usize::try_from(answered.partition_index).ok();
                let Some(index) = index.filter(|index| *index < believed(topic.partitions.len())) else { continue };
                while partitions.len() <= index {
                    partitions.push(Partition::unknown(partitions.len() as i32));
                }
                let slot = &mut partitions[index];
                *slot = Partition {
                    index: answered.partition_index,
                    error: ErrorCode::new(answered.error_code),
                    leader: (answered.leader_id >= 0).then_some(answered.leader_id),
                    leader_epoch: answered.leader_epoch,
                    replicas: answered.replica_nodes.clone(),
                    isr: answered.isr_nodes.clone(),
                    offline: answered.offline_replicas.clone(),
                };
                // Brokers learn of elections at different times: an older epoch never replaces a newer one (KIP-320).
                let newer = known.and_then(|k| k.partitions.get(slot.index as usize));
                if let Some(newer) = newer.filter(|k| k.leader_epoch > slot.leader_epoch && slot.leader_epoch >= 0) {
                    *slot = newer.clone();
                }
            }
            let error = ErrorCode::new(topic.error_code);
            let next = Topic { name: Arc::clone(&name), id, error, internal: topic.is_internal, partitions };
            topics.insert(name, Arc::new(next));
        }
        Snapshot {
            version: self.version + 1,
            taken: now,
            controller: (answer.controller_id >= 0).then_some(answer.controller_id),
            brokers: brokers.collect(),
            topics,
        }
    }
}

impl Topic {
    /// Whether every partition has a leader, so that nothing has to be asked again soon.
    pub(crate) fn is_complete(&self) -> bool {
        self.error == ErrorCode::NONE
            && !self.partitions.is_empty()
            && self.partitions.iter().all(|p| p.leader.is_some())
    }
}

impl Partition {
    pub(crate) fn unknown(index: i32) -> Self {
        Partition {
            index,
            error: ErrorCode::LEADER_NOT_AVAILABLE,
            leader: None,
            leader_epoch: -1,
            replicas: Vec::new(),
            isr: Vec::new(),
            offline: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use kafka_answers::*;

    use super::*;

    mod kafka_answers {
        use crate::wire::messages::{MetadataResponse, message, metadata_response::*};

        pub(super) fn answer(id: u8, partitions: &[(i32, i32, i32)]) -> MetadataResponse {
            message!(MetadataResponse {
                topics: vec![message!(MetadataResponseTopic {
                    name: Some("t".into()),
                    topic_id: crate::model::TopicId([id; 16]).into(),
                    partitions: partitions
                        .iter()
                        .map(|(index, leader, epoch)| message!(MetadataResponsePartition {
                            partition_index: *index,
                            leader_id: *leader,
                            leader_epoch: *epoch,
                        }))
                        .collect(),
                })],
            })
        }
    }

    #[test]
    fn an_older_leader_epoch_never_replaces_a_newer() {
        let now = Instant::now();
        let first = Snapshot::empty(now).next(&answer(1, &[(0, 1, 5), (1, 1, 5)]), true, now);
        let second = first.next(&answer(1, &[(0, 2, 4), (1, 2, 6)]), true, now);
        assert_eq!(second.partition("t", 0).unwrap().leader, Some(1));
        assert_eq!(second.partition("t", 1).unwrap().leader, Some(2));
        // A topic made anew starts its epochs anew.
        let third = second.next(&answer(2, &[(0, 3, 0)]), true, now);
        assert_eq!(third.partition("t", 0).unwrap().leader, Some(3));
        assert_eq!(third.version, 3);
    }

    #[test]
    fn gaps_and_absurd_numbers_do_no_harm() {
        let now = Instant::now();
        let snapshot = Snapshot::empty(now).next(&answer(1, &[(2, -1, 0), (i32::MAX, 1, 0), (-1, 1, 0)]), true, now);
        let topic = snapshot.topic("t").unwrap();
        assert_eq!(topic.partitions.len(), 3);
        assert!(topic.partitions.iter().all(|p| p.leader.is_none()) && !topic.is_complete());
    }

    #[test]
    fn a_mutated_answer_makes_a_picture_no_larger_than_itself() {
        use crate::wire::{Api, messages::MetadataRequest, mutations};

        let mut random = fastrand::Rng::with_seed(4);
        let now = Instant::now();
        let (low, high) = <MetadataRequest as Api>::VERSIONS;
        let mut sample = answer(1, &[(0, 1, 5), (1, 2, 5), (2, 1, 5)]);
        sample.brokers = vec![Default::default(); 2];
        // Older versions know no topic ids.
        sample.topics[0].topic_id = Default::default();
        let frames: Vec<Vec<u8>> = (low..=high).map(|v| mutations::frame::<MetadataRequest>(v, &sample)).collect();
        let mut picture = Snapshot::empty(now).next(&sample, false, now);
        let mut read = 0;
        for round in 0..mutations::count() as usize {
            let at = round % frames.len();
            let mut frame = frames[at].clone();
            mutations::mutate(&mut random, &mut frame);
            let Ok(answer) = mutations::read::<MetadataRequest>(low + at as i16, frame) else { continue };
            let listed: usize = answer.topics.iter().map(|topic| believed(topic.partitions.len())).sum();
            let next = picture.next(&answer, round % 2 == 0, now);
            let fresh = picture.next(&answer, false, now);
            assert!(fresh.topics.values().map(|topic| topic.partitions.len()).sum::<usize>() <= listed);
            assert!(next.topics.values().filter(|topic| topic.is_complete()).count() <= next.topics.len());
            picture = if next.topics.len() > 100 { fresh } else { next };
            read += 1;
        }
        assert!(read > mutations::count() / 20, "only {read} were answers");
    }
}
