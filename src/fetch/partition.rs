use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{AbortedFilter, Chunk, Wanted};
use crate::{
    batch::{BatchError, RecordSet},
    cluster::{ClusterError, EpochEnd, FoundOffset},
    model::{IsolationLevel, OffsetReset, OffsetSpec, TopicId},
    time::Backoff,
    wire::{ErrorCode, messages::fetch_response::PartitionData},
};

/// What all partitions of a consumer go by.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    pub(crate) reset: OffsetReset,
    pub(crate) isolation: IsolationLevel,
    pub(crate) check_crcs: bool,
    pub(crate) retry_backoff: Duration,
    pub(crate) retry_backoff_max: Duration,
    /// How long a replica that the leader has named is read from before the leader is asked again.
    pub(crate) replica_for: Duration,
}

/// Where reading one partition stands, and what comes next.
///
/// Two numbers keep what is late from doing harm. `attempt` changes with whatever makes answers under way worthless (another
/// leader, a seek); `lineage` changes with what makes fetched records worthless too (a seek, a truncated log).
#[derive(Debug)]
pub(crate) struct PartitionFetch {
    rules: Arc<Rules>,
    state: State,
    attempt: u64,
    lineage: u64,
    in_flight: bool,
    paused: bool,
    /// The offset to be fetched next.
    next: i64,
    /// The leader epoch of the record before it; −1 where unknown.
    last_epoch: i32,
    leader: Option<i32>,
    leader_epoch: i32,
    topic_id: TopicId,
    /// The replica that the leader has named for this client's rack (KIP-392), and until when it counts.
    replica: Option<(i32, Instant)>,
    backoff: Backoff,
    not_before: Option<Instant>,
    /// Whether the failure that goes on has been told.
    told: bool,
    /// Bytes that came broken from this offset are fetched once more before that is told.
    suspect: Option<i64>,
    stop: Stop,
    end_offset: Option<i64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Locate(OffsetSpec),
    /// The leader has changed: has its log what was read (KIP-320)?
    Validate,
    Fetch,
    /// Failed for good: a seek goes on.
    Halted,
}

/// Where reading is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    Never,
    /// At the log's end as it is when it is asked for.
    AtEnd,
    Before(i64),
}

/// One partition's part of a fetch request.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    pub(crate) attempt: u64,
    pub(crate) wanted: Wanted,
}

/// What a broker's fetcher does with a partition now.
#[derive(Debug)]
pub(crate) enum Want {
    Fetch(Ask),
    /// Nothing before this time.
    Wait(Instant),
    Nothing,
}

/// A question that stands before the next fetch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Inquiry {
    Offset(OffsetSpec),
    /// Where the epoch of the last record read ends, under the leader epoch.
    Epoch {
        last: i32,
        leader: i32,
    },
}

/// What became of an answer.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    pub(crate) next: Option<Next>,
    /// The metadata are stale.
    pub(crate) refresh: bool,
}

/// What the reader meets next in this partition, in order.
#[derive(Debug)]
pub(crate) enum Next {
    Chunk(Chunk),
    /// Reading goes on at this offset.
    Moved(i64),
    Failed(FetchFailure),
}

/// Why a partition cannot be read on. Told once.
#[derive(Debug, Clone)]
pub(crate) enum FetchFailure {
    OutOfRange { offset: i64 },
    Truncated { offset: i64, end: Option<i64> },
    Corrupt { offset: i64, next: Option<i64>, error: BatchError },
    Refused { code: ErrorCode },
    Cluster(ClusterError),
}

impl PartitionFetch {
    /// `incarnation` is one that no other has had.
    pub(crate) fn new(rules: Arc<Rules>, incarnation: u32, at: OffsetSpec, to_end: bool) -> Self {
        let mut this = PartitionFetch::waiting(rules, incarnation);
        this.stop = if to_end { Stop::AtEnd } else { Stop::Never };
        this.start_at(at);
        this
    }

    /// As [`new`](PartitionFetch::new), for one of which it is not known yet where to start: a seek, or
    /// [`start_behind`](PartitionFetch::start_behind), says it.
    pub(crate) fn waiting(rules: Arc<Rules>, incarnation: u32) -> Self {
        let backoff = Backoff::new(rules.retry_backoff, rules.retry_backoff_max);
        let first = u64::from(incarnation) << 32;
        PartitionFetch {
            rules,
            state: State::Halted,
            attempt: first,
            lineage: first,
            in_flight: false,
            paused: false,
            next: -1,
            last_epoch: -1,
            leader: None,
            leader_epoch: -1,
            topic_id: TopicId::ZERO,
            replica: None,
            backoff,
            not_before: None,
            told: false,
            suspect: None,
            stop: Stop::Never,
            end_offset: None,
        }
    }

