use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
};

use futures_util::task::AtomicWaker;
use parking_lot::Mutex;
use tokio::{sync::Notify, time::Instant};

use super::{ConsumeError, ConsumerConfig, group::Committed};
use crate::{
    batch::DecodeLimits,
    cluster::{Cluster, ClusterError, Topic},
    fetch::{Ask, Chunk, ChunkReader, FetchFailure, Next, PartitionFetch, Rules, Taken, Want},
    model::{OffsetSpec, TopicId, TopicPartition},
    wire::{ErrorCode, messages::fetch_response::PartitionData},
};

/// What the handle and the tasks share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) cluster: Arc<Cluster>,
    pub(super) config: ConsumerConfig,
    pub(super) rules: Arc<Rules>,
    table: Mutex<Table>,
    /// Wakes the handle.
    reader: AtomicWaker,
    /// Counts what may make the chunk that is being read worthless.
    changes: AtomicU64,
    /// Wakes the keeper: there is something to find out, metadata are stale, or the consumer closes.
    pub(super) keeper: Notify,
    pub(super) stale: AtomicBool,
    pub(super) closed: AtomicBool,
}

/// The partitions, and what was fetched of them.
#[derive(Debug, Default)]
pub(super) struct Table {
    pub(super) slots: BTreeMap<TopicPartition, Slot>,
    /// Topics whose partitions are all assigned, also those to come.
    whole_topics: HashMap<Arc<str>, Whole>,
    /// Topics that no broker knows any more, and since when.
    missing: HashMap<Arc<str>, Instant>,
    /// Whether a partition waits for a leader: the metadata have to be asked for again.
    pub(super) leaderless: bool,
    pub(super) mailboxes: BTreeMap<i32, Arc<Mailbox>>,
    ready: VecDeque<Item>,
    incarnations: u32,
    to_end: bool,
}

/// A wholly assigned topic as it was seen last.
#[derive(Debug)]
struct Whole {
    id: TopicId,
    /// All numbers below have been assigned: one that is not any more was given up by the user.
    partitions: usize,
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
    parked: VecDeque<Chunk>,
    /// How many chunks that were parked are to be read again: no answer counts them, so nothing is fetched before they are read.
    resumed: usize,
    /// Where to start is being found out, and holds unless the user says it first.
    is_waiting: bool,
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
pub(super) struct Held(Arc<Mailbox>);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.buffered.fetch_sub(1, Ordering::AcqRel);
        self.0.news.notify_one();
    }
}

/// What the reader meets next.
#[derive(Debug)]
struct Item {
    partition: TopicPartition,
    lineage: u64,
    next: Next,
    held: Option<Arc<Held>>,
}

/// The chunk that is being read.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) partition: TopicPartition,
    pub(super) lineage: u64,
    pub(super) records: ChunkReader,
    held: Option<Arc<Held>>,
}

/// What the reader gets.
#[derive(Debug)]
pub(super) enum Found {
    Chunk(Box<Reading>),
    Failed(ConsumeError),
    /// Nothing now.
    Nothing,
    /// Nothing ever: every partition has been read up to where it was to end.
    End,
}

impl Shared {
    pub(super) fn new(cluster: Arc<Cluster>, config: ConsumerConfig, to_end: bool) -> Self {
        let client = cluster.config();
        let rules = Rules {
            reset: config.reset,
            isolation: config.isolation,
            check_crcs: config.check_crcs,
            retry_backoff: client.retry_backoff,
            retry_backoff_max: client.retry_backoff_max,
            replica_for: client.metadata_max_age,
        };
        Shared {
            rules: Arc::new(rules),
            cluster,
            config,
            table: Mutex::new(Table { to_end, ..Table::default() }),
            reader: AtomicWaker::new(),
            changes: AtomicU64::new(0),
            keeper: Notify::new(),
            stale: AtomicBool::new(false),
            closed: AtomicBool::new(false),
        }
    }

