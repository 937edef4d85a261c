//! Where the replicas of partitions go, as clients assign them or as the brokers choose.

use super::state::State;
use crate::wire::ErrorCode;

/// An error's code, and Kafka's words for it.
pub(crate) type Refusal = (ErrorCode, String);

/// Whether the replicas that a client wants for a partition can be; `count` is how many of them other partitions have.
pub(crate) fn check(state: &State, partition: i32, replicas: &[i32], count: Option<usize>) -> Result<(), Refusal> {
    let refused = |why: String| Err((ErrorCode::INVALID_REPLICA_ASSIGNMENT, why));
    if replicas.is_empty() {
        return refused("The manual partition assignment includes an empty replica list.".to_owned());
    }
    let mut sorted = replicas.to_vec();
    sorted.sort_unstable();
    if let Some(unknown) = sorted.iter().find(|id| !state.brokers.contains_key(*id)) {
        return refused(format!(
            "The manual partition assignment includes broker {unknown}, but no such broker is registered."
        ));
    }
    if let Some(twice) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        return refused(format!("The manual partition assignment includes the broker {} more than once.", twice[0]));
    }
    if let Some(count) = count.filter(|count| *count != replicas.len()) {
        return refused(format!(
            "The manual partition assignment includes a partition with {} replica(s), but this is not consistent with \
             previous partitions, which have {count} replica(s).",
            replicas.len()
        ));
    }
    if !replicas.iter().any(|id| state.is_running(*id)) {
        return refused(format!(
            "All brokers specified in the manual partition assignment for partition {partition} are fenced or in controlled \
             shutdown."
        ));
    }
    Ok(())
}

/// Replicas for the partitions from `first` on.
pub(crate) fn place(state: &State, first: usize, count: usize, replication: usize) -> Result<Vec<Vec<i32>>, Refusal> {
    let brokers = state.brokers.len();
    if replication > brokers {
        let why = format!(
            "Unable to replicate the partition {replication} time(s): The target replication factor of {replication} cannot be \
             reached because only {brokers} broker(s) are registered."
        );
        return Err((ErrorCode::INVALID_REPLICATION_FACTOR, why));
    }
    Ok((first..first + count).map(|index| state.replicas_of(index as u32, replication as u16)).collect())
}

/// As many partitions one request may create, as in Kafka.
pub(crate) const MAX_PARTITIONS: usize = 10_000;
/// As many there may be, as Kafka's guides have it for a large cluster: memory is not to grow without bounds.
const MAX_PARTITIONS_IN_ALL: usize = 200_000;

/// How many partitions one request may create now.
pub(crate) fn room(state: &State) -> usize {
    let there: usize = state.topics.iter().map(|topic| topic.partitions.len()).sum();
    MAX_PARTITIONS.min(MAX_PARTITIONS_IN_ALL.saturating_sub(there))
}

pub(crate) fn too_many() -> Refusal {
    (ErrorCode::POLICY_VIOLATION, "Excessively large number of partitions per request.".to_owned())
}
