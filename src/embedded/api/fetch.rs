use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::time::Instant;

use super::{Caller, Outcome};
use crate::{
    batch::RecordSet,
    embedded::{
        fetch_session::{FINAL_EPOCH, INITIAL_EPOCH, Partitions, TopicKey, Wanted},
        state::State,
    },
    wire::{
        ErrorCode,
        messages::{
            FetchRequest, FetchResponse,
            fetch_request::FetchTopic,
            fetch_response::{EpochEndOffset, FetchableTopicResponse, LeaderIdAndEpoch, NodeEndpoint, PartitionData},
            message,
        },
    },
};

const TOPIC_IDS_FROM: i16 = 13;
const SESSIONS_FROM: i16 = 7;
const READ_COMMITTED: i8 = 1;
/// As Kafka's `fetch.max.bytes` of a broker: an answer has no more, but for a first batch that is larger.
const MAX_BYTES: usize = 55 << 20;

/// A fetch that waits for records.
#[derive(Debug)]
pub(crate) struct Parked {
    pub(crate) until: Instant,
    caller: Caller,
    fetch: Fetch,
}

/// What is fetched, in this order.
#[derive(Debug)]
struct Fetch {
    partitions: Vec<Wanted>,
    /// 0 without a session.
    session: i32,
    /// Only what is new to the client is answered.
    incremental: bool,
    min_bytes: usize,
    max_bytes: usize,
    isolation: i8,
}

/// Records from the logs: at once if there are enough, or once there are, or when the client has waited long enough.
pub(super) fn answer(state: &mut State, caller: &Caller, request: FetchRequest) -> Outcome<FetchResponse> {
    let wait = Duration::from_millis(u64::try_from(request.max_wait_ms).unwrap_or(0));
    let fetch = match begun(state, caller, request) {
        Ok(fetch) => fetch,
        Err(code) => return message!(FetchResponse { error_code: code.code() }).into(),
    };
    if wait.is_zero() || fetch.partitions.is_empty() || is_ready(state, caller, &fetch) {
        return finished(state, caller, &fetch).into();
    }
    let ticket = state.waiting.ticket();
    state.waiting.park(ticket, Parked { until: caller.now + wait, caller: caller.clone(), fetch });
    Outcome::Later(ticket)
}

/// Answers those that have waited long enough, or that what has come is enough for.
pub(crate) fn settle(state: &mut State, now: Instant) {
    let is_news = std::mem::take(&mut state.is_news);
    if !state.waiting.has_fetches() || !is_news && state.waiting.next_deadline().is_some_and(|at| at > now) {
        return;
    }
    for (ticket, parked) in state.waiting.take_fetches() {
        let is_due = parked.until <= now;
        if is_due || is_news && is_ready(state, &parked.caller, &parked.fetch) {
            let answer = finished(state, &parked.caller, &parked.fetch);
            state.waiting.answer(ticket, answer);
        } else {
            state.waiting.park(ticket, parked);
        }
    }
}

fn begun(state: &mut State, caller: &Caller, request: FetchRequest) -> Result<Fetch, ErrorCode> {
    let by_id = caller.version >= TOPIC_IDS_FROM;
    let forgotten = request.forgotten_topics_data.iter().flat_map(|topic| {
        let key = key_of(by_id, topic.topic.as_str(), topic.topic_id);
        topic.partitions.iter().map(move |partition| (key.clone(), *partition))
    });
    let forgotten: Vec<(TopicKey, i32)> = forgotten.collect();
    let asked: Vec<Wanted> = request.topics.iter().flat_map(|topic| wanted(by_id, topic)).collect();
    let (id, epoch) = match caller.version {
        SESSIONS_FROM.. => (request.session_id, request.session_epoch),
        _ => (0, FINAL_EPOCH),
    };
    let (partitions, session, incremental) = match (id, epoch) {
        (id, FINAL_EPOCH) => {
            state.sessions.close(id);
            (Partitions::from_iter(asked).iter().cloned().collect(), 0, false)
        }
        (id, INITIAL_EPOCH) => {
            state.sessions.close(id);
            let asked = Partitions::from_iter(asked);
            let partitions = asked.iter().cloned().collect();
            (partitions, state.sessions.open(caller.broker, asked), false)
        }
        (id, epoch) => (state.sessions.go_on(caller.broker, (id, epoch), asked, &forgotten)?, id, true),
    };
    let max_bytes = usize::try_from(request.max_bytes).unwrap_or(0).min(MAX_BYTES);
    Ok(Fetch {
        partitions,
        session,
        incremental,
        min_bytes: usize::try_from(request.min_bytes).unwrap_or(0).min(max_bytes),
        max_bytes,
        isolation: request.isolation_level,
    })
}

