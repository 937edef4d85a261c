use super::{Caller, OFFERED, offered};
use crate::{
    embedded::state::State,
    wire::{
        ErrorCode,
        messages::{ApiVersionsRequest, ApiVersionsResponse, api_versions_response::ApiVersion, message},
        serve::Served,
    },
};

/// Which APIs there are, in which versions.
pub(super) fn answer(state: &mut State, _: &Caller, _: ApiVersionsRequest) -> ApiVersionsResponse {
    message!(ApiVersionsResponse { api_keys: versions(state) })
}

/// For a version of ApiVersions that is not known, answered in version 0: which ones are (KIP-511).
pub(crate) fn unsupported(state: &State) -> ApiVersionsResponse {
    let mut versions = versions(state);
    versions.retain(|version| version.api_key == <ApiVersionsRequest as Served>::KEY);
    message!(ApiVersionsResponse { error_code: ErrorCode::UNSUPPORTED_VERSION.code(), api_keys: versions })
}

fn versions(state: &State) -> Vec<ApiVersion> {
    let versions = OFFERED.iter().filter_map(|api| Some((api.key, offered(state, api.key)?)));
    let versions = versions.map(|(api_key, (min_version, max_version))| {
        message!(ApiVersion { api_key: api_key, min_version: min_version, max_version: max_version })
    });
    let mut versions: Vec<ApiVersion> = versions.collect();
    versions.sort_by_key(|version| version.api_key);
    versions
}

pub(super) fn refuse(_: &ApiVersionsRequest, _: i16, code: ErrorCode) -> ApiVersionsResponse {
    message!(ApiVersionsResponse { error_code: code.code() })
}
