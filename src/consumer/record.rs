use std::sync::Arc;

use bytes::Bytes;

use crate::{
    batch::{HeaderView, Headers, RawRecord},
    model::{Timestamp, TopicPartition},
};

/// A record that was read.
///
/// It keeps the answer it came in, up to a few megabytes, in memory for as long as it lives: copy out what is to be
/// kept for long. Cloning it copies no bytes.
#[derive(Clone)]
pub struct ConsumerRecord {
    pub(super) topic: Arc<str>,
    pub(super) bytes: Bytes,
    pub(super) raw: RawRecord,
    pub(super) partition: i32,
    pub(super) leader_epoch: i32,
}

impl ConsumerRecord {
    /// The topic it was read from.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// The partition's number.
    pub fn partition(&self) -> i32 {
        self.partition
    }

    /// Topic and partition.
    pub fn topic_partition(&self) -> TopicPartition {
        TopicPartition::new(Arc::clone(&self.topic), self.partition)
    }

    /// Its offset in the partition.
    pub fn offset(&self) -> i64 {
        self.raw.offset
    }

    /// When it was produced, or appended, as the topic's `message.timestamp.type` has it.
    pub fn timestamp(&self) -> Timestamp {
        Timestamp::from_millis(self.raw.timestamp)
    }

    /// The epoch of the leader that appended it (KIP-320); −1 where unknown.
    pub fn leader_epoch(&self) -> i32 {
        self.leader_epoch
    }

    /// The key, or `None` for null.
    pub fn key(&self) -> Option<&[u8]> {
        self.raw.view(&self.bytes).key()
    }

    /// The value, or `None` for null.
    pub fn value(&self) -> Option<&[u8]> {
        self.raw.view(&self.bytes).value()
    }

    /// The key, sharing the record's memory.
    pub fn key_bytes(&self) -> Option<Bytes> {
        self.raw.key_range().map(|range| self.bytes.slice(range))
    }

    /// The value, sharing the record's memory.
    pub fn value_bytes(&self) -> Option<Bytes> {
        self.raw.value_range().map(|range| self.bytes.slice(range))
    }

    /// The headers, in their order, duplicates included.
    pub fn headers(&self) -> ConsumerHeaders<'_> {
        ConsumerHeaders(self.raw.view(&self.bytes).headers())
    }

    /// The value of the last header of this name, as Java's `lastHeader`; `Some(None)` for one that is null.
    pub fn header(&self, name: &str) -> Option<Option<&[u8]>> {
        self.headers().filter(|h| h.name_bytes() == name.as_bytes()).last().map(|h| h.value())
    }
}

impl std::fmt::Debug for ConsumerRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let length = |bytes: Option<&[u8]>| bytes.map(<[u8]>::len);
        f.debug_struct("ConsumerRecord")
            .field("topic", &self.topic)
            .field("partition", &self.partition)
            .field("offset", &self.offset())
            .field("timestamp", &self.timestamp())
            .field("key_length", &length(self.key()))
            .field("value_length", &length(self.value()))
            .finish_non_exhaustive()
    }
}

/// A header of a record that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConsumerHeader<'a>(HeaderView<'a>);

impl<'a> ConsumerHeader<'a> {
    /// The name. Bytes that are no UTF-8 are shown as U+FFFD: see [`name_bytes`](ConsumerHeader::name_bytes).
    pub fn name(&self) -> std::borrow::Cow<'a, str> {
        String::from_utf8_lossy(self.0.name)
    }

    /// The name as it was written.
    pub fn name_bytes(&self) -> &'a [u8] {
        self.0.name
    }

    /// The value, or `None` for null.
    pub fn value(&self) -> Option<&'a [u8]> {
        self.0.value
    }
}

/// Iterates over a record's headers.
#[derive(Debug, Clone)]
pub struct ConsumerHeaders<'a>(pub(super) Headers<'a>);

impl<'a> Iterator for ConsumerHeaders<'a> {
    type Item = ConsumerHeader<'a>;

    fn next(&mut self) -> Option<ConsumerHeader<'a>> {
        self.0.next().map(ConsumerHeader)
    }
}
