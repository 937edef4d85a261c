use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use super::{Caller, operations};
use crate::{
    embedded::{names, placement, state::State, topic::Topic},
    model::TopicId,
    wire::{
        ErrorCode,
        messages::{
            MetadataRequest, MetadataResponse, message,
            metadata_response::{MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic},
        },
    },
};

/// The brokers, and who leads which partition.
pub(super) fn answer(state: &mut State, caller: &Caller, request: MetadataRequest) -> MetadataResponse {
    let may_create = caller.version < 4 || request.allow_auto_topic_creation;
    let topics: Vec<MetadataResponseTopic> = match request.topics {
        // Before version 1 an empty list asked for all.
        Some(topics) if !(topics.is_empty() && caller.version == 0) => {
            // One that is asked for twice is told once.
            let mut seen = HashSet::new();
            let mut may_be_made = if may_create { placement::room(state) } else { 0 };
            let topics = topics.into_iter();
            let topics = topics.map(|topic| (topic.name.map(|name| name.as_str().to_owned()), topic.topic_id));
            topics
                .filter(|asked| seen.insert(asked.clone()))
                .map(|(name, id)| match name {
                    Some(name) => by_name(state, caller, &name, &mut may_be_made),
                    None => by_id(state, caller, id.into()),
                })
                .collect()
        }
        _ => state.topics.iter().map(|topic| described(state, caller, topic)).collect(),
    };
    let topics = match request.include_topic_authorized_operations {
        true => topics.into_iter().map(with_operations).collect(),
        false => topics,
    };
    let mut answer = message!(MetadataResponse {
        brokers: brokers(state, caller),
        cluster_id: Some(super::CLUSTER_ID.into()),
        controller_id: state.controller(),
        topics: topics,
        cluster_authorized_operations: match request.include_cluster_authorized_operations {
            true => operations::ALL_ON_THE_CLUSTER,
            false => operations::UNKNOWN,
        },
    });
    if caller.version < 2 {
        answer.cluster_id = None;
    }
    answer
}

/// What may be done with a topic, where it is there.
fn with_operations(mut topic: MetadataResponseTopic) -> MetadataResponseTopic {
    if topic.error_code == ErrorCode::NONE.code() {
        topic.topic_authorized_operations = operations::ALL_ON_TOPICS;
    }
    topic
}

fn brokers(state: &State, caller: &Caller) -> Vec<MetadataResponseBroker> {
    let brokers = state.running().filter_map(|id| {
        let address = state.address(id, caller.door)?;
        let rack = state.brokers[&id].rack.as_deref().filter(|_| caller.version >= 1);
        Some(message!(MetadataResponseBroker {
            node_id: id,
            host: address.host().into(),
            port: i32::from(address.port()),
            rack: rack.map(Into::into),
        }))
    });
    brokers.collect()
}

/// A topic that is not there is made, if it may be and its partitions are not too many for one request.
fn by_name(state: &mut State, caller: &Caller, name: &str, may_be_made: &mut usize) -> MetadataResponseTopic {
    if let Some(topic) = state.topics.get(name) {
        return described(state, caller, topic);
    }
    let error = match names::check_topic(name) {
        Err(_) => ErrorCode::INVALID_TOPIC_EXCEPTION,
        Ok(()) => {
            let (partitions, replication) = (state.settings.default_partitions, state.default_replication());
            if *may_be_made >= partitions as usize && state.settings.auto_create_topics {
                *may_be_made -= partitions as usize;
                // It is there when the client asks again, as on Kafka.
                state.create_topic(Arc::from(name), partitions, replication, BTreeMap::new());
            }
            ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
        }
    };
    message!(MetadataResponseTopic {
        error_code: error.code(),
        name: Some(name.into()),
        topic_authorized_operations: operations::UNKNOWN,
    })
}

fn by_id(state: &State, caller: &Caller, id: TopicId) -> MetadataResponseTopic {
    match state.topics.name_of(id).and_then(|name| state.topics.get(name)) {
        Some(topic) => described(state, caller, topic),
        None => message!(MetadataResponseTopic {
            error_code: ErrorCode::UNKNOWN_TOPIC_ID.code(),
            name: if caller.version < 12 { Some("".into()) } else { None },
            topic_id: id.into(),
            topic_authorized_operations: operations::UNKNOWN,
        }),
    }
}

fn described(state: &State, caller: &Caller, topic: &Topic) -> MetadataResponseTopic {
    let partitions = topic.partitions.iter().zip(0..).map(|(partition, index)| {
        let offline = partition.replicas.iter().copied().filter(|id| !state.is_running(*id));
        let error = if partition.leader < 0 { ErrorCode::LEADER_NOT_AVAILABLE } else { ErrorCode::NONE };
        message!(MetadataResponsePartition {
            error_code: error.code(),
            partition_index: index,
            leader_id: partition.leader,
            leader_epoch: if caller.version < 7 { -1 } else { partition.leader_epoch },
            replica_nodes: partition.replicas.clone(),
            isr_nodes: partition.in_sync.clone(),
            offline_replicas: if caller.version < 5 { Vec::new() } else { offline.collect() },
        })
    });
    message!(MetadataResponseTopic {
        name: Some((&*topic.name).into()),
        topic_id: if caller.version < 10 { Default::default() } else { topic.id.into() },
        is_internal: false,
        partitions: partitions.collect(),
        topic_authorized_operations: operations::UNKNOWN,
    })
}

pub(super) fn refuse(request: &MetadataRequest, version: i16, code: ErrorCode) -> MetadataResponse {
    let topics = request.topics.iter().flatten().map(|topic| {
        message!(MetadataResponseTopic {
            error_code: code.code(),
            name: topic.name.clone().or_else(|| (version < 12).then(|| "".into())),
            topic_id: topic.topic_id,
            topic_authorized_operations: operations::UNKNOWN,
        })
    });
    message!(MetadataResponse { topics: topics.collect(), cluster_authorized_operations: operations::UNKNOWN })
}
