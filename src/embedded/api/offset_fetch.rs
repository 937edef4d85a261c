use std::collections::{BTreeMap, HashSet};

use super::Caller;
use crate::{
    embedded::{
        group::{Committed, Group},
        state::State,
    },
    wire::{
        ErrorCode,
        messages::{
            OffsetFetchRequest, OffsetFetchResponse, message,
            offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopics},
            offset_fetch_response::{
                OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions,
                OffsetFetchResponseTopic, OffsetFetchResponseTopics,
            },
        },
    },
};

/// From this version on several groups are asked for at once (KIP-709).
const BATCHES_FROM: i16 = 8;
/// From this version on topics go by their ids.
const TOPIC_IDS_FROM: i16 = 10;
/// From this version on the answer as a whole carries an error.
const ERRORS_FROM: i16 = 2;
const EPOCHS_FROM: i16 = 5;

/// What groups have committed. All of it is stable, as there are no transactions.
pub(super) fn answer(state: &mut State, caller: &Caller, request: OffsetFetchRequest) -> OffsetFetchResponse {
    if caller.version >= BATCHES_FROM {
        // All that a group has is told once, however often it is asked for.
        let mut seen = HashSet::new();
        let groups = request.groups.iter();
        let groups = groups.filter(|asked| asked.topics.is_some() || seen.insert(asked.group_id.as_str()));
        let groups = groups.map(|asked| fetched(state, caller, asked));
        return message!(OffsetFetchResponse { groups: groups.collect() });
    }
    match fetched(state, caller, &as_batch(&request)) {
        group if group.error_code != 0 => refuse(&request, caller.version, ErrorCode::new(group.error_code)),
        group => message!(OffsetFetchResponse { topics: group.topics.into_iter().map(topic_alone).collect() }),
    }
}

/// The request of old, as it is made now.
fn as_batch(request: &OffsetFetchRequest) -> OffsetFetchRequestGroup {
    let topics = request.topics.as_ref().map(|topics| {
        let topics = topics.iter().map(|topic| {
            let partitions = topic.partition_indexes.clone();
            message!(OffsetFetchRequestTopics { name: topic.name.clone(), partition_indexes: partitions })
        });
        topics.collect()
    });
    message!(OffsetFetchRequestGroup { group_id: request.group_id.clone(), topics: topics })
}

fn topic_alone(topic: OffsetFetchResponseTopics) -> OffsetFetchResponseTopic {
    let partitions = topic.partitions.into_iter().map(|partition| {
        message!(OffsetFetchResponsePartition {
            partition_index: partition.partition_index,
            committed_offset: partition.committed_offset,
            committed_leader_epoch: partition.committed_leader_epoch,
            metadata: partition.metadata,
            error_code: partition.error_code,
        })
    });
    message!(OffsetFetchResponseTopic { name: topic.name, partitions: partitions.collect() })
}

fn fetched(state: &State, caller: &Caller, asked: &OffsetFetchRequestGroup) -> OffsetFetchResponseGroup {
    let id = asked.group_id.as_str();
    if let Err(code) = state.check_coordinator(caller.broker, id) {
        return message!(OffsetFetchResponseGroup { group_id: asked.group_id.clone(), error_code: code.code() });
    }
    let group = state.groups.get(id);
    let topics = match &asked.topics {
        Some(topics) => topics.iter().map(|topic| of_topic(state, caller, group, topic)).collect(),
        None => group.map(|group| all(state, caller, group)).unwrap_or_default(),
    };
    message!(OffsetFetchResponseGroup { group_id: asked.group_id.clone(), topics: topics })
}

fn of_topic(
    state: &State,
    caller: &Caller,
    group: Option<&Group>,
    asked: &OffsetFetchRequestTopics,
) -> OffsetFetchResponseTopics {
    let name = match caller.version {
        TOPIC_IDS_FROM.. => state.topics.name_of(asked.topic_id.into()).map(|name| &**name),
        _ => Some(asked.name.as_str()),
    };
    let failed = |index: i32, code: ErrorCode| {
        message!(OffsetFetchResponsePartitions {
            partition_index: index,
            committed_offset: -1,
            error_code: code.code(),
        })
    };
    let partitions = asked.partition_indexes.iter().map(|index| match name {
        Some(name) => match caller.check(name, *index) {
            Ok(()) => partition(caller, *index, group.and_then(|group| group.offsets.get(name, *index))),
            Err(code) => failed(*index, code),
        },
        None => failed(*index, ErrorCode::UNKNOWN_TOPIC_ID),
    });
    message!(OffsetFetchResponseTopics {
        name: asked.name.clone(),
        topic_id: asked.topic_id,
        partitions: partitions.collect(),
    })
}

fn all(state: &State, caller: &Caller, group: &Group) -> Vec<OffsetFetchResponseTopics> {
    let topic = |name: &str, partitions: &BTreeMap<i32, Committed>| {
        let partitions = partitions.iter().map(|(index, committed)| partition(caller, *index, Some(committed)));
        let mut topic = message!(OffsetFetchResponseTopics { partitions: partitions.collect() });
        if caller.version >= TOPIC_IDS_FROM {
            topic.topic_id = state.topics.get(name)?.id.into();
        } else {
            topic.name = name.into();
        }
        Some(topic)
    };
    group.offsets.iter().filter_map(|(name, partitions)| topic(name, partitions)).collect()
}

fn partition(caller: &Caller, index: i32, committed: Option<&Committed>) -> OffsetFetchResponsePartitions {
    match committed {
        Some(committed) => message!(OffsetFetchResponsePartitions {
            partition_index: index,
            committed_offset: committed.offset,
            committed_leader_epoch: if caller.version >= EPOCHS_FROM { committed.leader_epoch } else { -1 },
            metadata: Some(committed.metadata.as_str().into()),
        }),
        None => message!(OffsetFetchResponsePartitions { partition_index: index, committed_offset: -1 }),
    }
}

pub(super) fn refuse(request: &OffsetFetchRequest, version: i16, code: ErrorCode) -> OffsetFetchResponse {
    if version >= BATCHES_FROM {
        let groups = request.groups.iter().map(|group| {
            message!(OffsetFetchResponseGroup { group_id: group.group_id.clone(), error_code: code.code() })
        });
        return message!(OffsetFetchResponse { groups: groups.collect() });
    }
    if version >= ERRORS_FROM {
        return message!(OffsetFetchResponse { error_code: code.code() });
    }
    let topics = request.topics.iter().flatten().map(|topic| {
        let partitions = topic.partition_indexes.iter().map(|index| {
            message!(OffsetFetchResponsePartition {
                partition_index: *index,
                committed_offset: -1,
                error_code: code.code(),
            })
        });
        message!(OffsetFetchResponseTopic { name: topic.name.clone(), partitions: partitions.collect() })
    });
    message!(OffsetFetchResponse { topics: topics.collect() })
}
