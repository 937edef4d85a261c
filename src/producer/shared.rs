use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering, fence},
    },
};

use parking_lot::{Mutex, RwLock};
use tokio::{
    sync::{Notify, watch},
    time::{Instant, sleep, timeout_at},
};

use super::{ProduceError, ProducerConfig, memory::Memory, partitioner::Sticky};
use crate::{
    accumulate::{Limits, PartitionQueue, Spares},
    cluster::{Cluster, ClusterError, Topic},
    model::{TopicId, TopicPartition},
    time::Deadline,
    wire::ErrorCode,
};

/// What the handle and the tasks share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) cluster: Arc<Cluster>,
    pub(super) config: ProducerConfig,
    pub(super) limits: Limits,
    topics: RwLock<Topics>,
    pub(super) spares: Arc<Spares>,
    /// The partitions that each broker's sender has to look at.
    pub(super) lists: Mutex<BTreeMap<i32, Arc<List>>>,
    pub(super) memory: Memory,
    /// −1 until a broker has given one.
    pub(super) producer_id: AtomicI64,
    pub(super) initializing: tokio::sync::Mutex<()>,
    /// How many wait in `flush`: partial batches leave at once meanwhile.
    pub(super) flushing: AtomicUsize,
    pub(super) closed: AtomicBool,
    /// Why the producer has failed, if it has: set before `closed`.
    failure: OnceLock<Arc<str>>,
    /// What came of each refresh of the keeper; told once more when it ends.
    pub(super) refreshed: watch::Sender<Option<ClusterError>>,
    /// Wakes the keeper: metadata are stale, a broker is new, or the producer closes.
    pub(super) keeper: Notify,
    pub(super) stale: AtomicBool,
    /// The keeper sleeps long, since nothing is unacknowledged: whoever changes that wakes it.
    dozing: AtomicBool,
}

/// Looked into once a record, with names that the user has chosen: a fast hash does.
type Topics = HashMap<Arc<str>, Arc<TopicState>, foldhash::fast::RandomState>;

/// Memory kept for batches to come, beside what unacknowledged records take.
const SPARE_BYTES: usize = 8 << 20;

/// A topic's partitions. Replaced, never changed, when there are others.
#[derive(Debug)]
pub(super) struct TopicState {
    pub(super) name: Arc<str>,
    /// All that there ever were, by number: records may wait in them still.
    pub(super) slots: Vec<Arc<Slot>>,
    /// How many the topic has. Fewer than there were only where it was made anew.
    pub(super) count: usize,
    id: TopicId,
    pub(super) sticky: Sticky,
}

/// One partition.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) at: TopicPartition,
    pub(super) queue: Mutex<PartitionQueue>,
}

/// A sender's mailbox.
#[derive(Debug, Default)]
pub(super) struct List {
    pub(super) slots: Mutex<Vec<Arc<Slot>>>,
    pub(super) news: Notify,
}

impl Shared {
    pub(super) fn new(cluster: Arc<Cluster>, config: ProducerConfig) -> Self {
        Shared {
            cluster,
            limits: config.limits(),
            memory: Memory::new(config.buffer_bytes),
            spares: Arc::new(Spares::new(SPARE_BYTES.min(config.buffer_bytes))),
            config,
            topics: RwLock::default(),
            lists: Mutex::default(),
            producer_id: AtomicI64::new(-1),
            initializing: Default::default(),
            flushing: AtomicUsize::new(0),
            closed: AtomicBool::new(false),
            failure: OnceLock::new(),
            refreshed: watch::Sender::new(None),
            keeper: Notify::new(),
            stale: AtomicBool::new(false),
            dozing: AtomicBool::new(false),
        }
    }

    /// Looks at a topic in place; `None` if it is not known yet.
    pub(super) fn with_topic<T>(&self, name: &str, look: impl FnOnce(&TopicState) -> T) -> Option<T> {
        self.topics.read().get(name).map(|topic| look(topic))
    }

