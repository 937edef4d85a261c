use std::{sync::Arc, time::Duration};

use super::{AdminConfig, AdminError, DryRun};
use crate::{cluster::Cluster, model::TopicPartition};

/// What became of each topic, in the order in which they were named.
pub type PerTopic<T> = Vec<(Arc<str>, Result<T, AdminError>)>;

/// What became of each partition, in the order in which they were named.
pub type PerPartition<T> = Vec<(TopicPartition, Result<T, AdminError>)>;

/// Manages a cluster: its topics, its configs, its groups, and what is kept of its logs. From [`Kafka::admin`](crate::Kafka::admin).
///
/// Cloning is cheap; the clones share connections. Nothing runs between calls: it connects when it is first used, and its
/// connections close when the last clone is dropped.
///
/// Every call takes `default.api.timeout.ms` at most (60 s, or [`timeout`](Admin::timeout)), with all its retries: what a
/// broker may do later (a controller that moves, a quota that throttles, a connection that is lost) is asked for again until
/// then. If a call's future is dropped, what was sent by then may be done all the same; nothing is asked for again.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use milena::{AdminError, ConfigChange, ConfigResource, Kafka, NewTopic};
///
/// let admin = Kafka::connect("localhost:9092").await?.admin();
/// match admin.create_topic(NewTopic::new("orders").partitions(6).replication_factor(3)).await {
///     Ok(_) | Err(AdminError::AlreadyExists { .. }) => {}
///     Err(error) => return Err(error.into()),
/// }
/// let orders = ConfigResource::Topic("orders".into());
/// admin.alter_configs(&orders, [ConfigChange::set("retention.ms", "86400000")]).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Admin {
    pub(super) cluster: Arc<Cluster>,
    pub(super) config: AdminConfig,
}

impl Admin {
    pub(crate) fn new(cluster: Arc<Cluster>, config: AdminConfig) -> Self {
        Admin { cluster, config }
    }

    /// How long one call may take. Default: `default.api.timeout.ms`, 60 s. A call that creates or deletes also waits, within
    /// this time, until every broker has heard of it.
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.config.api_timeout = limit;
        self
    }

    /// The same changes, checked by the cluster but not made.
    pub fn dry_run(&self) -> DryRun {
        DryRun(self.clone())
    }
}
