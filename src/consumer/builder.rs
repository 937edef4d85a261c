use std::{collections::BTreeSet, sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{
    CONSUMER_KEYS, ConsumeError, Consumer, ConsumerConfig,
    assignor::Assignor,
    group::{Group, Subscription},
    shared::Shared,
};
use crate::{
    cluster::Cluster,
    config::{Properties, apply, reject_unknown},
    model::{IsolationLevel, OffsetReset, OffsetSpec, TopicPartition},
    time::Deadline,
};

/// Builds a [`Consumer`] that reads the partitions it is told to, in no group; from
/// [`Kafka::standalone_consumer`](crate::Kafka::standalone_consumer).
///
/// ```no_run
/// # async fn example(kafka: milena::Kafka) -> Result<(), milena::ConsumeError> {
/// use milena::OffsetSpec;
///
/// let mut consumer =
///     kafka.standalone_consumer().assign_topics(["greetings"], OffsetSpec::Beginning).until_end().build().await?;
/// while let Some(record) = consumer.recv().await? {
///     println!("{:?}", record.value());
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct StandaloneBuilder {
    cluster: Arc<Cluster>,
    settings: Settings,
    partitions: Vec<(TopicPartition, OffsetSpec)>,
    topics: Vec<(Arc<str>, OffsetSpec)>,
    to_end: bool,
}

impl StandaloneBuilder {
    pub(crate) fn new(cluster: Arc<Cluster>, config: ConsumerConfig) -> Self {
        StandaloneBuilder {
            cluster,
            settings: Settings::new(config),
            partitions: Vec::new(),
            topics: Vec::new(),
            to_end: false,
        }
    }

    /// A setting by its Kafka name, as `fetch.max.wait.ms`; checked by [`build`](StandaloneBuilder::build). It wins over the
    /// setters here.
    pub fn set(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.settings.properties.set(key, value);
        self
    }

    /// Partitions to read, and where to start in each.
    pub fn assign(mut self, partitions: impl IntoIterator<Item = (TopicPartition, OffsetSpec)>) -> Self {
        self.partitions.extend(partitions);
        self
    }

    /// Topics of which all partitions are read from `at`. Partitions that are added to them later are read from their beginning;
    /// those that a topic made anew has no more are given up.
    pub fn assign_topics<T: Into<Arc<str>>>(mut self, topics: impl IntoIterator<Item = T>, at: OffsetSpec) -> Self {
        self.topics.extend(topics.into_iter().map(|topic| (topic.into(), at)));
        self
    }

    /// Reads up to the end of each partition as it is when reading begins, and then yields `None`. A topic that is deleted, or
    /// made anew, meanwhile has ended.
    pub fn until_end(mut self) -> Self {
        self.to_end = true;
        self
    }

    /// Which transactional records are seen. Default: those of committed transactions, reading up to the first that is open.
    pub fn isolation_level(mut self, level: IsolationLevel) -> Self {
        self.settings.config.isolation = level;
        self
    }

    /// What happens at an offset that is not in the log. Default: reading goes on at the end.
    pub fn auto_offset_reset(mut self, reset: OffsetReset) -> Self {
        self.settings.config.reset = reset;
        self
    }

    /// Memory for what is fetched ahead, in bytes, over all brokers. Default: 64 MiB. A batch larger than a broker's share is
    /// fetched all the same, alone.
    pub fn prefetch_bytes(mut self, bytes: usize) -> Self {
        self.settings.config.prefetch_bytes = bytes;
        self
    }

    /// The consumer. It begins to fetch at once.
    ///
    /// # Errors
    /// For an unknown setting or a bad value, and for a topic that does not exist or has no such partition.
    pub async fn build(mut self) -> Result<Consumer, ConsumeError> {
        let config = self.settings.read()?;
        let shared = Arc::new(Shared::new(self.cluster, config, self.to_end));
        check(&shared, &self.partitions).await?;
        for (name, at) in &self.topics {
            let topic = shared.cluster.topic(name, deadline(&shared)).await?;
            shared.follow(&topic);
            let all = (0..topic.partitions.len()).map(|n| TopicPartition::new(Arc::clone(&topic.name), n as i32));
            self.partitions.extend(all.map(|partition| (partition, *at)));
        }
        shared.assign(self.partitions);
        Ok(Consumer::start(shared, None))
    }
}

/// Builds a [`Consumer`] that is a member of a group; from [`Kafka::consumer`](crate::Kafka::consumer).
///
/// ```no_run
/// # async fn example(kafka: milena::Kafka) -> Result<(), milena::ConsumeError> {
/// let mut consumer = kafka.consumer("readers").subscribe(["greetings"]).build().await?;
/// while let Some(record) = consumer.recv().await? {
///     println!("{:?}", record.value());
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct ConsumerBuilder {
    cluster: Arc<Cluster>,
    settings: Settings,
    group: Arc<str>,
    topics: BTreeSet<Arc<str>>,
    pattern: Option<String>,
    partitions: Vec<(TopicPartition, OffsetSpec)>,
}

impl ConsumerBuilder {
    pub(crate) fn new(cluster: Arc<Cluster>, config: ConsumerConfig, group: Arc<str>) -> Self {
        ConsumerBuilder {
            cluster,
            settings: Settings::new(config),
            group,
            topics: BTreeSet::new(),
            pattern: None,
            partitions: Vec::new(),
        }
    }

    /// A setting by its Kafka name, as `max.poll.interval.ms`; checked by [`build`](ConsumerBuilder::build). It wins over the
    /// setters here.
    pub fn set(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.settings.properties.set(key, value);
        self
    }

    /// Topics to read. One that does not exist yet is read once it does.
    pub fn subscribe<T: Into<Arc<str>>>(mut self, topics: impl IntoIterator<Item = T>) -> Self {
        self.topics.extend(topics.into_iter().map(Into::into));
        self
    }

    /// All topics whose whole name matches this regular expression (of the crate `regex`), in place of those named by
    /// [`subscribe`](ConsumerBuilder::subscribe). Topics that come to match later are found within `metadata.max.age.ms`. Kafka's
    /// own topics never match.
    pub fn subscribe_pattern(mut self, pattern: impl Into<String>) -> Self {
        self.pattern = Some(pattern.into());
        self
    }

    /// Partitions to read, and where to start in each, in place of a subscription: the group only keeps the offsets that are
    /// committed, and no other member shares the work.
    pub fn assign(mut self, partitions: impl IntoIterator<Item = (TopicPartition, OffsetSpec)>) -> Self {
        self.partitions.extend(partitions);
        self
    }

    /// Where to start when the group has committed nothing, or what is committed is no longer in the log. Default: at the end.
    pub fn auto_offset_reset(mut self, reset: OffsetReset) -> Self {
        self.settings.config.reset = reset;
        self
    }

    /// Which transactional records are seen. Default: those of committed transactions, reading up to the first that is open.
    pub fn isolation_level(mut self, level: IsolationLevel) -> Self {
        self.settings.config.isolation = level;
        self
    }

    /// How often the offsets of what was handed out, and come back after, are committed by themselves; also when partitions
    /// are given up and on [`close`](Consumer::close). Default: every 5 s. `None`: never, then
    /// [`commit`](Consumer::commit) is yours to call.
    pub fn auto_commit(mut self, interval: Option<Duration>) -> Self {
        self.settings.config.group.auto_commit = interval;
        self
    }

    /// A name of this member that outlives it (`group.instance.id`, KIP-345): when it comes back within
    /// `session.timeout.ms` it has its partitions again, and no other member notices. Two with one name fence each other.
    pub fn instance_id(mut self, name: impl Into<Arc<str>>) -> Self {
        self.settings.config.group.instance = Some(name.into());
        self
    }

    /// The assignors that this member offers, best first. Default: range, then cooperative-sticky. The group uses one that all its
    /// members offer; only if all of a member's are cooperative does it keep its partitions through rebalances.
    pub fn assignors(mut self, assignors: impl IntoIterator<Item = Arc<dyn Assignor>>) -> Self {
        self.settings.config.group.assignors = assignors.into_iter().collect();
        self
    }

    /// Memory for what is fetched ahead, in bytes, over all brokers. Default: 64 MiB. A batch larger than a broker's share is
    /// fetched all the same, alone.
    pub fn prefetch_bytes(mut self, bytes: usize) -> Self {
        self.settings.config.prefetch_bytes = bytes;
        self
    }

    /// The consumer. It joins its group at once, in the background.
    ///
    /// # Errors
    /// For an unknown setting or a bad value, a pattern that is none, and a partition that does not exist.
    pub async fn build(self) -> Result<Consumer, ConsumeError> {
        let config = self.settings.read()?;
        let subscription = match self.pattern {
            Some(pattern) => {
                Some(Subscription::pattern(&pattern).map_err(|why| ConsumeError::Pattern { pattern, why })?)
            }
            None if self.partitions.is_empty() => Some(Subscription::Topics(self.topics)),
            None => None,
        };
        let group = Arc::new(Group::new(self.group, config.group.clone(), subscription));
        let shared = Arc::new(Shared::new(self.cluster, config, false));
        check(&shared, &self.partitions).await?;
        shared.assign(self.partitions);
        Ok(Consumer::start(shared, Some(group)))
    }
}

/// What both builders are told.
#[derive(Debug)]
struct Settings {
    config: ConsumerConfig,
    /// Settings by their Kafka names, which win.
    properties: Properties,
}

impl Settings {
    fn new(config: ConsumerConfig) -> Self {
        Settings { config, properties: Properties::new() }
    }

    fn read(mut self) -> Result<ConsumerConfig, ConsumeError> {
        let known: Vec<&'static str> = CONSUMER_KEYS.iter().map(|key| key.name).collect();
        reject_unknown(&self.properties, &known)?;
        apply(&mut self.config, CONSUMER_KEYS, &self.properties)?;
        Ok(self.config)
    }
}

/// Whether all these partitions exist.
pub(super) async fn check(shared: &Shared, partitions: &[(TopicPartition, OffsetSpec)]) -> Result<(), ConsumeError> {
    for (at, _) in partitions {
        let topic = shared.cluster.topic(&at.topic, deadline(shared)).await?;
        if !usize::try_from(at.partition).is_ok_and(|number| number < topic.partitions.len()) {
            return Err(ConsumeError::NoPartition { partition: at.clone(), partitions: topic.partitions.len() });
        }
    }
    Ok(())
}

pub(super) fn deadline(shared: &Shared) -> Deadline {
    Deadline::after(Instant::now(), shared.config.api_timeout)
}