    pub(super) fn table(&self) -> parking_lot::MutexGuard<'_, Table> {
        self.table.lock()
    }

    pub(super) fn reader(&self) -> &AtomicWaker {
        &self.reader
    }

    pub(super) fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    pub(super) fn want_refresh(&self) {
        self.stale.store(true, Ordering::Release);
        self.keeper.notify_one();
    }

    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.keeper.notify_one();
        self.reader.wake();
    }

    /// Follows a topic all of whose partitions are assigned now: those that are added to it will be too.
    pub(super) fn follow(&self, topic: &Topic) {
        let whole = Whole { id: topic.id, partitions: topic.partitions.len() };
        self.table().whole_topics.insert(Arc::clone(&topic.name), whole);
    }

    /// Adds partitions, or moves those that are there.
    pub(super) fn assign(&self, partitions: impl IntoIterator<Item = (TopicPartition, OffsetSpec)>) {
        let mut table = self.table();
        for (partition, at) in partitions {
            table.add(&self.rules, partition, at);
        }
        drop(table);
        self.see_picture();
    }

    /// Adds partitions that the group has given. [`begin`](Shared::begin) says where to start, once that is found out.
    pub(super) fn reserve(&self, partitions: &[TopicPartition]) {
        let mut table = self.table();
        for partition in partitions {
            table.reserve(&self.rules, partition.clone());
        }
        drop(table);
        self.see_picture();
    }

    /// Begins with partitions that were reserved, and that the user has not moved since.
    pub(super) fn begin(&self, partitions: Vec<(TopicPartition, Start)>) {
        let mut table = self.table();
        for (partition, start) in partitions {
            let Some(slot) = table.slots.get_mut(&partition).filter(|slot| slot.is_waiting) else { continue };
            let (at, epoch) = match start {
                Start::At(at) => (at, -1),
                Start::Committed(committed) => (OffsetSpec::At(committed.offset), committed.leader_epoch),
            };
            slot.moved_to(at, epoch);
            slot.fetch.start_behind(at, epoch);
        }
        self.changes.fetch_add(1, Ordering::AcqRel);
        self.wake_all(&table);
    }

    /// Has the user's task look around, as soon as it is here.
    pub(super) fn attention(&self) {
        self.changes.fetch_add(1, Ordering::AcqRel);
        self.reader.wake();
    }

    /// Removes all partitions for which `keep` is false.
    pub(super) fn retain(&self, keep: impl Fn(&TopicPartition) -> bool) {
        let mut table = self.table();
        table.slots.retain(|partition, _| keep(partition));
        let table = &mut *table;
        table.ready.retain(|item| table.slots.contains_key(&item.partition));
        self.changes.fetch_add(1, Ordering::AcqRel);
        self.wake_all(table);
    }

    fn wake_all(&self, table: &Table) {
        table.mailboxes.values().for_each(|mailbox| mailbox.news.notify_one());
        self.keeper.notify_one();
        self.reader.wake();
    }

    /// All that `broker` is to be asked for now; else the time at which to look again.
    pub(super) fn plan(&self, broker: i32) -> (Vec<Ask>, Option<Instant>) {
        let now = Instant::now();
        let (mut asks, mut wake) = (Vec::new(), None);
        for (partition, slot) in self.table().slots.iter_mut().filter(|(_, slot)| slot.resumed == 0) {
            match slot.fetch.want(now, broker, &partition.topic, partition.partition) {
                Want::Fetch(ask) => asks.push(ask),
                Want::Wait(until) => wake = Some(wake.map_or(until, |w: Instant| w.min(until))),
                Want::Nothing => {}
            }
        }
        (asks, wake)
    }

    /// Takes a broker's answer to these asks: each ask's part of it, if it has one.
    pub(super) fn answered<'a>(
        &self,
        broker: i32,
        mailbox: &Arc<Mailbox>,
        asks: &[Ask],
        part: impl Fn(&Ask) -> Option<&'a PartitionData>,
    ) {
        let now = Instant::now();
        mailbox.buffered.fetch_add(1, Ordering::AcqRel);
        let held = Arc::new(Held(Arc::clone(mailbox)));
        let (mut refresh, mut attention) = (false, false);
        let mut table = self.table();
        for ask in asks {
            let partition = TopicPartition::new(Arc::clone(&ask.wanted.topic), ask.wanted.partition);
            let Some(slot) = table.slots.get_mut(&partition) else { continue };
            let before = slot.fetch.lineage();
            let taken = match part(ask) {
                Some(data) => slot.fetch.answered(now, broker, ask, data),
                None => {
                    slot.fetch.unchanged(ask.attempt);
                    continue;
                }
            };
            if slot.fetch.lineage() != before {
                slot.forget();
                self.changes.fetch_add(1, Ordering::AcqRel);
            }
            refresh |= taken.refresh;
            let source = slot.fetch.source(now);
            attention |= slot.fetch.has_question() || source.is_some_and(|id| !table.mailboxes.contains_key(&id));
            table.deliver(partition, taken, Some(&held));
        }
        let has_news = !table.ready.is_empty() || table.to_end;
        drop(table);
        if has_news {
            self.reader.wake();
        }
        if refresh {
            self.stale.store(true, Ordering::Release);
        }
        if refresh || attention {
            self.keeper.notify_one();
        }
    }

    /// The request came to nothing.
    pub(super) fn lost(&self, asks: &[Ask]) {
        let now = Instant::now();
        let mut table = self.table();
        for ask in asks {
            let partition = TopicPartition::new(Arc::clone(&ask.wanted.topic), ask.wanted.partition);
            if let Some(slot) = table.slots.get_mut(&partition) {
                slot.fetch.lost(now, ask.attempt);
            }
        }
        drop(table);
        self.want_refresh();
    }

    /// What the keeper found out about a partition.
    pub(super) fn found(&self, partition: TopicPartition, take: impl FnOnce(&mut PartitionFetch) -> Taken) {
        let mut table = self.table();
        let Some(slot) = table.slots.get_mut(&partition) else { return };
        let before = slot.fetch.lineage();
        let taken = take(&mut slot.fetch);
        if slot.fetch.lineage() != before {
            slot.forget();
            self.changes.fetch_add(1, Ordering::AcqRel);
        }
        if taken.refresh {
            self.stale.store(true, Ordering::Release);
        }
        table.deliver(partition, taken, None);
        self.wake_all(&table);
    }

    /// After a new picture: leaders, epochs and ids, and the partitions that wholly assigned topics have now.
    pub(super) fn see_picture(&self) {
        let picture = self.cluster.snapshot();
        let (now, patience) = (Instant::now(), self.cluster.config().unknown_topic_patience);
        let mut table = self.table();
        for topic in picture.topics.values() {
            table.see_topic(&self.rules, topic, now);
        }
        let partitions: Vec<TopicPartition> = table.slots.keys().cloned().collect();
        table.leaderless = false;
        for at in partitions {
            let gone = table.missing.get(&at.topic).is_some_and(|since| now.duration_since(*since) >= patience);
            let (Some(topic), Some(slot)) = (picture.topic(&at.topic), table.slots.get_mut(&at)) else { continue };
            let partition = picture.partition(&at.topic, at.partition);
            let (leader, epoch) = partition.map_or((None, -1), |p| (p.leader, p.leader_epoch));
            let mut next = slot.fetch.see(topic.id, leader, epoch);
            if gone {
                let error = ClusterError::Topic { topic: Arc::clone(&at.topic), code: topic.error };
                next = slot.fetch.topic_is_gone(FetchFailure::Cluster(error));
            }
            table.leaderless |= leader.is_none();
            table.deliver(at, Taken { next, ..Taken::default() }, None);
        }
        self.changes.fetch_add(1, Ordering::AcqRel);
        self.wake_all(&table);
    }

    /// Whether the chunk still counts.
    pub(super) fn is_current(&self, reading: &Reading) -> bool {
        let table = self.table();
        let slot = table.slots.get(&reading.partition);
        slot.is_some_and(|slot| slot.fetch.lineage() == reading.lineage && !slot.fetch.is_paused())
    }

    /// Puts back what is left of a chunk of a paused partition; lets go of one that counts no more.
    pub(super) fn put_back(&self, reading: Box<Reading>) {
        let mut table = self.table();
        let Some(slot) = table.slots.get_mut(&reading.partition) else { return };
        if slot.fetch.lineage() == reading.lineage {
            slot.came_to(&reading.records);
            slot.resumed -= usize::from(reading.held.is_none());
            slot.parked.push_back(reading.records.into_rest().detached());
        }
    }

    /// A chunk has been read to its end, or up to what could not be read.
    pub(super) fn finished(&self, reading: Box<Reading>) {
        let mut table = self.table();
        if let Some(slot) = table.slots.get_mut(&reading.partition)
            && slot.fetch.lineage() == reading.lineage
        {
            slot.came_to(&reading.records);
            if reading.held.is_none() {
                slot.resumed -= 1;
                self.wake_all(&table);
            }
        }
        drop(table);
        drop(reading.held);
    }

    /// The reader could not read what it was given.
    pub(super) fn halt(&self, partition: &TopicPartition) {
        if let Some(slot) = self.table().slots.get_mut(partition) {
            slot.fetch.unreadable();
            slot.forget();
        }
    }

    /// The next thing for the reader.
    pub(super) fn next(&self) -> Found {
        let mut table = self.table();
        let table = &mut *table;
        while let Some(item) = table.ready.pop_front() {
            let Some(slot) = table.slots.get_mut(&item.partition) else { continue };
            if slot.fetch.lineage() != item.lineage {
                continue;
            }
            match item.next {
                Next::Chunk(chunk) if slot.fetch.is_paused() => {
                    slot.resumed -= usize::from(item.held.is_none());
                    slot.parked.push_back(chunk.detached());
                }
                Next::Chunk(chunk) => {
                    let records = ChunkReader::new(chunk, slot.fetch.stop(), DecodeLimits::default());
                    let Item { partition, lineage, held, .. } = item;
                    return Found::Chunk(Box::new(Reading { partition, lineage, records, held }));
                }
                Next::Moved(offset) => (slot.position, slot.epoch) = (Some(offset), -1),
                Next::Failed(failure) => return Found::Failed(ConsumeError::of(item.partition, failure)),
            }
        }
        let is_over = table.to_end
            && table.slots.values().all(|slot| slot.parked.is_empty() && slot.fetch.is_finished(slot.position));
        if is_over { Found::End } else { Found::Nothing }
    }

    /// Pauses or resumes a partition. `false` if it is not assigned.
    pub(super) fn set_paused(&self, partition: &TopicPartition, paused: bool) -> bool {
        let mut table = self.table();
        let Some(slot) = table.slots.get_mut(partition) else { return false };
        slot.fetch.set_paused(paused);
        if !paused {
            let (lineage, parked) = (slot.fetch.lineage(), std::mem::take(&mut slot.parked));
            slot.resumed += parked.len();
            // Before whatever of the partition has come since.
            for chunk in parked.into_iter().rev() {
                let partition = partition.clone();
                table.ready.push_front(Item { partition, lineage, next: Next::Chunk(chunk), held: None });
            }
        }
        self.changes.fetch_add(1, Ordering::AcqRel);
        self.wake_all(&table);
        true
    }

    /// Moves a partition. `false` if it is not assigned.
    pub(super) fn seek(&self, partition: &TopicPartition, at: OffsetSpec) -> bool {
        let mut table = self.table();
        let Some(slot) = table.slots.get_mut(partition) else { return false };
        slot.fetch.seek(at);
        slot.moved_to(at, -1);
        self.changes.fetch_add(1, Ordering::AcqRel);
        self.wake_all(&table);
        true
    }
}