    /// Goes on behind a record that was appended under this leader epoch, −1 where unknown: whether the log still has it is asked
    /// first (KIP-320).
    pub(crate) fn start_behind(&mut self, at: OffsetSpec, epoch: i32) {
        self.seek(at);
        self.last_epoch = epoch;
        if self.state == State::Fetch && epoch >= 0 && self.leader_epoch >= 0 {
            self.state = State::Validate;
        }
    }

    /// Goes on elsewhere; what was fetched counts no more.
    pub(crate) fn seek(&mut self, at: OffsetSpec) {
        self.lineage += 1;
        self.start_at(at);
    }

    fn start_at(&mut self, at: OffsetSpec) {
        self.give_up_attempt();
        (self.last_epoch, self.suspect, self.told) = (-1, None, false);
        self.state = match at {
            OffsetSpec::At(offset) => {
                self.next = offset;
                State::Fetch
            }
            spec => State::Locate(spec),
        };
    }

    fn give_up_attempt(&mut self) {
        self.attempt += 1;
        self.in_flight = false;
        self.not_before = None;
        self.backoff.reset();
    }

    pub(crate) fn set_paused(&mut self, paused: bool) {
        self.paused = paused;
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.paused
    }

    pub(crate) fn lineage(&self) -> u64 {
        self.lineage
    }

    /// Where the log ends for this consumer, as the last answer told.
    pub(crate) fn end_offset(&self) -> Option<i64> {
        self.end_offset
    }

    /// The offset that reading stops before.
    pub(crate) fn stop(&self) -> Option<i64> {
        match self.stop {
            Stop::Before(offset) => Some(offset),
            _ => None,
        }
    }

    /// Whether a reader at `position` has all that there is to come.
    pub(crate) fn is_finished(&self, position: Option<i64>) -> bool {
        self.state == State::Halted || self.stop().is_some_and(|stop| position.is_some_and(|p| p >= stop))
    }

    /// Takes over what the metadata say.
    pub(crate) fn see(&mut self, id: TopicId, leader: Option<i32>, epoch: i32) -> Option<Next> {
        if id != self.topic_id && !id.is_zero() {
            let is_new = !self.topic_id.is_zero();
            self.topic_id = id;
            if is_new {
                return self.start_in_new_topic(leader, epoch);
            }
        }
        if leader == self.leader && epoch == self.leader_epoch {
            return None;
        }
        (self.leader, self.leader_epoch, self.replica) = (leader, epoch, None);
        self.give_up_attempt();
        if self.state == State::Fetch && self.last_epoch >= 0 && epoch >= 0 {
            self.state = State::Validate;
        }
        None
    }

    /// No broker knows the topic any more. Told once; if it comes back reading goes on, unless it was to end.
    pub(crate) fn topic_is_gone(&mut self, failure: FetchFailure) -> Option<Next> {
        if self.stop != Stop::Never && self.state != State::Halted {
            return self.halt(failure);
        }
        self.tell(failure).filter(|_| self.state != State::Halted)
    }

    /// The topic was deleted and made again: all its records are new.
    fn start_in_new_topic(&mut self, leader: Option<i32>, epoch: i32) -> Option<Next> {
        let offset = self.next;
        (self.leader, self.leader_epoch, self.replica) = (leader, epoch, None);
        if self.stop != Stop::Never {
            // None of them was there when reading began.
            self.give_up_attempt();
            self.state = State::Halted;
            return None;
        }
        self.start_at(OffsetSpec::Beginning);
        match self.rules.reset {
            OffsetReset::None => self.halt(FetchFailure::OutOfRange { offset }),
            _ => None,
        }
    }

    /// The broker to fetch from.
    pub(crate) fn source(&self, now: Instant) -> Option<i32> {
        self.replica.filter(|(_, until)| now < *until).map(|(id, _)| id).or(self.leader)
    }

    /// What the fetcher of `broker` does now. A partition that it is told to fetch is in flight until its answer.
    pub(crate) fn want(&mut self, now: Instant, broker: i32, topic: &Arc<str>, partition: i32) -> Want {
        let is_behind_stop = match self.stop {
            Stop::Never => false,
            Stop::AtEnd => true,
            Stop::Before(stop) => self.next >= stop,
        };
        if self.state != State::Fetch || self.paused || self.in_flight || is_behind_stop {
            return Want::Nothing;
        }
        if self.source(now) != Some(broker) {
            return Want::Nothing;
        }
        if let Some(until) = self.not_before.filter(|t| *t > now) {
            return Want::Wait(until);
        }
        self.in_flight = true;
        let wanted = Wanted {
            topic: Arc::clone(topic),
            id: self.topic_id,
            partition,
            offset: self.next,
            leader_epoch: self.leader_epoch,
        };
        Want::Fetch(Ask { attempt: self.attempt, wanted })
    }