fn key_of(by_id: bool, name: &str, id: impl Into<crate::model::TopicId>) -> TopicKey {
    if by_id { TopicKey::Id(id.into()) } else { TopicKey::Name(Arc::from(name)) }
}

fn wanted(by_id: bool, topic: &FetchTopic) -> Vec<Wanted> {
    let key = key_of(by_id, topic.topic.as_str(), topic.topic_id);
    let wanted = topic.partitions.iter().map(|partition| Wanted {
        topic: key.clone(),
        partition: partition.partition,
        offset: partition.fetch_offset,
        max_bytes: partition.partition_max_bytes,
        leader_epoch: partition.current_leader_epoch,
        last_epoch: partition.last_fetched_epoch,
        told: None,
    });
    wanted.collect()
}

/// Whether there is as much as the client waits for, or something else that it should know at once.
fn is_ready(state: &State, caller: &Caller, fetch: &Fetch) -> bool {
    let mut found = 0;
    for wanted in &fetch.partitions {
        match looked_up(state, caller, wanted) {
            Ok(Looked { diverging: Some(_), .. }) | Err(_) => return true,
            Ok(Looked { partition, .. }) => {
                let max = usize::try_from(wanted.max_bytes).unwrap_or(0).max(fetch.min_bytes);
                found += partition.log.readable(wanted.offset, max);
            }
        }
        if found > 0 && found >= fetch.min_bytes {
            return true;
        }
    }
    fetch.min_bytes == 0
}

/// A partition that may be read at the offset asked for.
struct Looked<'a> {
    name: &'a str,
    partition: &'a crate::embedded::topic::Partition,
    /// The client's last epoch ended earlier than it thinks: where (KIP-320).
    diverging: Option<(i32, i64)>,
}

fn looked_up<'a>(state: &'a State, caller: &Caller, wanted: &'a Wanted) -> Result<Looked<'a>, ErrorCode> {
    let name = match &wanted.topic {
        TopicKey::Name(name) => name,
        TopicKey::Id(id) => state.topics.name_of(*id).ok_or(ErrorCode::UNKNOWN_TOPIC_ID)?,
    };
    let partition = state.topics.partition(name, wanted.partition);
    let partition = partition.ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
    caller.check(name, wanted.partition)?;
    partition.check_leader(caller.broker, wanted.leader_epoch)?;
    let log = &partition.log;
    if wanted.last_epoch >= 0 {
        let found = log.end_of_epoch(wanted.last_epoch).ok_or(ErrorCode::OFFSET_OUT_OF_RANGE)?;
        if found.0 < wanted.last_epoch || found.1 < wanted.offset {
            return Ok(Looked { name, partition, diverging: Some(found) });
        }
    }
    if wanted.offset < log.start() || wanted.offset > log.end() {
        return Err(ErrorCode::OFFSET_OUT_OF_RANGE);
    }
    Ok(Looked { name, partition, diverging: None })
}

