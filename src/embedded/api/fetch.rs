use std::{collections::BTreeSet, sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::time::Instant;

use super::{Caller, Outcome};
use crate::{
    batch::RecordSet,
    embedded::{
        fetch_session::{FINAL_EPOCH, INITIAL_EPOCH, Step},
        parked::{Fetch, Parked},
        state::State,
        topic::Partition,
        turns::{TopicKey, Turns, Wanted},
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
/// From this version on clients may fetch from replicas that follow (KIP-392).
const FOLLOWERS_FROM: i16 = 11;
/// From this version on a client is told who leads in place of who it asked (KIP-951).
const LEADERS_FROM: i16 = 16;
const READ_COMMITTED: i8 = 1;
/// As Kafka's `fetch.max.bytes` of a broker: an answer has no more, but for a first batch that is larger.
const MAX_BYTES: usize = 55 << 20;

/// Records from the logs: at once if there are enough, or once there are, or when the client has waited long enough.
pub(super) fn answer(state: &mut State, caller: &Caller, request: FetchRequest) -> Outcome<FetchResponse> {
    let wait = Duration::from_millis(u64::try_from(request.max_wait_ms).unwrap_or(0));
    let fetch = match begun(state, caller, request) {
        Ok(fetch) => fetch,
        Err(code) => return message!(FetchResponse { error_code: code.code() }).into(),
    };
    if wait.is_zero() || fetch.partitions.len() == fetch.unknown.len() || is_ready(state, caller, &fetch) {
        return finished(state, caller, &fetch).into();
    }
    let ticket = state.waiting.ticket();
    state.waiting.park(ticket, Parked { until: caller.now + wait, caller: caller.clone(), fetch });
    Outcome::Later(ticket)
}

/// Answers those that have waited long enough, or that what has come is enough for.
pub(super) fn settle(state: &mut State, now: Instant) {
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
            (in_turn(&asked.into_iter().collect()), 0, false)
        }
        (id, INITIAL_EPOCH) => {
            state.sessions.close(id);
            let turns: Turns = asked.into_iter().collect();
            (in_turn(&turns), state.sessions.open(caller.broker, by_id, turns), false)
        }
        (session, epoch) => {
            let broker = caller.broker;
            let step = Step { broker, session, epoch, by_id, changed: asked, forgotten: &forgotten };
            let partitions = state.sessions.go_on(step)?;
            let session = if partitions.is_empty() { 0 } else { session };
            (partitions, session, true)
        }
    };
    let is_unknown = |wanted: &Wanted| {
        let name = name_of(state, wanted);
        name.is_none_or(|name| state.topics.partition(name, wanted.partition).is_none())
    };
    let unknown = partitions.iter().enumerate().filter(|(_, wanted)| is_unknown(wanted)).map(|(at, _)| at).collect();
    let max_bytes = usize::try_from(request.max_bytes).unwrap_or(0).min(MAX_BYTES);
    Ok(Fetch {
        partitions,
        unknown,
        session,
        incremental,
        min_bytes: usize::try_from(request.min_bytes).unwrap_or(0).min(max_bytes),
        max_bytes,
        isolation: request.isolation_level,
        rack: request.rack_id.as_str().to_owned(),
    })
}

fn in_turn(turns: &Turns) -> Vec<Wanted> {
    turns.iter().cloned().collect()
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

/// Whether there is as much as the client waits for, or something else that it should know at once: not that a partition did
/// not exist when it asked, where it asks for others too.
fn is_ready(state: &State, caller: &Caller, fetch: &Fetch) -> bool {
    let mut found = 0;
    for (at, wanted) in fetch.partitions.iter().enumerate() {
        match looked_up(state, caller, fetch, wanted) {
            Err(_) if fetch.unknown.contains(&at) => {}
            Ok(Looked { diverging: None, nearer: None, partition, .. }) => {
                let max = usize::try_from(wanted.max_bytes).unwrap_or(0);
                // The first batch goes out whatever is allowed.
                let max = if found == 0 { max.max(1) } else { max };
                found += partition.log.readable(wanted.offset, max);
            }
            Ok(_) | Err(_) => return true,
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
    partition: &'a Partition,
    /// The client's last epoch ended earlier than it thinks: where (KIP-320).
    diverging: Option<(i32, i64)>,
    /// Another replica that the client is to read from in place of the leader (KIP-392).
    nearer: Option<i32>,
}

fn name_of<'a>(state: &'a State, wanted: &'a Wanted) -> Option<&'a Arc<str>> {
    match &wanted.topic {
        TopicKey::Name(name) => Some(name),
        TopicKey::Id(id) => state.topics.name_of(*id),
    }
}

fn looked_up<'a>(
    state: &'a State,
    caller: &Caller,
    fetch: &Fetch,
    wanted: &'a Wanted,
) -> Result<Looked<'a>, ErrorCode> {
    let name = name_of(state, wanted).ok_or(ErrorCode::UNKNOWN_TOPIC_ID)?;
    let partition = state.topics.partition(name, wanted.partition);
    let partition = partition.ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
    caller.check(name, wanted.partition)?;
    match caller.version {
        FOLLOWERS_FROM.. => partition.check_replica(caller.broker, wanted.leader_epoch)?,
        _ => partition.check_leader(caller.broker, wanted.leader_epoch)?,
    }
    let log = &partition.log;
    let looked = Looked { name, partition, diverging: None, nearer: None };
    if wanted.last_epoch >= 0 {
        let found = log.end_of_epoch(wanted.last_epoch).ok_or(ErrorCode::OFFSET_OUT_OF_RANGE)?;
        if found.0 < wanted.last_epoch || found.1 < wanted.offset {
            return Ok(Looked { diverging: Some(found), ..looked });
        }
    }
    if wanted.offset < log.start() || wanted.offset > log.end() {
        return Err(ErrorCode::OFFSET_OUT_OF_RANGE);
    }
    Ok(Looked { nearer: nearer(state, caller, fetch, partition), ..looked })
}

/// As Kafka's `RackAwareReplicaSelector`: the leader sends a client to a replica in its own rack, where it is not there itself.
/// All replicas that are in sync have the whole log.
fn nearer(state: &State, caller: &Caller, fetch: &Fetch, partition: &Partition) -> Option<i32> {
    if caller.version < FOLLOWERS_FROM || fetch.rack.is_empty() || partition.leader != caller.broker {
        return None;
    }
    let is_near = |id: i32| state.brokers.get(&id).is_some_and(|broker| broker.rack.as_deref() == Some(&*fetch.rack));
    if is_near(partition.leader) { None } else { partition.in_sync.iter().copied().find(|id| is_near(*id)) }
}

/// The answer as of now.
fn finished(state: &mut State, caller: &Caller, fetch: &Fetch) -> FetchResponse {
    let (mut left, mut is_first) = (fetch.max_bytes, true);
    let mut responses: Vec<(TopicKey, Vec<PartitionData>)> = Vec::new();
    let mut told = Vec::new();
    let mut leaders = BTreeSet::new();
    for wanted in &fetch.partitions {
        let data = match looked_up(state, caller, fetch, wanted) {
            Ok(looked) => {
                let log = &looked.partition.log;
                let max = usize::try_from(wanted.max_bytes).unwrap_or(0).min(left);
                let records = match (looked.diverging, looked.nearer) {
                    (None, None) => log.read(wanted.offset, max, is_first),
                    _ => Bytes::new(),
                };
                let records = match caller.breaks_records(looked.name, wanted.partition) {
                    true => broken(records),
                    false => records,
                };
                left = left.saturating_sub(records.len());
                is_first &= records.is_empty();
                let marks = (log.end(), log.start());
                let is_other = looked.diverging.is_some() || looked.nearer.is_some() || wanted.told != Some(marks);
                let is_news = !records.is_empty() || is_other;
                told.push((wanted.topic.clone(), wanted.partition, Some(marks), !records.is_empty()));
                if fetch.incremental && !is_news {
                    continue;
                }
                found(caller, fetch, wanted, &looked, records)
            }
            Err(code) => {
                told.push((wanted.topic.clone(), wanted.partition, None, false));
                let mut data = failed(wanted.partition, code);
                let moved = matches!(code, ErrorCode::NOT_LEADER_OR_FOLLOWER | ErrorCode::FENCED_LEADER_EPOCH);
                if moved && caller.version >= LEADERS_FROM {
                    data.current_leader = leader_of(state, wanted);
                    leaders.insert(data.current_leader.leader_id);
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
    if !leaders.is_empty() {
        answer.node_endpoints = endpoints(state, caller, &leaders);
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

fn found(caller: &Caller, fetch: &Fetch, wanted: &Wanted, looked: &Looked<'_>, records: Bytes) -> PartitionData {
    let log = &looked.partition.log;
    let mut data = message!(PartitionData {
        partition_index: wanted.partition,
        high_watermark: log.end(),
        // There are no transactions: all of it is stable.
        last_stable_offset: log.end(),
        log_start_offset: if caller.version >= 5 { log.start() } else { -1 },
        aborted_transactions: (fetch.isolation == READ_COMMITTED).then(Vec::new),
        preferred_read_replica: looked.nearer.unwrap_or(-1),
        records: Some(records),
    });
    if let Some((epoch, end_offset)) = looked.diverging {
        data.diverging_epoch = message!(EpochEndOffset { epoch: epoch, end_offset: end_offset });
    }
    data
}

fn leader_of(state: &State, wanted: &Wanted) -> LeaderIdAndEpoch {
    match name_of(state, wanted).and_then(|name| state.topics.partition(name, wanted.partition)) {
        Some(partition) => {
            message!(LeaderIdAndEpoch { leader_id: partition.leader, leader_epoch: partition.leader_epoch })
        }
        None => LeaderIdAndEpoch::default(),
    }
}

fn endpoints(state: &State, caller: &Caller, leaders: &BTreeSet<i32>) -> Vec<NodeEndpoint> {
    let endpoints = leaders.iter().filter_map(|id| {
        let address = state.address(*id, caller.door)?;
        Some(message!(NodeEndpoint {
            node_id: *id,
            host: address.host().into(),
            port: i32::from(address.port()),
            rack: state.brokers[id].rack.as_deref().map(Into::into),
        }))
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
        aborted_transactions: matches!(code, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION | ErrorCode::UNKNOWN_TOPIC_ID)
            .then(Vec::new),
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
