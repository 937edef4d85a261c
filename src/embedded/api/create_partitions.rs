use std::collections::HashMap;

use super::Caller;
use crate::{
    embedded::{
        placement::{self, Refusal},
        state::State,
        topic::Partition,
    },
    wire::{
        ErrorCode,
        messages::{
            CreatePartitionsRequest, CreatePartitionsResponse, create_partitions_request::CreatePartitionsTopic,
            create_partitions_response::CreatePartitionsTopicResult, message,
        },
    },
};

/// More partitions for topics, each topic by itself.
pub(super) fn answer(state: &mut State, _: &Caller, request: CreatePartitionsRequest) -> CreatePartitionsResponse {
    let mut times: HashMap<&str, u32> = HashMap::new();
    request.topics.iter().for_each(|topic| *times.entry(topic.name.as_str()).or_default() += 1);
    let mut room = placement::room(state);
    let mut results = Vec::with_capacity(request.topics.len());
    for topic in &request.topics {
        match times.get_mut(topic.name.as_str()) {
            // Told already.
            Some(0) => continue,
            Some(times @ 2..) => {
                *times = 0;
                results.push(result(topic, ErrorCode::INVALID_REQUEST, Some("Duplicate topic name.".to_owned())));
                continue;
            }
            _ => {}
        }
        results.push(match replicas(state, topic, room) {
            Ok(replicas) => {
                room -= replicas.len();
                if !request.validate_only {
                    grow(state, topic, replicas);
                }
                result(topic, ErrorCode::NONE, None)
            }
            Err((code, why)) => result(topic, code, Some(why)),
        });
    }
    message!(CreatePartitionsResponse { results: results })
}

/// The replicas of the partitions that are to be added, of which there may be as many as there is `room` for.
fn replicas(state: &State, wanted: &CreatePartitionsTopic, room: usize) -> Result<Vec<Vec<i32>>, Refusal> {
    let name = wanted.name.as_str();
    let unknown = || (ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, "This server does not host this topic-partition.".to_owned());
    let topic = state.topics.get(name).ok_or_else(unknown)?;
    let (now, wanted_count) = (topic.partitions.len(), i64::from(wanted.count));
    if wanted_count == now as i64 {
        return Err((ErrorCode::INVALID_PARTITIONS, format!("Topic already has {now} partition(s).")));
    }
    if wanted_count < now as i64 {
        let why = format!(
            "The topic {name} currently has {now} partition(s); {wanted_count} would not be an increase."
        );
        return Err((ErrorCode::INVALID_PARTITIONS, why));
    }
    let additional = wanted_count as usize - now;
    if additional > room {
        return Err(placement::too_many());
    }
    let replication = topic.partitions.first().map_or(1, |partition| partition.replicas.len());
    let Some(assignments) = &wanted.assignments else {
        return placement::place(state, now, additional, replication);
    };
    if assignments.len() != additional {
        let why = format!(
            "Attempted to add {additional} additional partition(s), but only {} assignment(s) were specified.",
            assignments.len()
        );
        return Err((ErrorCode::INVALID_REPLICA_ASSIGNMENT, why));
    }
    let assigned = assignments.iter().zip(now as i32..).map(|(assignment, partition)| {
        placement::check(state, partition, &assignment.broker_ids, Some(replication))?;
        Ok(assignment.broker_ids.clone())
    });
    assigned.collect()
}

fn grow(state: &mut State, topic: &CreatePartitionsTopic, replicas: Vec<Vec<i32>>) {
    let new = replicas.into_iter().map(|replicas| Partition::new(replicas, |id| state.is_running(id)));
    let new: Vec<Partition> = new.collect();
    if let Some(topic) = state.topics.get_mut(topic.name.as_str()) {
        topic.partitions.extend(new);
        state.is_news = true;
    }
}

fn result(topic: &CreatePartitionsTopic, code: ErrorCode, why: Option<String>) -> CreatePartitionsTopicResult {
    message!(CreatePartitionsTopicResult {
        name: topic.name.clone(),
        error_code: code.code(),
        error_message: why.map(Into::into),
    })
}

pub(super) fn refuse(request: &CreatePartitionsRequest, _: i16, code: ErrorCode) -> CreatePartitionsResponse {
    let results = request.topics.iter().map(|topic| result(topic, code, None)).collect();
    message!(CreatePartitionsResponse { results: results })
}
