use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use futures_core::Stream;
use tokio::task::JoinHandle;

use super::{
    ConsumeError, ConsumerRecord, Rebalance, RecordBatch,
    group::{self, Closing, Committed, ForUser, Group, Offsets},
    keeper,
    shared::{Found, Reading, Shared},
};
use crate::{
    fetch::FetchFailure,
    model::{OffsetSpec, TopicPartition},
};

/// Reads records of the partitions that it is assigned.
///
/// It fetches in the background, within a bound of memory, and hands records out in order per partition: one by one with
/// [`recv`](Consumer::recv) or as a [`Stream`], or a batch at a time with [`recv_batch`](Consumer::recv_batch). While no broker
/// answers it waits, and goes on by itself.
///
/// Dropping it ends its tasks and closes its connections at once. A member of a group leaves it then, in the background and
/// without a commit, since nobody can say how far its user came; [`close`](Consumer::close) commits before.
#[derive(Debug)]
pub struct Consumer {
    pub(super) shared: Arc<Shared>,
    pub(super) group: Option<Arc<Group>>,
    reading: Option<Box<Reading>>,
    /// The shared count of changes at which `reading` was looked at last.
    seen: u64,
    keeper: Option<JoinHandle<()>>,
}

impl Drop for Consumer {
    fn drop(&mut self) {
        if let Some(group) = &self.group {
            group.desk.close(Closing::Dropped);
        }
        self.shared.close();
    }
}

impl Consumer {
    pub(super) fn start(shared: Arc<Shared>, group: Option<Arc<Group>>) -> Self {
        let keeper = tokio::spawn(keeper::run(Arc::clone(&shared)));
        if let Some(group) = &group {
            tokio::spawn(group::run(Arc::clone(&shared), Arc::clone(group)));
        }
        Consumer { seen: shared.changes(), shared, group, reading: None, keeper: Some(keeper) }
    }

    /// The next record. Waits for one; `None` once all that was asked for has been read
    /// ([`until_end`](crate::StandaloneBuilder::until_end)).
    ///
    /// If the future is dropped no record is lost.
    ///
    /// # Errors
    /// Each failure once; see [`ConsumeError`] for what goes on after which.
    pub async fn recv(&mut self) -> Result<Option<ConsumerRecord>, ConsumeError> {
        let polling = Polling::new(self);
        std::future::poll_fn(|cx| polling.0.poll_recv(cx, None)).await
    }

    /// What is left of the next batch: records of one partition. Waits for one; `None` as with [`recv`](Consumer::recv).
    ///
    /// All its records count as handed out: [`position`](Consumer::position) is behind it.
    /// If the future is dropped no record is lost.
    ///
    /// # Errors
    /// As [`recv`](Consumer::recv).
    pub async fn recv_batch(&mut self) -> Result<Option<RecordBatch>, ConsumeError> {
        let polling = Polling::new(self);
        std::future::poll_fn(|cx| polling.0.poll_recv_batch(cx)).await
    }

    /// With `event`: `None` too when one has come, which is there then.
    fn poll_recv(
        &mut self,
        cx: &mut Context<'_>,
        mut event: Option<&mut Option<Rebalance>>,
    ) -> Poll<Result<Option<ConsumerRecord>, ConsumeError>> {
        loop {
            let reading = ready!(self.poll_reading(cx, event.as_deref_mut()))?;
            if event.as_ref().is_some_and(|event| event.is_some()) {
                return Poll::Ready(Ok(None));
            }
            let Some(reading) = reading else { return Poll::Ready(Ok(None)) };
            match reading.records.next_record() {
                Some(Ok((raw, bytes, leader_epoch))) => {
                    return Poll::Ready(Ok(Some(ConsumerRecord {
                        topic: Arc::clone(&reading.partition.topic),
                        bytes: bytes.clone(),
                        raw,
                        partition: reading.partition.partition,
                        leader_epoch,
                    })));
                }
                Some(Err(error)) => return Poll::Ready(Err(self.unreadable(error))),
                None => self.finish(),
            }
        }
    }

