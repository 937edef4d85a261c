use super::Caller;
use crate::{
    embedded::state::State,
    wire::{
        ErrorCode,
        messages::{FindCoordinatorRequest, FindCoordinatorResponse, find_coordinator_response::Coordinator, message},
    },
};

/// From this version on several are asked for at once (KIP-699).
const BATCHES_FROM: i16 = 4;

// Types of keys.
const GROUP: i8 = 0;
const TRANSACTION: i8 = 1;

/// Which broker a group has to ask.
pub(super) fn answer(state: &mut State, caller: &Caller, request: FindCoordinatorRequest) -> FindCoordinatorResponse {
    if caller.version >= BATCHES_FROM {
        let found = request.coordinator_keys.iter().map(|key| found(state, caller, request.key_type, key.as_str()));
        return message!(FindCoordinatorResponse { coordinators: found.collect() });
    }
    let found = found(state, caller, request.key_type, request.key.as_str());
    let code = ErrorCode::new(found.error_code);
    let mut answer = message!(FindCoordinatorResponse {
        error_code: found.error_code,
        node_id: found.node_id,
        host: found.host,
        port: found.port,
    });
    if caller.version >= 1 {
        answer.error_message = Some(code.name().unwrap_or_default().into());
    }
    answer
}

fn found(state: &State, caller: &Caller, key_type: i8, key: &str) -> Coordinator {
    let place = match key_type {
        GROUP => {
            let broker = state.coordinator_of(key);
            let address = state.address(broker, caller.door).filter(|_| state.is_running(broker));
            address.map(|address| (broker, address)).ok_or(ErrorCode::COORDINATOR_NOT_AVAILABLE)
        }
        // Transactions are not offered: as InitProducerId says too. COORDINATOR_NOT_AVAILABLE would be asked for again.
        TRANSACTION => Err(ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED),
        _ => Err(ErrorCode::INVALID_REQUEST),
    };
    match place {
        Ok((broker, address)) => message!(Coordinator {
            key: key.into(),
            node_id: broker,
            host: address.host().into(),
            port: i32::from(address.port()),
        }),
        Err(code) => failed(key, code),
    }
}

fn failed(key: &str, code: ErrorCode) -> Coordinator {
    message!(Coordinator { key: key.into(), node_id: -1, port: -1, error_code: code.code() })
}

pub(super) fn refuse(request: &FindCoordinatorRequest, version: i16, code: ErrorCode) -> FindCoordinatorResponse {
    if version >= BATCHES_FROM {
        let failed = request.coordinator_keys.iter().map(|key| failed(key.as_str(), code));
        return message!(FindCoordinatorResponse { coordinators: failed.collect() });
    }
    message!(FindCoordinatorResponse { error_code: code.code(), node_id: -1, port: -1 })
}
