use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use tokio::time::Instant;

use super::{
    caller::{Caller, Door},
    clock::Clock,
    config::Configs,
    disk::Kept,
    fault::{Fate, Faults},
    fetch_session::Sessions,
    group::{self, Coordinators, Groups},
    named, received,
    settings::Settings,
    topic::{Partition, Topics},
    waiting::Waiting,
};
use crate::{
    model::TopicId,
    wire::{Address, serve::Request},
};

/// As `log.retention.check.interval.ms`.
const RETENTION_CHECK_INTERVAL: Duration = Duration::from_secs(300);

/// Everything that the brokers of one cluster know: logs, groups, producer ids.
///
/// Pure: requests and the time come in, answers go out, at once or by a ticket. It never waits and never reads a clock.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) settings: Settings,
    pub(crate) clock: Clock,
    pub(crate) brokers: BTreeMap<i32, BrokerState>,
    pub(crate) topics: Topics,
    /// What has been changed of the brokers' and groups' settings.
    pub(crate) configs: Configs,
    pub(crate) sessions: Sessions,
    pub(crate) waiting: Waiting,
    /// What is to happen to requests.
    pub(crate) faults: Faults,
    /// What was asked.
    pub(crate) received: received::Log,
    pub(crate) groups: Groups,
    pub(crate) coordinators: Coordinators,
    pub(crate) random: fastrand::Rng,
    /// Bytes of all logs.
    pub(crate) bytes: usize,
    /// Given out; the next is one more.
    pub(crate) last_producer_id: i64,
    next_retention_check: Instant,
    next_offsets_check: Instant,
    /// Fetches that wait are looked at again: something has been written, or leaders have moved.
    pub(crate) is_news: bool,
}

/// One broker of the cluster.
#[derive(Debug)]
pub(crate) struct BrokerState {
    pub(crate) is_running: bool,
    pub(crate) rack: Option<Arc<str>>,
    /// Where it listens within this process.
    pub(crate) memory: Address,
    /// Where it listens on TCP, if it does.
    pub(crate) tcp: Option<Address>,
    /// Where a proxy listens for those who come to it through one.
    pub(crate) proxied: Option<Address>,
}

impl State {
    /// With the topics that are there from the start, and those that were kept.
    pub(crate) fn new(settings: Settings, kept: Kept, now: Instant) -> Self {
        let broker = |id: u16| {
            let broker = BrokerState {
                is_running: true,
                rack: Some(Arc::from(format!("rack{id}"))),
                memory: Address::new(format!("embedded-{id}"), 9092),
                tcp: None,
                proxied: None,
            };
            (i32::from(id), broker)
        };
        let mut state = State {
            clock: Clock::starting(now, settings.start_ms),
            brokers: (1..=settings.brokers).map(broker).collect(),
            topics: Topics::default(),
            configs: Configs::default(),
            sessions: Sessions::default(),
            waiting: Waiting::default(),
            faults: Faults::default(),
            received: received::Log::default(),
            groups: Groups::default(),
            coordinators: Coordinators::new((1..=settings.brokers).map(i32::from).collect()),
            random: fastrand::Rng::with_seed(settings.seed),
            bytes: 0,
            last_producer_id: 0,
            next_retention_check: now + RETENTION_CHECK_INTERVAL,
            next_offsets_check: now + group::CHECK_INTERVAL,
            is_news: false,
            settings,
        };
        state.restore(kept);
        for (name, partitions) in state.settings.topics.clone() {
            if state.topics.get(&name).is_none() {
                state.create_topic(name, partitions, state.default_replication(), BTreeMap::new());
            }
        }
        state
    }

    pub(crate) fn address(&self, broker: i32, door: Door) -> Option<&Address> {
        let broker = self.brokers.get(&broker)?;
        match door {
            Door::Memory => Some(&broker.memory),
            Door::Tcp => broker.tcp.as_ref(),
            Door::Proxied => broker.proxied.as_ref(),
        }
    }

    pub(crate) fn is_running(&self, broker: i32) -> bool {
        self.brokers.get(&broker).is_some_and(|broker| broker.is_running)
    }

    /// The brokers that run, in their order.
    pub(crate) fn running(&self) -> impl Iterator<Item = i32> {
        self.brokers.iter().filter(|(_, broker)| broker.is_running).map(|(id, _)| *id)
    }

    /// The broker that controls the cluster: the first that runs.
    pub(crate) fn controller(&self) -> i32 {
        self.running().next().unwrap_or(-1)
    }

    /// As Kafka's `default.replication.factor` would be set in a cluster of this size.
    pub(crate) fn default_replication(&self) -> u16 {
        self.settings.brokers.min(3)
    }

