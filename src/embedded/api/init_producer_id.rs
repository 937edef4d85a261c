use super::Caller;
use crate::{
    embedded::state::State,
    wire::{
        ErrorCode,
        messages::{InitProducerIdRequest, InitProducerIdResponse, message},
    },
};

/// A producer id: a new one, or for a producer that has one and wants a new epoch, the next epoch of it.
pub(super) fn answer(state: &mut State, caller: &Caller, request: InitProducerIdRequest) -> InitProducerIdResponse {
    let has_id = request.producer_id != -1;
    if request.transactional_id.as_ref().is_some_and(|id| id.as_str().is_empty()) || has_id != (request.producer_epoch != -1) {
        return refuse(&request, caller.version, ErrorCode::INVALID_REQUEST);
    }
    if request.transactional_id.is_some() {
        // Transactions are not offered.
        return refuse(&request, caller.version, ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED);
    }
    // As Kafka: without a transactional id each call gives a new id, whatever the producer had (KIP-360).
    message!(InitProducerIdResponse { producer_id: state.new_producer_id(), producer_epoch: 0 })
}

pub(super) fn refuse(_: &InitProducerIdRequest, _: i16, code: ErrorCode) -> InitProducerIdResponse {
    message!(InitProducerIdResponse { error_code: code.code(), producer_id: -1, producer_epoch: -1 })
}
