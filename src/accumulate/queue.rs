use std::{collections::VecDeque, sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{Completion, Fate, Spares};
use crate::{
    batch::{BatchBuilder, BatchError, Compression, SealedBatch},
    model::{Header, TopicId, TopicPartition},
};

/// What bounds a partition's batches.
#[derive(Debug, Clone)]
pub(crate) struct Limits {
    /// A batch's length, uncompressed.
    pub(crate) batch_bytes: usize,
    pub(crate) linger: Duration,
    pub(crate) delivery_timeout: Duration,
    pub(crate) compression: Compression,
    /// Unresolved batches of a partition: a broker remembers five of a producer's, so that it knows a sixth's copy no more.
    pub(crate) in_flight: usize,
}

/// What an append may reserve beyond the record.
const APPEND_SLACK: usize = 16;

/// One partition's batches, in order, from the first record to the acknowledgement.
///
/// The invariant that keeps records single and in order: a batch's sequence number is fixed when it is first sent and changes
/// only when the batch is known not to be in the log. Once something failed, nothing new is sent until everything in flight
/// has been answered; then what is unresolved is sent again, in order, under the same numbers. Until the first
/// acknowledgement under an epoch a single batch is in flight, since a broker that knows nothing of a producer takes
/// any first number.
#[derive(Debug)]
pub(crate) struct PartitionQueue {
    at: TopicPartition,
    spares: Arc<Spares>,
    open: Option<Open>,
    /// Full, never sent, without a number.
    full: VecDeque<Open>,
    /// Whose batch is away to be sealed: next in line.
    sealing: Option<Arc<Completion>>,
    /// How long the last batch was: a guess at the next.
    last_length: usize,
    /// Sent at least once and unresolved. The first `in_flight` of them are on the wire, unless `recovering`.
    window: VecDeque<Sent>,
    in_flight: usize,
    recovering: bool,
    /// The numbers must start anew before anything is sent: the batches in the window are known not to be in the log.
    renumber: bool,
    producer_id: i64,
    epoch: i16,
    next_sequence: i32,
    /// Counts the batches that were numbered under this epoch.
    numbered: u64,
    /// Whether a batch of this epoch has been acknowledged.
    proven: bool,
    topic_id: TopicId,
    not_before: Option<Instant>,
    failures: u32,
    /// The sender that has this partition on its list.
    pub(crate) listed_at: Option<i32>,
}

/// A batch that takes records, or has taken all that it will.
#[derive(Debug)]
pub(crate) struct Open {
    builder: BatchBuilder,
    completion: Arc<Completion>,
    created: Instant,
    bytes: usize,
}

#[derive(Debug)]
struct Sent {
    id: u64,
    batch: Arc<SealedBatch>,
    completion: Arc<Completion>,
    created: Instant,
    sequence: i32,
    /// Which batch of the epoch it is, from 0.
    number: u64,
    /// Handed to a sender, and unanswered.
    on_wire: bool,
    /// On the wire and really being written: until then it cannot be in the log.
    departed: bool,
    /// Only ever becomes true.
    maybe_written: bool,
    /// Refused for good: not in the log, and what follows it needs new numbers.
    refused: bool,
    last: Option<Arc<str>>,
    bytes: usize,
}

/// What a sender does with a partition now.
#[derive(Debug)]
pub(crate) enum Step {
    /// Seal this batch, which may take long, without holding the queue; then [`PartitionQueue::admit`] it.
    Seal(Box<Open>),
    /// Send this batch, and report its answer under this id.
    Send { id: u64, batch: Arc<SealedBatch> },
    /// Nothing before this time.
    Wait(Instant),
    /// Nothing until an answer comes.
    Await,
    /// Nothing at all: take it off the list.
    Idle,
    /// Every epoch of this producer id is used up: nothing before there is another.
    NewId(i64),
}

/// A batch whose records are in their final form.
#[derive(Debug)]
pub(crate) struct Sealed {
    batch: Result<SealedBatch, BatchError>,
    completion: Arc<Completion>,
    created: Instant,
    bytes: usize,
}

/// What came of one batch that was sent.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    Written {
        base_offset: i64,
    },
    /// To be sent again.
    Retry {
        why: Arc<str>,
        maybe_written: bool,
    },
    /// The broker expected another sequence number.
    OutOfOrder {
        why: Arc<str>,
    },
    Refused {
        why: Arc<str>,
        code: i16,
        possibly_written: bool,
    },
}

/// Why a record was not taken.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    TooLarge { size: usize },
}

