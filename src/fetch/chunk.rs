use bytes::Bytes;

use super::AbortedFilter;
use crate::batch::{Batch, BatchError, ControlRecord, DecodeLimits, RawRecord, RecordSet, Records};

/// One partition's whole batches from one answer, checked but for what is inside their records.
#[derive(Debug, Clone)]
pub(crate) struct Chunk {
    pub(crate) records: Bytes,
    /// The offset asked for: the first batch may begin before it.
    pub(crate) from: i64,
    /// Where reading goes on behind it.
    pub(crate) next: i64,
    pub(crate) aborted: Option<AbortedFilter>,
}

impl Chunk {
    /// A copy that does not keep the rest of the answer in memory.
    pub(crate) fn detached(self) -> Chunk {
        Chunk { records: Bytes::copy_from_slice(&self.records), ..self }
    }
}

/// Reads a chunk's records in order: data of committed transactions and outside any, from `from` to before `stop`.
#[derive(Debug)]
pub(crate) struct ChunkReader {
    batches: RecordSet,
    current: Option<Current>,
    aborted: Option<AbortedFilter>,
    limits: DecodeLimits,
    stop: i64,
    /// Behind the chunk.
    next: i64,
    position: i64,
    /// The leader epoch of the record before `position`; −1 where nothing has been read.
    epoch: i32,
    behind_batch: i64,
    /// From the batch on that was read last.
    unread: Bytes,
}

/// A batch that is being read.
#[derive(Debug)]
struct Current {
    records: Records,
    leader_epoch: i32,
}

/// What is left of one batch.
#[derive(Debug)]
pub(crate) struct BatchRest {
    pub(crate) records: Records,
    /// Records before this offset are not meant, nor those from `stop` on.
    pub(crate) from: i64,
    pub(crate) stop: i64,
    /// The offset behind the batch.
    pub(crate) behind: i64,
    pub(crate) leader_epoch: i32,
}

impl ChunkReader {
    pub(crate) fn new(chunk: Chunk, stop: Option<i64>, limits: DecodeLimits) -> Self {
        let stop = stop.unwrap_or(i64::MAX);
        ChunkReader {
            unread: chunk.records.clone(),
            batches: RecordSet::new(chunk.records),
            current: None,
            aborted: chunk.aborted,
            limits,
            stop,
            next: chunk.next.min(stop),
            position: chunk.from,
            epoch: -1,
            behind_batch: chunk.from,
        }
    }

    /// The offset behind the last record read; behind the chunk, once all of it has been read.
    pub(crate) fn position(&self) -> i64 {
        self.position
    }

    /// The leader epoch of the record before the position; −1 where unknown.
    pub(crate) fn epoch(&self) -> i32 {
        self.epoch
    }

    /// Behind the batch that was read last: where to go on if it cannot be read.
    pub(crate) fn behind_batch(&self) -> i64 {
        self.behind_batch
    }

    /// The next record, its bytes, and the leader epoch under which it was appended. After an error nothing more.
    #[inline]
    pub(crate) fn next_record(&mut self) -> Option<Result<(RawRecord, &Bytes, i32), BatchError>> {
        loop {
            // A look first: the borrow checker does not see that the record's bytes outlive this turn of the loop.
            let found = match &mut self.current {
                Some(current) => current.records.next(),
                None => match self.open_batch() {
                    Ok(true) => continue,
                    Ok(false) => return None,
                    Err(error) => return Some(Err(error)),
                },
            };
            match found {
                Some(Ok(record)) if record.offset < self.position => {}
                Some(Ok(record)) if record.offset >= self.stop => {
                    self.end();
                    return None;
                }
                Some(Ok(record)) => {
                    self.position = record.offset + 1;
                    let current = self.current.as_ref()?;
                    return Some(Ok((record, current.records.bytes(), current.leader_epoch)));
                }
                Some(Err(error)) => {
                    self.batches = RecordSet::new(Bytes::new());
                    return Some(Err(error));
                }
                None => {
                    self.position = self.position.max(self.behind_batch.min(self.stop));
                    self.current = None;
                }
            }
        }
    }

    /// What is left of the batch that is being read, or else the next one. After an error nothing more.
    pub(crate) fn next_batch(&mut self) -> Option<Result<BatchRest, BatchError>> {
        loop {
            let Some(Current { records, leader_epoch }) = self.current.take() else {
                match self.open_batch() {
                    Ok(true) => continue,
                    Ok(false) => return None,
                    Err(error) => return Some(Err(error)),
                }
            };
            let from = self.position;
            self.position = self.position.max(self.behind_batch.min(self.stop));
            if records.left() > 0 {
                return Some(Ok(BatchRest { records, from, stop: self.stop, behind: self.behind_batch, leader_epoch }));
            }
        }
    }

    /// What has not been read, to be read later.
    pub(crate) fn into_rest(self) -> Chunk {
        Chunk { records: self.unread, from: self.position, next: self.next.max(self.position), aborted: self.aborted }
    }

    /// Opens the next batch with data to be read. `false` at the end.
    fn open_batch(&mut self) -> Result<bool, BatchError> {
        loop {
            self.unread = self.batches.rest().clone();
            let batch: Batch = match self.batches.next() {
                Some(Ok(batch)) if batch.base_offset() < self.stop => batch,
                Some(Err(error)) => return Err(error),
                _ => {
                    self.end();
                    return Ok(false);
                }
            };
            self.behind_batch = batch.next_offset();
            match self.data_of(&batch) {
                Ok(Some(records)) => {
                    self.epoch = batch.leader_epoch();
                    self.current = Some(Current { records, leader_epoch: batch.leader_epoch() });
                    return Ok(true);
                }
                Ok(None) => self.position = self.position.max(batch.next_offset().min(self.stop)),
                Err(error) => {
                    self.batches = RecordSet::new(Bytes::new());
                    return Err(error);
                }
            }
        }
    }

    /// The batch's records; `None` for one to be stepped over.
    fn data_of(&mut self, batch: &Batch) -> Result<Option<Records>, BatchError> {
        let (last, producer) = (batch.last_offset(), batch.producer_id());
        if batch.is_control() {
            if let Some(aborted) = &mut self.aborted
                && batch.control(self.limits)? == Some(ControlRecord::Abort)
            {
                aborted.ended(last, producer);
            }
            return Ok(None);
        }
        let aborted = self.aborted.as_mut().filter(|_| batch.is_transactional());
        if aborted.is_some_and(|filter| filter.is_aborted(last, producer)) || last < self.position {
            return Ok(None);
        }
        batch.records(self.limits).map(Some)
    }

    fn end(&mut self) {
        self.current = None;
        self.batches = RecordSet::new(Bytes::new());
        self.unread = Bytes::new();
        self.position = self.position.max(self.next);
    }
}
