use std::collections::BTreeSet;

use super::{Admin, AdminError, GroupDescription, MemberDescription};
use crate::model::{OffsetSpec, TopicPartition};

/// How far behind a group is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct GroupLag {
    /// The partitions of which it has committed an offset, and those that its members read, in order.
    pub partitions: Vec<PartitionLag>,
    /// The group and its members. `None` for one that is not classic: who reads what is not known then.
    pub description: Option<GroupDescription>,
}

/// How far behind a group is in one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PartitionLag {
    /// Which.
    pub partition: TopicPartition,
    /// The offset of the next record to be read. `None` while nothing is committed.
    pub committed: Option<i64>,
    /// The log end offset that consumers may see, the high watermark. `None` where there is no leader, or no such partition.
    pub end: Option<i64>,
}

impl PartitionLag {
    /// The end less what is committed, as Kafka's own tools count it: below zero where a log was lost, and with the markers of
    /// transactions, which count as records. `None` where one of the two is not known.
    pub fn lag(&self) -> Option<i64> {
        Some(self.end?.saturating_sub(self.committed?))
    }
}

impl GroupLag {
    /// The sum over all partitions whose lag is known.
    pub fn total(&self) -> i64 {
        self.partitions.iter().filter_map(PartitionLag::lag).fold(0, i64::saturating_add)
    }

    /// The member that reads a partition.
    pub fn owner(&self, partition: &TopicPartition) -> Option<&MemberDescription> {
        self.description.as_ref()?.owner(partition)
    }
}

impl Admin {
    /// How far behind the ends of the logs a group, of whatever type, is, and who reads what (DescribeGroups, OffsetFetch,
    /// ListOffsets).
    ///
    /// # Errors
    /// [`AdminError::Unknown`] if there is no such group; and see [`AdminError`].
    pub async fn group_lag(&self, group: &str) -> Result<GroupLag, AdminError> {
        let description = match self.describe_group(group).await {
            Ok(description) => Some(description),
            Err(AdminError::NotClassic { .. }) => None,
            Err(error) => return Err(error),
        };
        let committed = self.group_offsets(group).await?;
        let members = description.iter().flat_map(|description| &description.members);
        let assigned = members.filter_map(|member| member.assignment.as_ref()).flatten();
        let partitions: BTreeSet<TopicPartition> = assigned.chain(committed.keys()).cloned().collect();
        let ends: Vec<_> = partitions.into_iter().map(|partition| (partition, OffsetSpec::End)).collect();
        let mut lags = Vec::with_capacity(ends.len());
        for (partition, end) in self.log_offsets(&ends, true).await {
            lags.push(PartitionLag {
                committed: committed.get(&partition).map(|committed| committed.offset),
                end: end?.map(|found| found.offset),
                partition,
            });
        }
        Ok(GroupLag { partitions: lags, description })
    }
}
