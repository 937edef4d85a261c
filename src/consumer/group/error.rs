use std::sync::Arc;

use crate::{cluster::ClusterError, model::TopicPartition, wire::ErrorCode};

/// Why an offset was not committed.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum CommitError {
    /// The consumer is in no group.
    #[error("a consumer without a group has nowhere to commit to")]
    NoGroup,
    /// The partition is this member's no more: the group gave it to another, which starts at what was committed before.
    #[error("{partition} belongs to this member no more, its offset cannot be committed")]
    NotOwned {
        /// Which.
        partition: TopicPartition,
    },
    /// The coordinator refused for good.
    #[error("{partition}: the coordinator refuses to commit: {code}")]
    Refused {
        /// Which.
        partition: TopicPartition,
        /// Why.
        code: ErrorCode,
    },
    /// The group has members, that share its partitions: a consumer that was told what to read may not commit beside them.
    #[error("group {group:?} has members: a consumer that is none of them cannot commit")]
    ActiveMembers {
        /// The group.
        group: Arc<str>,
    },
    /// The coordinator refuses this member for good, as [`ConsumeError::Group`](crate::ConsumeError::Group) says it.
    /// `FENCED_INSTANCE_ID`: another member has the same `group.instance.id`.
    #[error("group {group:?}: the coordinator refuses this member: {code}; nothing is committed")]
    Group {
        /// The group.
        group: Arc<str>,
        /// Why.
        code: ErrorCode,
    },
    /// The member's task has panicked, as [`ConsumeError::Failed`](crate::ConsumeError::Failed) says it.
    #[error("the member of the group has failed: its task panicked: {why}; nothing is committed")]
    Failed {
        /// What the panic said.
        why: Arc<str>,
    },
    /// Not within `default.api.timeout.ms`. It may yet be committed.
    #[error("not committed within {after:?}; it may be yet")]
    TimedOut {
        /// How long it was waited for.
        after: std::time::Duration,
    },
    /// No coordinator.
    #[error(transparent)]
    Cluster(ClusterError),
    /// The consumer is closed.
    #[error("the consumer is closed")]
    Closed,
}
