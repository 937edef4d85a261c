use super::Caller;
use crate::{
    embedded::{group::Turn, state::State},
    wire::{
        ErrorCode,
        messages::{LeaveGroupRequest, LeaveGroupResponse, leave_group_response::MemberResponse, message},
    },
};

/// From this version on several leave at once, also by their instance ids (KIP-345).
const BATCHES_FROM: i16 = 3;

/// Members leave a group.
pub(super) fn answer(state: &mut State, caller: &Caller, request: LeaveGroupRequest) -> LeaveGroupResponse {
    let id = request.group_id.as_str();
    let checked =
        if id.is_empty() { Err(ErrorCode::INVALID_GROUP_ID) } else { state.check_coordinator(caller.broker, id) };
    if let Err(code) = checked {
        return refuse(&request, caller.version, code);
    }
    let members: Vec<(&str, Option<&str>)> = if caller.version >= BATCHES_FROM {
        let members = request.members.iter();
        members.map(|one| (one.member_id.as_str(), one.group_instance_id.as_ref().map(|id| id.as_str()))).collect()
    } else {
        vec![(request.member_id.as_str(), None)]
    };
    for leaving in &request.members {
        let reason = leaving.reason.as_ref().map_or("not provided", |reason| reason.as_str());
        tracing::debug!("group {id}: member {:?} leaves: {reason}", leaving.member_id.as_str());
    }
    let codes = match state.groups.get_mut(id) {
        Some(group) => group.leave(&mut Turn { now: caller.now, waiting: &mut state.waiting }, &members),
        None => vec![Err(ErrorCode::UNKNOWN_MEMBER_ID); members.len()],
    };
    let codes = codes.into_iter().map(|left| left.err().unwrap_or(ErrorCode::NONE).code());
    if caller.version < BATCHES_FROM {
        return message!(LeaveGroupResponse { error_code: codes.sum() });
    }
    let members = request.members.iter().zip(codes).map(|(member, code)| {
        message!(MemberResponse {
            member_id: member.member_id.clone(),
            group_instance_id: member.group_instance_id.clone(),
            error_code: code,
        })
    });
    message!(LeaveGroupResponse { members: members.collect() })
}

pub(super) fn refuse(_: &LeaveGroupRequest, _: i16, code: ErrorCode) -> LeaveGroupResponse {
    message!(LeaveGroupResponse { error_code: code.code() })
}