    /// Whether something has to be found out before the next fetch.
    pub(crate) fn has_question(&self) -> bool {
        self.stop == Stop::AtEnd || matches!(self.state, State::Locate(_) | State::Validate)
    }

    /// The question that has to be answered first, of the leader; and when, if not now. It is in flight until it is.
    pub(crate) fn inquire(&mut self, now: Instant) -> Result<Option<(u64, Inquiry)>, Instant> {
        if self.in_flight || self.leader.is_none() {
            return Ok(None);
        }
        let inquiry = match (self.stop, self.state) {
            (_, State::Halted) => return Ok(None),
            (Stop::AtEnd, _) => Inquiry::Offset(OffsetSpec::End),
            (_, State::Locate(spec)) => Inquiry::Offset(spec),
            (_, State::Validate) => Inquiry::Epoch { last: self.last_epoch, leader: self.leader_epoch },
            (_, State::Fetch) => return Ok(None),
        };
        if let Some(until) = self.not_before.filter(|t| *t > now) {
            return Err(until);
        }
        self.in_flight = true;
        Ok(Some((self.attempt, inquiry)))
    }

    /// Takes the answer to an inquiry for an offset.
    pub(crate) fn located(&mut self, now: Instant, attempt: u64, found: Result<FoundOffset, ClusterError>) -> Taken {
        if attempt != self.attempt {
            return Taken::default();
        }
        self.in_flight = false;
        match found {
            Err(error) => self.inquiry_failed(now, error),
            Ok(found) => {
                let is_time = matches!(self.state, State::Locate(OffsetSpec::Timestamp(_)));
                if found.offset < 0 && (self.stop == Stop::AtEnd || !is_time) {
                    // Every log has a beginning and an end: the broker does not know them yet.
                    self.back_off(now);
                    return Taken { refresh: true, ..Taken::default() };
                }
                self.recovered();
                if self.stop == Stop::AtEnd {
                    self.stop = Stop::Before(found.offset);
                    return Taken::default();
                }
                if found.offset < 0 {
                    // No record is as young as that.
                    self.state = State::Locate(OffsetSpec::End);
                    return Taken::default();
                }
                self.state = State::Fetch;
                (self.next, self.last_epoch) = (found.offset, found.leader_epoch);
                Taken { next: Some(Next::Moved(found.offset)), ..Taken::default() }
            }
        }
    }

    /// Takes the answer to an inquiry for an epoch.
    pub(crate) fn validated(&mut self, now: Instant, attempt: u64, found: Result<EpochEnd, ClusterError>) -> Taken {
        if attempt != self.attempt {
            return Taken::default();
        }
        self.in_flight = false;
        match found {
            Err(error) => self.inquiry_failed(now, error),
            Ok(end) => {
                self.recovered();
                let next = self.diverged(end);
                Taken { next, ..Taken::default() }
            }
        }
    }

    /// Compares where the epoch of the last record ends with what was read of it.
    fn diverged(&mut self, end: EpochEnd) -> Option<Next> {
        self.state = State::Fetch;
        let known = end.end_offset >= 0 && end.leader_epoch >= 0;
        if known && end.end_offset >= self.next {
            return None;
        }
        let offset = self.next;
        self.lineage += 1;
        match (known, self.rules.reset.spec()) {
            (_, None) => self.halt(FetchFailure::Truncated { offset, end: known.then_some(end.end_offset) }),
            (true, Some(_)) => {
                (self.next, self.last_epoch) = (end.end_offset, end.leader_epoch);
                Some(Next::Moved(end.end_offset))
            }
            (false, Some(spec)) => {
                self.start_at(spec);
                None
            }
        }
    }

    fn inquiry_failed(&mut self, now: Instant, error: ClusterError) -> Taken {
        self.back_off(now);
        if error.is_retriable() {
            return Taken { refresh: true, ..Taken::default() };
        }
        let next = self.tell(FetchFailure::Cluster(error));
        Taken { next, refresh: true }
    }

    /// The request came to nothing.
    pub(crate) fn lost(&mut self, now: Instant, attempt: u64) {
        if attempt == self.attempt {
            self.in_flight = false;
            self.replica = None;
            self.back_off(now);
        }
    }

    /// The answer says nothing of the partition: in a session that means nothing new.
    pub(crate) fn unchanged(&mut self, attempt: u64) {
        if attempt == self.attempt {
            self.in_flight = false;
        }
    }

