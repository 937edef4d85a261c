use std::{cell::Cell, collections::VecDeque};

use bytes::{Bytes, BytesMut};

use crate::batch::{Batch, DecodeLimits};

/// The batches of one partition, in memory, by offset.
///
/// Offsets run without gaps from `start` to `end`; batches before `start` are gone, and the first one kept may begin before it.
#[derive(Debug)]
pub(crate) struct Log {
    batches: VecDeque<Batch>,
    start: i64,
    end: i64,
    bytes: usize,
    /// The first offset of each leader epoch that has written, both growing.
    epochs: Vec<(i32, i64)>,
    /// The lowest offset that it was cut off at since whoever keeps it elsewhere has looked.
    cut_to: Cell<i64>,
}

impl Default for Log {
    fn default() -> Self {
        Log::starting_at(0)
    }
}

/// A record found by its timestamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) offset: i64,
    pub(crate) timestamp: i64,
    pub(crate) leader_epoch: i32,
}

impl Log {
    /// Empty, its first record to come at this offset.
    pub(crate) fn starting_at(offset: i64) -> Self {
        Log {
            batches: VecDeque::new(),
            start: offset,
            end: offset,
            bytes: 0,
            epochs: Vec::new(),
            cut_to: Cell::new(i64::MAX),
        }
    }

    /// The first offset that can be read.
    pub(crate) fn start(&self) -> i64 {
        self.start
    }

    /// The offset behind the last record.
    pub(crate) fn end(&self) -> i64 {
        self.end
    }

    /// Bytes of all batches.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// A batch whose base offset is the log's end, or lies behind it where a compacted log is read in.
    pub(crate) fn append(&mut self, batch: Batch) {
        if self.epochs.last().is_none_or(|(epoch, _)| *epoch < batch.leader_epoch()) {
            self.epochs.push((batch.leader_epoch(), batch.base_offset()));
        }
        self.end = batch.next_offset();
        self.bytes += batch.size_in_bytes();
        self.batches.push_back(batch);
    }

    /// Those that begin at `offset` or behind it.
    pub(crate) fn batches_from(&self, offset: i64) -> impl Iterator<Item = &Batch> {
        self.batches.range(self.batches.partition_point(|batch| batch.base_offset() < offset)..)
    }

    /// From here on what was there before may have been dropped and written anew.
    pub(crate) fn cut_to(&self) -> i64 {
        self.cut_to.get()
    }

    /// Whoever keeps it elsewhere has cut it there too.
    pub(crate) fn cut_is_known(&self) {
        self.cut_to.set(i64::MAX);
    }

    /// What it holds.
    pub(crate) fn batches(&self) -> impl Iterator<Item = &Batch> {
        self.batches.iter()
    }

    /// As many bytes from `offset` on as `max` allows, the last batch cut off where it ends, as a broker reads its files. Empty
    /// at the end, and where not even the first batch fits: with `whole_first` that one is read whatever `max` is.
    pub(crate) fn read(&self, offset: i64, max: usize, whole_first: bool) -> Bytes {
        let from = self.batches.partition_point(|batch| batch.last_offset() < offset);
        let mut batches = self.batches.range(from..);
        let Some(first) = batches.next() else { return Bytes::new() };
        if first.size_in_bytes() >= max {
            let is_read = whole_first || first.size_in_bytes() == max;
            return if is_read { first.bytes().clone() } else { Bytes::new() };
        }
        let Some(second) = batches.next() else { return first.bytes().clone() };
        let mut read = BytesMut::with_capacity(self.readable(offset, max));
        read.extend_from_slice(first.bytes());
        for batch in std::iter::once(second).chain(batches) {
            let left = max - read.len();
            read.extend_from_slice(&batch.bytes()[..batch.size_in_bytes().min(left)]);
            if read.len() == max {
                break;
            }
        }
        read.freeze()
    }

    /// Bytes that [`read`](Log::read) would find, up to `max`.
    pub(crate) fn readable(&self, offset: i64, max: usize) -> usize {
        let from = self.batches.partition_point(|batch| batch.last_offset() < offset);
        let mut found = 0;
        for batch in self.batches.range(from..) {
            found += batch.size_in_bytes();
            if found >= max {
                return max;
            }
        }
        found
    }

