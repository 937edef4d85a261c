//! What was asked: a log for tests to assert on, and what faults go by.

use std::{collections::VecDeque, sync::Arc};

use tokio::time::Instant;

use super::{api::Caller, api_name::Api, state::State, turns::TopicKey};
use crate::{
    model::TopicPartition,
    wire::{
        messages::{
            DeleteRecordsRequest, FetchRequest, ListOffsetsRequest, OffsetCommitRequest, OffsetDeleteRequest,
            OffsetFetchRequest, OffsetForLeaderEpochRequest, ProduceRequest,
        },
        serve::Request,
    },
};

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

/// What a request says of itself, before it is served. `None` for what is not served at all.
pub(super) fn read(state: &State, caller: &Caller, request: &Request) -> Option<ReceivedRequest> {
    let api = Api::of_key(request.api_key)?;
    // One that cannot be read names nothing: serving it will say why.
    let partitions = named(state, api, request).unwrap_or_default();
    let client_id = request.client_id.clone().unwrap_or_default();
    let (at, version, broker) = (caller.now, request.version, caller.broker);
    Some(ReceivedRequest { at, api, version, broker, client_id, partitions })
}

fn named(state: &State, api: Api, request: &Request) -> Result<Vec<TopicPartition>, String> {
    let mut named = Vec::new();
    match api {
        Api::Produce => {
            for topic in request.body::<ProduceRequest>()?.topic_data {
                let partitions = topic.partition_data.iter().map(|data| data.index);
                push(&mut named, name(state, topic.name.as_str(), topic.topic_id), partitions);
            }
        }
        Api::Fetch => {
            for topic in request.body::<FetchRequest>()?.topics {
                let partitions = topic.partitions.iter().map(|partition| partition.partition);
                push(&mut named, name(state, topic.topic.as_str(), topic.topic_id), partitions);
            }
        }
        Api::ListOffsets => {
            for topic in request.body::<ListOffsetsRequest>()?.topics {
                let partitions = topic.partitions.iter().map(|partition| partition.partition_index);
                push(&mut named, Some(topic.name.as_str().into()), partitions);
            }
        }
        Api::OffsetForLeaderEpoch => {
            for topic in request.body::<OffsetForLeaderEpochRequest>()?.topics {
                let partitions = topic.partitions.iter().map(|partition| partition.partition);
                push(&mut named, Some(topic.topic.as_str().into()), partitions);
            }
        }
        Api::OffsetCommit => {
            for topic in request.body::<OffsetCommitRequest>()?.topics {
                let partitions = topic.partitions.iter().map(|partition| partition.partition_index);
                push(&mut named, name(state, topic.name.as_str(), topic.topic_id), partitions);
            }
        }
        Api::OffsetFetch => {
            let request = request.body::<OffsetFetchRequest>()?;
            for topic in request.topics.iter().flatten() {
                push(&mut named, Some(topic.name.as_str().into()), topic.partition_indexes.iter().copied());
            }
            for topic in request.groups.iter().flat_map(|group| group.topics.iter().flatten()) {
                let partitions = topic.partition_indexes.iter().copied();
                push(&mut named, name(state, topic.name.as_str(), topic.topic_id), partitions);
            }
        }
        Api::OffsetDelete => {
            for topic in request.body::<OffsetDeleteRequest>()?.topics {
                let partitions = topic.partitions.iter().map(|partition| partition.partition_index);
                push(&mut named, Some(topic.name.as_str().into()), partitions);
            }
        }
        Api::DeleteRecords => {
            for topic in request.body::<DeleteRecordsRequest>()?.topics {
                let partitions = topic.partitions.iter().map(|partition| partition.partition_index);
                push(&mut named, Some(topic.name.as_str().into()), partitions);
            }
        }
        _ => {}
    }
    Ok(named)
}

/// A topic goes by its name or, in newer versions, by its id.
fn name(state: &State, name: &str, id: impl Into<crate::model::TopicId>) -> Option<Arc<str>> {
    if name.is_empty() { state.topics.name_of(id.into()).cloned() } else { Some(Arc::from(name)) }
}

fn push(named: &mut Vec<TopicPartition>, topic: Option<Arc<str>>, partitions: impl Iterator<Item = i32>) {
    if let Some(topic) = topic {
        named.extend(partitions.map(|partition| TopicPartition::new(Arc::clone(&topic), partition)));
    }
}

/// The partitions that the session of a fetch has already, whether it names them or not.
pub(super) fn of_session(state: &State, request: &Request) -> Vec<TopicPartition> {
    if request.api_key != Api::Fetch.key() {
        return Vec::new();
    }
    let Ok(fetch) = request.body::<FetchRequest>() else { return Vec::new() };
    let partitions = state.sessions.partitions(fetch.session_id).filter_map(|wanted| {
        let topic = match &wanted.topic {
            TopicKey::Name(name) => name,
            TopicKey::Id(id) => state.topics.name_of(*id)?,
        };
        Some(TopicPartition::new(Arc::clone(topic), wanted.partition))
    });
    partitions.collect()
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
