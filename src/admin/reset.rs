use std::{collections::BTreeSet, time::Duration};

use super::{Admin, AdminError, GroupState};
use crate::model::{OffsetSpec, Timestamp, TopicPartition};

/// Where a group's offsets are moved to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResetTo {
    /// The first record that is still there (the log start offset).
    Beginning,
    /// Behind the last record (the high watermark).
    End,
    /// This offset, or the nearest that is in the log.
    Offset(i64),
    /// The first record whose timestamp is this or later; the end, where there is none.
    Timestamp(Timestamp),
    /// The first record that is this old or younger, by this machine's clock; the end, where there is none.
    Age(Duration),
    /// So many records forward from what is committed, or back if below zero, or to the nearest offset that is in the log.
    Shift(i64),
}

/// What a reset makes of one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct OffsetChange {
    /// Which.
    pub partition: TopicPartition,
    /// The offset that was committed before, if any was.
    pub before: Option<i64>,
    /// The offset of the next record that the group reads.
    pub after: i64,
}

impl Admin {
    /// Moves what a group, of whatever type, has committed of these partitions, while it has no active member; as
    /// `kafka-consumer-groups --reset-offsets` does it. A group that does not exist comes to be. Returns what has changed, in
    /// order.
    ///
    /// Where to is found out for all partitions before anything is committed. [`dry_run`](Admin::dry_run) has the same call,
    /// which changes nothing.
    ///
    /// ```no_run
    /// # async fn example(admin: milena::Admin) -> Result<(), milena::AdminError> {
    /// use milena::{AdminError, ResetTo, TopicPartition};
    ///
    /// let orders = [TopicPartition::new("orders", 0)];
    /// for change in admin.dry_run().reset_group_offsets("billing", orders.clone(), ResetTo::Beginning).await? {
    ///     println!("{}: from {:?} to {}", change.partition, change.before, change.after);
    /// }
    /// match admin.reset_group_offsets("billing", orders, ResetTo::Beginning).await {
    ///     Ok(_) | Err(AdminError::ActiveMembers { .. }) => {}
    ///     Err(error) => return Err(error),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`AdminError::ActiveMembers`]; [`AdminError::Unknown`] if one of the partitions does not exist;
    /// [`AdminError::NothingCommitted`] for a shift of nothing; in these cases nothing is changed. If a commit is refused the error is the
    /// first partition's, and others may have been changed; and see [`AdminError`].
    pub async fn reset_group_offsets(
        &self,
        group: &str,
        partitions: impl IntoIterator<Item = TopicPartition>,
        to: ResetTo,
    ) -> Result<Vec<OffsetChange>, AdminError> {
        self.reset(group, partitions.into_iter().collect(), to, false).await
    }

    pub(super) async fn reset(
        &self,
        group: &str,
        partitions: BTreeSet<TopicPartition>,
        to: ResetTo,
        dry_run: bool,
    ) -> Result<Vec<OffsetChange>, AdminError> {
        // The coordinator refuses a commit too, but a dry run asks for none.
        if !matches!(self.group_state(group).await?, None | Some(GroupState::Empty | GroupState::Dead)) {
            return Err(AdminError::ActiveMembers { group: group.into() });
        }
        let committed = self.group_offsets(group).await?;
        let mut wanted = Vec::new();
        for partition in partitions {
            let before = committed.get(&partition).map(|committed| committed.offset);
            let spec = match to {
                ResetTo::Beginning => OffsetSpec::Beginning,
                ResetTo::End => OffsetSpec::End,
                ResetTo::Offset(offset) => OffsetSpec::At(offset),
                ResetTo::Timestamp(time) => OffsetSpec::Timestamp(Timestamp::from_millis(time.as_millis().max(0))),
                ResetTo::Age(age) => OffsetSpec::Timestamp(ago(Timestamp::now(), age)),
                ResetTo::Shift(by) => match before {
                    Some(before) => OffsetSpec::At(before.saturating_add(by)),
                    None => return Err(AdminError::NothingCommitted { group: group.into(), partition }),
                },
            };
            wanted.push((partition, before, spec));
        }
        let specs = |spec: &dyn Fn(OffsetSpec) -> OffsetSpec| -> Vec<(TopicPartition, OffsetSpec)> {
            wanted.iter().map(|(at, _, asked)| (at.clone(), spec(*asked))).collect()
        };
        let (starts, ends, targets) = (specs(&|_| OffsetSpec::Beginning), specs(&|_| OffsetSpec::End), specs(&|s| s));
        let found = tokio::join!(
            self.log_offsets(&starts, false),
            self.log_offsets(&ends, false),
            self.log_offsets(&targets, false)
        );
        let mut changes = Vec::with_capacity(wanted.len());
        let logs = found.0.into_iter().zip(found.1).zip(found.2);
        for ((partition, before, _), (((_, start), (_, end)), (_, target))) in wanted.iter().zip(logs) {
            let (Some(start), Some(end), Some(target)) = (start?, end?, target?) else { continue };
            let is_sought = matches!(to, ResetTo::Timestamp(_) | ResetTo::Age(_));
            let after = match target.offset {
                -1 if is_sought => end.offset,
                offset => offset.min(end.offset).max(start.offset),
            };
            changes.push(OffsetChange { partition: partition.clone(), before: *before, after });
        }
        if !dry_run {
            let offsets = changes.iter().map(|change| (change.partition.clone(), change.after));
            for (_, result) in self.alter_group_offsets(group, offsets).await {
                result?;
            }
        }
        Ok(changes)
    }
}

fn ago(now: Timestamp, age: Duration) -> Timestamp {
    let age = i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
    Timestamp::from_millis(now.as_millis().saturating_sub(age).max(0))
}
