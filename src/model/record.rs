use std::borrow::Cow;

use super::{Header, Payload, Timestamp};

/// A record to be sent: where to, and what.
///
/// ```
/// use milena::Record;
///
/// let record = Record::to("greetings").key("a").value("hello").header("lang", "en");
/// assert_eq!(record.topic(), "greetings");
/// ```
///
/// The parts are lent, not copied, wherever the caller lends them; a producer copies them once, into the open batch.
/// A record without a value is a tombstone for a compacted topic: [`Record::to`] with no [`value`](Record::value).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record<'a> {
    pub(crate) topic: Cow<'a, str>,
    pub(crate) partition: Option<i32>,
    /// [`Timestamp::NONE`] until it is set.
    pub(crate) timestamp: Timestamp,
    pub(crate) key: Option<Payload<'a>>,
    pub(crate) value: Option<Payload<'a>>,
    pub(crate) headers: Vec<Header<'a>>,
}

impl<'a> Record<'a> {
    /// A record to `topic`, with null key and null value until they are set.
    #[inline]
    pub fn to(topic: impl Into<Cow<'a, str>>) -> Self {
        Record {
            topic: topic.into(),
            partition: None,
            timestamp: Timestamp::NONE,
            key: None,
            value: None,
            headers: Vec::new(),
        }
    }

    /// The key. Records of one key go to one partition, in order. Default: null.
    #[inline]
    pub fn key(mut self, key: impl Into<Payload<'a>>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// The value. Default: null.
    #[inline]
    pub fn value(mut self, value: impl Into<Payload<'a>>) -> Self {
        self.value = Some(value.into());
        self
    }

    /// Appends a header. Order and duplicates are kept.
    #[inline]
    pub fn header(mut self, name: impl Into<Cow<'a, str>>, value: impl Into<Payload<'a>>) -> Self {
        self.headers.push(Header::new(name, value));
        self
    }

    /// Appends headers, in their order.
    #[inline]
    pub fn headers(mut self, headers: impl IntoIterator<Item = Header<'a>>) -> Self {
        self.headers.extend(headers);
        self
    }

    /// The partition, in place of the partitioner's choice.
    #[inline]
    pub fn partition(mut self, partition: i32) -> Self {
        self.partition = Some(partition);
        self
    }

    /// The timestamp. Default, also for [`Timestamp::NONE`]: the time at which the producer takes the record.
    #[inline]
    pub fn timestamp(mut self, timestamp: impl Into<Timestamp>) -> Self {
        self.timestamp = timestamp.into();
        self
    }

    /// The topic that the record goes to.
    #[inline]
    pub fn topic(&self) -> &str {
        &self.topic
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_small_enough_to_be_moved_in_registers() {
        // Above 128 bytes the compiler calls memcpy for each move; a record is moved five times on its way to a batch.
        assert!(size_of::<Record<'_>>() <= 128, "{}", size_of::<Record<'_>>());
    }
}
