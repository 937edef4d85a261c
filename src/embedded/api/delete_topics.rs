use std::{collections::{BTreeMap, BTreeSet}, sync::Arc};

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

/// Topics go, by name or by id, and their records with them. One that is named twice, in whichever way, stays.
pub(super) fn answer(state: &mut State, caller: &Caller, request: DeleteTopicsRequest) -> DeleteTopicsResponse {
    let mut responses = Vec::new();
    let mut found: BTreeMap<[u8; 16], Arc<str>> = BTreeMap::new();
    let mut twice = BTreeSet::new();
    let mut refuse = |topic: &DeleteTopicState, code, why| responses.push(result(caller.version, topic, code, why));
    for (topic, times) in counted(asked(&request)) {
        let resolved = resolve(state, &topic);
        if times > 1 {
            let why = if topic.name.is_some() { "Duplicate topic name." } else { "Duplicate topic id." };
            refuse(&topic, ErrorCode::INVALID_REQUEST, Some(why));
            twice.extend(resolved.map(|(_, id)| id.0));
            continue;
        }
        match resolved {
            Ok((name, id)) => {
                if found.insert(id.0, name).is_some() {
                    let why = "The provided topic name maps to an ID that was already supplied.";
                    let named = message!(DeleteTopicState { name: topic.name, topic_id: id.into() });
                    refuse(&named, ErrorCode::INVALID_REQUEST, Some(why));
                    twice.insert(id.0);
                }
            }
            Err((code, why)) => refuse(&topic, code, why),
        }
    }
    for (id, name) in found.into_iter().filter(|(id, _)| !twice.contains(id)) {
        state.delete_topic(&name);
        let topic = message!(DeleteTopicState { name: Some((&*name).into()), topic_id: TopicId(id).into() });
        responses.push(result(caller.version, &topic, ErrorCode::NONE, None));
    }
    message!(DeleteTopicsResponse { responses: responses })
}

/// Each once, and how often it was asked for.
fn counted(asked: Vec<DeleteTopicState>) -> impl Iterator<Item = (DeleteTopicState, u32)> {
    let mut times = BTreeMap::new();
    for topic in asked {
        let key = (topic.name.as_ref().map(|name| name.as_str().to_owned()), TopicId::from(topic.topic_id).0);
        times.entry(key).or_insert((topic, 0)).1 += 1;
    }
    times.into_values()
}

/// What is to go, of whichever version.
fn asked(request: &DeleteTopicsRequest) -> Vec<DeleteTopicState> {
    let names = request.topic_names.iter().map(|name| message!(DeleteTopicState { name: Some(name.clone()) }));
    request.topics.iter().cloned().chain(names).collect()
}

type Why = Option<&'static str>;

fn resolve(state: &State, topic: &DeleteTopicState) -> Result<(Arc<str>, TopicId), (ErrorCode, Why)> {
    let id = TopicId::from(topic.topic_id);
    match &topic.name {
        Some(_) if !id.is_zero() => {
            Err((ErrorCode::INVALID_REQUEST, Some("You may not specify both topic name and topic id.")))
        }
        None if id.is_zero() => {
            Err((ErrorCode::INVALID_REQUEST, Some("Neither topic name nor id were specified.")))
        }
        Some(name) => match state.topics.get(name.as_str()) {
            Some(topic) => Ok((Arc::clone(&topic.name), topic.id)),
            None => Err((
                ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
                Some("This server does not host this topic-partition."),
            )),
        },
        None => match state.topics.name_of(id) {
            Some(name) => Ok((Arc::clone(name), id)),
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