/// The answer as of now.
fn finished(state: &mut State, caller: &Caller, fetch: &Fetch) -> FetchResponse {
    let (mut left, mut is_first) = (fetch.max_bytes, true);
    let mut responses: Vec<(TopicKey, Vec<PartitionData>)> = Vec::new();
    let mut told = Vec::new();
    let mut strangers = false;
    for wanted in &fetch.partitions {
        let data = match looked_up(state, caller, wanted) {
            Ok(looked) => {
                let log = &looked.partition.log;
                let max = usize::try_from(wanted.max_bytes).unwrap_or(0).min(left);
                let records = match looked.diverging {
                    None => log.read(wanted.offset, max, is_first),
                    Some(_) => Bytes::new(),
                };
                let records = match caller.breaks_records(looked.name, wanted.partition) {
                    true => broken(records),
                    false => records,
                };
                left = left.saturating_sub(records.len());
                is_first &= records.is_empty();
                let marks = (log.end(), log.start());
                let is_news = !records.is_empty() || looked.diverging.is_some() || wanted.told != Some(marks);
                told.push((wanted.topic.clone(), wanted.partition, marks, !records.is_empty()));
                if fetch.incremental && !is_news {
                    continue;
                }
                found(caller, fetch, wanted, marks, records, looked.diverging)
            }
            Err(code) => {
                let mut data = failed(wanted.partition, code);
                let moved = matches!(code, ErrorCode::NOT_LEADER_OR_FOLLOWER | ErrorCode::FENCED_LEADER_EPOCH);
                if moved && caller.version >= 12 {
                    data.current_leader = leader_of(state, wanted);
                    strangers = true;
                }
                data
            }
        };
        match responses.last_mut().filter(|(topic, _)| *topic == wanted.topic) {
            Some((_, partitions)) => partitions.push(data),
            None => responses.push((wanted.topic.clone(), vec![data])),
        }
    }
    for (topic, partition, marks, had_records) in told {
        state.sessions.told(fetch.session, &topic, partition, marks, had_records);
    }
    let responses = responses.into_iter().map(|(topic, partitions)| match topic {
        TopicKey::Name(name) => message!(FetchableTopicResponse { topic: (&*name).into(), partitions: partitions }),
        TopicKey::Id(id) => message!(FetchableTopicResponse { topic_id: id.into(), partitions: partitions }),
    });
    let mut answer = message!(FetchResponse { session_id: fetch.session, responses: responses.collect() });
    if strangers && caller.version >= 16 {
        answer.node_endpoints = endpoints(state, caller);
    }
    answer
}

/// With a wrong bit at the end of the first batch, which is in its last record.
fn broken(records: Bytes) -> Bytes {
    let Some(Ok(batch)) = RecordSet::new(records.clone()).next() else { return records };
    let at = batch.size_in_bytes() - 1;
    let mut records = records.to_vec();
    records[at] ^= 1;
    records.into()
}

fn found(
    caller: &Caller,
    fetch: &Fetch,
    wanted: &Wanted,
    (end, start): (i64, i64),
    records: Bytes,
    diverging: Option<(i32, i64)>,
) -> PartitionData {
    let mut data = message!(PartitionData {
        partition_index: wanted.partition,
        high_watermark: end,
        // There are no transactions: all of it is stable.
        last_stable_offset: end,
        log_start_offset: if caller.version >= 5 { start } else { -1 },
        aborted_transactions: (fetch.isolation == READ_COMMITTED).then(Vec::new),
        preferred_read_replica: -1,
        records: Some(records),
    });
    if let Some((epoch, end_offset)) = diverging {
        data.diverging_epoch = message!(EpochEndOffset { epoch: epoch, end_offset: end_offset });
    }
    data
}

fn leader_of(state: &State, wanted: &Wanted) -> LeaderIdAndEpoch {
    let name = match &wanted.topic {
        TopicKey::Name(name) => Some(name),
        TopicKey::Id(id) => state.topics.name_of(*id),
    };
    match name.and_then(|name| state.topics.partition(name, wanted.partition)) {
        Some(partition) => {
            message!(LeaderIdAndEpoch { leader_id: partition.leader, leader_epoch: partition.leader_epoch })
        }
        None => LeaderIdAndEpoch::default(),
    }
}

fn endpoints(state: &State, caller: &Caller) -> Vec<NodeEndpoint> {
    let endpoints = state.running().filter_map(|id| {
        let address = state.address(id, caller.door)?;
        let (host, port) = (address.host().into(), i32::from(address.port()));
        Some(message!(NodeEndpoint { node_id: id, host: host, port: port }))
    });
    endpoints.collect()
}

fn failed(partition: i32, code: ErrorCode) -> PartitionData {
    message!(PartitionData {
        partition_index: partition,
        error_code: code.code(),
        high_watermark: -1,
        last_stable_offset: -1,
        log_start_offset: -1,
        preferred_read_replica: -1,
        records: Some(Bytes::new()),
    })
}

pub(super) fn refuse(request: &FetchRequest, _: i16, code: ErrorCode) -> FetchResponse {
    let responses = request.topics.iter().map(|topic| {
        message!(FetchableTopicResponse {
            topic: topic.topic.clone(),
            topic_id: topic.topic_id,
            partitions: topic.partitions.iter().map(|p| failed(p.partition, code)).collect(),
        })
    });
    // An incremental fetch that names no partition can carry it only as a whole.
    let error_code = if request.topics.is_empty() { code.code() } else { 0 };
    message!(FetchResponse { error_code: error_code, responses: responses.collect() })
}
