use super::{Caller, operations};
use crate::{
    embedded::state::State,
    wire::{
        ErrorCode,
        messages::{
            DescribeClusterRequest, DescribeClusterResponse, describe_cluster_response::DescribeClusterBroker, message,
        },
    },
};

const BROKERS: i8 = 1;

/// The brokers, and which of them controls the cluster.
pub(super) fn answer(state: &mut State, caller: &Caller, request: DescribeClusterRequest) -> DescribeClusterResponse {
    if caller.version >= 1 && request.endpoint_type != BROKERS {
        let mut answer = refuse(&request, caller.version, ErrorCode::MISMATCHED_ENDPOINT_TYPE);
        answer.error_message = Some("The request was sent to an endpoint of the wrong type.".into());
        return answer;
    }
    let with_stopped = caller.version >= 2 && request.include_fenced_brokers;
    let ids = state.brokers.keys().copied().filter(|id| with_stopped || state.is_running(*id));
    let brokers = ids.filter_map(|id| {
        let address = state.address(id, caller.door)?;
        Some(message!(DescribeClusterBroker {
            broker_id: id,
            host: address.host().into(),
            port: i32::from(address.port()),
            rack: state.brokers[&id].rack.as_deref().map(Into::into),
            is_fenced: with_stopped && !state.is_running(id),
        }))
    });
    message!(DescribeClusterResponse {
        endpoint_type: BROKERS,
        cluster_id: super::CLUSTER_ID.into(),
        controller_id: state.controller(),
        brokers: brokers.collect(),
        cluster_authorized_operations: match request.include_cluster_authorized_operations {
            true => operations::ALL_ON_THE_CLUSTER,
            false => operations::UNKNOWN,
        },
    })
}

pub(super) fn refuse(_: &DescribeClusterRequest, _: i16, code: ErrorCode) -> DescribeClusterResponse {
    message!(DescribeClusterResponse {
        error_code: code.code(),
        endpoint_type: BROKERS,
        controller_id: -1,
        cluster_authorized_operations: operations::UNKNOWN,
    })
}
