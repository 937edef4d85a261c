use std::{
    collections::HashMap,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{sync::oneshot, time::Sleep};

use super::{
    CommitError, ConsumeError, Consumer, ConsumerRecord, Rebalance, RecordBatch,
    group::{Committed, Offsets},
};
use crate::{
    model::{OffsetAndMetadata, TopicPartition},
    wire::ErrorCode,
};

/// The protocol's limit for strings; that of `offset.metadata.max.bytes`, which is less by default, the broker tells.
const MAX_METADATA_BYTES: usize = i16::MAX as usize;

/// The next that a member of a group meets.
#[derive(Debug, Clone)]
pub enum ConsumerEvent {
    /// A record.
    Record(ConsumerRecord),
    /// Something has become of its partitions.
    Rebalance(Rebalance),
}

/// A commit on its way: a future of its end.
///
/// It is under way whether it is awaited or not; dropping it does not take it back. Commits of one consumer arrive in the
/// order in which they were asked for.
#[derive(Debug)]
#[must_use = "whether the offsets are committed is told by awaiting this"]
pub struct Commit {
    state: CommitState,
    after: Duration,
}

#[derive(Debug)]
enum CommitState {
    Waiting(oneshot::Receiver<Result<(), CommitError>>, Pin<Box<Sleep>>),
    Failed(CommitError),
}

impl Future for Commit {
    type Output = Result<(), CommitError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        match &mut this.state {
            CommitState::Failed(error) => Poll::Ready(Err(error.clone())),
            CommitState::Waiting(end, late) => {
                if let Poll::Ready(end) = Pin::new(end).poll(cx) {
                    return Poll::Ready(end.unwrap_or(Err(CommitError::Closed)));
                }
                late.as_mut().poll(cx).map(|()| Err(CommitError::TimedOut { after: this.after }))
            }
        }
    }
}

impl Consumer {
    /// The next record, or the next thing that has become of this member's partitions. As [`recv`](Consumer::recv) otherwise,
    /// which tells only of records.
    ///
    /// After [`Rebalance::Revoked`] the partitions are still this member's until it asks for the next event: the time to commit
    /// what was done with their records.
    ///
    /// # Errors
    /// As [`recv`](Consumer::recv).
    pub async fn next_event(&mut self) -> Result<Option<ConsumerEvent>, ConsumeError> {
        let polling = super::handle::Polling::new(self);
        std::future::poll_fn(|cx| polling.0.poll_event(cx)).await
    }

    /// Commits the offsets behind all that was handed out, the last record too. Fails if partitions were lost since the last
    /// record was asked for: what was handed out of them is committed no more.
    pub fn commit(&mut self) -> Commit {
        let commit = self.commit_all(self.positions(None));
        match self.group.as_ref().and_then(|group| group.desk.lost()) {
            Some(error) => Commit { state: CommitState::Failed(error), ..commit },
            None => commit,
        }
    }

    /// Commits the offset behind this record.
    pub fn commit_record(&mut self, record: &ConsumerRecord) -> Commit {
        let metadata = Arc::from("");
        let committed = Committed { offset: record.offset() + 1, leader_epoch: record.leader_epoch(), metadata };
        self.commit_all(vec![(record.topic_partition(), committed)])
    }

    /// Commits the offset behind this batch.
    pub fn commit_batch(&mut self, batch: &RecordBatch) -> Commit {
        let committed =
            Committed { offset: batch.next_offset(), leader_epoch: batch.leader_epoch(), metadata: Arc::from("") };
        self.commit_all(vec![(batch.topic_partition().clone(), committed)])
    }

    /// Commits these offsets, each that of the next record to be read, and no others.
    pub fn commit_offsets<O: Into<OffsetAndMetadata>>(
        &mut self,
        offsets: impl IntoIterator<Item = (TopicPartition, O)>,
    ) -> Commit {
        let offsets = offsets.into_iter().map(|(at, offset)| {
            let OffsetAndMetadata { offset, leader_epoch, metadata } = offset.into();
            (at, Committed { offset, leader_epoch, metadata })
        });
        let offsets = offsets.collect();
        self.commit_all(offsets)
    }

    fn commit_all(&self, offsets: Offsets) -> Commit {
        let after = self.shared.config.api_timeout;
        let refused = offsets.iter().find_map(|(at, committed)| Some((at.clone(), cannot_be(committed)?)));
        let state = match (&self.group, refused) {
            (None, _) => CommitState::Failed(CommitError::NoGroup),
            (Some(_), Some((partition, code))) => CommitState::Failed(CommitError::Refused { partition, code }),
            (Some(group), None) => {
                let (tell, end) = oneshot::channel();
                group.desk.commit(offsets, tell);
                CommitState::Waiting(end, Box::pin(tokio::time::sleep(after)))
            }
        };
        Commit { state, after }
    }

    /// What the group has committed of these partitions; those of which it has nothing are left out.
    ///
    /// Waits for `default.api.timeout.ms` at most. Dropping the future harms nothing.
    ///
    /// # Errors
    /// When the coordinator does not answer in time, or refuses.
    pub async fn committed(
        &self,
        partitions: &[TopicPartition],
    ) -> Result<HashMap<TopicPartition, OffsetAndMetadata>, CommitError> {
        let group = self.group.as_ref().ok_or(CommitError::NoGroup)?;
        super::group::committed(&self.shared, group, partitions).await
    }

    /// This member's id and generation in its group; none while it is in no group.
    pub fn membership(&self) -> Option<(Arc<str>, i32)> {
        let identity = self.group.as_ref()?.desk.identity.lock().clone();
        (identity.1 >= 0).then_some(identity)
    }

    /// Has the group share its partitions anew.
    pub fn rejoin(&mut self) {
        if let Some(group) = &self.group {
            group.desk.rejoin();
        }
    }
}

/// Why no broker would take it, if so.
fn cannot_be(committed: &Committed) -> Option<ErrorCode> {
    match committed.offset {
        // It would stand for "nothing is committed".
        ..0 => Some(ErrorCode::OFFSET_OUT_OF_RANGE),
        // A broker gives up the connection over it, and asking again and again would hold up the other commits.
        _ if committed.metadata.len() > MAX_METADATA_BYTES => Some(ErrorCode::OFFSET_METADATA_TOO_LARGE),
        _ => None,
    }
}
