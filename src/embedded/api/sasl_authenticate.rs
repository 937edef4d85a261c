use super::Caller;
use crate::{
    embedded::state::State,
    wire::{
        ErrorCode,
        messages::{SaslAuthenticateRequest, SaslAuthenticateResponse, message},
    },
};

/// From a client that needs none, or has authenticated already; the others' are taken by their connection.
pub(super) fn answer(_: &mut State, caller: &Caller, request: SaslAuthenticateRequest) -> SaslAuthenticateResponse {
    let mut answer = refuse(&request, caller.version, ErrorCode::ILLEGAL_SASL_STATE);
    answer.error_message = Some("SaslAuthenticate request received after successful authentication".into());
    answer
}

pub(super) fn refuse(_: &SaslAuthenticateRequest, _: i16, code: ErrorCode) -> SaslAuthenticateResponse {
    message!(SaslAuthenticateResponse { error_code: code.code(), error_message: None })
}
