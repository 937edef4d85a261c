use super::{
    Caller,
    describe_configs::{BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP, TOPIC},
};
use crate::{
    embedded::state::State,
    wire::{
        ErrorCode,
        messages::{
            ListConfigResourcesRequest, ListConfigResourcesResponse, list_config_resources_response::ConfigResource,
            message,
        },
    },
};

/// What has settings (KIP-1142): in version 0 only subscriptions to clients' metrics, of which there are none.
pub(super) fn answer(
    state: &mut State,
    caller: &Caller,
    request: ListConfigResourcesRequest,
) -> ListConfigResourcesResponse {
    let all = [TOPIC, BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP];
    let kinds = match (caller.version, request.resource_types.is_empty()) {
        (0, _) => vec![CLIENT_METRICS],
        (_, true) => all.to_vec(),
        (_, false) => request.resource_types.clone(),
    };
    if kinds.iter().any(|kind| !all.contains(kind)) {
        return refuse(&request, caller.version, ErrorCode::UNSUPPORTED_VERSION);
    }
    let mut resources = Vec::new();
    for kind in all.into_iter().filter(|kind| kinds.contains(kind)) {
        let names: Vec<String> = match kind {
            TOPIC => state.topics.iter().map(|topic| topic.name.to_string()).collect(),
            BROKER | BROKER_LOGGER => state.running().map(|id| id.to_string()).collect(),
            GROUP => state.configs.groups.keys().cloned().collect(),
            _ => Vec::new(),
        };
        resources.extend(names.into_iter().map(|name| {
            let mut resource = message!(ConfigResource { resource_name: name.into() });
            if caller.version >= 1 {
                resource.resource_type = kind;
            }
            resource
        }));
    }
    message!(ListConfigResourcesResponse { config_resources: resources })
}

pub(super) fn refuse(_: &ListConfigResourcesRequest, _: i16, code: ErrorCode) -> ListConfigResourcesResponse {
    message!(ListConfigResourcesResponse { error_code: code.code() })
}
