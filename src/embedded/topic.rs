use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use super::{disk::Changes, log::Log, sequences::Sequences};
use crate::{model::TopicId, wire::ErrorCode};

/// A topic: its partitions, and the settings that differ from the broker's.
#[derive(Debug)]
pub(crate) struct Topic {
    pub(crate) name: Arc<str>,
    pub(crate) id: TopicId,
    pub(crate) partitions: Vec<Partition>,
    /// By Kafka's names.
    pub(crate) settings: BTreeMap<String, String>,
    /// What the brokers have in the stead of those that it does not set.
    pub(crate) inherited: Arc<BTreeMap<String, String>>,
}

/// One partition: its log, which all replicas share, and who leads it.
#[derive(Debug)]
pub(crate) struct Partition {
    pub(crate) replicas: Vec<i32>,
    /// Those of them that run.
    pub(crate) in_sync: Vec<i32>,
    /// −1 if none of the replicas runs.
    pub(crate) leader: i32,
    pub(crate) leader_epoch: i32,
    pub(crate) log: Log,
    pub(crate) sequences: Sequences,
}

impl Partition {
    pub(crate) fn new(replicas: Vec<i32>, is_running: impl Fn(i32) -> bool) -> Self {
        let mut partition = Partition {
            in_sync: Vec::new(),
            leader: -1,
            leader_epoch: 0,
            log: Log::default(),
            sequences: Sequences::default(),
            replicas,
        };
        partition.elect(is_running);
        partition.leader_epoch = 0;
        partition.log.begin_epoch(0);
        partition
    }

    /// After brokers came or went: the leader stays if it runs; else the next replica that runs leads, under the next epoch.
    pub(crate) fn elect(&mut self, is_running: impl Fn(i32) -> bool) {
        self.in_sync = self.replicas.iter().copied().filter(|id| is_running(*id)).collect();
        if !self.in_sync.contains(&self.leader) {
            self.lead_by(self.in_sync.first().copied().unwrap_or(-1));
        }
    }

    /// `broker` leads from now on, or nobody for −1.
    pub(crate) fn lead_by(&mut self, broker: i32) {
        if self.leader != broker {
            self.leader = broker;
            self.next_epoch();
        }
    }

    /// The leader leads under the next epoch.
    pub(crate) fn next_epoch(&mut self) {
        self.leader_epoch += 1;
        self.log.begin_epoch(self.leader_epoch);
    }

    /// Records at `offset` and behind it are lost, and what was known of their producers.
    pub(crate) fn truncate(&mut self, offset: i64) {
        self.log.truncate(offset);
        self.sequences = Sequences::default();
        self.log.batches().for_each(|batch| self.sequences.written(batch, batch.base_offset()));
    }

    /// Whether `broker` may answer for it as its leader, asked by a client that knows it under `epoch` (−1 for unknown; KIP-320).
    pub(crate) fn check_leader(&self, broker: i32, epoch: i32) -> Result<(), ErrorCode> {
        self.check_replica(broker, epoch)?;
        if self.leader == broker { Ok(()) } else { Err(ErrorCode::NOT_LEADER_OR_FOLLOWER) }
    }

    /// Whether `broker` may be read from, as its leader or a replica that follows (KIP-392).
    pub(crate) fn check_replica(&self, broker: i32, epoch: i32) -> Result<(), ErrorCode> {
        match epoch {
            _ if !self.replicas.contains(&broker) => Err(ErrorCode::NOT_LEADER_OR_FOLLOWER),
            epoch if epoch >= 0 && epoch < self.leader_epoch => Err(ErrorCode::FENCED_LEADER_EPOCH),
            epoch if epoch > self.leader_epoch => Err(ErrorCode::UNKNOWN_LEADER_EPOCH),
            _ => Ok(()),
        }
    }
}

impl Topic {
    /// Drops what is more than `retention.bytes` allows for each partition; how many bytes that were.
    pub(crate) fn keep_within_bytes(&mut self) -> usize {
        let limit = if self.is_deleted_from() { self.number("retention.bytes") } else { -1 };
        match usize::try_from(limit) {
            Ok(limit) => self.partitions.iter_mut().map(|partition| partition.log.keep_newest(limit)).sum(),
            Err(_) => 0,
        }
    }

