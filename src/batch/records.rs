use bytes::Bytes;

use super::{Batch, BatchError, varint};
use crate::model::TimestampType;

/// The records of one batch, read one by one, in place: no allocation and no reference count a record.
#[derive(Debug, Clone)]
pub struct Records {
    bytes: Bytes,
    at: usize,
    left: usize,
    base_offset: i64,
    last_offset: i64,
    base_timestamp: i64,
    /// The append's time, where that counts for all records.
    append_time: Option<i64>,
}

/// Where a record's parts stand in [`Records::bytes`]. All of it has been checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RawRecord {
    /// The record's offset in the log.
    pub offset: i64,
    /// Its timestamp in milliseconds.
    pub timestamp: i64,
    key: Field,
    value: Field,
    headers_at: u32,
    headers: u32,
}

/// A nullable field: where it starts, and its length or −1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Field {
    at: u32,
    length: i32,
}

impl Field {
    fn of(self, bytes: &[u8]) -> Option<&[u8]> {
        let length = usize::try_from(self.length).ok()?;
        Some(&bytes[self.at as usize..self.at as usize + length])
    }

    fn range(self) -> Option<std::ops::Range<usize>> {
        let length = usize::try_from(self.length).ok()?;
        Some(self.at as usize..self.at as usize + length)
    }
}

impl RawRecord {
    /// Where the key stands; `None` if it is null.
    pub fn key_range(&self) -> Option<std::ops::Range<usize>> {
        self.key.range()
    }

    /// Where the value stands; `None` if it is null.
    pub fn value_range(&self) -> Option<std::ops::Range<usize>> {
        self.value.range()
    }

    /// The parts, in the bytes that the record was read from.
    pub fn view<'a>(&self, bytes: &'a [u8]) -> RecordView<'a> {
        RecordView { bytes, raw: *self }
    }
}

/// A record, borrowed.
#[derive(Debug, Clone, Copy)]
pub struct RecordView<'a> {
    bytes: &'a [u8],
    raw: RawRecord,
}

impl<'a> RecordView<'a> {
    /// Where its parts stand.
    pub fn raw(&self) -> RawRecord {
        self.raw
    }

    /// Its offset in the log.
    pub fn offset(&self) -> i64 {
        self.raw.offset
    }

    /// Its timestamp in milliseconds.
    pub fn timestamp(&self) -> i64 {
        self.raw.timestamp
    }

    /// The key, or null.
    pub fn key(&self) -> Option<&'a [u8]> {
        self.raw.key.of(self.bytes)
    }

    /// The value, or null.
    pub fn value(&self) -> Option<&'a [u8]> {
        self.raw.value.of(self.bytes)
    }

    /// The headers, in their order.
    pub fn headers(&self) -> Headers<'a> {
        Headers { bytes: self.bytes, at: self.raw.headers_at as usize, left: self.raw.headers }
    }
}

/// A received header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeaderView<'a> {
    /// The name's bytes: UTF-8 unless a producer has written something else.
    pub name: &'a [u8],
    /// The value, or null.
    pub value: Option<&'a [u8]>,
}

/// Iterates over a record's headers.
#[derive(Debug, Clone)]
pub struct Headers<'a> {
    bytes: &'a [u8],
    at: usize,
    left: u32,
}

impl<'a> Iterator for Headers<'a> {
    type Item = HeaderView<'a>;

    fn next(&mut self) -> Option<HeaderView<'a>> {
        self.left = self.left.checked_sub(1)?;
        // Checked when the record was read.
        let name = field(self.bytes, &mut self.at, self.bytes.len())?.of(self.bytes)?;
        let value = field(self.bytes, &mut self.at, self.bytes.len())?.of(self.bytes);
        Some(HeaderView { name, value })
    }
}

impl Records {
    pub(super) fn new(bytes: Bytes, batch: &Batch) -> Self {
        Records {
            bytes,
            at: 0,
            left: batch.count() as usize,
            base_offset: batch.base_offset(),
            last_offset: batch.last_offset(),
            base_timestamp: batch.base_timestamp(),
            append_time: (batch.timestamp_type() == TimestampType::LogAppendTime).then(|| batch.max_timestamp()),
        }
    }

    /// How many records are left, by the batch's own count.
    pub fn left(&self) -> usize {
        self.left
    }

    /// What the records are read from, decompressed.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The parts of a record that these records yielded.
    pub fn view(&self, record: &RawRecord) -> RecordView<'_> {
        record.view(&self.bytes)
    }

    fn read(&mut self) -> Result<RawRecord, &'static str> {
        let bytes = &self.bytes[..];
        let length = varint::read(bytes, &mut self.at).ok_or("no record length")?;
        let length = usize::try_from(length).ok().filter(|l| *l <= bytes.len() - self.at).ok_or("a record's length")?;
        let end = self.at + length;
        let mut at = self.at + 1; // attributes: none are in use
        if length == 0 {
            return Err("an empty record");
        }
        let body = &bytes[..end];
        let timestamp_delta = varint::read(body, &mut at).ok_or("a timestamp")?;
        let offset_delta = varint::read(body, &mut at).ok_or("an offset")?;
        let offset = self.base_offset.checked_add(offset_delta);
        let offset = offset.filter(|o| (self.base_offset..=self.last_offset).contains(o)).ok_or("an offset outside")?;
        let key = field(body, &mut at, end).ok_or("a key's length")?;
        let value = field(body, &mut at, end).ok_or("a value's length")?;
        let headers = varint::read(body, &mut at).ok_or("a header count")?;
        // Each takes two bytes at the least.
        let headers = u32::try_from(headers).ok().filter(|n| *n as usize <= (end - at) / 2).ok_or("a header count")?;
        let headers_at = at as u32;
        for _ in 0..headers {
            field(body, &mut at, end).filter(|name| name.length >= 0).ok_or("a header's name")?;
            field(body, &mut at, end).ok_or("a header's value")?;
        }
        if at != end {
            return Err("bytes behind a record's end");
        }
        self.at = end;
        let timestamp = self.append_time.unwrap_or_else(|| self.base_timestamp.wrapping_add(timestamp_delta));
        Ok(RawRecord { offset, timestamp, key, value, headers_at, headers })
    }
}

/// A length and that many bytes, before `end`; `at` moves behind them.
fn field(bytes: &[u8], at: &mut usize, end: usize) -> Option<Field> {
    let length = varint::read(bytes, at)?;
    let start = *at;
    if length == -1 {
        return Some(Field { at: 0, length: -1 });
    }
    let size = usize::try_from(length).ok().filter(|size| *size <= end.saturating_sub(start))?;
    *at = start + size;
    Some(Field { at: u32::try_from(start).ok()?, length: i32::try_from(length).ok()? })
}

impl Iterator for Records {
    type Item = Result<RawRecord, BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        let offset = self.base_offset;
        let error = if self.left == 0 {
            if self.at == self.bytes.len() {
                return None;
            }
            self.at = self.bytes.len();
            BatchError::Malformed { offset, why: "bytes behind the last record".to_owned() }
        } else {
            self.left -= 1;
            match self.read() {
                Ok(record) => return Some(Ok(record)),
                Err(why) => {
                    (self.left, self.at) = (0, self.bytes.len());
                    BatchError::Malformed { offset, why: format!("cannot read {why}") }
                }
            }
        };
        Some(Err(error))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(self.left + 1))
    }
}
