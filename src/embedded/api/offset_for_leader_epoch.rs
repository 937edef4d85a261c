use super::Caller;
use crate::{
    embedded::state::State,
    wire::{
        ErrorCode,
        messages::{
            OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse,
            offset_for_leader_epoch_request::OffsetForLeaderPartition,
            offset_for_leader_epoch_response::{EpochEndOffset, OffsetForLeaderTopicResult},
            message,
        },
    },
};

/// Where leader epochs ended (KIP-320).
pub(super) fn answer(
    state: &mut State,
    caller: &Caller,
    request: OffsetForLeaderEpochRequest,
) -> OffsetForLeaderEpochResponse {
    let topics = request.topics.into_iter().map(|topic| {
        let ends = topic.partitions.iter().map(|asked| {
            let found = looked_up(state, caller, topic.topic.as_str(), asked);
            result(asked.partition, found)
        });
        let ends = ends.collect();
        message!(OffsetForLeaderTopicResult { topic: topic.topic, partitions: ends })
    });
    message!(OffsetForLeaderEpochResponse { topics: topics.collect() })
}

fn looked_up(
    state: &State,
    caller: &Caller,
    topic: &str,
    asked: &OffsetForLeaderPartition,
) -> Result<(i32, i64), ErrorCode> {
    let partition = state.topics.partition(topic, asked.partition);
    let partition = partition.ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
    caller.check(topic, asked.partition)?;
    partition.check_leader(caller.broker, asked.current_leader_epoch)?;
    // The leader's own epoch ends where its log does, whether or not it has written.
    if asked.leader_epoch == partition.leader_epoch {
        return Ok((asked.leader_epoch, partition.log.end()));
    }
    if asked.leader_epoch > partition.leader_epoch {
        return Ok((-1, -1));
    }
    Ok(partition.log.end_of_epoch(asked.leader_epoch).unwrap_or((-1, -1)))
}

fn result(partition: i32, found: Result<(i32, i64), ErrorCode>) -> EpochEndOffset {
    let ((epoch, offset), code) = match found {
        Ok(found) => (found, ErrorCode::NONE),
        Err(code) => ((-1, -1), code),
    };
    message!(EpochEndOffset {
        error_code: code.code(),
        partition: partition,
        leader_epoch: epoch,
        end_offset: offset,
    })
}

pub(super) fn refuse(request: &OffsetForLeaderEpochRequest, _: i16, code: ErrorCode) -> OffsetForLeaderEpochResponse {
    let topics = request.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|asked| result(asked.partition, Err(code))).collect();
        message!(OffsetForLeaderTopicResult { topic: topic.topic.clone(), partitions: partitions })
    });
    message!(OffsetForLeaderEpochResponse { topics: topics.collect() })
}
