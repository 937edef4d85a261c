use super::{BatchError, Compression, crc::crc32c, layout::*, varint};
use crate::model::Header;

/// An open batch: records are written once, straight into its buffer.
#[derive(Debug)]
pub struct BatchBuilder {
    /// The header's room first, the records behind it.
    buffer: Vec<u8>,
    count: u32,
    base_timestamp: i64,
    max_timestamp: i64,
}

/// One complete batch, ready for the wire but for the producer's stamp.
#[derive(Debug)]
pub struct SealedBatch {
    bytes: Vec<u8>,
    count: u32,
}

/// The longest that the varints before key, value and headers can be, with the record's own length.
const MAX_RECORD_OVERHEAD: usize = 5 + 1 + 10 + 5;

impl BatchBuilder {
    /// An empty batch that takes over `buffer`'s allocation.
    pub fn new(mut buffer: Vec<u8>) -> Self {
        buffer.clear();
        buffer.resize(HEADER, 0);
        BatchBuilder { buffer, count: 0, base_timestamp: 0, max_timestamp: i64::MIN }
    }

    /// Bytes so far, the header's included.
    pub fn len(&self) -> usize {
        self.buffer.len()
    }

    /// Bytes that the buffer holds without growing.
    pub fn capacity(&self) -> usize {
        self.buffer.capacity()
    }