    /// Takes one partition's part of `broker`'s answer.
    pub(crate) fn answered(&mut self, now: Instant, broker: i32, ask: &Ask, data: &PartitionData) -> Taken {
        if ask.attempt != self.attempt {
            return Taken::default();
        }
        self.in_flight = false;
        let code = ErrorCode::new(data.error_code);
        match code {
            ErrorCode::NONE => self.take(now, broker, data),
            ErrorCode::OFFSET_OUT_OF_RANGE if self.leader != Some(broker) => {
                // A replica may lag behind: the leader knows.
                self.replica = None;
                Taken::default()
            }
            ErrorCode::OFFSET_OUT_OF_RANGE => {
                let offset = self.next;
                let next = match self.rules.reset.spec() {
                    Some(spec) => {
                        self.start_at(spec);
                        None
                    }
                    None => self.halt(FetchFailure::OutOfRange { offset }),
                };
                Taken { next, ..Taken::default() }
            }
            code if code.is_retriable() => {
                self.replica = None;
                self.back_off(now);
                Taken { refresh: true, ..Taken::default() }
            }
            code => {
                self.back_off(now);
                Taken { next: self.tell(FetchFailure::Refused { code }), refresh: true }
            }
        }
    }

    fn take(&mut self, now: Instant, broker: i32, data: &PartitionData) -> Taken {
        let end = match self.rules.isolation {
            IsolationLevel::ReadCommitted if data.last_stable_offset >= 0 => data.last_stable_offset,
            _ => data.high_watermark,
        };
        if end >= 0 {
            self.end_offset = Some(end);
        }
        if data.diverging_epoch.end_offset >= 0 {
            let end =
                EpochEnd { leader_epoch: data.diverging_epoch.epoch, end_offset: data.diverging_epoch.end_offset };
            return Taken { next: self.diverged(end), ..Taken::default() };
        }
        if data.preferred_read_replica >= 0 && data.preferred_read_replica != broker {
            self.replica = Some((data.preferred_read_replica, now + self.rules.replica_for));
        }
        let Some(bytes) = data.records.as_ref().filter(|bytes| !bytes.is_empty()) else {
            self.recovered();
            return Taken::default();
        };
        let from = self.next;
        let (mut length, mut next, mut epoch, mut fault) = (0, from, self.last_epoch, None);
        for batch in RecordSet::new(bytes.clone()) {
            let checked = batch.and_then(|batch| {
                if self.rules.check_crcs {
                    batch.verify()?;
                }
                if length > 0 && batch.base_offset() < next {
                    let why = format!("it comes behind offset {}", next - 1);
                    return Err(BatchError::Malformed { offset: batch.base_offset(), why });
                }
                Ok(batch)
            });
            match checked {
                Ok(batch) => {
                    length += batch.size_in_bytes();
                    next = next.max(batch.next_offset());
                    epoch = batch.leader_epoch();
                }
                Err(error) => {
                    fault = Some(error);
                    break;
                }
            }
        }
        if next > from {
            self.recovered();
            self.suspect = None;
            (self.next, self.last_epoch) = (next, epoch);
            let aborted = match self.rules.isolation {
                IsolationLevel::ReadCommitted => {
                    Some(AbortedFilter::new(data.aborted_transactions.as_deref().unwrap_or_default()))
                }
                IsolationLevel::ReadUncommitted => None,
            };
            let chunk = Chunk { records: bytes.slice(..length), from, next, aborted };
            return Taken { next: Some(Next::Chunk(chunk)), ..Taken::default() };
        }
        self.back_off(now);
        let Some(error) = fault else { return Taken::default() };
        if self.suspect.replace(from) != Some(from) {
            tracing::warn!("broken bytes at offset {from} are fetched once more: {error}");
            return Taken::default();
        }
        let next = self.halt(FetchFailure::Corrupt { offset: from, next: None, error });
        Taken { next, ..Taken::default() }
    }

    /// The reader could not read a batch that it was given.
    pub(crate) fn unreadable(&mut self) {
        self.lineage += 1;
        self.give_up_attempt();
        self.state = State::Halted;
    }

    fn halt(&mut self, failure: FetchFailure) -> Option<Next> {
        self.give_up_attempt();
        self.state = State::Halted;
        Some(Next::Failed(failure))
    }

    /// Once for as long as it goes on failing.
    fn tell(&mut self, failure: FetchFailure) -> Option<Next> {
        (!std::mem::replace(&mut self.told, true)).then_some(Next::Failed(failure))
    }

    fn back_off(&mut self, now: Instant) {
        self.not_before = Some(now + self.backoff.next_wait());
    }

    fn recovered(&mut self) {
        self.backoff.reset();
        self.not_before = None;
        self.told = false;
    }
}

#[cfg(test)]
mod tests;
