use super::{Caller, operations};
use crate::{
    embedded::{names, state::State, topic::Topic},
    wire::{
        ErrorCode,
        messages::{
            DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse,
            describe_topic_partitions_response::{
                Cursor, DescribeTopicPartitionsResponsePartition, DescribeTopicPartitionsResponseTopic,
            },
            message,
        },
    },
};

/// As `max.request.partition.size.limit`.
const MAX_PARTITIONS: usize = 2000;

/// Partitions of topics, page by page (KIP-966).
pub(super) fn answer(
    state: &mut State,
    caller: &Caller,
    request: DescribeTopicPartitionsRequest,
) -> DescribeTopicPartitionsResponse {
    let asked_all = request.topics.is_empty();
    let mut names: Vec<String> = match asked_all {
        true => state.topics.iter().map(|topic| topic.name.to_string()).collect(),
        false => request.topics.iter().map(|topic| topic.name.as_str().to_owned()).collect(),
    };
    names.sort();
    names.dedup();
    let cursor = request.cursor.as_ref().map(|cursor| (cursor.topic_name.as_str(), cursor.partition_index));
    if let Some((topic, partition)) = cursor {
        if partition < 0 || !asked_all && !names.iter().any(|name| name == topic) {
            return refuse(&request, caller.version, ErrorCode::INVALID_REQUEST);
        }
        names.retain(|name| name.as_str() >= topic);
    }
    let mut left = usize::try_from(request.response_partition_limit).unwrap_or(0).clamp(1, MAX_PARTITIONS);
    let (mut topics, mut next) = (Vec::new(), None);
    for name in names {
        let from = cursor.filter(|(topic, _)| *topic == name).map_or(0, |(_, partition)| partition as usize);
        let Some(topic) = state.topics.get(&name) else {
            topics.push(failed(&name));
            continue;
        };
        let more = |from: usize| message!(Cursor { topic_name: name.as_str().into(), partition_index: from as i32 });
        if left == 0 {
            next = Some(more(0));
            break;
        }
        let count = topic.partitions.len().saturating_sub(from).min(left);
        topics.push(described(state, topic, from, count));
        left -= count;
        if from + count < topic.partitions.len() {
            next = Some(more(from + count));
            break;
        }
    }
    message!(DescribeTopicPartitionsResponse { topics: topics, next_cursor: next })
}

fn described(state: &State, topic: &Topic, from: usize, count: usize) -> DescribeTopicPartitionsResponseTopic {
    let partitions = topic.partitions.iter().zip(0..).skip(from).take(count).map(|(partition, index)| {
        let offline = partition.replicas.iter().copied().filter(|id| !state.is_running(*id));
        let error = if partition.leader < 0 { ErrorCode::LEADER_NOT_AVAILABLE } else { ErrorCode::NONE };
        message!(DescribeTopicPartitionsResponsePartition {
            error_code: error.code(),
            partition_index: index,
            leader_id: partition.leader,
            leader_epoch: partition.leader_epoch,
            replica_nodes: partition.replicas.clone(),
            isr_nodes: partition.in_sync.clone(),
            eligible_leader_replicas: Some(Vec::new()),
            last_known_elr: Some(Vec::new()),
            offline_replicas: offline.collect(),
        })
    });
    message!(DescribeTopicPartitionsResponseTopic {
        name: Some((&*topic.name).into()),
        topic_id: topic.id.into(),
        partitions: partitions.collect(),
        topic_authorized_operations: operations::ALL_ON_TOPICS,
    })
}

fn failed(name: &str) -> DescribeTopicPartitionsResponseTopic {
    let code = match names::check_topic(name) {
        Ok(()) => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        Err(_) => ErrorCode::INVALID_TOPIC_EXCEPTION,
    };
    message!(DescribeTopicPartitionsResponseTopic {
        error_code: code.code(),
        name: Some(name.into()),
        topic_authorized_operations: operations::UNKNOWN,
    })
}

pub(super) fn refuse(
    request: &DescribeTopicPartitionsRequest,
    _: i16,
    code: ErrorCode,
) -> DescribeTopicPartitionsResponse {
    let topics = request.topics.iter().map(|topic| {
        message!(DescribeTopicPartitionsResponseTopic {
            error_code: code.code(),
            name: Some(topic.name.clone()),
            topic_authorized_operations: operations::UNKNOWN,
        })
    });
    message!(DescribeTopicPartitionsResponse { topics: topics.collect(), next_cursor: None })
}