    /// Drops what is older than `retention.ms` allows; how many bytes that were.
    pub(crate) fn keep_within_time(&mut self, now: i64) -> usize {
        let limit = if self.is_deleted_from() { self.number("retention.ms") } else { -1 };
        if limit < 0 {
            return 0;
        }
        let since = now.saturating_sub(limit);
        self.partitions.iter_mut().map(|partition| partition.log.keep_since(since)).sum()
    }
}

/// All topics, by name and by id.
#[derive(Debug, Default)]
pub(crate) struct Topics {
    by_name: BTreeMap<Arc<str>, Topic>,
    names: HashMap<TopicId, Arc<str>>,
    /// Topics made so far: each has another id.
    pub(crate) made: u64,
    /// For the directory: topics that were handed out to be changed, with all that is in them,
    pub(crate) changes: Changes<Arc<str>>,
    /// and partitions, of topics that are as they were otherwise.
    pub(crate) changed_partitions: Changes<(Arc<str>, usize)>,
    /// What topics have from the brokers.
    inherited: Arc<BTreeMap<String, String>>,
}

impl Topics {
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Topic> {
        self.by_name.values()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Topic> {
        self.by_name.keys().for_each(|name| self.changes.add(|| Arc::clone(name)));
        self.by_name.values_mut()
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Topic> {
        self.by_name.get(name)
    }

    pub(crate) fn get_mut(&mut self, name: &str) -> Option<&mut Topic> {
        let topic = self.by_name.get_mut(name)?;
        self.changes.add(|| Arc::clone(&topic.name));
        Some(topic)
    }

    pub(crate) fn name_of(&self, id: TopicId) -> Option<&Arc<str>> {
        self.names.get(&id)
    }

    pub(crate) fn partition(&self, name: &str, index: i32) -> Option<&Partition> {
        self.get(name)?.partitions.get(usize::try_from(index).ok()?)
    }

    pub(crate) fn partition_mut(&mut self, name: &str, index: i32) -> Option<&mut Partition> {
        let index = usize::try_from(index).ok()?;
        let topic = self.by_name.get_mut(name)?;
        self.changed_partitions.add(|| (Arc::clone(&topic.name), index));
        topic.partitions.get_mut(index)
    }

    /// A new topic, which must not exist; its id.
    pub(crate) fn insert(
        &mut self,
        name: Arc<str>,
        partitions: Vec<Partition>,
        settings: BTreeMap<String, String>,
    ) -> TopicId {
        self.made += 1;
        let id = nth_id(self.made);
        self.restore(Topic { name, id, partitions, settings, inherited: Arc::default() });
        id
    }

    /// A topic that has been before.
    pub(crate) fn restore(&mut self, mut topic: Topic) {
        self.changes.add(|| Arc::clone(&topic.name));
        topic.inherited = Arc::clone(&self.inherited);
        self.names.insert(topic.id, Arc::clone(&topic.name));
        self.by_name.insert(Arc::clone(&topic.name), topic);
    }

    /// The brokers' settings have changed.
    pub(crate) fn inherit(&mut self, values: BTreeMap<String, String>) {
        self.inherited = Arc::new(values);
        self.by_name.values_mut().for_each(|topic| topic.inherited = Arc::clone(&self.inherited));
    }

    pub(crate) fn remove(&mut self, name: &str) -> Option<Topic> {
        let topic = self.by_name.remove(name)?;
        self.changes.add(|| Arc::clone(&topic.name));
        self.names.remove(&topic.id);
        Some(topic)
    }
}

/// The same numbers in each run, and no two alike; a version-4 UUID in form.
fn nth_id(number: u64) -> TopicId {
    let mixed = fastrand::Rng::with_seed(number).u64(..);
    let mut id = [0; 16];
    id[..8].copy_from_slice(&mixed.to_be_bytes());
    id[8..].copy_from_slice(&number.to_be_bytes());
    (id[6], id[8]) = (id[6] & 0x0f | 0x40, 0x80);
    TopicId(id)
}
