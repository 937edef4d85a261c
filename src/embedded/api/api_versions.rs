use super::{Caller, OFFERED, offered};
use crate::{
    embedded::state::State,
    wire::{
        ErrorCode,
        messages::{ApiVersionsRequest, ApiVersionsResponse, api_versions_response::ApiVersion, message},
        serve::Served,
    },
};

/// From this version on clients say what they are (KIP-511).
const SOFTWARE_FROM: i16 = 3;

/// Which APIs there are, in which versions.
pub(super) fn answer(state: &mut State, caller: &Caller, request: ApiVersionsRequest) -> ApiVersionsResponse {
    let software = [&request.client_software_name, &request.client_software_version];
    if caller.version >= SOFTWARE_FROM && !software.into_iter().all(|text| is_software(text.as_str())) {
        return refuse(&request, caller.version, ErrorCode::INVALID_REQUEST);
    }
    message!(ApiVersionsResponse { api_keys: versions(state) })
}

/// Kafka takes letters and digits, and dots and dashes between them.
fn is_software(text: &str) -> bool {
    let is_end = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    let is_allowed = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    is_end(bytes.first()) && is_end(bytes.last()) && bytes.iter().all(is_allowed)
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
