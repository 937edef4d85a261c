use crate::{
    batch::BatchError, cluster::ClusterError, config::ConfigError, fetch::FetchFailure, model::TopicPartition,
    wire::ErrorCode,
};

/// What can go wrong while reading.
///
/// Each is told once, but for [`Group`](ConsumeError::Group) and [`Failed`](ConsumeError::Failed). Partitions other than the one named go on.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ConsumeError {
    /// The offset is not in the log, and `auto.offset.reset` is `none`. The partition waits for a
    /// [`seek`](crate::Consumer::seek).
    #[error("{partition}: offset {offset} is not in the log, and auto.offset.reset is none")]
    OffsetOutOfRange {
        /// Where.
        partition: TopicPartition,
        /// Which.
        offset: i64,
    },
    /// Records that were read are no longer in the log: an unclean leader election has taken them (KIP-320), and
    /// `auto.offset.reset` is `none`. The partition waits for a [`seek`](crate::Consumer::seek).
    #[error("{partition}: the log was truncated before offset {offset}{}", at(.end))]
    Truncated {
        /// Where.
        partition: TopicPartition,
        /// The offset that would have been read next.
        offset: i64,
        /// Where the log that was read and the log as it is now part, if the broker knows.
        end: Option<i64>,
    },
    /// Bytes that are no records, twice in a row. The partition waits for a [`seek`](crate::Consumer::seek), to
    /// `next_offset` in order to step over them.
    #[error("{partition}: what stands at offset {offset} cannot be read: {source}")]
    Corrupt {
        /// Where.
        partition: TopicPartition,
        /// The offset that cannot be read.
        offset: i64,
        /// The first offset behind the broken batch, if it is known.
        next_offset: Option<i64>,
        /// What is wrong.
        source: BatchError,
    },
    /// The broker refuses to have the partition read. It is asked again until it allows it.
    #[error("{partition}: the broker refuses: {code}")]
    Refused {
        /// Where.
        partition: TopicPartition,
        /// Why.
        code: ErrorCode,
    },
    /// Offsets could not be found out, or the topic is gone. Reading goes on once it can, unless it was to end.
    #[error("{partition}: {source}")]
    Offsets {
        /// Where.
        partition: TopicPartition,
        /// Why.
        source: ClusterError,
    },
    /// The topic has no such partition.
    #[error("topic {:?} has {partitions} partitions, there is no number {}", .partition.topic, .partition.partition)]
    NoPartition {
        /// What was asked for.
        partition: TopicPartition,
        /// How many there are, from 0.
        partitions: usize,
    },
    /// Nothing is committed for the partition, and `auto.offset.reset` is `none`. It waits for a
    /// [`seek`](crate::Consumer::seek).
    #[error("{partition}: the group has committed nothing, and auto.offset.reset is none")]
    NothingCommitted {
        /// Where.
        partition: TopicPartition,
    },
    /// The user's task did not come back for the next record within `max.poll.interval.ms`. The member has left its group, so
    /// that others get its partitions; it joins again now that the consumer is asked for more.
    #[error(
        "no record was asked for within max.poll.interval.ms, {after:?}: the member left its group and joins again"
    )]
    PollOverdue {
        /// The limit.
        after: std::time::Duration,
    },
    /// The group's coordinator refuses this member for good. `FENCED_INSTANCE_ID`: another member has the same
    /// `group.instance.id`. The consumer gets no more records, and is told so each time that it asks for one.
    #[error("group {group:?}: the coordinator refuses this member: {code}")]
    Group {
        /// The group.
        group: std::sync::Arc<str>,
        /// Why.
        code: ErrorCode,
    },
    /// The member's task has panicked: an assignor has, or else it is an error in this crate. The consumer gets no more records, and
    /// is told so each time that it asks for one.
    #[error("the member of the group has failed: its task panicked: {why}")]
    Failed {
        /// What the panic said.
        why: std::sync::Arc<str>,
    },
    /// The group says which partitions this consumer reads: it cannot be told.
    #[error("a consumer that subscribes to topics is assigned partitions by its group")]
    Subscribed,
    /// A pattern that is no regular expression.
    #[error("{pattern:?} is no pattern for topics: {why}")]
    Pattern {
        /// The pattern.
        pattern: String,
        /// What is wrong with it.
        why: String,
    },
    /// The partition is not assigned to this consumer.
    #[error("{partition} is not assigned to this consumer")]
    NotAssigned {
        /// What was asked for.
        partition: TopicPartition,
    },
    /// The cluster did not answer a question in time, or refused it.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// A setting that cannot be.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

impl ConsumeError {
    pub(super) fn of(partition: TopicPartition, failure: FetchFailure) -> Self {
        match failure {
            FetchFailure::OutOfRange { offset } => ConsumeError::OffsetOutOfRange { partition, offset },
            FetchFailure::Truncated { offset, end } => ConsumeError::Truncated { partition, offset, end },
            FetchFailure::Corrupt { offset, next, error } => {
                ConsumeError::Corrupt { partition, offset, next_offset: next, source: error }
            }
            FetchFailure::Refused { code } => ConsumeError::Refused { partition, code },
            FetchFailure::Cluster(source) => ConsumeError::Offsets { partition, source },
        }
    }
}

fn at(end: &Option<i64>) -> String {
    end.map(|end| format!(", at offset {end}")).unwrap_or_default()
}
