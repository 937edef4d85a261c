use std::sync::Arc;

use super::Caller;
use crate::{
    embedded::{group::Committed, state::State},
    wire::{
        ErrorCode,
        messages::{
            OffsetCommitRequest, OffsetCommitResponse,
            offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic},
            offset_commit_response::{OffsetCommitResponsePartition, OffsetCommitResponseTopic},
            message,
        },
    },
};

/// From this version on topics go by their ids (KIP-848).
const TOPIC_IDS_FROM: i16 = 10;
/// From this version on the client understands GROUP_ID_NOT_FOUND.
const NEW_CODES_FROM: i16 = 9;

/// A group's offsets are kept.
pub(super) fn answer(state: &mut State, caller: &Caller, request: OffsetCommitRequest) -> OffsetCommitResponse {
    // Of what does not exist nothing is committed, whoever asks; the rest depends on who does.
    let places: Vec<Result<Arc<str>, ErrorCode>> =
        request.topics.iter().map(|topic| topic_of(state, caller, topic)).collect();
    let is_anything = request.topics.iter().zip(&places).any(|(topic, place)| match place {
        Ok(name) => topic.partitions.iter().any(|asked| state.topics.partition(name, asked.partition_index).is_some()),
        Err(_) => false,
    });
    let checked = if is_anything { check(state, caller, &request) } else { Ok(()) };
    let topics = request.topics.iter().zip(&places).map(|(topic, place)| {
        let partitions = topic.partitions.iter().map(|asked| {
            let done = match place {
                Ok(name) => match state.topics.partition(name, asked.partition_index) {
                    Some(_) => checked.and_then(|()| caller.check(name, asked.partition_index)).and_then(|()| commit(state, caller, &request, name, asked)),
                    None => Err(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
                },
                Err(code) => Err(*code),
            };
            partition(asked, done.err().unwrap_or(ErrorCode::NONE))
        });
        answered(topic, partitions.collect())
    });
    message!(OffsetCommitResponse { topics: topics.collect() })
}

fn topic_of(state: &State, caller: &Caller, topic: &OffsetCommitRequestTopic) -> Result<Arc<str>, ErrorCode> {
    if caller.version >= TOPIC_IDS_FROM {
        state.topics.name_of(topic.topic_id.into()).cloned().ok_or(ErrorCode::UNKNOWN_TOPIC_ID)
    } else {
        let found = state.topics.get(topic.name.as_str());
        found.map(|topic| Arc::clone(&topic.name)).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)
    }
}

/// Whether the caller may commit. A consumer that is in no group makes one that has no protocol.
fn check(state: &mut State, caller: &Caller, request: &OffsetCommitRequest) -> Result<(), ErrorCode> {
    let (id, generation) = (request.group_id.as_str(), request.generation_id_or_member_epoch);
    state.check_coordinator(caller.broker, id)?;
    if state.groups.get(id).is_none() && generation >= 0 {
        let is_new = caller.version >= NEW_CODES_FROM;
        return Err(if is_new { ErrorCode::GROUP_ID_NOT_FOUND } else { ErrorCode::ILLEGAL_GENERATION });
    }
    let group = state.groups.get_or_create(id, state.settings.initial_rebalance_delay());
    let instance = request.group_instance_id.as_ref().map(|id| id.as_str());
    group.check_commit(caller.now, request.member_id.as_str(), instance, generation)
}

fn commit(
    state: &mut State,
    caller: &Caller,
    request: &OffsetCommitRequest,
    topic: &str,
    asked: &OffsetCommitRequestPartition,
) -> Result<(), ErrorCode> {
    let metadata = asked.committed_metadata.as_ref().map_or("", |metadata| metadata.as_str());
    // Kafka counts as Java does.
    if metadata.encode_utf16().count() > state.settings.max_offset_metadata {
        return Err(ErrorCode::OFFSET_METADATA_TOO_LARGE);
    }
    let now = state.clock.millis(caller.now);
    let committed = Committed {
        offset: asked.committed_offset,
        leader_epoch: asked.committed_leader_epoch,
        metadata: metadata.to_owned(),
        committed_ms: now,
        expires_ms: (request.retention_time_ms >= 0).then(|| now.saturating_add(request.retention_time_ms)),
    };
    let group = state.groups.get_mut(request.group_id.as_str()).ok_or(ErrorCode::GROUP_ID_NOT_FOUND)?;
    group.offsets.commit(topic, asked.partition_index, committed);
    Ok(())
}

fn partition(asked: &OffsetCommitRequestPartition, code: ErrorCode) -> OffsetCommitResponsePartition {
    message!(OffsetCommitResponsePartition { partition_index: asked.partition_index, error_code: code.code() })
}

fn answered(
    topic: &OffsetCommitRequestTopic,
    partitions: Vec<OffsetCommitResponsePartition>,
) -> OffsetCommitResponseTopic {
    let (name, id) = (topic.name.clone(), topic.topic_id);
    message!(OffsetCommitResponseTopic { name: name, topic_id: id, partitions: partitions })
}

pub(super) fn refuse(request: &OffsetCommitRequest, _: i16, code: ErrorCode) -> OffsetCommitResponse {
    let topics = request.topics.iter().map(|topic| {
        answered(topic, topic.partitions.iter().map(|asked| partition(asked, code)).collect())
    });
    message!(OffsetCommitResponse { topics: topics.collect() })
}
