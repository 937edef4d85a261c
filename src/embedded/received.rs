//! What was asked: a log for tests to assert on, and what faults go by.

use std::{collections::VecDeque, sync::Arc};

use tokio::time::Instant;

use super::api_name::Api;
use crate::model::TopicPartition;

/// A request that an embedded broker has received.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReceivedRequest {
    /// When it came, by tokio's clock.
    pub at: Instant,
    /// What was asked for.
    pub api: Api,
    /// In which version.
    pub version: i16,
    /// The broker that was asked.
    pub broker: i32,
    /// What the client calls itself; empty if nothing.
    pub client_id: Arc<str>,
    /// The partitions that it names: of Produce, Fetch, ListOffsets, OffsetForLeaderEpoch, OffsetCommit, OffsetFetch, OffsetDelete
    /// and DeleteRecords. A fetch within a session (KIP-227) names only those that have changed.
    pub partitions: Vec<TopicPartition>,
}

/// So many requests and partitions of requests are kept; the oldest go. Of one request no more partitions than that.
const KEPT: usize = 10_000;
/// As many bytes of names count as one more.
const NAMES: usize = 256;

/// The newest requests, the oldest first.
#[derive(Debug, Default)]
pub(crate) struct Log {
    requests: VecDeque<ReceivedRequest>,
    /// What they count.
    size: usize,
}

/// How much of what is kept a request is.
fn size_of(request: &ReceivedRequest) -> usize {
    let mut names = request.client_id.len();
    // Those of one topic share its name.
    for (n, partition) in request.partitions.iter().enumerate() {
        let is_same = n > 0 && Arc::ptr_eq(&request.partitions[n - 1].topic, &partition.topic);
        names += if is_same { 0 } else { partition.topic.len() };
    }
    1 + request.partitions.len() + names / NAMES
}

impl Log {
    pub(crate) fn push(&mut self, mut request: ReceivedRequest) {
        request.partitions.truncate(KEPT);
        request.partitions.shrink_to_fit();
        self.size += size_of(&request);
        self.requests.push_back(request);
        while self.size > KEPT
            && self.requests.len() > 1
            && let Some(oldest) = self.requests.pop_front()
        {
            self.size -= size_of(&oldest);
        }
    }

    pub(crate) fn to_vec(&self) -> Vec<ReceivedRequest> {
        self.requests.iter().cloned().collect()
    }

    pub(crate) fn clear(&mut self) {
        *self = Log::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_count_for_more() {
        let mut log = Log::default();
        for _ in 0..KEPT {
            // Of two topics with names that none can have.
            let topic = || Arc::from("t".repeat(32_000));
            let partitions =
                vec![TopicPartition { topic: topic(), partition: 0 }, TopicPartition { topic: topic(), partition: 0 }];
            let client_id = Arc::from("c".repeat(32_000));
            log.push(ReceivedRequest {
                at: Instant::now(),
                api: Api::Fetch,
                version: 0,
                broker: 1,
                client_id,
                partitions,
            });
        }
        assert_eq!(log.to_vec().len(), KEPT / (3 + 96_000 / NAMES));
        let topic = Arc::from("t");
        let partitions = (0..3 * KEPT as i32).map(|partition| TopicPartition { topic: Arc::clone(&topic), partition });
        let partitions = partitions.collect();
        log.push(ReceivedRequest {
            at: Instant::now(),
            api: Api::Fetch,
            version: 0,
            broker: 1,
            client_id: "".into(),
            partitions,
        });
        assert_eq!(log.to_vec().iter().map(|request| request.partitions.len()).collect::<Vec<_>>(), [KEPT]);
    }

    #[test]
    fn the_log_forgets_the_oldest() {
        let mut log = Log::default();
        for version in 0..20_000 {
            let partitions = vec![TopicPartition::new("t", 0); 3];
            log.push(ReceivedRequest {
                at: Instant::now(),
                api: Api::Fetch,
                version,
                broker: 1,
                client_id: "".into(),
                partitions,
            });
        }
        let kept = log.to_vec();
        assert_eq!((kept.len(), kept.last().map(|request| request.version)), (KEPT / 4, Some(19_999)));
        log.clear();
        assert!(log.to_vec().is_empty());
    }
}