impl PartitionQueue {
    pub(crate) fn new(at: TopicPartition, topic_id: TopicId, spares: Arc<Spares>) -> Self {
        PartitionQueue {
            at,
            spares,
            open: None,
            full: VecDeque::new(),
            sealing: None,
            last_length: 0,
            window: VecDeque::new(),
            in_flight: 0,
            recovering: false,
            renumber: false,
            producer_id: -1,
            epoch: 0,
            next_sequence: 0,
            numbered: 0,
            proven: false,
            topic_id,
            not_before: None,
            failures: 0,
            listed_at: None,
        }
    }

    /// Appends a record: its batch's completion, its index there, and whether a sender has something new to look at.
    /// `now` is asked for the first record of a batch only: a look at the clock costs as much as an append.
    #[allow(clippy::too_many_arguments, reason = "a record's parts, lent; a struct of them would be built per record")]
    pub(crate) fn append(
        &mut self,
        now: impl FnOnce() -> Instant,
        limits: &Limits,
        timestamp: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[Header<'_>],
        bytes: usize,
    ) -> Result<(Arc<Completion>, u32, bool), Refused> {
        let mut news = false;
        let is_full = |open: &Open| {
            let surely_fits = headers.is_empty() && open.builder.surely_fits(key, value, limits.batch_bytes);
            !surely_fits && open.builder.size_with(timestamp, key, value, headers) > limits.batch_bytes
        };
        if self.open.as_ref().is_some_and(is_full) {
            self.full.extend(self.open.take());
            news = true;
        }
        if self.open.is_none() {
            let size = BatchBuilder::new(Vec::new()).size_with(timestamp, key, value, headers);
            if size > limits.batch_bytes {
                return Err(Refused::TooLarge { size });
            }
            let builder = BatchBuilder::new(self.spares.take(self.expected_length(limits).max(size)));
            let completion = Arc::new(Completion::new(self.at.clone()));
            self.open = Some(Open { builder, completion, created: now(), bytes: 0 });
            news = true;
        }
        let open = self.open.as_mut().expect("opened above");
        open.bytes += bytes;
        let index = open.builder.append(timestamp, key, value, headers);
        Ok((Arc::clone(&open.completion), index, news))
    }

    /// A guess at the next batch's length: where the last was large the next may be as large as any, and should never have to
    /// be moved for more room.
    fn expected_length(&self, limits: &Limits) -> usize {
        if self.last_length > limits.batch_bytes / 2 { limits.batch_bytes + APPEND_SLACK } else { self.last_length }
    }

    /// What to do now. `idle`: nothing is in flight to the leader, or an answer has just come, so that a partial batch may go.
    pub(crate) fn step(&mut self, now: Instant, limits: &Limits, idle: bool, flushing: bool, producer_id: i64) -> Step {
        if self.recovering {
            if self.in_flight > 0 {
                return Step::Await;
            }
            self.recovering = false;
            self.drop_resolved_head();
        }
        if let Some(not_before) = self.not_before.filter(|t| *t > now) {
            return Step::Wait(not_before);
        }
        self.not_before = None;
        if self.renumber {
            if self.in_flight > 0 {
                return Step::Await;
            }
            if self.epoch == i16::MAX && self.producer_id == producer_id {
                return Step::NewId(producer_id);
            }
            self.start_numbers_anew(producer_id);
        }
        let allowed = if self.proven { limits.in_flight } else { 1 };
        if self.in_flight >= allowed {
            return Step::Await;
        }
        if self.in_flight == self.window.len() {
            // A broker remembers so many batches in all. One of a new connection may be acknowledged before the loss of those
            // before it is seen: it counts too, or the first would be forgotten and look as if it had never been written.
            if self.window.front().is_some_and(|first| self.numbered - first.number >= allowed as u64) {
                return Step::Await;
            }
            let partial_goes = idle || flushing || self.open.as_ref().is_some_and(|o| o.created + limits.linger <= now);
            let next = match self.full.pop_front() {
                Some(full) => Some(full),
                None if partial_goes => self.open.take(),
                None => None,
            };
            match next {
                Some(next) => {
                    self.sealing = Some(Arc::clone(&next.completion));
                    self.last_length = next.builder.len();
                    return Step::Seal(Box::new(next));
                }
                None => {
                    return match &self.open {
                        Some(open) => Step::Wait(open.created + limits.linger),
                        None if self.window.is_empty() => Step::Idle,
                        None => Step::Await,
                    };
                }
            }
        }
        let sent = &mut self.window[self.in_flight];
        sent.on_wire = true;
        self.in_flight += 1;
        Step::Send { id: sent.id, batch: Arc::clone(&sent.batch) }
    }

    /// Gives a batch its sequence numbers and puts it at the window's end, to be sent. Returns the bytes of memory that are free
    /// now: a batch that could not be sealed goes no further.
    pub(crate) fn admit(&mut self, sealed: Sealed, producer_id: i64) -> usize {
        self.sealing = None;
        if self.producer_id < 0 {
            self.producer_id = producer_id;
        }
        let Sealed { batch, completion, created, bytes } = sealed;
        let mut batch = match batch {
            Ok(batch) => batch,
            Err(error) => {
                let why = Arc::from(error.to_string());
                completion.settle(Fate::Refused { why, code: -1, possibly_written: false });
                return bytes;
            }
        };
        batch.stamp(self.producer_id, self.epoch, self.next_sequence, false);
        let sequence = self.next_sequence;
        self.next_sequence = after(sequence, batch.count());
        self.window.push_back(Sent {
            id: fastrand::u64(..),
            batch: Arc::new(batch),
            completion,
            created,
            sequence,
            number: self.numbered,
            on_wire: false,
            departed: false,
            maybe_written: false,
            refused: false,
            last: None,
            bytes,
        });
        self.numbered += 1;
        0
    }

    /// Before a batch that is to be sent is written: whether it may be. One that was told meanwhile not to be in the log may not.
    pub(crate) fn depart(&mut self, id: u64) -> bool {
        let Some(sent) = self.window.iter_mut().find(|sent| sent.id == id && sent.on_wire) else { return false };
        sent.departed = sent.maybe_written || !sent.completion.is_settled();
        if !sent.departed {
            sent.on_wire = false;
            self.in_flight -= 1;
            self.recovering = true;
        }
        sent.departed
    }

    /// Takes the answer to a batch. Returns the bytes of memory that are free now.
    pub(crate) fn answered(
        &mut self,
        now: Instant,
        id: u64,
        answer: Answer,
        backoff: impl Fn(u32) -> Duration,
    ) -> usize {
        let Some(at) = self.window.iter().position(|sent| sent.id == id && sent.on_wire) else { return 0 };
        self.in_flight -= 1;
        (self.window[at].on_wire, self.window[at].departed) = (false, false);
        let settled = self.window[at].completion.is_settled();
        match answer {
            Answer::Written { base_offset } => {
                self.proven = true;
                self.failures = 0;
                let sent = self.window.remove(at).expect("found above");
                sent.completion.settle(Fate::Written { base_offset });
                if let Some(batch) = Arc::into_inner(sent.batch) {
                    self.spares.give(batch.into_buffer());
                }
                return if settled { 0 } else { sent.bytes };
            }
            Answer::Retry { why, maybe_written } => {
                let sent = &mut self.window[at];
                sent.maybe_written |= maybe_written;
                sent.last = Some(why);
            }
            Answer::OutOfOrder { why } => {
                // For all but the first it says no more than that one before it failed. For the first it says that neither it
                // nor anything behind it is in the log.
                self.window[at].last = Some(why);
                if at == 0 {
                    self.renumber = true;
                    self.window.iter_mut().for_each(|sent| sent.maybe_written = false);
                }
            }
            Answer::Refused { why, code, possibly_written } => {
                let sent = &mut self.window[at];
                sent.maybe_written |= possibly_written;
                sent.refused = !sent.maybe_written;
                sent.completion.settle(Fate::Refused { why, code, possibly_written: sent.maybe_written });
                self.recovering = true;
                return if settled { 0 } else { self.window[at].bytes };
            }
        }
        self.recovering = true;
        self.failures += 1;
        self.not_before = Some(now + backoff(self.failures));
        0
    }

    /// Ends the wait for batches that are older than the deadline; the bytes of memory that are free now.
    pub(crate) fn expire(&mut self, now: Instant, limits: &Limits) -> usize {
        let late = |created: Instant| now.duration_since(created) >= limits.delivery_timeout;
        let mut freed = 0;
        for sent in self.window.iter_mut().filter(|sent| late(sent.created) && !sent.completion.is_settled()) {
            let possibly_written = sent.maybe_written || sent.departed;
            let (after, why) = (limits.delivery_timeout, sent.last.clone());
            sent.completion.settle(Fate::Expired { after, why, possibly_written });
            freed += sent.bytes;
        }
        while self.full.front().is_some_and(|open| late(open.created)) {
            freed += self.full.pop_front().map_or(0, |open| open.expire(limits));
        }
        if self.open.as_ref().is_some_and(|open| late(open.created)) {
            freed += self.open.take().map_or(0, |open| open.expire(limits));
        }
        if self.in_flight == 0 {
            self.drop_resolved_head();
        }
        freed
    }

    /// The topic's id as it is now: another one means another log, where no number counts.
    pub(crate) fn see_topic(&mut self, id: TopicId) {
        if id.is_zero() || id == self.topic_id {
            return;
        }
        if !self.topic_id.is_zero() {
            self.renumber = true;
            self.window.iter_mut().for_each(|sent| sent.maybe_written = false);
        }
        self.topic_id = id;
    }

    /// Fails everything that is left, for a producer that ends. Returns the bytes of memory that are free now.
    pub(crate) fn abandon(&mut self, why: Option<&Arc<str>>) -> usize {
        let fate = |possibly_written| Fate::Abandoned { why: why.cloned(), possibly_written };
        let mut freed = 0;
        for sent in self.window.drain(..).filter(|sent| !sent.completion.is_settled()) {
            sent.completion.settle(fate(sent.maybe_written || sent.departed));
            freed += sent.bytes;
        }
        for open in self.full.drain(..).chain(self.open.take()) {
            open.completion.settle(fate(false));
            freed += open.bytes;
        }
        // Its bytes went with whoever was sealing it.
        if let Some(sealing) = self.sealing.take() {
            sealing.settle(fate(false));
        }
        self.in_flight = 0;
        freed
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.open.is_none() && self.full.is_empty() && self.window.is_empty() && self.sealing.is_none()
    }

    /// The batches that are not settled, in order.
    pub(crate) fn unsettled(&self) -> impl Iterator<Item = Arc<Completion>> {
        let window = self.window.iter().map(|sent| &sent.completion);
        let behind = self.full.iter().chain(&self.open).map(|open| &open.completion);
        window.chain(&self.sealing).chain(behind).filter(|completion| !completion.is_settled()).cloned()
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Drops batches at the window's head that nobody waits for any more. One that is known not to be in the log leaves a gap,
    /// so what follows it, which cannot be in the log either, is numbered anew. One that may be there leaves the numbers
    /// as they are: the broker's answer to the next tells.
    fn drop_resolved_head(&mut self) {
        while self.window.front().is_some_and(|sent| sent.completion.is_settled() && !sent.on_wire) {
            let sent = self.window.pop_front().expect("seen above");
            self.renumber |= sent.refused || !sent.maybe_written;
        }
    }

    fn start_numbers_anew(&mut self, producer_id: i64) {
        self.renumber = false;
        self.proven = false;
        match self.epoch.checked_add(1) {
            Some(epoch) => self.epoch = epoch,
            None => (self.producer_id, self.epoch) = (producer_id, 0),
        }
        let mut sequence = 0;
        let (id, epoch) = (self.producer_id, self.epoch);
        self.window.retain(|sent| !sent.completion.is_settled());
        self.numbered = 0;
        for sent in &mut self.window {
            sent.sequence = sequence;
            sent.number = self.numbered;
            self.numbered += 1;
            // A request that was given up may hold the batch a little longer: then a copy is stamped.
            match Arc::get_mut(&mut sent.batch) {
                Some(batch) => batch.stamp(id, epoch, sequence, false),
                None => {
                    let mut copy = sent.batch.copy();
                    copy.stamp(id, epoch, sequence, false);
                    sent.batch = Arc::new(copy);
                }
            }
            sequence = after(sequence, sent.batch.count());
        }
        self.next_sequence = sequence;
    }
}

impl Open {
    /// Compresses the records. The buffer that is left over is kept for another batch.
    pub(crate) fn seal(self, compression: Compression, spares: &Spares) -> Sealed {
        let Open { builder, completion, created, bytes } = self;
        let output = match compression {
            Compression::None => Vec::new(),
            // As large as the records: those that do not compress would have it grow.
            _ => spares.take(builder.len() + APPEND_SLACK),
        };
        let batch = builder.seal_into(compression, output).map(|(batch, left_over)| {
            spares.give(left_over);
            batch
        });
        Sealed { batch, completion, created, bytes }
    }

    fn expire(self, limits: &Limits) -> usize {
        let after = limits.delivery_timeout;
        self.completion.settle(Fate::Expired { after, why: None, possibly_written: false });
        self.bytes
    }
}

/// The sequence number `count` records behind; behind the largest comes 0.
fn after(sequence: i32, count: u32) -> i32 {
    ((i64::from(sequence) + i64::from(count)) & i64::from(i32::MAX)) as i32
}

#[cfg(test)]
mod tests;