    /// Records so far.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Whether it has no record.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The batch's length after this record, uncompressed.
    pub fn size_with(&self, timestamp: i64, key: Option<&[u8]>, value: Option<&[u8]>, headers: &[Header<'_>]) -> usize {
        let body = self.body_size(timestamp, key, value, headers);
        self.buffer.len().saturating_add(body).saturating_add(varint::size(body as i64))
    }

    /// Whether a record without headers certainly fits within `limit` bytes: a look that costs less than its exact size.
    #[inline]
    pub(crate) fn surely_fits(&self, key: Option<&[u8]>, value: Option<&[u8]>, limit: usize) -> bool {
        let fields = key.map_or(0, <[u8]>::len).saturating_add(value.map_or(0, <[u8]>::len));
        // Behind the overhead: the lengths of key and value, and a count of headers.
        fields.saturating_add(self.buffer.len() + MAX_RECORD_OVERHEAD + 5 + 5 + 1) <= limit
    }

    /// Appends a record; its index in the batch. Timestamps are milliseconds since the epoch.
    pub fn append(&mut self, timestamp: i64, key: Option<&[u8]>, value: Option<&[u8]>, headers: &[Header<'_>]) -> u32 {
        let body = self.body_size(timestamp, key, value, headers);
        if self.count == 0 {
            self.base_timestamp = timestamp;
        }
        self.max_timestamp = self.max_timestamp.max(timestamp);
        self.buffer.reserve(body + 5);
        let mut head = [0u8; MAX_RECORD_OVERHEAD];
        let mut at = varint::write(body as i64, &mut head);
        at += 1; // attributes: none are in use
        at += varint::write(timestamp.wrapping_sub(self.base_timestamp), &mut head[at..]);
        at += varint::write(i64::from(self.count), &mut head[at..]);
        self.buffer.extend_from_slice(&head[..at]);
        self.put(key);
        self.put(value);
        self.put_number(headers.len() as i64);
        for header in headers {
            self.put(Some(header.name.as_bytes()));
            self.put(header.value.as_ref().map(|v| v.as_slice()));
        }
        self.count += 1;
        self.count - 1
    }

    /// Closes the batch, compressing its records: one of no producer, complete unless it is
    /// [stamped](SealedBatch::stamp) with one.
    ///
    /// # Errors
    /// When the codec fails.
    pub fn seal(self, compression: Compression) -> Result<SealedBatch, BatchError> {
        let (mut batch, _) = self.seal_into(compression, Vec::new())?;
        batch.stamp(-1, -1, -1, false);
        Ok(batch)
    }

    /// As [`seal`](BatchBuilder::seal), with a buffer for the compressed batch, for a batch that is then stamped: without that it
    /// has no checksum. Also returns the buffer that is left over. A batch that does not compress keeps its own.
    ///
    /// # Errors
    /// When the codec fails.
    pub fn seal_into(self, compression: Compression, output: Vec<u8>) -> Result<(SealedBatch, Vec<u8>), BatchError> {
        let (mut bytes, left_over) = match compression {
            Compression::None => (self.buffer, output),
            codec => (codec.compress_behind(HEADER, &self.buffer[HEADER..], output)?, self.buffer),
        };
        let mut field = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
        field(MAGIC, &[2]);
        field(LEADER_EPOCH, &(-1i32).to_be_bytes());
        field(ATTRIBUTES, &compression.code().to_be_bytes());
        field(LAST_OFFSET_DELTA, &(self.count as i32 - 1).to_be_bytes());
        field(BASE_TIMESTAMP, &self.base_timestamp.to_be_bytes());
        field(MAX_TIMESTAMP, &self.max_timestamp.to_be_bytes());
        field(COUNT, &(self.count as i32).to_be_bytes());
        let length = (bytes.len() - LOG_OVERHEAD) as i32;
        bytes[LENGTH..LENGTH + 4].copy_from_slice(&length.to_be_bytes());
        Ok((SealedBatch { bytes, count: self.count }, left_over))
    }

    fn body_size(&self, timestamp: i64, key: Option<&[u8]>, value: Option<&[u8]>, headers: &[Header<'_>]) -> usize {
        let base = if self.count == 0 { timestamp } else { self.base_timestamp };
        let fixed = 1 + varint::size(timestamp.wrapping_sub(base)) + varint::size(i64::from(self.count));
        let headers_size = headers.iter().fold(varint::size(headers.len() as i64), |sum, header| {
            let value = header.value.as_ref().map(|v| v.as_slice());
            sum.saturating_add(field_size(Some(header.name.as_bytes()))).saturating_add(field_size(value))
        });
        fixed.saturating_add(field_size(key)).saturating_add(field_size(value)).saturating_add(headers_size)
    }

    fn put(&mut self, field: Option<&[u8]>) {
        match field {
            Some(bytes) => {
                self.put_number(bytes.len() as i64);
                self.buffer.extend_from_slice(bytes);
            }
            None => self.put_number(-1),
        }
    }

    fn put_number(&mut self, value: i64) {
        if (-64..64).contains(&value) {
            // One byte, the common case.
            self.buffer.push(((value << 1) ^ (value >> 63)) as u8);
            return;
        }
        let mut bytes = [0; 10];
        let length = varint::write(value, &mut bytes);
        self.buffer.extend_from_slice(&bytes[..length]);
    }
}

fn field_size(field: Option<&[u8]>) -> usize {
    match field {
        Some(bytes) => varint::size(bytes.len() as i64).saturating_add(bytes.len()),
        None => 1,
    }
}

impl SealedBatch {
    /// Writes who sends the batch and with which sequence number, and the checksum. May be called again.
    pub fn stamp(&mut self, producer_id: i64, producer_epoch: i16, base_sequence: i32, transactional: bool) {
        let bytes = &mut self.bytes;
        bytes[PRODUCER_ID..PRODUCER_ID + 8].copy_from_slice(&producer_id.to_be_bytes());
        bytes[PRODUCER_EPOCH..PRODUCER_EPOCH + 2].copy_from_slice(&producer_epoch.to_be_bytes());
        bytes[BASE_SEQUENCE..BASE_SEQUENCE + 4].copy_from_slice(&base_sequence.to_be_bytes());
        let attributes = i16::from_be_bytes([bytes[ATTRIBUTES], bytes[ATTRIBUTES + 1]]);
        let attributes = if transactional { attributes | TRANSACTIONAL } else { attributes & !TRANSACTIONAL };
        bytes[ATTRIBUTES..ATTRIBUTES + 2].copy_from_slice(&attributes.to_be_bytes());
        let crc = crc32c(&bytes[ATTRIBUTES..]);
        bytes[CRC..CRC + 4].copy_from_slice(&crc.to_be_bytes());
    }

    /// The batch as it goes onto the wire.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Records in it.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// The same batch once more.
    pub(crate) fn copy(&self) -> SealedBatch {
        SealedBatch { bytes: self.bytes.clone(), count: self.count }
    }

    /// The buffer, to be used again.
    pub fn into_buffer(self) -> Vec<u8> {
        self.bytes
    }
}
