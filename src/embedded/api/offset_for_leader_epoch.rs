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

/// Where leader epochs ended, so that a client finds out whether what it has read is in the log (KIP-320).
pub(super) fn answer(
    state: &mut State,
    caller: &Caller,
    request: OffsetForLeaderEpochRequest,
) -> OffsetForLeaderEpochResponse {
    let topics = request.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|asked| match ended(state, caller, topic.topic.as_str(), asked) {
            // −1 for both where the epoch is not known.
            Ok(found) => end(asked, ErrorCode::NONE, found.unwrap_or((-1, -1))),
            Err(code) => end(asked, code, (-1, -1)),
        });
        let partitions = partitions.collect();
        message!(OffsetForLeaderTopicResult { topic: topic.topic, partitions: partitions })
    });
    message!(OffsetForLeaderEpochResponse { topics: topics.collect() })
}

fn ended(
    state: &State,
    caller: &Caller,
    topic: &str,
    asked: &OffsetForLeaderPartition,
) -> Result<Option<(i32, i64)>, ErrorCode> {
    let partition = state.topics.partition(topic, asked.partition);
    let partition = partition.ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
    caller.check(topic, asked.partition)?;
    partition.check_leader(caller.broker, asked.current_leader_epoch)?;
    Ok(partition.log.end_of_epoch(asked.leader_epoch))
}

fn end(asked: &OffsetForLeaderPartition, code: ErrorCode, (epoch, offset): (i32, i64)) -> EpochEndOffset {
    message!(EpochEndOffset {
        error_code: code.code(),
        partition: asked.partition,
        leader_epoch: epoch,
        end_offset: offset,
    })
}

pub(super) fn refuse(request: &OffsetForLeaderEpochRequest, _: i16, code: ErrorCode) -> OffsetForLeaderEpochResponse {
    let topics = request.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|asked| end(asked, code, (-1, -1))).collect();
        message!(OffsetForLeaderTopicResult { topic: topic.topic.clone(), partitions: partitions })
    });
    message!(OffsetForLeaderEpochResponse { topics: topics.collect() })
}
