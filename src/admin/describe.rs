use std::sync::Arc;

use parking_lot::Mutex;
use tokio::time::Instant;

use super::{
    Admin, AdminError, PerTopic,
    ledger::{Ledger, Refusal, Subject},
    topics::only,
};
use crate::{
    cluster::{ClusterError, Topic},
    model::TopicId,
    wire::ErrorCode,
};

/// A topic in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TopicListing {
    /// Its name.
    pub name: Arc<str>,
    /// Its id. Zero from brokers before 2.8.
    pub id: TopicId,
    /// Whether it is Kafka's own, as `__consumer_offsets`.
    pub is_internal: bool,
    /// How many partitions it has.
    pub partitions: usize,
    /// How many replicas each partition has: the most, where they differ (during a reassignment).
    pub replication_factor: usize,
}

/// A topic and its partitions.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TopicDescription {
    /// Its name.
    pub name: Arc<str>,
    /// Its id. Zero from brokers before 2.8.
    pub id: TopicId,
    /// Whether it is Kafka's own, as `__consumer_offsets`.
    pub is_internal: bool,
    /// By number, from 0.
    pub partitions: Vec<PartitionDescription>,
}

/// A partition: who leads it, and who holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PartitionDescription {
    /// Its number.
    pub partition: i32,
    /// The leader's broker id. `None` while there is none: the partition takes no records.
    pub leader: Option<i32>,
    /// Counts the elections of leaders (KIP-320). `None` where the broker tells none.
    pub leader_epoch: Option<i32>,
    /// The brokers that hold it, the preferred leader first.
    pub replicas: Vec<i32>,
    /// The replicas that are in sync.
    pub isr: Vec<i32>,
    /// The replicas whose brokers, or whose disks, are down.
    pub offline_replicas: Vec<i32>,
}

impl Admin {
    /// All topics that this client may see, Kafka's own among them, by name (Metadata).
    ///
    /// # Errors
    /// If no broker answers in time.
    pub async fn list_topics(&self) -> Result<Vec<TopicListing>, AdminError> {
        let picture = self.cluster.retrying(self.deadline(), || self.cluster.all_topics()).await;
        let picture = picture.map_err(|error| match error {
            ClusterError::OutOfTime { last } => AdminError::OutOfTime {
                subject: Arc::from("topics"),
                after: self.config.api_timeout,
                last: Some(Arc::from(last.to_string())),
                possibly_applied: false,
            },
            error => AdminError::Cluster(error),
        })?;
        let mut topics: Vec<TopicListing> = picture.topics.values().map(|topic| TopicListing::of(topic)).collect();
        topics.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Ok(topics)
    }

    /// A topic's partitions: who leads them, and who holds them (Metadata). It is never created by being asked for.
    ///
    /// # Errors
    /// [`AdminError::Unknown`] if it does not exist, after a second in which a broker may yet hear of it; and see [`AdminError`].
    pub async fn describe_topic(&self, topic: &str) -> Result<TopicDescription, AdminError> {
        only(self.describe_topics([topic]).await)
    }

    /// Several topics, as [`describe_topic`](Admin::describe_topic). Each has its own result.
    pub async fn describe_topics<'a>(&self, topics: impl IntoIterator<Item = &'a str>) -> PerTopic<TopicDescription> {
        let names: Vec<Arc<str>> = topics.into_iter().map(Arc::from).collect();
        let patience = self.cluster.config().unknown_topic_patience;
        let ledger = Ledger::asking("Metadata", names.iter().map(Subject::from).collect(), patience);
        let ledger = Mutex::new(ledger);
        let (book, topics) = (&ledger, &names);
        self.settle(book, self.deadline(), |open| async move {
            let asked: Vec<Arc<str>> = open.iter().map(|index| Arc::clone(&topics[*index])).collect();
            let picture = self.cluster.topics(&asked).await?;
            let now = Instant::now();
            let mut ledger = book.lock();
            for index in open {
                let answer = match picture.topic(&topics[index]) {
                    None => Err(Refusal::left_out()),
                    Some(topic) if topic.error == ErrorCode::NONE => Ok(TopicDescription::of(topic)),
                    Some(topic) => Err(Refusal { code: topic.error, message: None }),
                };
                ledger.answered(index, answer, now);
            }
            Ok(())
        })
        .await;
        let described = ledger.into_inner().close(self.config.api_timeout);
        names.into_iter().zip(described).collect()
    }
}

impl TopicListing {
    fn of(topic: &Topic) -> Self {
        TopicListing {
            name: Arc::clone(&topic.name),
            id: topic.id,
            is_internal: topic.internal,
            partitions: topic.partitions.len(),
            replication_factor: topic.partitions.iter().map(|p| p.replicas.len()).max().unwrap_or(0),
        }
    }
}

impl TopicDescription {
    fn of(topic: &Topic) -> Self {
        let partitions = topic.partitions.iter().map(|p| PartitionDescription {
            partition: p.index,
            leader: p.leader,
            leader_epoch: (p.leader_epoch >= 0).then_some(p.leader_epoch),
            replicas: p.replicas.clone(),
            isr: p.isr.clone(),
            offline_replicas: p.offline.clone(),
        });
        TopicDescription {
            name: Arc::clone(&topic.name),
            id: topic.id,
            is_internal: topic.internal,
            partitions: partitions.collect(),
        }
    }
}
