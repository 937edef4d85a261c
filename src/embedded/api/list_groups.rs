use super::Caller;
use crate::{
    embedded::{group::GroupState, state::State},
    wire::{
        ErrorCode,
        messages::{ListGroupsRequest, ListGroupsResponse, list_groups_response::ListedGroup, message},
    },
};

/// All groups are of this type.
const CLASSIC: &str = "classic";
const STATES_FROM: i16 = 4;
const TYPES_FROM: i16 = 5;

/// The groups that this broker coordinates.
pub(super) fn answer(state: &mut State, caller: &Caller, request: ListGroupsRequest) -> ListGroupsResponse {
    let is_type = |wanted: &str| wanted.eq_ignore_ascii_case(CLASSIC);
    let types = &request.types_filter;
    let is_wanted = |state: GroupState| {
        let is_state = |wanted: &str| wanted.trim().eq_ignore_ascii_case(&state.to_string());
        let states = &request.states_filter;
        let in_states = states.is_empty() || states.iter().any(|wanted| is_state(wanted.as_str()));
        in_states && (types.is_empty() || types.iter().any(|wanted| is_type(wanted.as_str())))
    };
    let groups = state.groups.iter().filter(|(id, _)| state.coordinator_of(id) == caller.broker);
    let groups = groups.filter(|(_, group)| is_wanted(group.state())).map(|(id, group)| {
        let mut listed =
            message!(ListedGroup { group_id: (&**id).into(), protocol_type: group.protocol_type().into() });
        if caller.version >= STATES_FROM {
            listed.group_state = group.state().to_string().into();
        }
        if caller.version >= TYPES_FROM {
            listed.group_type = CLASSIC.into();
        }
        listed
    });
    message!(ListGroupsResponse { groups: groups.collect() })
}

pub(super) fn refuse(_: &ListGroupsRequest, _: i16, code: ErrorCode) -> ListGroupsResponse {
    message!(ListGroupsResponse { error_code: code.code() })
}
