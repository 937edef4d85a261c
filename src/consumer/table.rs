use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{sync::Notify, time::Instant};

use super::group::Committed;
use crate::{
    cluster::Topic,
    fetch::{Chunk, ChunkReader, Next, PartitionFetch, Rules, Taken},
    model::{OffsetSpec, TopicId, TopicPartition},
    wire::ErrorCode,
};

/// The partitions, and what was fetched of them.
#[derive(Debug, Default)]
pub(super) struct Table {
    pub(super) slots: BTreeMap<TopicPartition, Slot>,
    /// Topics whose partitions are all assigned, also those to come.
    pub(super) whole_topics: HashMap<Arc<str>, Whole>,
    /// Topics that no broker knows any more, and since when.
    pub(super) missing: HashMap<Arc<str>, Instant>,
    /// Whether a partition waits for a leader: the metadata have to be asked for again.
    pub(super) leaderless: bool,
    pub(super) mailboxes: BTreeMap<i32, Arc<Mailbox>>,
    pub(super) ready: VecDeque<Item>,
    incarnations: u32,
    pub(super) to_end: bool,
}

/// A wholly assigned topic as it was seen last.
#[derive(Debug)]
pub(super) struct Whole {
    pub(super) id: TopicId,
    /// All numbers below have been assigned: one that is not any more was given up by the user.
    pub(super) partitions: usize,
}

/// One assigned partition.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) fetch: PartitionFetch,
    /// The offset behind the last record handed out; `None` until it is known where to start.
    pub(super) position: Option<i64>,
    /// The leader epoch of the record before the position; −1 where unknown.
    pub(super) epoch: i32,
    /// Chunks that came up while the partition was paused.
    pub(super) parked: VecDeque<Chunk>,
    /// How many chunks that were parked are to be read again: no answer counts them, so nothing is fetched before they are read.
    pub(super) resumed: usize,
    /// Where to start is being found out, and holds unless the user says it first.
    pub(super) is_waiting: bool,
}

/// Where to begin with a partition.
#[derive(Debug)]
pub(super) enum Start {
    At(OffsetSpec),
    Committed(Committed),
}

/// How a broker's fetcher is told of news.
#[derive(Debug, Default)]
pub(super) struct Mailbox {
    pub(super) news: Notify,
    /// Answers that the reader has not read to their end.
    pub(super) buffered: AtomicUsize,
}

/// Keeps an answer counted until all its chunks have been read.
#[derive(Debug)]
pub(super) struct Held(pub(super) Arc<Mailbox>);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.buffered.fetch_sub(1, Ordering::AcqRel);
        self.0.news.notify_one();
    }
}

/// What the reader meets next.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) partition: TopicPartition,
    pub(super) lineage: u64,
    pub(super) next: Next,
    pub(super) held: Option<Arc<Held>>,
}

impl Slot {
    fn new(fetch: PartitionFetch) -> Slot {
        Slot { fetch, position: None, epoch: -1, parked: VecDeque::new(), resumed: 0, is_waiting: false }
    }

    /// What was fetched counts no more.
    pub(super) fn forget(&mut self) {
        self.parked.clear();
        self.resumed = 0;
    }

    /// Reading goes on there.
    pub(super) fn moved_to(&mut self, at: OffsetSpec, epoch: i32) {
        self.forget();
        (self.is_waiting, self.epoch) = (false, epoch);
        self.position = match at {
            OffsetSpec::At(offset) => Some(offset),
            _ => None,
        };
    }

    /// What was read of a chunk has been handed out.
    pub(super) fn came_to(&mut self, records: &ChunkReader) {
        self.position = Some(records.position());
        if records.epoch() >= 0 {
            self.epoch = records.epoch();
        }
    }
}

impl Table {
    /// With `to_end` each partition ends where its log ends when reading begins.
    pub(super) fn new(to_end: bool) -> Self {
        Table { to_end, ..Table::default() }
    }

    pub(super) fn add(&mut self, rules: &Arc<Rules>, partition: TopicPartition, at: OffsetSpec) {
        self.incarnations += 1;
        let mut slot = Slot::new(PartitionFetch::new(Arc::clone(rules), self.incarnations, at, self.to_end));
        slot.moved_to(at, -1);
        self.slots.insert(partition, slot);
    }

    pub(super) fn reserve(&mut self, rules: &Arc<Rules>, partition: TopicPartition) {
        self.incarnations += 1;
        let slot = Slot::new(PartitionFetch::waiting(Arc::clone(rules), self.incarnations));
        self.slots.insert(partition, Slot { is_waiting: true, ..slot });
    }

    /// Takes over which partitions a topic has: a wholly assigned one may have grown, and all records of what is new are new.
    /// It has fewer only where it was made anew.
    pub(super) fn see_topic(&mut self, rules: &Arc<Rules>, topic: &Topic, now: Instant) {
        match topic.error {
            ErrorCode::UNKNOWN_TOPIC_OR_PARTITION => drop(self.missing.entry(Arc::clone(&topic.name)).or_insert(now)),
            _ => drop(self.missing.remove(&topic.name)),
        }
        let count = topic.partitions.len();
        let Some(whole) = self.whole_topics.get_mut(&topic.name).filter(|_| count > 0) else { return };
        let is_new = whole.id != topic.id;
        let known = if is_new { whole.partitions.min(count) } else { whole.partitions };
        *whole = Whole { id: topic.id, partitions: count.max(known) };
        if is_new {
            let is_there = |at: &TopicPartition| at.topic != topic.name || (at.partition as usize) < count;
            self.slots.retain(|at, _| is_there(at));
        }
        for number in known..count {
            let partition = TopicPartition::new(Arc::clone(&topic.name), number as i32);
            if !self.slots.contains_key(&partition) {
                self.add(rules, partition, OffsetSpec::Beginning);
            }
        }
    }

    pub(super) fn deliver(&mut self, partition: TopicPartition, taken: Taken, held: Option<&Arc<Held>>) {
        if let (Some(next), Some(slot)) = (taken.next, self.slots.get(&partition)) {
            let held = held.filter(|_| matches!(next, Next::Chunk(_))).cloned();
            let lineage = slot.fetch.lineage();
            self.ready.push_back(Item { partition, lineage, next, held });
        }
    }

    /// The mailbox of a broker's fetcher.
    pub(super) fn mailbox(&mut self, broker: i32) -> Arc<Mailbox> {
        Arc::clone(self.mailboxes.entry(broker).or_default())
    }
}
