use super::Caller;
use crate::{
    embedded::state::State,
    wire::{
        ErrorCode,
        messages::{
            DeleteRecordsRequest, DeleteRecordsResponse,
            delete_records_response::{DeleteRecordsPartitionResult, DeleteRecordsTopicResult},
            message,
        },
    },
};

/// In place of an offset: where the log ends.
const HIGH_WATERMARK: i64 = -1;

/// Records before an offset go.
pub(super) fn answer(state: &mut State, caller: &Caller, request: DeleteRecordsRequest) -> DeleteRecordsResponse {
    let topics = request.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|asked| {
            let deleted = delete(state, caller, topic.name.as_str(), asked.partition_index, asked.offset);
            result(asked.partition_index, deleted)
        });
        let partitions = partitions.collect();
        message!(DeleteRecordsTopicResult { name: topic.name, partitions: partitions })
    });
    message!(DeleteRecordsResponse { topics: topics.collect() })
}

/// Where the log begins then.
fn delete(state: &mut State, caller: &Caller, name: &str, index: i32, offset: i64) -> Result<i64, ErrorCode> {
    let topic = state.topics.get_mut(name).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
    let is_allowed = topic.is_deleted_from();
    let partition = usize::try_from(index).ok().and_then(|index| topic.partitions.get_mut(index));
    let partition = partition.ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
    caller.check(name, index)?;
    partition.check_leader(caller.broker, -1)?;
    if !is_allowed {
        return Err(ErrorCode::POLICY_VIOLATION);
    }
    let log = &mut partition.log;
    let offset = if offset == HIGH_WATERMARK { log.end() } else { offset };
    if !(0..=log.end()).contains(&offset) {
        return Err(ErrorCode::OFFSET_OUT_OF_RANGE);
    }
    let before = log.bytes();
    log.delete_before(offset);
    state.bytes -= before - log.bytes();
    state.is_news = true;
    Ok(log.start())
}

fn result(partition: i32, deleted: Result<i64, ErrorCode>) -> DeleteRecordsPartitionResult {
    let (low_watermark, code) = match deleted {
        Ok(start) => (start, ErrorCode::NONE),
        Err(code) => (-1, code),
    };
    message!(DeleteRecordsPartitionResult {
        partition_index: partition,
        low_watermark: low_watermark,
        error_code: code.code(),
    })
}

pub(super) fn refuse(request: &DeleteRecordsRequest, _: i16, code: ErrorCode) -> DeleteRecordsResponse {
    let topics = request.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|asked| result(asked.partition_index, Err(code))).collect();
        message!(DeleteRecordsTopicResult { name: topic.name.clone(), partitions: partitions })
    });
    message!(DeleteRecordsResponse { topics: topics.collect() })
}
