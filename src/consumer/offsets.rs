use std::collections::HashMap;

use super::{ConsumeError, Consumer, builder::deadline};
use crate::{
    cluster::FoundOffset,
    model::{OffsetSpec, Timestamp, TopicPartition},
};

/// A record's place, found by its timestamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct OffsetAndTimestamp {
    /// Its offset.
    pub offset: i64,
    /// Its timestamp.
    pub timestamp: Timestamp,
    /// The epoch of the leader that appended it (KIP-320); −1 where unknown.
    pub leader_epoch: i32,
}

impl Consumer {
    /// The first offsets that are still there, of any partitions, asked of their leaders.
    ///
    /// Waits for `default.api.timeout.ms` at most. Dropping the future harms nothing.
    ///
    /// # Errors
    /// When a topic does not exist or the leaders do not answer in time.
    pub async fn beginning_offsets(
        &self,
        partitions: &[TopicPartition],
    ) -> Result<HashMap<TopicPartition, i64>, ConsumeError> {
        self.offsets_at(partitions, OffsetSpec::Beginning).await
    }

    /// The offsets behind the last records that this consumer may see: under read committed, behind the last before an open
    /// transaction. As [`beginning_offsets`](Consumer::beginning_offsets) otherwise.
    ///
    /// # Errors
    /// As [`beginning_offsets`](Consumer::beginning_offsets).
    pub async fn end_offsets(
        &self,
        partitions: &[TopicPartition],
    ) -> Result<HashMap<TopicPartition, i64>, ConsumeError> {
        self.offsets_at(partitions, OffsetSpec::End).await
    }

    /// For each partition the first record whose timestamp is the one given or later; `None` where there is none.
    /// As [`beginning_offsets`](Consumer::beginning_offsets) otherwise.
    ///
    /// # Errors
    /// As [`beginning_offsets`](Consumer::beginning_offsets).
    pub async fn offsets_for_times(
        &self,
        times: impl IntoIterator<Item = (TopicPartition, Timestamp)>,
    ) -> Result<HashMap<TopicPartition, Option<OffsetAndTimestamp>>, ConsumeError> {
        let specs: Vec<_> = times.into_iter().map(|(at, time)| (at, OffsetSpec::Timestamp(time))).collect();
        let found = self.find(&specs).await?;
        let each = found.into_iter().map(|(at, found)| {
            let known = (found.offset >= 0).then_some(OffsetAndTimestamp {
                offset: found.offset,
                timestamp: Timestamp::from_millis(found.timestamp),
                leader_epoch: found.leader_epoch,
            });
            (at, known)
        });
        Ok(each.collect())
    }

    async fn offsets_at(
        &self,
        partitions: &[TopicPartition],
        spec: OffsetSpec,
    ) -> Result<HashMap<TopicPartition, i64>, ConsumeError> {
        let specs: Vec<_> = partitions.iter().map(|partition| (partition.clone(), spec)).collect();
        let found = self.find(&specs).await?;
        Ok(found.into_iter().map(|(at, found)| (at, found.offset)).collect())
    }

    async fn find(
        &self,
        specs: &[(TopicPartition, OffsetSpec)],
    ) -> Result<HashMap<TopicPartition, FoundOffset>, ConsumeError> {
        super::builder::check(&self.shared, specs).await?;
        let isolation = self.shared.config.isolation;
        Ok(self.shared.cluster.find_offsets(specs, isolation, deadline(&self.shared)).await?)
    }
}
