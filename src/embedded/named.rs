//! What requests say of themselves: which partitions they name.

use std::sync::Arc;

use super::{api_name::Api, caller::Caller, received::ReceivedRequest, state::State, turns::TopicKey};
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
