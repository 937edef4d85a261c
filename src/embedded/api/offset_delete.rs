use super::Caller;
use crate::{
    embedded::state::State,
    wire::{
        ErrorCode,
        messages::{
            OffsetDeleteRequest, OffsetDeleteResponse, message,
            offset_delete_response::{OffsetDeleteResponsePartition, OffsetDeleteResponseTopic},
        },
    },
};

/// Offsets are forgotten, of topics that the group does not read.
pub(super) fn answer(state: &mut State, caller: &Caller, request: OffsetDeleteRequest) -> OffsetDeleteResponse {
    if let Err(code) = check(state, caller, request.group_id.as_str()) {
        return refuse(&request, caller.version, code);
    }
    let topics = request.topics.iter().map(|topic| {
        let name = topic.name.as_str();
        let partitions = topic.partitions.iter().map(|partition| {
            let checked = caller.check(name, partition.partition_index);
            let done = checked.and_then(|()| delete(state, request.group_id.as_str(), name, partition.partition_index));
            message!(OffsetDeleteResponsePartition {
                partition_index: partition.partition_index,
                error_code: done.err().unwrap_or(ErrorCode::NONE).code(),
            })
        });
        message!(OffsetDeleteResponseTopic { name: topic.name.clone(), partitions: partitions.collect() })
    });
    message!(OffsetDeleteResponse { topics: topics.collect() })
}

fn check(state: &State, caller: &Caller, id: &str) -> Result<(), ErrorCode> {
    if id.is_empty() {
        return Err(ErrorCode::INVALID_GROUP_ID);
    }
    state.check_coordinator(caller.broker, id)?;
    state.groups.get(id).ok_or(ErrorCode::GROUP_ID_NOT_FOUND)?.check_offset_delete()
}

fn delete(state: &mut State, group: &str, topic: &str, partition: i32) -> Result<(), ErrorCode> {
    if state.topics.partition(topic, partition).is_none() {
        return Err(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    }
    let group = state.groups.get_mut(group).ok_or(ErrorCode::GROUP_ID_NOT_FOUND)?;
    if group.is_subscribed_to(topic) {
        return Err(ErrorCode::GROUP_SUBSCRIBED_TO_TOPIC);
    }
    group.offsets.remove(topic, partition);
    Ok(())
}

pub(super) fn refuse(_: &OffsetDeleteRequest, _: i16, code: ErrorCode) -> OffsetDeleteResponse {
    message!(OffsetDeleteResponse { error_code: code.code() })
}
