use std::collections::HashSet;

use super::Caller;
use crate::{
    embedded::{
        group::{Group, GroupState, Member},
        state::State,
    },
    wire::{
        ErrorCode,
        messages::{
            DescribeGroupsRequest, DescribeGroupsResponse,
            describe_groups_response::{DescribedGroup, DescribedGroupMember},
            message,
        },
    },
};

/// From this version on a group that is not there is an error (KIP-1043).
const NOT_FOUND_FROM: i16 = 6;
const INSTANCES_FROM: i16 = 4;
/// The state of a group that is not there.
const DEAD: &str = "Dead";

/// Groups and their members.
pub(super) fn answer(state: &mut State, caller: &Caller, request: DescribeGroupsRequest) -> DescribeGroupsResponse {
    // Each is told once, however often it is named.
    let mut seen = HashSet::new();
    let groups = request.groups.iter().map(|id| id.as_str()).filter(|id| seen.insert(*id)).map(|id| {
        match state.check_coordinator(caller.broker, id) {
            Err(code) => failed(id, code),
            Ok(()) => match state.groups.get(id) {
                Some(group) => described(caller, id, group),
                None => unknown(caller, id),
            },
        }
    });
    message!(DescribeGroupsResponse { groups: groups.collect() })
}

fn described(caller: &Caller, id: &str, group: &Group) -> DescribedGroup {
    // What members say is told only then.
    let protocol = (group.state() == GroupState::Stable).then(|| group.protocol());
    message!(DescribedGroup {
        group_id: id.into(),
        group_state: group.state().to_string().into(),
        protocol_type: group.protocol_type().into(),
        protocol_data: protocol.unwrap_or_default().into(),
        members: group.members().map(|one| member(caller, one, protocol)).collect(),
    })
}

fn member(caller: &Caller, member: &Member, protocol: Option<&str>) -> DescribedGroupMember {
    let mut described = message!(DescribedGroupMember {
        member_id: member.id.as_str().into(),
        client_id: member.client_id.as_str().into(),
        client_host: member.host.as_str().into(),
    });
    if caller.version >= INSTANCES_FROM {
        described.group_instance_id = member.instance.as_deref().map(Into::into);
    }
    described.member_assignment = member.assignment.clone();
    if let Some(protocol) = protocol {
        described.member_metadata = member.metadata(protocol);
    }
    described
}

fn unknown(caller: &Caller, id: &str) -> DescribedGroup {
    let mut group = message!(DescribedGroup { group_id: id.into(), group_state: DEAD.into() });
    if caller.version >= NOT_FOUND_FROM {
        group.error_code = ErrorCode::GROUP_ID_NOT_FOUND.code();
        group.error_message = Some(format!("Group {id} not found.").into());
    }
    group
}

fn failed(id: &str, code: ErrorCode) -> DescribedGroup {
    message!(DescribedGroup { group_id: id.into(), error_code: code.code() })
}

pub(super) fn refuse(request: &DescribeGroupsRequest, _: i16, code: ErrorCode) -> DescribeGroupsResponse {
    let groups = request.groups.iter().map(|id| failed(id.as_str(), code));
    message!(DescribeGroupsResponse { groups: groups.collect() })
}
