use std::collections::BTreeSet;

use super::{Caller, Outcome};
use crate::{
    batch::{Appended, Batch},
    embedded::{
        sequences::Arrival,
        state::State,
        topic::{Partition, Topic},
        validator::{self, Refused, Room},
    },
    model::TimestampType,
    wire::{
        ErrorCode,
        messages::{
            ProduceRequest, ProduceResponse, message,
            produce_request::PartitionProduceData,
            produce_response::{
                BatchIndexAndErrorMessage, LeaderIdAndEpoch, NodeEndpoint, PartitionProduceResponse,
                TopicProduceResponse,
            },
        },
    },
};

const ACKS_ALL: i16 = -1;
const TOPIC_IDS_FROM: i16 = 13;
/// From this version on a client is told who leads in place of who it asked (KIP-951).
const LEADERS_FROM: i16 = 10;

/// Appends batches, each to its partition's log, as they are.
pub(super) fn answer(state: &mut State, caller: &Caller, request: ProduceRequest) -> Outcome<ProduceResponse> {
    if !matches!(request.acks, ACKS_ALL..=1) {
        return refuse(&request, caller.version, ErrorCode::INVALID_REQUIRED_ACKS).into();
    }
    let acks = request.acks;
    let batches = request.topic_data.iter().flat_map(|topic| &topic.partition_data);
    let bytes: usize = batches.map(|data| data.records.as_ref().map_or(0, |records| records.len())).sum();
    let mut room = Room::of(bytes);
    let mut responses = Vec::with_capacity(request.topic_data.len());
    for topic in request.topic_data {
        let name = match caller.version {
            TOPIC_IDS_FROM.. => state.topics.name_of(topic.topic_id.into()).map(ToString::to_string),
            _ => Some(topic.name.as_str().to_owned()),
        };
        let partition_responses = topic.partition_data.into_iter().map(|data| match &name {
            Some(name) => append(state, caller, name, acks, data, &mut room),
            None => failed(data.index, ErrorCode::UNKNOWN_TOPIC_ID.into()),
        });
        let partition_responses = partition_responses.collect();
        responses.push(message!(TopicProduceResponse {
            name: topic.name,
            topic_id: topic.topic_id,
            partition_responses: partition_responses,
        }));
    }
    state.keep_within_retention();
    match acks {
        0 => match first_error(&responses) {
            None => Outcome::Never,
            // It asks for the cluster's metadata then: the leader may be another.
            Some(code) => Outcome::End(format!("what was produced without acknowledgement is refused: {code}")),
        },
        _ => {
            let mut answer = message!(ProduceResponse { responses: responses });
            if caller.version >= LEADERS_FROM {
                answer.node_endpoints = leaders_told(state, caller, &answer);
            }
            answer.into()
        }
    }
}

fn first_error(responses: &[TopicProduceResponse]) -> Option<ErrorCode> {
    let mut codes = responses.iter().flat_map(|topic| &topic.partition_responses).map(|partition| partition.error_code);
    codes.find(|code| *code != 0).map(ErrorCode::new)
}

fn append(
    state: &mut State,
    caller: &Caller,
    name: &str,
    acks: i16,
    data: PartitionProduceData,
    room: &mut Room,
) -> PartitionProduceResponse {
    let index = data.index;
    let now = state.clock.millis(caller.now);
    let unknown = || failed(index, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION.into());
    let Some(topic) = state.topics.get(name) else { return unknown() };
    let Some(partition) = usize::try_from(index).ok().and_then(|index| topic.partitions.get(index)) else {
        return unknown();
    };
    let batch = match validator::batch_of(caller.version, data.records.unwrap_or_default()) {
        Ok(batch) => batch,
        Err(refused) => return failed(index, refused),
    };
    let checked = check_partition(topic, partition, index, caller, acks)
        .and_then(|()| checked(topic, partition, index, &batch, now, room));
    let (arrival, max_timestamp) = match checked {
        Ok(checked) => checked,
        Err(refused) => {
            let code = refused.code;
            let mut answer = failed(index, refused);
            if code == ErrorCode::NOT_LEADER_OR_FOLLOWER && caller.version >= LEADERS_FROM {
                let (leader_id, leader_epoch) = (partition.leader, partition.leader_epoch);
                answer.current_leader =
                    message!(LeaderIdAndEpoch { leader_id: leader_id, leader_epoch: leader_epoch });
            }
            if tells_start(code) && caller.version >= 5 {
                answer.log_start_offset = partition.log.start();
            }
            return answer;
        }
    };
    let limit = if topic.is_deleted_from() { usize::try_from(topic.number("retention.bytes")).ok() } else { None };
    let timestamp_type = topic.timestamp_type();
    let (max_timestamp, append_time) = match timestamp_type {
        TimestampType::CreateTime => (max_timestamp, -1),
        TimestampType::LogAppendTime => (now, now),
    };
    let partition = state.topics.partition_mut(name, index).expect("it was found above");
    let (base_offset, log_append_time_ms) = match arrival {
        // As Kafka, whatever the topic's timestamps are.
        Arrival::Duplicate { offset, timestamp } => (offset, timestamp),
        Arrival::New => {
            let (base_offset, leader_epoch) = (partition.log.end(), partition.leader_epoch);
            let appended = batch.appended(Appended { base_offset, leader_epoch, timestamp_type, max_timestamp });
            partition.sequences.written(&appended, base_offset);
            state.bytes += appended.size_in_bytes();
            partition.log.append(appended);
            state.bytes -= limit.map_or(0, |limit| partition.log.keep_newest(limit));
            state.is_news = true;
            (base_offset, append_time)
        }
    };
    message!(PartitionProduceResponse {
        index: index,
        base_offset: base_offset,
        log_append_time_ms: log_append_time_ms,
        log_start_offset: if caller.version >= 5 { partition.log.start() } else { -1 },
    })
}

