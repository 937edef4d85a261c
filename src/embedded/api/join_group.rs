use bytes::Bytes;

use super::{Caller, Outcome};
use crate::{
    embedded::{
        group::{Join, Joined, Protocol, Turn, millis},
        state::State,
    },
    wire::{
        ErrorCode,
        messages::{JoinGroupRequest, JoinGroupResponse, join_group_response::JoinGroupResponseMember, message},
    },
};

/// A member joins a group, or joins again. The answer comes when all have joined.
pub(super) fn answer(state: &mut State, caller: &Caller, request: JoinGroupRequest) -> Outcome<JoinGroupResponse> {
    let (shortest, longest) = state.settings.session_timeouts_ms;
    let checked = if request.group_id.is_empty() {
        Err(ErrorCode::INVALID_GROUP_ID)
    } else if let Err(code) = state.check_coordinator(caller.broker, request.group_id.as_str()) {
        Err(code)
    } else if !(shortest..=longest).contains(&request.session_timeout_ms) {
        Err(ErrorCode::INVALID_SESSION_TIMEOUT)
    } else if !request.member_id.is_empty() && state.groups.get(request.group_id.as_str()).is_none() {
        Err(ErrorCode::UNKNOWN_MEMBER_ID)
    } else {
        Ok(())
    };
    if let Err(code) = checked {
        return refuse(&request, caller.version, code).into();
    }
    let reason = request.reason.as_ref().map_or("not provided", |reason| reason.as_str());
    let (group, member) = (request.group_id.as_str(), request.member_id.as_str());
    tracing::debug!("group {group}: member {member:?} of client {:?} joins: {reason}", caller.client_id);
    let ticket = state.waiting.ticket();
    let group = state.groups.get_or_create(group, state.settings.initial_rebalance_delay());
    let turn = &mut Turn { now: caller.now, waiting: &mut state.waiting };
    group.join(turn, join(caller, &request), ticket, &mut state.random);
    Outcome::Later(ticket)
}

fn join(caller: &Caller, request: &JoinGroupRequest) -> Join {
    let protocols = request.protocols.iter().map(|protocol| Protocol {
        name: protocol.name.as_str().to_owned(),
        // Kept for long: a copy, so that the frame that it came in is not.
        metadata: Bytes::copy_from_slice(&protocol.metadata),
    });
    Join {
        version: caller.version,
        member_id: request.member_id.as_str().to_owned(),
        instance: request.group_instance_id.as_ref().map(|id| id.as_str().to_owned()),
        client_id: caller.client_id.clone(),
        host: caller.host.clone(),
        session_timeout: millis(request.session_timeout_ms),
        // Version 0 has none of its own.
        rebalance_timeout: match caller.version {
            0 => millis(request.session_timeout_ms),
            _ => millis(request.rebalance_timeout_ms),
        },
        protocol_type: request.protocol_type.as_str().to_owned(),
        protocols: protocols.collect(),
    }
}

pub(super) fn response(joined: &Joined, version: i16) -> JoinGroupResponse {
    let members = joined.members.iter().map(|member| {
        message!(JoinGroupResponseMember {
            member_id: member.id.as_str().into(),
            group_instance_id: member.instance.as_deref().filter(|_| version >= 5).map(Into::into),
            metadata: member.metadata.clone(),
        })
    });
    let mut answer = message!(JoinGroupResponse {
        error_code: joined.error.code(),
        generation_id: joined.generation,
        protocol_name: joined.protocol.as_deref().map(Into::into),
        leader: joined.leader.as_str().into(),
        skip_assignment: joined.skip_assignment,
        member_id: joined.member_id.as_str().into(),
        members: members.collect(),
    });
    if version >= 7 {
        answer.protocol_type = joined.protocol_type.as_deref().map(Into::into);
    } else {
        // It could not be null then.
        answer.protocol_name.get_or_insert_default();
    }
    answer
}

pub(super) fn refuse(request: &JoinGroupRequest, version: i16, code: ErrorCode) -> JoinGroupResponse {
    response(&Joined::refused(request.member_id.as_str(), code), version)
}
