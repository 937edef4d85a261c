use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use bytes::Bytes;

use crate::{
    cluster::{Cluster, ClusterError, Snapshot},
    consumer::assignor::{Assignor, GroupMember, GroupTopics, Subscription},
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
    members: Vec<(Arc<str>, Option<Arc<str>>, Bytes)>,
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

/// The topics of a group whose leader need not assign (KIP-814), for it looks after them all the same.
pub(super) async fn watched(
    cluster: &Cluster,
    members: Vec<(Arc<str>, Option<Arc<str>>, Bytes)>,
) -> Result<PartitionCounts, ClusterError> {
    Ok(topics_of(cluster, &read(members)).await?.1)
}

fn read(members: Vec<(Arc<str>, Option<Arc<str>>, Bytes)>) -> Vec<GroupMember> {
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