    fn poll_recv_batch(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<RecordBatch>, ConsumeError>> {
        loop {
            let Some(reading) = ready!(self.poll_reading(cx, None))? else { return Poll::Ready(Ok(None)) };
            match reading.records.next_batch() {
                Some(Ok(rest)) => {
                    let partition = reading.partition.clone();
                    return Poll::Ready(Ok(Some(RecordBatch { partition, rest })));
                }
                Some(Err(error)) => return Poll::Ready(Err(self.unreadable(error))),
                None => self.finish(),
            }
        }
    }

    /// The chunk to read from; `None` at the end of all. With `event`, or none and an event there, when one has come.
    #[inline]
    fn poll_reading(
        &mut self,
        cx: &mut Context<'_>,
        event: Option<&mut Option<Rebalance>>,
    ) -> Poll<Result<Option<&mut Reading>, ConsumeError>> {
        if self.reading.is_none() || self.seen != self.shared.changes() {
            match ready!(self.poll_next_chunk(cx, event)) {
                Ok(true) => {}
                Ok(false) => return Poll::Ready(Ok(None)),
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        Poll::Ready(Ok(self.reading.as_deref_mut()))
    }

    /// The next record, or the next thing that has become of the member's partitions; `None` as with [`recv`](Consumer::recv).
    pub(super) fn poll_event(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<super::ConsumerEvent>, ConsumeError>> {
        use super::ConsumerEvent;
        let mut event = None;
        let record = ready!(self.poll_recv(cx, Some(&mut event)))?;
        Poll::Ready(Ok(match event {
            Some(event) => Some(ConsumerEvent::Rebalance(event)),
            None => record.map(ConsumerEvent::Record),
        }))
    }

    fn poll_next_chunk(
        &mut self,
        cx: &mut Context<'_>,
        mut event: Option<&mut Option<Rebalance>>,
    ) -> Poll<Result<bool, ConsumeError>> {
        // A reader that never waits gives the runtime its turn between chunks.
        let turn = ready!(tokio::task::coop::poll_proceed(cx));
        let mut is_registered = false;
        loop {
            self.seen = self.shared.changes();
            if let Some(group) = &self.group {
                let positions = |only: Option<&[TopicPartition]>| self.positions(only);
                match group.desk.attend(&self.shared, event.is_some(), positions) {
                    ForUser::Nothing => {}
                    // There may be more news, and the chunk may count no more: the next call looks again.
                    ForUser::Failed(error) => {
                        turn.made_progress();
                        self.seen = self.seen.wrapping_sub(1);
                        return Poll::Ready(Err(error));
                    }
                    ForUser::Event(news) => {
                        if let Some(event) = &mut event {
                            **event = Some(news);
                        }
                        self.seen = self.seen.wrapping_sub(1);
                        return Poll::Ready(Ok(true));
                    }
                }
            }
            if let Some(reading) = self.reading.take() {
                if self.shared.is_current(&reading) {
                    self.reading = Some(reading);
                    return Poll::Ready(Ok(true));
                }
                self.shared.put_back(reading);
            }
            match self.shared.next() {
                Found::Chunk(reading) => {
                    self.reading = Some(reading);
                    // It may have come with something to be told first: no record comes before its partition is assigned.
                    if self.group.is_some() && self.seen != self.shared.changes() {
                        continue;
                    }
                    turn.made_progress();
                    return Poll::Ready(Ok(true));
                }
                Found::Failed(error) => {
                    turn.made_progress();
                    return Poll::Ready(Err(error));
                }
                Found::End => return Poll::Ready(Ok(false)),
                // Registered before the second look, so that nothing that comes between the two is missed.
                Found::Nothing if is_registered => return Poll::Pending,
                Found::Nothing => {
                    self.shared.reader().register(cx.waker());
                    is_registered = true;
                }
            }
        }
    }

    /// The offsets behind all that was handed out, of these partitions or of all.
    pub(super) fn positions(&self, only: Option<&[TopicPartition]>) -> Offsets {
        let table = self.shared.table();
        let wanted = table.slots.iter().filter(|(at, _)| only.is_none_or(|only| only.contains(at)));
        let each = wanted.filter_map(|(at, slot)| {
            let reading = self.reading.as_ref().filter(|r| r.partition == *at && r.lineage == slot.fetch.lineage());
            let (offset, epoch) = match reading {
                Some(reading) => (reading.records.position(), reading.records.epoch()),
                None => (slot.position?, slot.epoch),
            };
            let leader_epoch = if epoch >= 0 { epoch } else { slot.epoch };
            Some((at.clone(), Committed { offset, leader_epoch, metadata: Arc::from("") }))
        });
        each.collect()
    }

    fn finish(&mut self) {
        if let Some(reading) = self.reading.take() {
            self.shared.finished(reading);
        }
    }

    /// What the fetcher has let through cannot be read: the partition halts.
    fn unreadable(&mut self, error: crate::batch::BatchError) -> ConsumeError {
        let Some(reading) = self.reading.take() else {
            unreachable!("the error came from the chunk that is being read")
        };
        let (offset, next) = (reading.records.position(), reading.records.behind_batch());
        let partition = reading.partition.clone();
        self.shared.finished(reading);
        self.shared.halt(&partition);
        ConsumeError::of(partition, FetchFailure::Corrupt { offset, next: Some(next), error })
    }

    /// The partitions that are assigned, in order.
    pub fn assignment(&self) -> Vec<TopicPartition> {
        let mut partitions: Vec<TopicPartition> = self.shared.table().slots.keys().cloned().collect();
        partitions.sort();
        partitions
    }

    /// Adds partitions to the assignment, or moves those that are assigned.
    ///
    /// # Errors
    /// For a topic that does not exist, or has no such partition, and for a consumer that subscribes; then nothing is added.
    pub async fn assign(
        &mut self,
        partitions: impl IntoIterator<Item = (TopicPartition, OffsetSpec)>,
    ) -> Result<(), ConsumeError> {
        if self.is_subscribed() {
            return Err(ConsumeError::Subscribed);
        }
        let partitions: Vec<_> = partitions.into_iter().collect();
        super::builder::check(&self.shared, &partitions).await?;
        self.shared.assign(partitions);
        Ok(())
    }

    /// Removes partitions from the assignment; what was fetched of them is dropped.
    ///
    /// # Errors
    /// [`ConsumeError::Subscribed`].
    pub fn unassign(&mut self, partitions: &[TopicPartition]) -> Result<(), ConsumeError> {
        if self.is_subscribed() {
            return Err(ConsumeError::Subscribed);
        }
        self.shared.retain(|assigned| !partitions.contains(assigned));
        Ok(())
    }

    fn is_subscribed(&self) -> bool {
        self.group.as_ref().is_some_and(|group| group.subscription.is_some())
    }

    /// Goes on elsewhere in a partition. What was fetched of it is dropped; what was handed out stays so.
    ///
    /// # Errors
    /// [`ConsumeError::NotAssigned`].
    pub fn seek(&mut self, partition: &TopicPartition, to: impl Into<OffsetSpec>) -> Result<(), ConsumeError> {
        match self.shared.seek(partition, to.into()) {
            true => Ok(()),
            false => Err(ConsumeError::NotAssigned { partition: partition.clone() }),
        }
    }

    /// Hands out no record of these partitions until they are resumed. What was fetched of them is kept.
    ///
    /// # Errors
    /// [`ConsumeError::NotAssigned`], for the first that is not; those before it are paused.
    pub fn pause(&mut self, partitions: &[TopicPartition]) -> Result<(), ConsumeError> {
        self.set_paused(partitions, true)
    }

    /// Undoes [`pause`](Consumer::pause).
    ///
    /// # Errors
    /// As [`pause`](Consumer::pause).
    pub fn resume(&mut self, partitions: &[TopicPartition]) -> Result<(), ConsumeError> {
        self.set_paused(partitions, false)
    }

    fn set_paused(&mut self, partitions: &[TopicPartition], paused: bool) -> Result<(), ConsumeError> {
        for partition in partitions {
            if !self.shared.set_paused(partition, paused) {
                return Err(ConsumeError::NotAssigned { partition: partition.clone() });
            }
        }
        Ok(())
    }

    /// The partitions that are paused, in order.
    pub fn paused(&self) -> Vec<TopicPartition> {
        let table = self.shared.table();
        let paused = table.slots.iter().filter(|(_, slot)| slot.fetch.is_paused());
        let mut partitions: Vec<TopicPartition> = paused.map(|(partition, _)| partition.clone()).collect();
        partitions.sort();
        partitions
    }

    /// The offset behind the last record handed out, or to start at; `None` while it is being found out, or for a partition
    /// that is not assigned.
    pub fn position(&self, partition: &TopicPartition) -> Option<i64> {
        let table = self.shared.table();
        let slot = table.slots.get(partition)?;
        match &self.reading {
            Some(reading) if reading.partition == *partition && reading.lineage == slot.fetch.lineage() => {
                Some(reading.records.position())
            }
            _ => slot.position,
        }
    }

    /// How many offsets lie between the [`position`](Consumer::position) and the log's end as the last fetch told it; `None`
    /// before the first. Asks nobody. Under read committed the end is that of the last transaction that has ended.
    pub fn lag(&self, partition: &TopicPartition) -> Option<i64> {
        let end = self.shared.table().slots.get(partition)?.fetch.end_offset()?;
        Some((end - self.position(partition)?).max(0))
    }

    /// Ends the tasks and closes the connections. A member of a group first commits what was handed out, where it commits by
    /// itself, and leaves the group, so that others go on with its partitions at once.
    ///
    /// Takes no longer than 25 s, whatever the coordinator does. If the future is dropped, the rest happens in the background.
    pub async fn close(mut self) {
        if let Some(group) = &self.group {
            let mut done = group.done.subscribe();
            group.desk.close(Closing::Closed(self.positions(None)));
            let limit = group.config.close_timeout + group.config.leave_timeout;
            let _ = tokio::time::timeout(limit, done.wait_for(|done| *done)).await;
        }
        self.shared.close();
        if let Some(keeper) = self.keeper.take() {
            let _ = keeper.await;
        }
    }
}

/// The user's task is in the consumer for as long as this lives.
pub(super) struct Polling<'a>(pub(super) &'a mut Consumer);

impl<'a> Polling<'a> {
    #[inline]
    pub(super) fn new(consumer: &'a mut Consumer) -> Self {
        if let Some(group) = &consumer.group {
            group.desk.enter();
        }
        Polling(consumer)
    }
}

impl Drop for Polling<'_> {
    #[inline]
    fn drop(&mut self) {
        if let Some(group) = &self.0.group {
            group.desk.exit();
        }
    }
}

impl Stream for Consumer {
    type Item = Result<ConsumerRecord, ConsumeError>;

    /// As [`Consumer::recv`]. Ends where that yields `None`. A stream that is polled no more while it is pending counts as
    /// polled.
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(group) = &self.group {
            group.desk.enter();
        }
        let next = ready!(self.poll_recv(cx, None));
        if let Some(group) = &self.group {
            group.desk.exit();
        }
        Poll::Ready(next.transpose())
    }
}
