use super::Caller;
use crate::{
    embedded::{names, placement::Refusal, state::State},
    wire::{
        ErrorCode,
        messages::{
            ElectLeadersRequest, ElectLeadersResponse, elect_leaders_request::TopicPartitions,
            elect_leaders_response::{PartitionResult, ReplicaElectionResult},
            message,
        },
    },
};

const PREFERRED: i8 = 0;
const UNCLEAN: i8 = 1;

/// The first replicas lead again (KIP-460).
pub(super) fn answer(state: &mut State, caller: &Caller, request: ElectLeadersRequest) -> ElectLeadersResponse {
    let kind = if caller.version == 0 { PREFERRED } else { request.election_type };
    if !matches!(kind, PREFERRED | UNCLEAN) {
        return refuse(&request, caller.version, ErrorCode::INVALID_REQUEST);
    }
    let is_all = request.topic_partitions.is_none();
    let asked = request.topic_partitions.unwrap_or_else(|| all(state));
    let results = asked.into_iter().map(|topic| {
        let results = topic.partitions.iter().filter_map(|partition| {
            let elected = elect(state, kind, topic.topic.as_str(), *partition);
            // Of all, those that are led as they should be are left out.
            let is_needless = matches!(&elected, Err((ErrorCode::ELECTION_NOT_NEEDED, _)));
            (!is_all || !is_needless).then(|| result(*partition, elected))
        });
        let partition_result = results.collect();
        message!(ReplicaElectionResult { topic: topic.topic, partition_result: partition_result })
    });
    message!(ElectLeadersResponse { replica_election_results: results.collect() })
}

fn all(state: &State) -> Vec<TopicPartitions> {
    let topics = state.topics.iter().map(|topic| {
        let partitions = (0..topic.partitions.len() as i32).collect();
        message!(TopicPartitions { topic: (&*topic.name).into(), partitions: partitions })
    });
    topics.collect()
}

fn elect(state: &mut State, kind: i8, topic: &str, index: i32) -> Result<(), Refusal> {
    let unknown = |what: String| (ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, what);
    if state.topics.get(topic).is_none() {
        // Told of each partition: a name that no topic can have could be long.
        let name = if names::check_topic(topic).is_ok() { topic } else { "that" };
        return Err(unknown(format!("No such topic as {name}")));
    }
    let partition = state.topics.partition_mut(topic, index);
    let partition = partition.ok_or_else(|| unknown(format!("No such partition as {topic}-{index}")))?;
    let preferred = partition.replicas.first().copied().unwrap_or(-1);
    let is_led = if kind == PREFERRED { partition.leader == preferred } else { partition.leader >= 0 };
    if is_led {
        let why = "Leader election not needed for topic partition.".to_owned();
        return Err((ErrorCode::ELECTION_NOT_NEEDED, why));
    }
    if kind == UNCLEAN {
        // A partition without a leader is one of whose replicas none runs.
        let why = "Eligible topic partition leaders are not available.".to_owned();
        return Err((ErrorCode::ELIGIBLE_LEADERS_NOT_AVAILABLE, why));
    }
    if !partition.in_sync.contains(&preferred) {
        let why = "The preferred leader was not available.".to_owned();
        return Err((ErrorCode::PREFERRED_LEADER_NOT_AVAILABLE, why));
    }
    partition.lead_by(preferred);
    state.is_news = true;
    Ok(())
}

fn result(partition: i32, elected: Result<(), Refusal>) -> PartitionResult {
    let (code, why) = match elected {
        Ok(()) => (ErrorCode::NONE, None),
        Err((code, why)) => (code, Some(why)),
    };
    message!(PartitionResult {
        partition_id: partition,
        error_code: code.code(),
        error_message: why.map(Into::into),
    })
}

pub(super) fn refuse(request: &ElectLeadersRequest, version: i16, code: ErrorCode) -> ElectLeadersResponse {
    let results = request.topic_partitions.iter().flatten().map(|topic| {
        let of = |partition: &i32| {
            message!(PartitionResult { partition_id: *partition, error_code: code.code(), error_message: None })
        };
        message!(ReplicaElectionResult {
            topic: topic.topic.clone(),
            partition_result: topic.partitions.iter().map(of).collect(),
        })
    });
    let mut answer = message!(ElectLeadersResponse { replica_election_results: results.collect() });
    if version >= 1 {
        answer.error_code = code.code();
    }
    answer
}
