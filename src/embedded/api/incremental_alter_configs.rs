use std::collections::{BTreeMap, BTreeSet};

use super::{
    Caller,
    describe_configs::{BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP, TOPIC, broker_id},
};
use crate::{
    embedded::{
        config::{self, Change, Operation, Values},
        names,
        placement::Refusal,
        state::State,
    },
    wire::{
        ErrorCode,
        messages::{
            IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse,
            incremental_alter_configs_request::AlterConfigsResource,
            incremental_alter_configs_response::AlterConfigsResourceResponse, message,
        },
    },
};

/// Changes of settings (KIP-339): of each resource all of them, or none.
pub(super) fn answer(
    state: &mut State,
    caller: &Caller,
    request: IncrementalAlterConfigsRequest,
) -> IncrementalAlterConfigsResponse {
    let key = |resource: &AlterConfigsResource| (resource.resource_type, resource.resource_name.as_str().to_owned());
    let mut times: BTreeMap<(i8, String), u32> = BTreeMap::new();
    request.resources.iter().for_each(|resource| *times.entry(key(resource)).or_default() += 1);
    let responses = request.resources.iter().map(|resource| {
        let altered = match times[&key(resource)] {
            1 => alter(state, caller, resource, request.validate_only),
            _ => Err(invalid("Each resource must appear at most once.")),
        };
        match altered {
            Ok(()) => result(resource, ErrorCode::NONE, None),
            Err((code, why)) => result(resource, code, Some(why)),
        }
    });
    message!(IncrementalAlterConfigsResponse { responses: responses.collect() })
}

fn invalid(why: impl Into<String>) -> Refusal {
    (ErrorCode::INVALID_REQUEST, why.into())
}

fn alter(
    state: &mut State,
    caller: &Caller,
    resource: &AlterConfigsResource,
    validate_only: bool,
) -> Result<(), Refusal> {
    let changes = changes(resource)?;
    let name = resource.resource_name.as_str();
    match resource.resource_type {
        TOPIC => alter_topic(state, name, &changes, validate_only),
        BROKER => alter_broker(state, caller, name, &changes, validate_only),
        BROKER_LOGGER => Err(invalid("There are no loggers that could be changed.")),
        CLIENT_METRICS => Err(invalid("Clients' metrics are not taken.")),
        GROUP => alter_group(state, name, &changes, validate_only),
        kind => Err(invalid(format!("Unknown resource type {kind}"))),
    }
}

fn changes(resource: &AlterConfigsResource) -> Result<Vec<Change<'_>>, Refusal> {
    let mut seen = BTreeSet::new();
    if !resource.configs.iter().all(|config| seen.insert(config.name.as_str())) {
        return Err(invalid("Error due to duplicate config keys"));
    }
    let nulls = resource.configs.iter().filter(|config| config.config_operation != 1 && config.value.is_none());
    let nulls: Vec<&str> = nulls.map(|config| config.name.as_str()).collect();
    if !nulls.is_empty() {
        return Err(invalid(format!("Null value not supported for : {}", nulls.join(", "))));
    }
    let changes = resource.configs.iter().map(|config| {
        let value = config.value.as_ref().map_or("", |value| value.as_str());
        let operation = match config.config_operation {
            0 => Operation::Set(value),
            1 => Operation::Delete,
            2 => Operation::Append(value),
            3 => Operation::Subtract(value),
            other => return Err(invalid(format!("Unknown operations type {other}"))),
        };
        Ok(Change { name: config.name.as_str(), operation })
    });
    changes.collect()
}

fn alter_topic(state: &mut State, name: &str, changes: &[Change<'_>], validate_only: bool) -> Result<(), Refusal> {
    if name.is_empty() {
        return Err(invalid("Default topic resources are not allowed."));
    }
    names::check_topic(name).map_err(|why| (ErrorCode::INVALID_TOPIC_EXCEPTION, why))?;
    let invalid_config = |why| (ErrorCode::INVALID_CONFIG, why);
    let topic = state.topics.get_mut(name);
    let before = topic.as_ref().map(|topic| topic.settings.clone()).unwrap_or_default();
    let after = config::altered(config::TOPIC, &before, changes).map_err(invalid_config)?;
    config::check_topic(&after).map_err(invalid_config)?;
    let unknown = || (ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, format!("The topic '{name}' does not exist."));
    let topic = topic.ok_or_else(unknown)?;
    if !validate_only {
        topic.settings = after;
        state.keep_within_topics_retention();
        state.is_news = true;
    }
    Ok(())
}

fn alter_broker(
    state: &mut State,
    caller: &Caller,
    name: &str,
    changes: &[Change<'_>],
    validate_only: bool,
) -> Result<(), Refusal> {
    let id = match name {
        "" => None,
        name => Some(broker_id(name)?),
    };
    if let Some(id) = id.filter(|id| *id != caller.broker) {
        return Err(invalid(format!("Unexpected broker id, expected {}, but received {id}", caller.broker)));
    }
    let none = Values::new();
    let before = match id {
        Some(id) => state.configs.of_broker(id).unwrap_or(&none),
        None => &state.configs.defaults,
    };
    let after = config::altered(config::BROKER, before, changes).map_err(invalid)?;
    config::check_broker(&after, id.is_some()).map_err(invalid)?;
    if !validate_only {
        match id {
            Some(id) => state.configs.brokers.insert(id, after),
            None => Some(std::mem::replace(&mut state.configs.defaults, after)),
        };
        state.brokers_reconfigured();
        state.keep_within_topics_retention();
        state.is_news = true;
    }
    Ok(())
}

fn alter_group(state: &mut State, name: &str, changes: &[Change<'_>], validate_only: bool) -> Result<(), Refusal> {
    if name.is_empty() {
        return Err(invalid("Default group resources are not allowed."));
    }
    let invalid_config = |why| (ErrorCode::INVALID_CONFIG, why);
    let none = Values::new();
    let before = state.configs.groups.get(name).unwrap_or(&none);
    let after = config::altered(config::GROUP, before, changes).map_err(invalid_config)?;
    config::check_group(&after).map_err(invalid_config)?;
    if !validate_only {
        state.configs.groups.insert(name.to_owned(), after);
        state.configs.groups.retain(|_, values| !values.is_empty());
    }
    Ok(())
}

fn result(resource: &AlterConfigsResource, code: ErrorCode, why: Option<String>) -> AlterConfigsResourceResponse {
    message!(AlterConfigsResourceResponse {
        error_code: code.code(),
        error_message: why.map(Into::into),
        resource_type: resource.resource_type,
        resource_name: resource.resource_name.clone(),
    })
}

pub(super) fn refuse(
    request: &IncrementalAlterConfigsRequest,
    _: i16,
    code: ErrorCode,
) -> IncrementalAlterConfigsResponse {
    let responses = request.resources.iter().map(|resource| result(resource, code, None));
    message!(IncrementalAlterConfigsResponse { responses: responses.collect() })
}
