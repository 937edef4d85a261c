use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering},
    },
};

use parking_lot::{Mutex, RwLock};
use tokio::{sync::Notify, time::Instant};

use super::{ProduceError, ProducerConfig, partitioner::Sticky};
use crate::{
    accumulate::{Limits, PartitionQueue},
    cluster::{Cluster, Topic},
    model::TopicId,
    time::Deadline,
};

/// What the handle and the tasks share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) cluster: Arc<Cluster>,
    pub(super) config: ProducerConfig,
    pub(super) limits: Limits,
    topics: RwLock<HashMap<Arc<str>, Arc<TopicState>>>,
    /// The partitions that each broker's sender has to look at.
    pub(super) lists: Mutex<HashMap<i32, Arc<List>>>,
    pub(super) memory: Memory,
    /// −1 until a broker has given one.
    pub(super) producer_id: AtomicI64,
    pub(super) initializing: tokio::sync::Mutex<()>,
    /// How many wait in `flush`: partial batches leave at once meanwhile.
    pub(super) flushing: AtomicUsize,
    pub(super) closed: AtomicBool,
    /// Wakes the keeper: metadata are stale, a broker is new, or the producer closes.
    pub(super) keeper: Notify,
    pub(super) stale: AtomicBool,
    /// The keeper sleeps long, since nothing is unacknowledged: whoever changes that wakes it.
    dozing: AtomicBool,
    /// Tells that batches were settled.
    pub(super) settled: Notify,
}

#[derive(Debug)]
pub(super) struct TopicState {
    pub(super) name: Arc<str>,
    pub(super) slots: RwLock<Slots>,
    pub(super) sticky: Mutex<Sticky>,
}

/// A topic's partitions, by number.
#[derive(Debug, Default)]
pub(super) struct Slots {
    /// All that there ever were: records may wait in them still.
    pub(super) all: Vec<Arc<Slot>>,
    /// How many the topic has. Fewer than before only where it was made anew.
    pub(super) count: usize,
    id: TopicId,
}

/// One partition.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) topic: Arc<str>,
    pub(super) partition: i32,
    pub(super) queue: Mutex<PartitionQueue>,
}

/// A sender's mailbox.
#[derive(Debug, Default)]
pub(super) struct List {
    pub(super) slots: Mutex<Vec<Arc<Slot>>>,
    pub(super) news: Notify,
}

/// Bytes of unacknowledged records, up to a limit.
#[derive(Debug)]
pub(super) struct Memory {
    used: AtomicUsize,
    limit: usize,
    freed: Notify,
}

impl Memory {
    /// Waits until there is room. A record larger than all of it is let in alone.
    pub(super) async fn take(&self, bytes: usize) {
        while !self.try_take(bytes) {
            let freed = self.freed.notified();
            tokio::pin!(freed);
            // Registered before the second look, so that no release between the two is missed.
            freed.as_mut().enable();
            if self.try_take(bytes) {
                return;
            }
            freed.await;
        }
    }

    fn try_take(&self, bytes: usize) -> bool {
        let fits = |used: usize| (used == 0 || used + bytes <= self.limit).then_some(used + bytes);
        self.used.fetch_update(Ordering::SeqCst, Ordering::Acquire, fits).is_ok()
    }

    pub(super) fn give(&self, bytes: usize) {
        if bytes > 0 {
            self.used.fetch_sub(bytes, Ordering::AcqRel);
            self.freed.notify_waiters();
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.used.load(Ordering::SeqCst) == 0
    }
}

impl Shared {
    pub(super) fn new(cluster: Arc<Cluster>, config: ProducerConfig) -> Self {
        Shared {
            cluster,
            limits: config.limits(),
            memory: Memory { used: AtomicUsize::new(0), limit: config.buffer_bytes, freed: Notify::new() },
            config,
            topics: RwLock::default(),
            lists: Mutex::default(),
            producer_id: AtomicI64::new(-1),
            initializing: Default::default(),
            flushing: AtomicUsize::new(0),
            closed: AtomicBool::new(false),
            keeper: Notify::new(),
            stale: AtomicBool::new(false),
            dozing: AtomicBool::new(false),
            settled: Notify::new(),
        }
    }

