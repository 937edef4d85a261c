use super::Caller;
use crate::{
    embedded::state::State,
    wire::{
        ErrorCode,
        messages::{HeartbeatRequest, HeartbeatResponse, message},
    },
};

/// A member lives, and asks whether its generation does.
pub(super) fn answer(state: &mut State, caller: &Caller, request: HeartbeatRequest) -> HeartbeatResponse {
    let code = beaten(state, caller, &request).err().unwrap_or(ErrorCode::NONE);
    refuse(&request, caller.version, code)
}

fn beaten(state: &mut State, caller: &Caller, request: &HeartbeatRequest) -> Result<(), ErrorCode> {
    let id = request.group_id.as_str();
    if id.is_empty() {
        return Err(ErrorCode::INVALID_GROUP_ID);
    }
    state.check_coordinator(caller.broker, id)?;
    let group = state.groups.get_mut(id).ok_or(ErrorCode::UNKNOWN_MEMBER_ID)?;
    let instance = request.group_instance_id.as_ref().map(|id| id.as_str());
    group.heartbeat(caller.now, request.member_id.as_str(), instance, request.generation_id)
}

pub(super) fn refuse(_: &HeartbeatRequest, _: i16, code: ErrorCode) -> HeartbeatResponse {
    message!(HeartbeatResponse { error_code: code.code() })
}
