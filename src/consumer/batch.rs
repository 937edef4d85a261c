use std::sync::Arc;

use super::{ConsumeError, ConsumerHeaders, ConsumerRecord};
use crate::{
    batch::RecordView,
    fetch::BatchRest,
    model::{Timestamp, TopicPartition},
};

/// Records of one partition, in order, as they were written together: the fast way to read.
///
/// ```no_run
/// # async fn example(mut consumer: milena::Consumer) -> Result<(), milena::ConsumeError> {
/// while let Some(batch) = consumer.recv_batch().await? {
///     for record in &batch {
///         println!("{} {}", batch.topic(), record?.offset());
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct RecordBatch {
    pub(super) partition: TopicPartition,
    pub(super) rest: BatchRest,
}

impl RecordBatch {
    /// The topic.
    pub fn topic(&self) -> &str {
        &self.partition.topic
    }

    /// The partition's number.
    pub fn partition(&self) -> i32 {
        self.partition.partition
    }

    /// Topic and partition.
    pub fn topic_partition(&self) -> &TopicPartition {
        &self.partition
    }

    /// The epoch of the leader that appended it (KIP-320); −1 where unknown.
    pub fn leader_epoch(&self) -> i32 {
        self.rest.leader_epoch
    }

    /// Where reading goes on behind it.
    pub fn next_offset(&self) -> i64 {
        self.rest.behind.min(self.rest.stop)
    }

    /// The records, each read when it is asked for; see [`ConsumeError::Corrupt`] for the error.
    pub fn iter(&self) -> RecordBatchIter<'_> {
        RecordBatchIter { records: self.rest.records.clone(), batch: self, next: self.rest.from }
    }
}

impl<'a> IntoIterator for &'a RecordBatch {
    type Item = Result<RecordRef<'a>, ConsumeError>;
    type IntoIter = RecordBatchIter<'a>;

    fn into_iter(self) -> RecordBatchIter<'a> {
        self.iter()
    }
}

/// Iterates over the records of a [`RecordBatch`].
#[derive(Debug)]
pub struct RecordBatchIter<'a> {
    records: crate::batch::Records,
    batch: &'a RecordBatch,
    next: i64,
}

impl<'a> Iterator for RecordBatchIter<'a> {
    type Item = Result<RecordRef<'a>, ConsumeError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let rest = &self.batch.rest;
        loop {
            match self.records.next()? {
                Ok(record) if record.offset < rest.from => {}
                Ok(record) if record.offset >= rest.stop => return None,
                Ok(record) => {
                    self.next = record.offset + 1;
                    return Some(Ok(RecordRef { view: rest.records.view(&record), batch: self.batch }));
                }
                Err(source) => {
                    let (partition, offset) = (self.batch.partition.clone(), self.next);
                    let next_offset = Some(rest.behind);
                    return Some(Err(ConsumeError::Corrupt { partition, offset, next_offset, source }));
                }
            }
        }
    }
}

/// A record of a [`RecordBatch`], borrowed.
#[derive(Debug, Clone, Copy)]
pub struct RecordRef<'a> {
    view: RecordView<'a>,
    batch: &'a RecordBatch,
}

impl<'a> RecordRef<'a> {
    /// Its offset in the partition.
    pub fn offset(&self) -> i64 {
        self.view.offset()
    }

    /// When it was produced, or appended, as the topic's `message.timestamp.type` has it.
    pub fn timestamp(&self) -> Timestamp {
        Timestamp::from_millis(self.view.timestamp())
    }

    /// The key, or `None` for null.
    pub fn key(&self) -> Option<&'a [u8]> {
        self.view.key()
    }

    /// The value, or `None` for null.
    pub fn value(&self) -> Option<&'a [u8]> {
        self.view.value()
    }

    /// The headers, in their order, duplicates included.
    pub fn headers(&self) -> ConsumerHeaders<'a> {
        ConsumerHeaders(self.view.headers())
    }

    /// The record, to be kept.
    pub fn to_owned(&self) -> ConsumerRecord {
        ConsumerRecord {
            topic: Arc::clone(&self.batch.partition.topic),
            bytes: self.batch.rest.records.bytes().clone(),
            raw: self.view.raw(),
            partition: self.batch.partition.partition,
            leader_epoch: self.batch.rest.leader_epoch,
        }
    }
}
