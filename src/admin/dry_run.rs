use super::{
    Admin, AdminError, ConfigChange, ConfigResource, CreatedTopic, NewTopic, OffsetChange, PerTopic, ResetTo,
    topics::only,
};
use crate::model::TopicPartition;

/// Changes that the cluster checks as if it made them, and does not make. From [`Admin::dry_run`].
///
/// What Kafka cannot check without doing it, deleting, is not here. If a future is dropped nothing has changed.
#[derive(Debug, Clone)]
pub struct DryRun(pub(super) Admin);

impl DryRun {
    /// Whether [`Admin::create_topic`] would succeed, and with what.
    ///
    /// # Errors
    /// Those of [`Admin::create_topic`].
    pub async fn create_topic(&self, topic: NewTopic) -> Result<CreatedTopic, AdminError> {
        only(self.create_topics([topic]).await)
    }

    /// Whether [`Admin::create_topics`] would succeed, each by itself.
    pub async fn create_topics(&self, topics: impl IntoIterator<Item = NewTopic>) -> PerTopic<CreatedTopic> {
        self.0.create(topics.into_iter().collect(), true).await
    }

    /// Whether [`Admin::create_partitions`] would succeed.
    ///
    /// # Errors
    /// Those of [`Admin::create_partitions`].
    pub async fn create_partitions(&self, topic: &str, total: i32) -> Result<(), AdminError> {
        self.0.grow(topic, total, true).await
    }

    /// Whether [`Admin::alter_configs`] would succeed.
    ///
    /// # Errors
    /// Those of [`Admin::alter_configs`].
    pub async fn alter_configs(
        &self,
        resource: &ConfigResource,
        changes: impl IntoIterator<Item = ConfigChange>,
    ) -> Result<(), AdminError> {
        self.0.alter(resource, changes.into_iter().collect(), true).await
    }

    /// What [`Admin::reset_group_offsets`] would change now.
    ///
    /// # Errors
    /// Those of [`Admin::reset_group_offsets`].
    pub async fn reset_group_offsets(
        &self,
        group: &str,
        partitions: impl IntoIterator<Item = TopicPartition>,
        to: ResetTo,
    ) -> Result<Vec<OffsetChange>, AdminError> {
        self.0.reset(group, partitions.into_iter().collect(), to, true).await
    }
}