    /// The first record whose timestamp is `timestamp` or later.
    pub(crate) fn at_time(&self, timestamp: i64) -> Option<Found> {
        let batches = self.batches.iter().filter(|batch| batch.max_timestamp() >= timestamp);
        batches.flat_map(|batch| self.records(batch)).find(|record| record.timestamp >= timestamp)
    }

    /// The record with the latest timestamp, the first of several (KIP-734).
    pub(crate) fn latest(&self) -> Option<Found> {
        let max = self.batches.iter().map(Batch::max_timestamp).max()?;
        self.at_time(max)
    }

    fn records(&self, batch: &Batch) -> Vec<Found> {
        let leader_epoch = batch.leader_epoch();
        let records = batch.records(DecodeLimits::default()).into_iter().flatten().map_while(Result::ok);
        let found = records.map(|r| Found { offset: r.offset, timestamp: r.timestamp, leader_epoch });
        found.filter(|found| found.offset >= self.start).collect()
    }

    /// A leader takes over, under this epoch: what it will write stands behind what there is.
    pub(crate) fn begin_epoch(&mut self, epoch: i32) {
        // As Kafka: one that wrote nothing is forgotten.
        self.epochs.retain(|(known, start)| *known < epoch && *start < self.end);
        self.epochs.push((epoch, self.end));
    }

    /// The largest epoch up to `epoch` that has written, and where the next one begins (KIP-320); `epoch` itself, where none has.
    /// None if nobody has led under it yet.
    pub(crate) fn end_of_epoch(&self, epoch: i32) -> Option<(i32, i64)> {
        let (latest, _) = self.epochs.last()?;
        if *latest < epoch {
            return None;
        }
        let next = self.epochs.partition_point(|(known, _)| *known <= epoch);
        let found = self.epochs[..next].last().map_or(epoch, |(found, _)| *found);
        Some((found, self.epochs.get(next).map_or(self.end, |(_, start)| *start)))
    }

    /// The epoch of who leads, or has written last.
    pub(crate) fn latest_epoch(&self) -> Option<i32> {
        self.epochs.last().map(|(epoch, _)| *epoch)
    }

    /// The epoch of the batch with this offset.
    pub(crate) fn epoch_at(&self, offset: i64) -> Option<i32> {
        let at = self.batches.partition_point(|batch| batch.last_offset() < offset);
        self.batches.get(at).map(Batch::leader_epoch)
    }

    /// Drops what stands before `offset`: whole batches, and from reading also the part of one.
    pub(crate) fn delete_before(&mut self, offset: i64) {
        self.start = self.start.max(offset.min(self.end));
        while self.batches.front().is_some_and(|batch| batch.last_offset() < self.start) {
            self.drop_first();
        }
    }

    /// Drops the oldest batch, to make room; how many bytes that were.
    pub(crate) fn drop_oldest(&mut self) -> usize {
        let Some(first) = self.batches.front() else { return 0 };
        self.start = self.start.max(first.next_offset());
        self.drop_first()
    }

    /// Drops the oldest batches while what stays measures at least this much; how many bytes that were.
    pub(crate) fn keep_newest(&mut self, bytes: usize) -> usize {
        let mut dropped = 0;
        while self.batches.front().is_some_and(|first| self.bytes - first.size_in_bytes() >= bytes) {
            dropped += self.drop_oldest();
        }
        dropped
    }

    /// Drops the oldest batches while all records of the first are older than this; how many bytes that were.
    pub(crate) fn keep_since(&mut self, timestamp: i64) -> usize {
        let mut dropped = 0;
        while self.batches.front().is_some_and(|first| first.max_timestamp() < timestamp) {
            dropped += self.drop_oldest();
        }
        dropped
    }

    fn drop_first(&mut self) -> usize {
        let dropped = self.batches.pop_front().map_or(0, |batch| batch.size_in_bytes());
        self.bytes -= dropped;
        dropped
    }

    /// Drops what stands at `offset` and behind it, as a replica does that finds that its leader never had it.
    pub(crate) fn truncate(&mut self, offset: i64) {
        while let Some(batch) = self.batches.back().filter(|batch| batch.last_offset() >= offset) {
            self.bytes -= batch.size_in_bytes();
            self.batches.pop_back();
        }
        self.end = self.batches.back().map_or(offset.min(self.end).max(self.start), Batch::next_offset);
        self.epochs.retain(|(_, start)| *start < self.end);
        self.cut_to.set(self.cut_to.get().min(self.end));
    }
}
