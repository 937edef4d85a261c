use std::collections::{HashSet, VecDeque};

use crate::wire::messages::fetch_response::AbortedTransaction;

/// Tells which batches of one fetch answer belong to aborted transactions (KIP-98).
///
/// An answer lists the aborted transactions that overlap it, by producer and first offset. Batches are shown to
/// [`is_aborted`](AbortedFilter::is_aborted) in the log's order; an abort marker ends its producer's transaction.
#[derive(Debug, Clone, Default)]
pub(crate) struct AbortedFilter {
    /// Not yet begun, by first offset.
    ahead: VecDeque<(i64, i64)>,
    open: HashSet<i64>,
}

impl AbortedFilter {
    pub(crate) fn new(listed: &[AbortedTransaction]) -> Self {
        let mut ahead: Vec<(i64, i64)> = listed.iter().map(|a| (a.first_offset, a.producer_id)).collect();
        ahead.sort_unstable();
        AbortedFilter { ahead: ahead.into(), open: HashSet::new() }
    }

    /// Whether this data batch, of a transaction, is to be stepped over.
    pub(crate) fn is_aborted(&mut self, last_offset: i64, producer_id: i64) -> bool {
        self.begin_up_to(last_offset);
        self.open.contains(&producer_id)
    }

    /// After an abort marker of this producer.
    pub(crate) fn ended(&mut self, last_offset: i64, producer_id: i64) {
        self.begin_up_to(last_offset);
        self.open.remove(&producer_id);
    }

    fn begin_up_to(&mut self, last_offset: i64) {
        while self.ahead.front().is_some_and(|(first, _)| *first <= last_offset) {
            self.open.extend(self.ahead.pop_front().map(|(_, producer)| producer));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::messages::message;

    #[test]
    fn an_aborted_transaction_lasts_from_its_first_offset_to_its_marker() {
        let aborted = |producer_id, first_offset| {
            message!(AbortedTransaction { producer_id: producer_id, first_offset: first_offset })
        };
        let mut filter = AbortedFilter::new(&[aborted(7, 20), aborted(7, 5), aborted(8, 6)]);
        assert!(!filter.is_aborted(4, 7));
        assert!(filter.is_aborted(5, 7));
        assert!(!filter.is_aborted(9, 9));
        assert!(filter.is_aborted(10, 8));
        filter.ended(11, 7);
        assert!(!filter.is_aborted(12, 7), "the producer's next transaction");
        assert!(filter.is_aborted(12, 8), "another producer's is open still");
        assert!(filter.is_aborted(20, 7), "and its next one is aborted too");
    }
}
