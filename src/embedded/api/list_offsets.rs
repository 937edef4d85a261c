use std::collections::HashSet;

use super::Caller;
use crate::{
    embedded::{log::Log, state::State},
    wire::{
        ErrorCode,
        messages::{
            ListOffsetsRequest, ListOffsetsResponse,
            list_offsets_request::ListOffsetsPartition,
            list_offsets_response::{ListOffsetsPartitionResponse, ListOffsetsTopicResponse},
            message,
        },
    },
};

// What stands in place of a timestamp.
const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
/// KIP-734.
const MAX_TIMESTAMP: i64 = -3;
/// KIP-405: the earliest that is on the broker's own disk: here all of it.
const EARLIEST_LOCAL: i64 = -4;
/// KIP-1005: the latest that is in tiered storage: here nothing is.
const LATEST_TIERED: i64 = -5;
/// KIP-1023: the earliest that is yet to go to tiered storage: here all of it.
const EARLIEST_PENDING_UPLOAD: i64 = -6;

/// Offsets by time, and the ends of logs.
pub(super) fn answer(state: &mut State, caller: &Caller, request: ListOffsetsRequest) -> ListOffsetsResponse {
    let twice = named_twice(&request);
    let topics = request.topics.into_iter().map(|topic| {
        let name = topic.name;
        let partitions = topic.partitions.into_iter().map(|asked| {
            // To look up times takes its own: of a partition it is done once.
            if twice.contains(&(name.as_str().to_owned(), asked.partition_index)) {
                return failed(asked.partition_index, ErrorCode::INVALID_REQUEST);
            }
            let found = looked_up(state, caller, name.as_str(), &asked);
            let (offset, timestamp, epoch) = match found {
                Ok(found) => found,
                Err(code) => return failed(asked.partition_index, code),
            };
            message!(ListOffsetsPartitionResponse {
                partition_index: asked.partition_index,
                timestamp: timestamp,
                offset: offset,
                leader_epoch: if caller.version >= 4 { epoch } else { -1 },
            })
        });
        let partitions = partitions.collect();
        message!(ListOffsetsTopicResponse { name: name, partitions: partitions })
    });
    message!(ListOffsetsResponse { topics: topics.collect() })
}

/// Partitions that the request names more than once, which Kafka refuses.
fn named_twice(request: &ListOffsetsRequest) -> HashSet<(String, i32)> {
    let (mut seen, mut twice) = (HashSet::new(), HashSet::new());
    for topic in &request.topics {
        for asked in &topic.partitions {
            if !seen.insert((topic.name.as_str(), asked.partition_index)) {
                twice.insert((topic.name.as_str().to_owned(), asked.partition_index));
            }
        }
    }
    twice
}

type Found = (i64, i64, i32);

const NOTHING: Found = (-1, -1, -1);

fn looked_up(state: &State, caller: &Caller, topic: &str, asked: &ListOffsetsPartition) -> Result<Found, ErrorCode> {
    let partition = state.topics.partition(topic, asked.partition_index);
    let partition = partition.ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
    caller.check(topic, asked.partition_index)?;
    partition.check_leader(caller.broker, asked.current_leader_epoch)?;
    let log = &partition.log;
    Ok(match asked.timestamp {
        LATEST => (log.end(), -1, partition.leader_epoch),
        EARLIEST => (log.start(), -1, epoch_at_start(log)),
        EARLIEST_LOCAL if caller.version >= 8 => (log.start(), -1, epoch_at_start(log)),
        LATEST_TIERED if caller.version >= 9 => NOTHING,
        EARLIEST_PENDING_UPLOAD if caller.version >= 11 => NOTHING,
        MAX_TIMESTAMP if caller.version >= 7 => log.latest().map_or(NOTHING, |found| (found.offset, found.timestamp, found.leader_epoch)),
        time if time >= 0 => log.at_time(time).map_or(NOTHING, |found| (found.offset, found.timestamp, found.leader_epoch)),
        _ => return Err(ErrorCode::UNSUPPORTED_VERSION),
    })
}

/// The epoch of the first record, or that of the leader who will write it.
fn epoch_at_start(log: &Log) -> i32 {
    log.epoch_at(log.start()).or_else(|| log.latest_epoch()).unwrap_or(-1)
}

fn failed(partition: i32, code: ErrorCode) -> ListOffsetsPartitionResponse {
    let (offset, timestamp, epoch) = NOTHING;
    message!(ListOffsetsPartitionResponse {
        partition_index: partition,
        error_code: code.code(),
        timestamp: timestamp,
        offset: offset,
        leader_epoch: epoch,
    })
}

pub(super) fn refuse(request: &ListOffsetsRequest, _: i16, code: ErrorCode) -> ListOffsetsResponse {
    let topics = request.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|asked| failed(asked.partition_index, code)).collect();
        message!(ListOffsetsTopicResponse { name: topic.name.clone(), partitions: partitions })
    });
    message!(ListOffsetsResponse { topics: topics.collect() })
}
