use super::Caller;
use crate::{
    embedded::{group::GroupState, state::State},
    wire::{
        ErrorCode,
        messages::{DeleteGroupsRequest, DeleteGroupsResponse, delete_groups_response::DeletableGroupResult, message},
    },
};

/// Groups without members go, and what they have committed.
pub(super) fn answer(state: &mut State, caller: &Caller, request: DeleteGroupsRequest) -> DeleteGroupsResponse {
    let results = request.groups_names.iter().map(|id| {
        let done = delete(state, caller, id.as_str());
        result(id.as_str(), done.err().unwrap_or(ErrorCode::NONE))
    });
    message!(DeleteGroupsResponse { results: results.collect() })
}

fn delete(state: &mut State, caller: &Caller, id: &str) -> Result<(), ErrorCode> {
    state.check_coordinator(caller.broker, id)?;
    match state.groups.get(id).ok_or(ErrorCode::GROUP_ID_NOT_FOUND)?.state() {
        GroupState::Empty => {
            state.groups.remove(id);
            Ok(())
        }
        _ => Err(ErrorCode::NON_EMPTY_GROUP),
    }
}

fn result(id: &str, code: ErrorCode) -> DeletableGroupResult {
    message!(DeletableGroupResult { group_id: id.into(), error_code: code.code() })
}

pub(super) fn refuse(request: &DeleteGroupsRequest, _: i16, code: ErrorCode) -> DeleteGroupsResponse {
    let results = request.groups_names.iter().map(|id| result(id.as_str(), code));
    message!(DeleteGroupsResponse { results: results.collect() })
}
