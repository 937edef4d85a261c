use super::Caller;
use crate::{
    embedded::state::State,
    wire::{
        ErrorCode,
        messages::{SaslHandshakeRequest, SaslHandshakeResponse, message},
    },
};

/// From a client that needs none, or has authenticated already; the others' are taken by their connection.
pub(super) fn answer(_: &mut State, caller: &Caller, request: SaslHandshakeRequest) -> SaslHandshakeResponse {
    refuse(&request, caller.version, ErrorCode::ILLEGAL_SASL_STATE)
}

pub(super) fn refuse(_: &SaslHandshakeRequest, _: i16, code: ErrorCode) -> SaslHandshakeResponse {
    message!(SaslHandshakeResponse { error_code: code.code() })
}
