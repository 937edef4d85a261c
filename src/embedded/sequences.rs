use std::collections::{HashMap, VecDeque};

use crate::{batch::Batch, wire::ErrorCode};

/// Per partition: what idempotent producers have written last, so that a batch sent twice is kept once (KIP-98).
#[derive(Debug, Default)]
pub(crate) struct Sequences {
    producers: HashMap<i64, Producer>,
}

#[derive(Debug)]
struct Producer {
    epoch: i16,
    /// Its last batches, the newest at the back.
    last: VecDeque<Written>,
}

#[derive(Debug, Clone, Copy)]
struct Written {
    first: i32,
    last: i32,
    offset: i64,
    /// The latest of its records.
    timestamp: i64,
}

/// As many batches of a producer are remembered; it may have as many in flight.
const REMEMBERED: usize = 5;

/// As many producers are remembered; of more, half are forgotten, those that wrote last the longest ago.
const MOST_PRODUCERS: usize = 20_000;

/// What a batch is to the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// The next in its producer's sequence, or of none.
    New,
    /// Written already, at this offset, the latest of its records with this timestamp.
    Duplicate { offset: i64, timestamp: i64 },
}

impl Sequences {
    /// What this batch is, or why it may not be written.
    pub(crate) fn check(&self, batch: &Batch) -> Result<Arrival, ErrorCode> {
        if batch.producer_id() < 0 {
            return Ok(Arrival::New);
        }
        // A producer that nothing is known of may begin with any number: what it wrote may have been deleted.
        let Some(producer) = self.producers.get(&batch.producer_id()) else { return Ok(Arrival::New) };
        let (first, last) = (batch.base_sequence(), last_sequence(batch));
        if batch.producer_epoch() < producer.epoch {
            return Err(ErrorCode::INVALID_PRODUCER_EPOCH);
        }
        if batch.producer_epoch() > producer.epoch {
            return if first == 0 { Ok(Arrival::New) } else { Err(ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER) };
        }
        if let Some(same) = producer.last.iter().find(|written| written.first == first && written.last == last) {
            return Ok(Arrival::Duplicate { offset: same.offset, timestamp: same.timestamp });
        }
        match producer.last.back() {
            Some(newest) if following(newest.last) != first => Err(ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER),
            _ => Ok(Arrival::New),
        }
    }

    /// It has been written at `offset`.
    pub(crate) fn written(&mut self, batch: &Batch, offset: i64) {
        if batch.producer_id() < 0 || batch.is_control() {
            return;
        }
        if self.producers.len() >= MOST_PRODUCERS && !self.producers.contains_key(&batch.producer_id()) {
            self.forget_half();
        }
        let epoch = batch.producer_epoch();
        let producer = self
            .producers
            .entry(batch.producer_id())
            .or_insert_with(|| Producer { epoch, last: VecDeque::with_capacity(REMEMBERED) });
        if producer.epoch != epoch {
            (producer.epoch, producer.last) = (epoch, VecDeque::with_capacity(REMEMBERED));
        }
        if producer.last.len() == REMEMBERED {
            producer.last.pop_front();
        }
        let (first, last, timestamp) = (batch.base_sequence(), last_sequence(batch), batch.max_timestamp());
        producer.last.push_back(Written { first, last, offset, timestamp });
    }
}

impl Sequences {
    fn forget_half(&mut self) {
        let newest = |producer: &Producer| producer.last.back().map_or(-1, |written| written.offset);
        let mut offsets: Vec<i64> = self.producers.values().map(newest).collect();
        let (_, middle, _) = offsets.select_nth_unstable(MOST_PRODUCERS / 2);
        self.producers.retain(|_, producer| newest(producer) >= *middle);
    }
}

/// Sequence numbers begin at 0 again behind the largest.
fn last_sequence(batch: &Batch) -> i32 {
    let more = i64::from(batch.count()) - 1;
    ((i64::from(batch.base_sequence()) + more) & i64::from(i32::MAX)) as i32
}

fn following(sequence: i32) -> i32 {
    if sequence == i32::MAX { 0 } else { sequence + 1 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::{BatchBuilder, Compression, RecordSet};

    fn batch_of(producer_id: i64) -> Batch {
        let mut builder = BatchBuilder::new(Vec::new());
        builder.append(1, None, Some(b"v"), &[]);
        let mut sealed = builder.seal(Compression::None).unwrap();
        sealed.stamp(producer_id, 0, 0, false);
        RecordSet::new(sealed.bytes().to_vec().into()).next().unwrap().unwrap()
    }

    #[test]
    fn of_too_many_producers_the_newest_are_remembered() {
        let mut sequences = Sequences::default();
        let most = MOST_PRODUCERS as i64;
        for id in 0..=most {
            sequences.written(&batch_of(id), id);
        }
        assert!(sequences.producers.len() <= MOST_PRODUCERS / 2 + 1);
        assert_eq!(sequences.check(&batch_of(most)), Ok(Arrival::Duplicate { offset: most, timestamp: 1 }));
        assert_eq!(sequences.check(&batch_of(most - 1)), Ok(Arrival::Duplicate { offset: most - 1, timestamp: 1 }));
        assert_eq!(sequences.check(&batch_of(0)), Ok(Arrival::New));
    }
}
