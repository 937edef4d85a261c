use crate::model::TopicPartition;

/// What has become of a member's partitions.
///
/// From [`Consumer::next_event`](crate::Consumer::next_event), in order with the records.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rebalance {
    /// These are this member's now, and their records come from now on. Under a cooperative assignor only those that are new;
    /// maybe none.
    Assigned(Vec<TopicPartition>),
    /// These go to other members, as soon as the consumer is asked for the next event: until then they can be committed.
    Revoked(Vec<TopicPartition>),
    /// These belong to others already: what was not committed of them comes again, to whoever has them.
    Lost(Vec<TopicPartition>),
}
