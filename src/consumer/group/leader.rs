use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use tokio::time::sleep;

use super::{
    Failure, Refusal,
    coordinator::Coordinator,
    requests::{self, ToldMember},
};
use crate::{
    cluster::{Cluster, ClusterError, Purpose, Snapshot},
    consumer::assignor::{Assignment, Assignor, GroupMember, GroupTopics, Subscription},
    model::TopicPartition,
    wire::ErrorCode,
};

/// Topics with their numbers of partitions.
pub(super) type PartitionCounts = BTreeMap<Arc<str>, usize>;

/// What the leader gives to each member, and the topics that it was made of with their numbers of partitions.
#[derive(Debug)]
pub(super) struct Shares {
    pub(super) members: Vec<(Arc<str>, Vec<TopicPartition>)>,
    pub(super) topics: PartitionCounts,
}

/// Shares the partitions of all that the members subscribe to among them.
pub(super) async fn share(
    cluster: &Cluster,
    assignor: Option<Arc<dyn Assignor>>,
    members: Vec<ToldMember>,
) -> Result<Shares, ClusterError> {
    let refused = |code| ClusterError::Refused { api: "JoinGroup", code, message: None };
    // The coordinator chooses among what every member has offered.
    let assignor = assignor.ok_or_else(|| refused(ErrorCode::INCONSISTENT_GROUP_PROTOCOL))?;
    let members = read(members);
    let (topics, counts) = topics_of(cluster, &members).await?;
    let shares = assignor.assign(&topics, &members);
    let ids = members.into_iter().map(|member| member.member_id);
    Ok(Shares { members: ids.zip(shares).collect(), topics: counts })
}

/// What the group's assignment was made of, as far as the assignment tells it, for a leader that need not assign (KIP-814): it
/// looks after the topics all the same, and what was added to them while it was away is in nobody's part.
pub(super) async fn found(
    cluster: Arc<Cluster>,
    coordinator: Arc<Coordinator>,
    group: Arc<str>,
    members: Vec<ToldMember>,
) -> Result<PartitionCounts, ClusterError> {
    let (_, counts) = topics_of(&cluster, &read(members)).await?;
    let limit = cluster.config().request_timeout;
    let mut backoff = cluster.backoff();
    loop {
        let group = Arc::clone(&group);
        let ask = move |connection| requests::assignments(connection, group, limit);
        match coordinator.ask(Purpose::Coordinate, ask).await {
            Ok(Some(parts)) => {
                let parts = parts.into_iter().filter_map(|part| Assignment::decode(part).ok());
                let given: BTreeSet<TopicPartition> = parts.flat_map(|part| part.partitions).collect();
                let given_of = |topic: &Arc<str>| given.iter().filter(|at| at.topic == *topic).count();
                return Ok(counts.into_keys().map(|topic| (Arc::clone(&topic), given_of(&topic))).collect());
            }
            Ok(None) => {}
            // Where it may not be asked, only what changes from now on is seen.
            Err(Failure::Refused(code)) if matches!(Refusal::of(code), Refusal::Fatal(_)) => return Ok(counts),
            Err(Failure::Lost(error)) if !error.is_retriable() => return Ok(counts),
            Err(_) => coordinator.forget(),
        }
        sleep(backoff.next_wait()).await;
    }
}

fn read(members: Vec<ToldMember>) -> Vec<GroupMember> {
    members
        .into_iter()
        .map(|(member_id, group_instance_id, told)| {
            let told = Subscription::decode(told).unwrap_or_else(|why| {
                tracing::warn!("member {member_id} gets nothing: {why}");
                Subscription::default()
            });
            told.into_member(member_id, group_instance_id)
        })
        .collect()
}

/// All topics that somebody subscribes to, for the assignor, and their numbers of partitions.
async fn topics_of(cluster: &Cluster, members: &[GroupMember]) -> Result<(GroupTopics, PartitionCounts), ClusterError> {
    let wanted: BTreeSet<Arc<str>> = members.iter().flat_map(|member| member.topics.iter().cloned()).collect();
    let picture = pictured(cluster, &wanted).await?;
    let mut topics = GroupTopics::new();
    let mut counts = BTreeMap::new();
    for name in wanted {
        let racks = racks(&picture, &name);
        counts.insert(Arc::clone(&name), racks.len());
        if !racks.is_empty() {
            topics = topics.with_racks(name, racks);
        }
    }
    Ok((topics, counts))
}

/// A picture that includes these topics, also those that only others subscribe to.
async fn pictured(cluster: &Cluster, wanted: &BTreeSet<Arc<str>>) -> Result<Arc<Snapshot>, ClusterError> {
    let picture = cluster.snapshot();
    let news = wanted.iter().filter(|topic| cluster.include(topic) || picture.topic(topic).is_none()).count();
    if news > 0 { cluster.refresh().await } else { Ok(picture) }
}

/// For each partition the racks of its replicas.
fn racks(picture: &Snapshot, topic: &str) -> Vec<Vec<Arc<str>>> {
    let Some(topic) = picture.topic(topic).filter(|topic| topic.error == ErrorCode::NONE) else { return Vec::new() };
    let rack = |id: &i32| picture.brokers.get(id)?.rack.clone();
    topic.partitions.iter().map(|p| p.replicas.iter().filter_map(rack).collect()).collect()
}
