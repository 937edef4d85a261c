//! What goes wrong.

use std::time::Duration;

use fastrand::Rng;
use milena::{Api, Embedded, ErrorCode, Fault, InjectedFault};

use super::{
    handed::GROUP,
    schedule::{millis, pick},
};

#[derive(Debug, Clone)]
pub enum Incident {
    /// Requests fail.
    Requests {
        api: Option<Api>,
        broker: Option<i32>,
        partition: Option<(&'static str, i32)>,
        spared: u64,
        times: u64,
        fault: Fault,
    },
    BrokerStops {
        id: i32,
        lasts: Duration,
    },
    CoordinatorMoves {
        to: i32,
    },
    /// The session of one of the group's members ends.
    MemberExpires {
        which: usize,
    },
    LeaderMoves {
        topic: &'static str,
        partition: i32,
        to: i32,
    },
}

impl Incident {
    /// Until then something of it may still happen, once it has begun.
    pub fn lasts(&self) -> Duration {
        match self {
            Incident::BrokerStops { lasts, .. } => *lasts,
            _ => Duration::ZERO,
        }
    }
}

/// The longest that a request is delayed.
pub const LONGEST_DELAY: Duration = Duration::from_secs(20);

/// Longer than whatever may still be under way in the calm: a request that is delayed, a dropped member that leaves.
pub const REST: Duration = Duration::from_secs(LONGEST_DELAY.as_secs() + 10);

/// It happens, until it is over. What is left of a fault of requests is given back.
pub async fn happen(embedded: &Embedded, incident: &Incident) -> Option<InjectedFault> {
    match incident {
        Incident::Requests { api, broker, partition, spared, times, fault } => {
            let mut builder = embedded.fault(*api).after(*spared);
            if let Some(id) = broker {
                builder = builder.broker(*id);
            }
            if let Some((topic, number)) = partition {
                builder = builder.partition(topic, *number);
            }
            return Some(builder.times(*times, *fault));
        }
        Incident::BrokerStops { id, lasts } => {
            embedded.stop_broker(*id);
            tokio::time::sleep(*lasts).await;
            embedded.start_broker(*id);
        }
        Incident::CoordinatorMoves { to } => {
            if embedded.is_running(*to) {
                embedded.move_coordinator(GROUP, *to);
            }
        }
        Incident::MemberExpires { which } => {
            let members = embedded.group_members(GROUP);
            if let Some((member, _)) = members.get(which % members.len().max(1)) {
                embedded.expire_member(GROUP, member);
            }
        }
        Incident::LeaderMoves { topic, partition, to } => {
            if embedded.is_running(*to) {
                embedded.move_leader(topic, *partition, *to);
            }
        }
    }
    None
}

pub fn incidents(
    random: &mut Rng,
    length: Duration,
    is_gentle: bool,
    brokers: u16,
    topics: &[(&'static str, i32)],
) -> Vec<(Duration, Incident)> {
    let count = pick(random, &[0, 2, 5, 10, 20]);
    let mut incidents = Vec::new();
    for _ in 0..count {
        let at = millis(random, 0..length.as_millis() as u64);
        let broker = random.i32(1..=i32::from(brokers));
        let (topic, partitions) = pick(random, topics);
        let partition = random.i32(0..partitions);
        let incident = match random.u32(..100) {
            0..65 => requests(random, is_gentle, broker, (topic, partition)),
            65..70 if !is_gentle => Incident::MemberExpires { which: random.usize(..3) },
            65..75 => Incident::CoordinatorMoves { to: broker },
            75..85 => Incident::LeaderMoves { topic, partition, to: broker },
            _ => {
                let lasts = millis(random, 100..if is_gentle { 6_000 } else { 20_000 });
                Incident::BrokerStops { id: broker, lasts }
            }
        };
        incidents.push((at, incident));
    }
    incidents.sort_by_key(|(at, _)| *at);
    incidents
}

/// The APIs that milena's producers and members use, and what a broker may truthfully refuse of them without having done it: not,
/// that it knows a member no more or expects another sequence number.
const APIS: &[(Api, &[ErrorCode])] = &[
    (
        Api::Produce,
        &[
            ErrorCode::NOT_LEADER_OR_FOLLOWER,
            ErrorCode::NOT_LEADER_OR_FOLLOWER,
            ErrorCode::NOT_ENOUGH_REPLICAS,
            ErrorCode::REQUEST_TIMED_OUT,
            ErrorCode::KAFKA_STORAGE_ERROR,
            ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
            ErrorCode::MESSAGE_TOO_LARGE,
            ErrorCode::INVALID_RECORD,
            ErrorCode::UNKNOWN_SERVER_ERROR,
        ],
    ),
    (
        Api::Fetch,
        &[
            ErrorCode::NOT_LEADER_OR_FOLLOWER,
            ErrorCode::FENCED_LEADER_EPOCH,
            ErrorCode::UNKNOWN_LEADER_EPOCH,
            ErrorCode::KAFKA_STORAGE_ERROR,
            ErrorCode::OFFSET_NOT_AVAILABLE,
            ErrorCode::FETCH_SESSION_ID_NOT_FOUND,
            ErrorCode::INVALID_FETCH_SESSION_EPOCH,
        ],
    ),
    (Api::ListOffsets, &[ErrorCode::NOT_LEADER_OR_FOLLOWER, ErrorCode::OFFSET_NOT_AVAILABLE]),
    (Api::OffsetForLeaderEpoch, &[ErrorCode::NOT_LEADER_OR_FOLLOWER, ErrorCode::UNKNOWN_LEADER_EPOCH]),
    (Api::Metadata, &[ErrorCode::LEADER_NOT_AVAILABLE]),
    (Api::ApiVersions, &[]),
    (Api::InitProducerId, &[ErrorCode::COORDINATOR_LOAD_IN_PROGRESS, ErrorCode::COORDINATOR_NOT_AVAILABLE]),
    (Api::FindCoordinator, &[ErrorCode::COORDINATOR_NOT_AVAILABLE, ErrorCode::COORDINATOR_LOAD_IN_PROGRESS]),
    (Api::JoinGroup, &[ErrorCode::NOT_COORDINATOR, ErrorCode::COORDINATOR_LOAD_IN_PROGRESS]),
    (Api::SyncGroup, &[ErrorCode::NOT_COORDINATOR, ErrorCode::REBALANCE_IN_PROGRESS]),
    (
        Api::Heartbeat,
        &[ErrorCode::NOT_COORDINATOR, ErrorCode::REBALANCE_IN_PROGRESS, ErrorCode::COORDINATOR_NOT_AVAILABLE],
    ),
    (
        Api::OffsetCommit,
        &[ErrorCode::NOT_COORDINATOR, ErrorCode::REBALANCE_IN_PROGRESS, ErrorCode::COORDINATOR_LOAD_IN_PROGRESS],
    ),
    (
        Api::OffsetFetch,
        &[ErrorCode::NOT_COORDINATOR, ErrorCode::COORDINATOR_LOAD_IN_PROGRESS, ErrorCode::UNSTABLE_OFFSET_COMMIT],
    ),
    (Api::LeaveGroup, &[ErrorCode::NOT_COORDINATOR]),
];

fn requests(random: &mut Rng, is_gentle: bool, broker: i32, partition: (&'static str, i32)) -> Incident {
    let (api, codes) = match random.u32(..100) {
        // Half of them are Produce and Fetch, which there are most of.
        0..20 => APIS[0],
        20..35 => APIS[1],
        _ => pick(random, APIS),
    };
    let of_partition = matches!(api, Api::Produce | Api::Fetch | Api::ListOffsets) && random.u32(..100) < 40;
    // A join that is not answered lasts as long as a session; an offset that is held up comes after those behind it, as on Kafka.
    let is_touchy = api == Api::OffsetCommit || is_gentle && matches!(api, Api::JoinGroup | Api::SyncGroup);
    let fault = match random.u32(..100) {
        0..25 => Fault::LoseAnswer,
        25..45 => Fault::Disconnect,
        // A static member's that comes after the member has given it up would fence it, as on Kafka.
        // Applied in its turn, and heard of late or too late: what is committed meanwhile waits behind it.
        45..70 if api == Api::OffsetCommit => Fault::AnswerLate(millis(random, 1..LONGEST_DELAY.as_millis() as u64)),
        45..55 if api == Api::JoinGroup && !is_touchy => Fault::Delay(millis(random, 1..5_000)),
        45..55 if !is_touchy => Fault::Delay(delay(random)),
        55..65 if !is_touchy => Fault::AnswerLate(delay(random)),
        65..70 if !is_touchy => Fault::Silence,
        70..75 => Fault::Corrupt,
        75..80 if api == Api::Fetch => Fault::CorruptRecords,
        _ if codes.is_empty() => Fault::Disconnect,
        _ => Fault::Error(pick(random, codes)),
    };
    Incident::Requests {
        api: Some(api),
        broker: random.bool().then_some(broker),
        partition: of_partition.then_some(partition),
        spared: random.u64(..4),
        times: pick(random, &[1, 1, 2, 5]),
        fault,
    }
}

fn delay(random: &mut Rng) -> Duration {
    let longest = pick(random, &[50, 1_000, LONGEST_DELAY.as_millis() as u64]);
    millis(random, 1..longest)
}
