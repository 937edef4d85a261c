use std::collections::BTreeSet;

use super::Caller;
use crate::{
    embedded::state::State,
    model::TopicId,
    wire::{
        ErrorCode,
        messages::{
            DeleteTopicsRequest, DeleteTopicsResponse, delete_topics_request::DeleteTopicState,
            delete_topics_response::DeletableTopicResult, message,
        },
    },
};

const IDS_FROM: i16 = 6;

/// Topics go, by name or by id, and their records with them.
pub(super) fn answer(state: &mut State, caller: &Caller, request: DeleteTopicsRequest) -> DeleteTopicsResponse {
    let asked = asked(&request);
    let mut resolved = Vec::new();
    let mut responses = Vec::new();
    let mut ids = BTreeSet::new();
    for topic in &asked {
        match resolve(state, topic) {
            Ok((_, id)) if !ids.insert(id.0) => {
                let why = match &topic.name {
                    Some(_) => "The provided topic name maps to an ID that was already supplied.",
                    None => "Duplicate topic id.",
                };
                responses.push(result(caller.version, topic, ErrorCode::INVALID_REQUEST, Some(why)));
            }
            Ok(found) => resolved.push(found),
            Err((code, why)) => responses.push(result(caller.version, topic, code, why)),
        }
    }
    let twice = names_twice(&asked);
    let is_told_below: BTreeSet<&str> = resolved.iter().map(|(name, _)| &**name).filter(|name| twice.contains(*name)).collect();
    responses.retain(|response| !response.name.as_ref().is_some_and(|name| is_told_below.contains(name.as_str())));
    for (name, id) in resolved {
        let named = message!(DeleteTopicState { name: Some((&*name).into()), topic_id: id.into() });
        if twice.contains(&*name) {
            let why = Some("Duplicate topic name.");
            let named = message!(DeleteTopicState { name: Some((&*name).into()) });
            responses.push(result(caller.version, &named, ErrorCode::INVALID_REQUEST, why));
            continue;
        }
        state.delete_topic(&name);
        responses.push(result(caller.version, &named, ErrorCode::NONE, None));
    }
    message!(DeleteTopicsResponse { responses: responses })
}

/// What is to go, of whichever version.
fn asked(request: &DeleteTopicsRequest) -> Vec<DeleteTopicState> {
    let names = request.topic_names.iter().map(|name| message!(DeleteTopicState { name: Some(name.clone()) }));
    request.topics.iter().cloned().chain(names).collect()
}

fn names_twice(asked: &[DeleteTopicState]) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    let names = asked.iter().filter_map(|topic| topic.name.as_ref()).map(|name| name.as_str().to_owned());
    names.filter(|name| !seen.insert(name.clone())).collect()
}

type Why = Option<&'static str>;

fn resolve(state: &State, topic: &DeleteTopicState) -> Result<(std::sync::Arc<str>, TopicId), (ErrorCode, Why)> {
    let id = TopicId::from(topic.topic_id);
    match &topic.name {
        Some(_) if !id.is_zero() => {
            Err((ErrorCode::INVALID_REQUEST, Some("You may not specify both topic name and topic id.")))
        }
        None if id.is_zero() => {
            Err((ErrorCode::INVALID_REQUEST, Some("Neither topic name nor id were specified.")))
        }
        Some(name) => match state.topics.get(name.as_str()) {
            Some(topic) => Ok((std::sync::Arc::clone(&topic.name), topic.id)),
            None => Err((
                ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
                Some("This server does not host this topic-partition."),
            )),
        },
        None => match state.topics.name_of(id) {
            Some(name) => Ok((std::sync::Arc::clone(name), id)),
            None => Err((ErrorCode::UNKNOWN_TOPIC_ID, Some("This server does not host this topic ID."))),
        },
    }
}

fn result(version: i16, topic: &DeleteTopicState, code: ErrorCode, why: Why) -> DeletableTopicResult {
    let mut result = message!(DeletableTopicResult {
        name: topic.name.clone(),
        error_code: code.code(),
        error_message: why.filter(|_| version >= 5).map(Into::into),
    });
    if version >= IDS_FROM {
        result.topic_id = topic.topic_id;
    }
    result
}

pub(super) fn refuse(request: &DeleteTopicsRequest, version: i16, code: ErrorCode) -> DeleteTopicsResponse {
    let responses = asked(request).iter().map(|topic| result(version, topic, code, None)).collect();
    message!(DeleteTopicsResponse { responses: responses })
}