/// Whether this broker may append to a partition now.
fn check_partition(topic: &Topic, partition: &Partition, index: i32, caller: &Caller, acks: i16) -> Result<(), Refused> {
    caller.check(&topic.name, index)?;
    partition.check_leader(caller.broker, -1)?;
    if acks == ACKS_ALL && (partition.in_sync.len() as i64) < topic.number("min.insync.replicas") {
        return Err(ErrorCode::NOT_ENOUGH_REPLICAS.into());
    }
    Ok(())
}

/// What a batch is to its partition's log, and the latest timestamp of its records.
fn checked(
    topic: &Topic,
    partition: &Partition,
    index: i32,
    batch: &Batch,
    now: i64,
    room: &mut Room,
) -> Result<(Arrival, i64), Refused> {
    validator::check_batch(topic, batch)?;
    let arrival = partition.sequences.check(batch)?;
    let max_timestamp = match arrival {
        Arrival::New => validator::check_records(topic, index, batch, now, room)?,
        Arrival::Duplicate { timestamp, .. } => timestamp,
    };
    Ok((arrival, max_timestamp))
}

/// Whether an answer with this code says where the log begins, as Kafka's do once the log has been looked at.
fn tells_start(code: ErrorCode) -> bool {
    !matches!(
        code,
        ErrorCode::NOT_LEADER_OR_FOLLOWER
            | ErrorCode::CORRUPT_MESSAGE
            | ErrorCode::MESSAGE_TOO_LARGE
            | ErrorCode::KAFKA_STORAGE_ERROR
    )
}

/// Where the leaders are that an answer names.
fn leaders_told(state: &State, caller: &Caller, answer: &ProduceResponse) -> Vec<NodeEndpoint> {
    let partitions = answer.responses.iter().flat_map(|topic| &topic.partition_responses);
    let leaders: BTreeSet<i32> = partitions.map(|partition| partition.current_leader.leader_id).collect();
    let endpoints = leaders.into_iter().filter_map(|id| {
        let address = state.address(id, caller.door)?;
        Some(message!(NodeEndpoint {
            node_id: id,
            host: address.host().into(),
            port: i32::from(address.port()),
            rack: state.brokers[&id].rack.as_deref().map(Into::into),
        }))
    });
    endpoints.collect()
}

fn failed(index: i32, refused: Refused) -> PartitionProduceResponse {
    let record_errors = refused.records.into_iter().map(|(index, why)| {
        message!(BatchIndexAndErrorMessage { batch_index: index, batch_index_error_message: Some(why.into()) })
    });
    message!(PartitionProduceResponse {
        index: index,
        error_code: refused.code.code(),
        base_offset: -1,
        log_append_time_ms: -1,
        log_start_offset: -1,
        record_errors: record_errors.collect(),
        error_message: refused.why.map(Into::into),
    })
}

pub(super) fn refuse(request: &ProduceRequest, _: i16, code: ErrorCode) -> ProduceResponse {
    let responses = request.topic_data.iter().map(|topic| {
        message!(TopicProduceResponse {
            name: topic.name.clone(),
            topic_id: topic.topic_id,
            partition_responses: topic.partition_data.iter().map(|data| failed(data.index, code.into())).collect(),
        })
    });
    message!(ProduceResponse { responses: responses.collect() })
}
