use super::{Caller, Outcome};
use crate::{
    batch::{Appended, Batch, BatchError, DecodeLimits, RecordSet},
    embedded::{
        sequences::Arrival,
        state::State,
        topic::{Partition, Topic},
    },
    model::TimestampType,
    wire::{
        ErrorCode,
        messages::{
            ProduceRequest, ProduceResponse, message,
            produce_request::PartitionProduceData,
            produce_response::{LeaderIdAndEpoch, PartitionProduceResponse, TopicProduceResponse},
        },
    },
};

const ACKS_ALL: i16 = -1;
const TOPIC_IDS_FROM: i16 = 13;
/// What the compressed batches of one request may hold together, or else this many times what they measure: nobody else is
/// served while they are read.
const MAX_DECOMPRESSED: usize = 64 << 20;
const MAX_RATIO: usize = 8;

/// Appends batches, each to its partition's log, as they are.
pub(super) fn answer(state: &mut State, caller: &Caller, request: ProduceRequest) -> Outcome<ProduceResponse> {
    if !matches!(request.acks, ACKS_ALL..=1) {
        return refuse(&request, caller.version, ErrorCode::INVALID_REQUIRED_ACKS).into();
    }
    let acks = request.acks;
    let batches = request.topic_data.iter().flat_map(|topic| &topic.partition_data);
    let bytes: usize = batches.map(|data| data.records.as_ref().map_or(0, |records| records.len())).sum();
    let mut room = MAX_DECOMPRESSED.max(MAX_RATIO * bytes);
    let mut responses = Vec::with_capacity(request.topic_data.len());
    for topic in request.topic_data {
        let name = match caller.version {
            TOPIC_IDS_FROM.. => state.topics.name_of(topic.topic_id.into()).map(ToString::to_string),
            _ => Some(topic.name.as_str().to_owned()),
        };
        let partition_responses = topic.partition_data.into_iter().map(|data| match &name {
            Some(name) => append(state, caller, name, acks, data, &mut room),
            None => failed(data.index, ErrorCode::UNKNOWN_TOPIC_ID, None),
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
        0 => Outcome::Never,
        _ => message!(ProduceResponse { responses: responses }).into(),
    }
}

/// Why a batch is not appended.
struct Refused {
    code: ErrorCode,
    why: Option<String>,
}

impl From<ErrorCode> for Refused {
    fn from(code: ErrorCode) -> Self {
        Refused { code, why: None }
    }
}

impl From<BatchError> for Refused {
    fn from(error: BatchError) -> Self {
        let code = match error {
            BatchError::OldFormat { .. } => ErrorCode::UNSUPPORTED_FOR_MESSAGE_FORMAT,
            BatchError::TooLarge { .. } => ErrorCode::MESSAGE_TOO_LARGE,
            _ => ErrorCode::CORRUPT_MESSAGE,
        };
        Refused { code, why: Some(error.to_string()) }
    }
}

fn invalid(why: impl Into<String>) -> Refused {
    Refused { code: ErrorCode::INVALID_RECORD, why: Some(why.into()) }
}

fn append(
    state: &mut State,
    caller: &Caller,
    name: &str,
    acks: i16,
    data: PartitionProduceData,
    room: &mut usize,
) -> PartitionProduceResponse {
    let index = data.index;
    let now = state.clock.millis(caller.now);
    let Some(topic) = state.topics.get(name) else {
        return failed(index, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, None);
    };
    let Some(partition) = usize::try_from(index).ok().and_then(|index| topic.partitions.get(index)) else {
        return failed(index, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, None);
    };
    let (batch, arrival) = match checked(topic, partition, caller, acks, data, now, room) {
        Ok(checked) => checked,
        Err(refused) => {
            let mut answer = failed(index, refused.code, refused.why);
            if refused.code == ErrorCode::NOT_LEADER_OR_FOLLOWER && caller.version >= 10 {
                let (leader_id, leader_epoch) = (partition.leader, partition.leader_epoch);
                answer.current_leader =
                    message!(LeaderIdAndEpoch { leader_id: leader_id, leader_epoch: leader_epoch });
            }
            return answer;
        }
    };
    let limit = if topic.is_deleted_from() { usize::try_from(topic.number("retention.bytes")).ok() } else { None };
    let append_time = (topic.timestamp_type() == TimestampType::LogAppendTime).then_some(now);
    let partition = state.topics.partition_mut(name, index).expect("it was found above");
    let base_offset = match arrival {
        Arrival::Duplicate(offset) => offset,
        Arrival::New => {
            let offset = partition.log.end();
            let as_of = Appended { base_offset: offset, leader_epoch: partition.leader_epoch, append_time };
            let appended = batch.appended(as_of);
            partition.sequences.written(&appended, offset);
            state.bytes += appended.size_in_bytes();
            partition.log.append(appended);
            state.bytes -= limit.map_or(0, |limit| partition.log.keep_newest(limit));
            state.is_news = true;
            offset
        }
    };
    message!(PartitionProduceResponse {
        index: index,
        base_offset: base_offset,
        log_append_time_ms: append_time.unwrap_or(-1),
        log_start_offset: if caller.version >= 5 { partition.log.start() } else { -1 },
    })
}

/// The one batch that a produce request may carry for a partition, and what it is to its log.
fn checked(
    topic: &Topic,
    partition: &Partition,
    caller: &Caller,
    acks: i16,
    data: PartitionProduceData,
    now: i64,
    room: &mut usize,
) -> Result<(Batch, Arrival), Refused> {
    caller.check(&topic.name, data.index)?;
    partition.check_leader(caller.broker, -1)?;
    if acks == ACKS_ALL && (partition.in_sync.len() as i64) < topic.number("min.insync.replicas") {
        return Err(ErrorCode::NOT_ENOUGH_REPLICAS.into());
    }
    let mut set = RecordSet::new(data.records.unwrap_or_default());
    let batch = set.next().transpose()?.ok_or_else(|| invalid("a produce request without a record batch"))?;
    if !set.rest().is_empty() {
        return Err(invalid("a produce request may carry one record batch for a partition, and nothing behind it"));
    }
    batch.verify()?;
    let (size, limit) = (batch.size_in_bytes(), topic.number("max.message.bytes"));
    if size as i64 > limit {
        let why = format!("the batch measures {size} bytes, where {limit} are allowed (max.message.bytes)");
        return Err(Refused { code: ErrorCode::MESSAGE_TOO_LARGE, why: Some(why) });
    }
    if batch.is_control() {
        return Err(invalid("clients may not write control records"));
    }
    if batch.is_transactional() {
        return Err(Refused { code: ErrorCode::INVALID_TXN_STATE, why: Some("no transactions here".to_owned()) });
    }
    if batch.producer_id() >= 0 && (batch.base_sequence() < 0 || batch.producer_epoch() < 0) {
        return Err(invalid("an idempotent producer's batch without an epoch or a sequence number"));
    }
    let arrival = partition.sequences.check(&batch)?;
    if arrival == Arrival::New {
        check_records(topic, &batch, now, room)?;
    }
    Ok((batch, arrival))
}

/// As Kafka's `LogValidator`: each record is read. Decompressed they take of the `room` that there is.
fn check_records(topic: &Topic, batch: &Batch, now: i64, room: &mut usize) -> Result<(), Refused> {
    let (compacted, by_producer) =
        (topic.is_compacted(), topic.timestamp_type() == TimestampType::CreateTime);
    let (before, after) =
        (topic.number("message.timestamp.before.max.ms"), topic.number("message.timestamp.after.max.ms"));
    let mut count = 0;
    let mut limits = DecodeLimits::default();
    limits.max_decompressed_bytes = limits.max_decompressed_bytes.min(*room);
    let records = batch.records(limits).inspect_err(|error| {
        if matches!(error, BatchError::TooLarge { .. }) {
            *room = room.saturating_sub(limits.max_decompressed_bytes);
        }
    })?;
    if batch.is_compressed() {
        *room -= records.bytes().len();
    }
    for record in records {
        let record = record.map_err(|error| invalid(error.to_string()))?;
        if record.offset != batch.base_offset() + i64::from(count) {
            return Err(invalid(format!("record {count} of the batch does not follow the one before")));
        }
        if compacted && record.key_range().is_none() {
            return Err(invalid("a record without a key in a compacted topic"));
        }
        if by_producer && (now.saturating_sub(record.timestamp) > before || record.timestamp.saturating_sub(now) > after)
        {
            let why = format!("the timestamp {} is too far from the broker's time, {now}", record.timestamp);
            return Err(Refused { code: ErrorCode::INVALID_TIMESTAMP, why: Some(why) });
        }
        count += 1;
    }
    match count > 0 && count == batch.count() && i64::from(count) == batch.next_offset() - batch.base_offset() {
        true => Ok(()),
        false => Err(invalid(format!("the batch has {count} records, its header says {}", batch.count()))),
    }
}

fn failed(index: i32, code: ErrorCode, why: Option<String>) -> PartitionProduceResponse {
    message!(PartitionProduceResponse {
        index: index,
        error_code: code.code(),
        base_offset: -1,
        log_append_time_ms: -1,
        log_start_offset: -1,
        error_message: why.map(Into::into),
    })
}

pub(super) fn refuse(request: &ProduceRequest, _: i16, code: ErrorCode) -> ProduceResponse {
    let responses = request.topic_data.iter().map(|topic| {
        message!(TopicProduceResponse {
            name: topic.name.clone(),
            topic_id: topic.topic_id,
            partition_responses: topic.partition_data.iter().map(|data| failed(data.index, code, None)).collect(),
        })
    });
    message!(ProduceResponse { responses: responses.collect() })
}