    pub(super) fn known_topic(&self, name: &str) -> Option<Arc<TopicState>> {
        self.topics.read().get(name).cloned()
    }

    /// The topic, asked for if it is not known yet.
    pub(super) async fn topic(&self, name: &str) -> Result<Arc<TopicState>, ProduceError> {
        let deadline = Deadline::after(Instant::now(), self.config.delivery_timeout);
        let topic = self.cluster.topic(name, deadline).await?;
        Ok(self.update_topic(&topic))
    }

    /// Takes over what the metadata say: partitions that are new.
    pub(super) fn update_topic(&self, topic: &Topic) -> Arc<TopicState> {
        let mut topics = self.topics.write();
        let state = topics.entry(Arc::clone(&topic.name)).or_insert_with(|| {
            Arc::new(TopicState { name: Arc::clone(&topic.name), slots: RwLock::default(), sticky: Mutex::default() })
        });
        let (mut slots, count) = (state.slots.write(), topic.partitions.len());
        while slots.all.len() < count {
            let partition = slots.all.len() as i32;
            let queue = Mutex::new(PartitionQueue::new(topic.id));
            slots.all.push(Arc::new(Slot { topic: Arc::clone(&topic.name), partition, queue }));
        }
        if count > slots.count || count > 0 && topic.id != slots.id {
            (slots.count, slots.id) = (count, topic.id);
        }
        drop(slots);
        Arc::clone(state)
    }

    pub(super) fn slots(&self) -> Vec<Arc<Slot>> {
        self.topics.read().values().flat_map(|topic| topic.slots.read().all.clone()).collect()
    }

    pub(super) fn topics(&self) -> Vec<Arc<TopicState>> {
        self.topics.read().values().cloned().collect()
    }

    /// Puts a partition on its leader's list, or wakes the sender that has it. One without a leader waits for the keeper.
    pub(super) fn route(&self, slot: &Arc<Slot>, queue: &mut PartitionQueue) {
        if let Some(broker) = queue.listed_at {
            self.list(broker).news.notify_one();
            return;
        }
        let leader = self.cluster.snapshot().partition(&slot.topic, slot.partition).and_then(|p| p.leader);
        let Some(leader) = leader else { return self.want_refresh() };
        queue.listed_at = Some(leader);
        let list = self.list(leader);
        list.slots.lock().push(Arc::clone(slot));
        list.news.notify_one();
    }

    pub(super) fn want_refresh(&self) {
        self.stale.store(true, Ordering::Release);
        self.keeper.notify_one();
    }

    /// Takes memory for a record, waiting until there is room.
    pub(super) async fn take_memory(&self, bytes: usize) {
        self.memory.take(bytes).await;
        // Sequentially consistent with `doze`: of the two that write first and look then, one sees the other.
        if self.dozing.load(Ordering::SeqCst) {
            self.dozing.store(false, Ordering::SeqCst);
            self.keeper.notify_one();
        }
    }

    /// Whether the keeper may sleep until it is woken.
    pub(super) fn doze(&self) -> bool {
        self.dozing.store(true, Ordering::SeqCst);
        let nothing_to_do = self.memory.is_empty();
        if !nothing_to_do {
            self.dozing.store(false, Ordering::SeqCst);
        }
        nothing_to_do
    }

    /// A broker's list. For a new one the keeper starts a sender.
    fn list(&self, broker: i32) -> Arc<List> {
        let mut lists = self.lists.lock();
        let list = lists.entry(broker).or_insert_with(|| {
            self.keeper.notify_one();
            Arc::default()
        });
        Arc::clone(list)
    }
}