    /// Makes a topic that is not there; leaders are spread over the brokers.
    pub(crate) fn create_topic(
        &mut self,
        name: Arc<str>,
        partitions: u32,
        replication: u16,
        settings: BTreeMap<String, String>,
    ) -> TopicId {
        let replicas = (0..partitions).map(|index| self.replicas_of(index, replication)).collect();
        self.create_topic_on(name, replicas, settings)
    }

    /// Makes a topic that is not there, of partitions with these replicas.
    pub(crate) fn create_topic_on(
        &mut self,
        name: Arc<str>,
        replicas: Vec<Vec<i32>>,
        settings: BTreeMap<String, String>,
    ) -> TopicId {
        let partitions = replicas.into_iter().map(|replicas| Partition::new(replicas, |id| self.is_running(id)));
        let partitions = partitions.collect();
        self.topics.insert(name, partitions, settings)
    }

    /// A topic goes, and its records with it, and what groups have committed of it.
    pub(crate) fn delete_topic(&mut self, name: &str) {
        if let Some(topic) = self.topics.remove(name) {
            self.bytes -= topic.partitions.iter().map(|partition| partition.log.bytes()).sum::<usize>();
            self.groups.forget_topic(name);
            self.is_news = true;
        }
    }

    /// After settings of brokers have changed.
    pub(crate) fn brokers_reconfigured(&mut self) {
        let brokers: Vec<i32> = self.brokers.keys().copied().collect();
        self.topics.inherit(self.configs.inherited(&brokers));
    }

    /// Where the replicas of a topic's partition go: round and round the brokers.
    pub(crate) fn replicas_of(&self, partition: u32, replication: u16) -> Vec<i32> {
        let ids: Vec<i32> = self.brokers.keys().copied().collect();
        let at = |n: u32| ids[(partition as usize + n as usize) % ids.len()];
        (0..u32::from(replication)).map(at).collect()
    }

    /// A request comes: it is noted, and meets what a test wants to happen to it.
    pub(crate) fn receive(&mut self, caller: &Caller, request: &Request) -> Fate {
        let Some(received) = named::read(self, caller, request) else { return Fate::default() };
        let fate = match self.faults.is_empty() {
            true => Fate::default(),
            false => {
                let session = named::of_session(self, request);
                self.faults.befall(&received, &session)
            }
        };
        self.received.push(received);
        fate
    }

    pub(crate) fn new_producer_id(&mut self) -> i64 {
        self.last_producer_id += 1;
        self.last_producer_id
    }

    /// A broker stops or starts: leaders move away from it, or come to partitions that had none.
    pub(crate) fn set_running(&mut self, broker: i32, is_running: bool) {
        let Some(state) = self.brokers.get_mut(&broker) else { return };
        state.is_running = is_running;
        let running: BTreeSet<i32> = self.running().collect();
        for topic in self.topics.iter_mut() {
            topic.partitions.iter_mut().for_each(|partition| partition.elect(|id| running.contains(&id)));
        }
        self.sessions.forget_broker(broker);
        self.elect_coordinators();
        self.is_news = true;
    }

    /// Drops the oldest batches of the largest logs while all of them hold more than they may.
    pub(crate) fn keep_within_retention(&mut self) {
        while self.bytes > self.settings.retention_bytes {
            let partitions = self.topics.iter_mut().flat_map(|topic| &mut topic.partitions);
            let Some(largest) = partitions.max_by_key(|partition| partition.log.bytes()) else { return };
            // Down to where the second largest may be: to look for the largest at each batch would cost.
            let enough = (self.settings.retention_bytes / 64).min(largest.log.bytes() / 2 + 1);
            let mut dropped = 0;
            while dropped < enough {
                dropped += largest.log.drop_oldest();
            }
            self.bytes -= dropped;
        }
    }

    /// Drops the oldest batches of topics that hold more than they may, or for longer.
    pub(crate) fn keep_within_topics_retention(&mut self) {
        let mut dropped = 0;
        for topic in self.topics.iter_mut() {
            dropped += topic.keep_within_bytes();
        }
        self.bytes -= dropped;
    }

    /// As Kafka, from time to time: records go whose time is over, and offsets that nobody wants any more. Done before whatever
    /// happens next, as nobody can tell.
    pub(crate) fn drop_expired(&mut self, now: Instant) {
        let millis = self.clock.millis(now);
        if now >= self.next_retention_check {
            self.next_retention_check = now + RETENTION_CHECK_INTERVAL;
            let dropped: usize = self.topics.iter_mut().map(|topic| topic.keep_within_time(millis)).sum();
            self.bytes -= dropped;
        }
        if now >= self.next_offsets_check {
            self.next_offsets_check = now + group::CHECK_INTERVAL;
            self.groups.expire(now, millis);
        }
    }

    /// When [`api::settle`](super::api::settle) has something to do by the clock.
    pub(crate) fn next_wake(&self) -> Option<Instant> {
        self.waiting.next_deadline().into_iter().chain(self.groups.next_wake()).min()
    }
}