    /// Finds out about a topic that is not known yet.
    ///
    /// The keeper asks, for all who want to know something: whoever gives up waiting stops nothing, and who comes later finds
    /// what was found out meanwhile.
    pub(super) async fn ask_topic(&self, name: &str) -> Result<(), ProduceError> {
        let began = Instant::now();
        let deadline = Deadline::after(began, self.config.delivery_timeout);
        let mut refreshed = self.refreshed.subscribe();
        let mut backoff = self.cluster.backoff();
        self.cluster.include(&Arc::from(name));
        let mut last = None;
        loop {
            // Before looking: what comes after the look is waited for below.
            refreshed.mark_unchanged();
            if self.closed.load(Ordering::Acquire) {
                return Err(self.closed_error());
            }
            let picture = self.cluster.snapshot();
            match picture.topic(name) {
                Some(topic) if topic.error == ErrorCode::NONE && !topic.partitions.is_empty() => {
                    self.update_topic(topic);
                    return Ok(());
                }
                Some(topic) if picture.taken >= began => {
                    last = Some(ClusterError::Topic { topic: Arc::from(name), code: topic.error });
                }
                // Nobody was asked about it yet.
                _ => {}
            }
            let now = Instant::now();
            if let Some(error) = &last {
                let missing =
                    matches!(error, ClusterError::Topic { code, .. } if *code == ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
                let patience = self.cluster.config().unknown_topic_patience;
                if !error.is_retriable() || missing && now - began > patience {
                    self.cluster.exclude(name);
                    return Err(error.clone().into());
                }
            }
            if deadline.has_passed(now) {
                let late =
                    || ClusterError::Refused { api: "Metadata", code: ErrorCode::REQUEST_TIMED_OUT, message: None };
                return Err(ClusterError::OutOfTime { last: Box::new(last.unwrap_or_else(late)) }.into());
            }
            if last.is_some() {
                sleep(backoff.next_wait().min(deadline.left(now))).await;
            }
            self.want_refresh();
            if let Ok(Ok(())) = timeout_at(deadline.instant(), refreshed.changed()).await {
                last = refreshed.borrow_and_update().clone().or(last);
            }
        }
    }

    /// After a panic: nothing can go on.
    pub(super) fn fail(&self, why: Arc<str>) {
        let _ = self.failure.set(why);
        self.closed.store(true, Ordering::Release);
    }

    pub(super) fn failure(&self) -> Option<&Arc<str>> {
        self.failure.get()
    }

    /// What is said of a record that comes too late.
    pub(super) fn closed_error(&self) -> ProduceError {
        match self.failure() {
            Some(why) => ProduceError::Failed { why: Arc::clone(why), possibly_written: false },
            None => ProduceError::Closed { possibly_written: false },
        }
    }

    /// Takes over what the metadata say: partitions that are new.
    pub(super) fn update_topic(&self, topic: &Topic) {
        let mut topics = self.topics.write();
        let (known, counted) = match topics.get(&topic.name) {
            Some(state) => (state.slots.clone(), (state.count, state.id)),
            None => (Vec::new(), (0, TopicId::ZERO)),
        };
        let count = topic.partitions.len();
        let is_news = count > counted.0 || count > 0 && topic.id != counted.1;
        if topics.contains_key(&topic.name) && !is_news {
            return;
        }
        let grown = (known.len()..topic.partitions.len()).map(|partition| {
            let at = TopicPartition::new(Arc::clone(&topic.name), partition as i32);
            let queue = PartitionQueue::new(at.clone(), topic.id, Arc::clone(&self.spares));
            Arc::new(Slot { at, queue: Mutex::new(queue) })
        });
        let slots = known.iter().cloned().chain(grown).collect();
        let name = Arc::clone(&topic.name);
        let state = TopicState { name, slots, count, id: topic.id, sticky: Sticky::default() };
        topics.insert(Arc::clone(&topic.name), Arc::new(state));
    }

    /// All partitions, in order: what is done for each happens alike each time, whatever the hash map's order.
    pub(super) fn slots(&self) -> Vec<Arc<Slot>> {
        let mut topics: Vec<Arc<TopicState>> = self.topics.read().values().cloned().collect();
        topics.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        topics.iter().flat_map(|topic| topic.slots.iter().cloned()).collect()
    }

    /// All topics, in order.
    pub(super) fn topics(&self) -> Vec<Arc<str>> {
        let mut topics: Vec<Arc<str>> = self.topics.read().keys().cloned().collect();
        topics.sort_unstable();
        topics
    }

    /// Puts a partition on its leader's list, or wakes the sender that has it. One without a leader waits for the keeper.
    pub(super) fn route(&self, slot: &Arc<Slot>, queue: &mut PartitionQueue) {
        if let Some(broker) = queue.listed_at {
            self.list(broker).news.notify_one();
            return;
        }
        let leader = self.cluster.snapshot().partition(&slot.at.topic, slot.at.partition).and_then(|p| p.leader);
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

    /// After a batch was opened: there is something that may fall due.
    pub(super) fn wake_dozing(&self) {
        // As in `doze`: of the two that write first and look then, one sees the other.
        fence(Ordering::SeqCst);
        if self.dozing.swap(false, Ordering::Relaxed) {
            self.keeper.notify_one();
        }
    }

    /// Whether the keeper may sleep until it is woken.
    pub(super) fn doze(&self) -> bool {
        self.dozing.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        let nothing_to_do = self.memory.is_empty();
        if !nothing_to_do {
            self.dozing.store(false, Ordering::Relaxed);
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