impl Slot {
    fn new(fetch: PartitionFetch) -> Slot {
        Slot { fetch, position: None, epoch: -1, parked: VecDeque::new(), resumed: 0, is_waiting: false }
    }

    /// What was fetched counts no more.
    fn forget(&mut self) {
        self.parked.clear();
        self.resumed = 0;
    }

    /// Reading goes on there.
    fn moved_to(&mut self, at: OffsetSpec, epoch: i32) {
        self.forget();
        (self.is_waiting, self.epoch) = (false, epoch);
        self.position = match at {
            OffsetSpec::At(offset) => Some(offset),
            _ => None,
        };
    }

    /// What was read of a chunk has been handed out.
    fn came_to(&mut self, records: &ChunkReader) {
        self.position = Some(records.position());
        if records.epoch() >= 0 {
            self.epoch = records.epoch();
        }
    }
}

impl Table {
    fn add(&mut self, rules: &Arc<Rules>, partition: TopicPartition, at: OffsetSpec) {
        self.incarnations += 1;
        let mut slot = Slot::new(PartitionFetch::new(Arc::clone(rules), self.incarnations, at, self.to_end));
        slot.moved_to(at, -1);
        self.slots.insert(partition, slot);
    }

    fn reserve(&mut self, rules: &Arc<Rules>, partition: TopicPartition) {
        self.incarnations += 1;
        let slot = Slot::new(PartitionFetch::waiting(Arc::clone(rules), self.incarnations));
        self.slots.insert(partition, Slot { is_waiting: true, ..slot });
    }

    /// Takes over which partitions a topic has: a wholly assigned one may have grown, and all records of what is new are new.
    /// It has fewer only where it was made anew.
    fn see_topic(&mut self, rules: &Arc<Rules>, topic: &Topic, now: Instant) {
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

    fn deliver(&mut self, partition: TopicPartition, taken: Taken, held: Option<&Arc<Held>>) {
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
