//! What an assignor is told about the group.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;

use crate::model::TopicPartition;

/// A member as the leader sees it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GroupMember {
    /// Unique in the group; chosen by the coordinator or the client, another one after each restart.
    pub member_id: Arc<str>,
    /// The name of a static member, which survives its restarts (KIP-345).
    pub group_instance_id: Option<Arc<str>>,
    /// The topics that it subscribed to. Those that do not exist are among them.
    pub topics: Vec<Arc<str>>,
    /// The partitions that it still owns. None under [`Eager`](super::RebalanceProtocol::Eager), and from members whose
    /// client is older than KIP-429.
    pub owned: Vec<TopicPartition>,
    /// The generation in which it got `owned` (KIP-792); none if it is new, or its client is older.
    pub generation: Option<i32>,
    /// Its rack, `client.rack` (KIP-881).
    pub rack: Option<Arc<str>>,
    /// What its assignor of the same name had to say.
    pub user_data: Option<Bytes>,
}

impl GroupMember {
    /// A new member: owns nothing and has no rack.
    pub fn new<T: Into<Arc<str>>>(member_id: impl Into<Arc<str>>, topics: impl IntoIterator<Item = T>) -> Self {
        GroupMember {
            member_id: member_id.into(),
            topics: topics.into_iter().map(Into::into).collect(),
            ..GroupMember::default()
        }
    }
}

/// This member just before it joins its group.
#[derive(Debug, Clone, Copy)]
pub struct JoiningMember<'a> {
    /// The topics that it subscribes to.
    pub topics: &'a [Arc<str>],
    /// What it got in the last rebalance that it finished, even if it gave it up since; none if there was no such rebalance.
    pub last_assignment: Option<&'a [TopicPartition]>,
    /// The generation of that rebalance, -1 if there was none.
    pub generation: i32,
}

/// The partitions of the topics that the group's members subscribed to, with the racks of their replicas.
///
/// A topic that does not exist is not in here, and nobody can get partitions of it.
#[derive(Debug, Clone, Default)]
pub struct GroupTopics {
    /// By name; a partition's index is its number, since Kafka numbers them from 0 without gaps.
    topics: BTreeMap<Arc<str>, Vec<Vec<Arc<str>>>>,
}

impl GroupTopics {
    /// No topics.
    pub fn new() -> Self {
        GroupTopics::default()
    }

    /// With `topic`, which has this many partitions on brokers that name no rack.
    pub fn with(self, topic: impl Into<Arc<str>>, partitions: usize) -> Self {
        self.with_racks(topic, vec![Vec::new(); partitions])
    }

    /// With `topic`, and for each of its partitions, in order, the racks of all brokers that hold a replica, in sync or not.
    pub fn with_racks(mut self, topic: impl Into<Arc<str>>, racks: Vec<Vec<Arc<str>>>) -> Self {
        self.topics.insert(topic.into(), racks);
        self
    }

    /// How many partitions `topic` has; 0 if it is unknown.
    pub fn partition_count(&self, topic: &str) -> usize {
        self.topics.get(topic).map_or(0, Vec::len)
    }

    /// The racks of a partition's replicas; none if it or they are unknown.
    pub fn racks(&self, topic: &str, partition: usize) -> &[Arc<str>] {
        self.topics.get(topic).and_then(|racks| racks.get(partition)).map_or(&[], Vec::as_slice)
    }

    /// The topics' names and numbers of partitions, in order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<str>, usize)> {
        self.topics.iter().map(|(topic, racks)| (topic, racks.len()))
    }
}
