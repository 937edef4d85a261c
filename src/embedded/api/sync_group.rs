use bytes::Bytes;

use super::{Caller, Outcome};
use crate::{
    embedded::{
        group::{Synced, Syncing, Turn},
        state::State,
    },
    wire::{
        ErrorCode,
        messages::{SyncGroupRequest, SyncGroupResponse, message},
    },
};

/// From this version on clients say which protocol they think the group has (KIP-559).
const PROTOCOL_FROM: i16 = 5;

/// A member asks for its assignment; the leader brings everyone's.
pub(super) fn answer(state: &mut State, caller: &Caller, request: SyncGroupRequest) -> Outcome<SyncGroupResponse> {
    let group = request.group_id.as_str();
    let has_protocol = request.protocol_type.is_some() && request.protocol_name.is_some();
    let checked = if caller.version >= PROTOCOL_FROM && !has_protocol {
        Err(ErrorCode::INCONSISTENT_GROUP_PROTOCOL)
    } else if group.is_empty() {
        Err(ErrorCode::INVALID_GROUP_ID)
    } else {
        state.check_coordinator(caller.broker, group)
    };
    if let Err(code) = checked {
        return refuse(&request, caller.version, code).into();
    }
    let Some(found) = state.groups.get_mut(group) else {
        return refuse(&request, caller.version, ErrorCode::UNKNOWN_MEMBER_ID).into();
    };
    let ticket = state.waiting.ticket();
    let assignments = request.assignments.iter();
    let assignments = assignments.map(|one| (one.member_id.as_str(), Bytes::copy_from_slice(&one.assignment)));
    let sync = Syncing {
        member_id: request.member_id.as_str(),
        instance: request.group_instance_id.as_ref().map(|id| id.as_str()),
        generation: request.generation_id,
        protocol_type: request.protocol_type.as_ref().map(|name| name.as_str()),
        protocol: request.protocol_name.as_ref().map(|name| name.as_str()),
        assignments: assignments.collect(),
    };
    found.sync(&mut Turn { now: caller.now, waiting: &mut state.waiting }, sync, ticket);
    Outcome::Later(ticket)
}

pub(super) fn response(synced: &Synced, version: i16) -> SyncGroupResponse {
    let mut answer =
        message!(SyncGroupResponse { error_code: synced.error.code(), assignment: synced.assignment.clone() });
    if version >= PROTOCOL_FROM {
        answer.protocol_type = synced.protocol_type.as_deref().map(Into::into);
        answer.protocol_name = synced.protocol.as_deref().map(Into::into);
    }
    answer
}

pub(super) fn refuse(_: &SyncGroupRequest, version: i16, code: ErrorCode) -> SyncGroupResponse {
    response(&Synced::refused(code), version)
}
