use std::collections::HashSet;

use super::Caller;
use crate::{
    embedded::{
        config::{self, Described, Synonym},
        names,
        placement::Refusal,
        state::State,
    },
    wire::{
        ErrorCode,
        messages::{
            DescribeConfigsRequest, DescribeConfigsResponse,
            describe_configs_request::DescribeConfigsResource,
            describe_configs_response::{DescribeConfigsResourceResult, DescribeConfigsResult, DescribeConfigsSynonym},
            message,
        },
    },
};

// Kinds of resources, by the protocol's numbers.
pub(super) const TOPIC: i8 = 2;
pub(super) const BROKER: i8 = 4;
pub(super) const BROKER_LOGGER: i8 = 8;
pub(super) const CLIENT_METRICS: i8 = 16;
pub(super) const GROUP: i8 = 32;

const TYPES_FROM: i16 = 3;

/// Settings, and where their values come from.
pub(super) fn answer(state: &mut State, caller: &Caller, request: DescribeConfigsRequest) -> DescribeConfigsResponse {
    // Each is told once, however often it is named.
    let mut seen = HashSet::new();
    let resources = request.resources.iter();
    let resources = resources.filter(|resource| seen.insert((resource.resource_type, resource.resource_name.as_str())));
    let results = resources.map(|resource| match looked_up(state, caller, resource) {
        Ok(mut settings) => {
            if let Some(keys) = resource.configuration_keys.as_ref().filter(|keys| !keys.is_empty()) {
                settings.retain(|setting| keys.iter().any(|key| key.as_str() == setting.name));
            }
            let configs = settings.into_iter().map(|setting| told(caller, &request, setting));
            message!(DescribeConfigsResult {
                error_message: Some("".into()),
                resource_type: resource.resource_type,
                resource_name: resource.resource_name.clone(),
                configs: configs.collect(),
            })
        }
        Err((code, why)) => failed(resource, code, Some(why)),
    });
    message!(DescribeConfigsResponse { results: results.collect() })
}

fn looked_up(state: &State, caller: &Caller, resource: &DescribeConfigsResource) -> Result<Vec<Described>, Refusal> {
    let name = resource.resource_name.as_str();
    let invalid = |why: String| Err((ErrorCode::INVALID_REQUEST, why));
    match resource.resource_type {
        TOPIC => {
            names::check_topic(name).map_err(|why| (ErrorCode::INVALID_TOPIC_EXCEPTION, why))?;
            let unknown = || (ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, String::new());
            Ok(state.topics.get(name).ok_or_else(unknown)?.described(state, caller.broker))
        }
        BROKER if name.is_empty() => Ok(config::broker_defaults(state)),
        BROKER => match broker_id(name)? {
            id if id == caller.broker => Ok(config::broker(state, id)),
            _ => invalid(format!(
                "Unexpected broker id, expected {} or empty string, but received {name}",
                caller.broker
            )),
        },
        BROKER_LOGGER if name.is_empty() => invalid("Broker id must not be empty".to_owned()),
        BROKER_LOGGER => match broker_id(name)? {
            // It has none that could be told or changed.
            id if id == caller.broker => Ok(Vec::new()),
            _ => invalid(format!("Unexpected broker id, expected {} but received {name}", caller.broker)),
        },
        CLIENT_METRICS if name.is_empty() => {
            invalid("Client metrics subscription name must not be empty".to_owned())
        }
        // Clients' metrics are not taken.
        CLIENT_METRICS => Ok(Vec::new()),
        GROUP if name.is_empty() => invalid("Group name must not be empty".to_owned()),
        GROUP => Ok(config::group(state, caller.broker, name)),
        kind => invalid(format!("Unexpected resource type {kind} for resource {name}")),
    }
}

pub(super) fn broker_id(name: &str) -> Result<i32, Refusal> {
    let why = || (ErrorCode::INVALID_REQUEST, format!("Broker id must be an integer, but it is: {name}"));
    name.parse().map_err(|_| why())
}

fn told(caller: &Caller, request: &DescribeConfigsRequest, setting: Described) -> DescribeConfigsResourceResult {
    let synonym = |synonym: &Synonym| {
        message!(DescribeConfigsSynonym {
            name: synonym.name.as_str().into(),
            value: synonym.value.as_deref().map(Into::into),
            source: synonym.source as i8,
        })
    };
    let synonyms = setting.synonyms.iter().map(synonym);
    let mut told = message!(DescribeConfigsResourceResult {
        is_sensitive: setting.is_sensitive(),
        name: setting.name.into(),
        value: setting.value.map(Into::into),
        read_only: setting.read_only,
        config_source: setting.source as i8,
        synonyms: if request.include_synonyms { synonyms.collect() } else { Vec::new() },
        documentation: None,
    });
    if caller.version >= TYPES_FROM {
        told.config_type = setting.setting.map_or(0, |setting| setting.kind as i8);
        let documentation = setting.setting.filter(|_| request.include_documentation);
        told.documentation = documentation.map(|setting| setting.documentation.into());
    }
    told
}

fn failed(resource: &DescribeConfigsResource, code: ErrorCode, why: Option<String>) -> DescribeConfigsResult {
    message!(DescribeConfigsResult {
        error_code: code.code(),
        error_message: why.filter(|why| !why.is_empty()).map(Into::into),
        resource_type: resource.resource_type,
        resource_name: resource.resource_name.clone(),
    })
}

pub(super) fn refuse(request: &DescribeConfigsRequest, _: i16, code: ErrorCode) -> DescribeConfigsResponse {
    let results = request.resources.iter().map(|resource| failed(resource, code, None));
    message!(DescribeConfigsResponse { results: results.collect() })
}
