//! What members of a classic group exchange: subscriptions in JoinGroup, assignments in SyncGroup.
//!
//! Kafka's `ConsumerProtocolSubscription` and `ConsumerProtocolAssignment`: owned partitions since version 1 (KIP-429), the
//! generation since 2 (KIP-792), the rack since 3 (KIP-881). Members of all versions share groups: a later version only
//! adds fields behind those that are known, so what is newer is read as the newest known, and the rest is left alone.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;

use super::GroupMember;
use crate::{
    model::TopicPartition,
    wire::{
        consumer_protocol,
        messages::{
            ConsumerProtocolAssignment, ConsumerProtocolSubscription, consumer_protocol_assignment,
            consumer_protocol_subscription, message,
        },
    },
};

/// The version that is written; what Java 4.x writes.
const VERSION: i16 = 3;

/// Bytes that are no subscription or no assignment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unreadable {what}: {cause}")]
pub(crate) struct ProtocolError {
    what: &'static str,
    cause: String,
}

/// What a member says when it joins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Subscription {
    /// The topics that it wants to read.
    pub(crate) topics: Vec<Arc<str>>,
    /// For the leader's assignor.
    pub(crate) user_data: Option<Bytes>,
    /// What it owns and will go on reading unless it is taken away.
    pub(crate) owned: Vec<TopicPartition>,
    /// The generation in which it got `owned`.
    pub(crate) generation: Option<i32>,
    /// Its `client.rack`.
    pub(crate) rack: Option<Arc<str>>,
}

impl Subscription {
    /// Topics and partitions in order, as Java writes them.
    ///
    /// # Errors
    /// If a name or the user data are longer than the format allows.
    pub(crate) fn encode(&self) -> Result<Bytes, ProtocolError> {
        let mut topics = self.topics.iter().map(|topic| (&**topic).into()).collect::<Vec<_>>();
        topics.sort_unstable();
        let owned = by_topic(&self.owned).into_iter().map(|(topic, partitions)| {
            message!(consumer_protocol_subscription::TopicPartition { topic: topic.into(), partitions: partitions })
        });
        let message = message!(ConsumerProtocolSubscription {
            topics: topics,
            user_data: self.user_data.clone(),
            owned_partitions: owned.collect(),
            generation_id: self.generation.unwrap_or(-1),
            rack_id: self.rack.as_deref().map(Into::into),
        });
        consumer_protocol::encode(&message, VERSION).map_err(error("subscription"))
    }

    /// Of any version. An empty rack is none, as in Java; librdkafka writes one.
    pub(crate) fn decode(bytes: Bytes) -> Result<Self, ProtocolError> {
        let message =
            consumer_protocol::decode::<ConsumerProtocolSubscription>(bytes).map_err(error("subscription"))?;
        let owned = message.owned_partitions.iter().map(|owned| (owned.topic.as_ref(), owned.partitions.as_slice()));
        Ok(Subscription {
            owned: flat(owned),
            topics: message.topics.iter().map(|topic| topic.as_ref().into()).collect(),
            user_data: detached(message.user_data),
            generation: Some(message.generation_id).filter(|generation| *generation >= 0),
            rack: message.rack_id.filter(|rack| !rack.is_empty()).map(|rack| rack.as_ref().into()),
        })
    }

    /// The member as the leader's assignor sees it; the rest stands beside the subscription in JoinGroup's answer.
    pub(crate) fn into_member(self, member_id: Arc<str>, group_instance_id: Option<Arc<str>>) -> GroupMember {
        GroupMember {
            member_id,
            group_instance_id,
            topics: self.topics,
            owned: self.owned,
            generation: self.generation,
            rack: self.rack,
            user_data: self.user_data,
        }
    }
}

/// What the leader gives a member.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Assignment {
    pub(crate) partitions: Vec<TopicPartition>,
    /// From the leader's assignor.
    pub(crate) user_data: Option<Bytes>,
}

impl Assignment {
    /// # Errors
    /// If a name or the user data are longer than the format allows.
    pub(crate) fn encode(&self) -> Result<Bytes, ProtocolError> {
        let assigned = by_topic(&self.partitions).into_iter().map(|(topic, partitions)| {
            message!(consumer_protocol_assignment::TopicPartition { topic: topic.into(), partitions: partitions })
        });
        let message = message!(ConsumerProtocolAssignment {
            assigned_partitions: assigned.collect(),
            user_data: self.user_data.clone(),
        });
        consumer_protocol::encode(&message, VERSION).map_err(error("assignment"))
    }

    /// Of any version. No bytes at all are an empty assignment: what a broker gives a member that its leader left out.
    pub(crate) fn decode(bytes: Bytes) -> Result<Self, ProtocolError> {
        if bytes.is_empty() {
            return Ok(Assignment::default());
        }
        let message = consumer_protocol::decode::<ConsumerProtocolAssignment>(bytes).map_err(error("assignment"))?;
        let assigned = message.assigned_partitions.iter();
        Ok(Assignment {
            partitions: flat(assigned.map(|assigned| (assigned.topic.as_ref(), assigned.partitions.as_slice()))),
            user_data: detached(message.user_data),
        })
    }
}

fn error(what: &'static str) -> impl Fn(String) -> ProtocolError {
    move |cause| ProtocolError { what, cause }
}

fn by_topic(partitions: &[TopicPartition]) -> BTreeMap<&str, Vec<i32>> {
    let mut topics = BTreeMap::<&str, Vec<i32>>::new();
    for TopicPartition { topic, partition } in partitions {
        topics.entry(topic).or_default().push(*partition);
    }
    topics.values_mut().for_each(|partitions| partitions.sort_unstable());
    topics
}

fn flat<'a>(topics: impl Iterator<Item = (&'a str, &'a [i32])>) -> Vec<TopicPartition> {
    let mut flat = Vec::new();
    for (topic, partitions) in topics {
        let topic: Arc<str> = topic.into();
        flat.extend(partitions.iter().map(|partition| TopicPartition::new(topic.clone(), *partition)));
    }
    flat
}

/// A copy: a slice would keep the broker's whole answer in memory.
fn detached(bytes: Option<Bytes>) -> Option<Bytes> {
    bytes.map(|bytes| Bytes::copy_from_slice(&bytes))
}

#[cfg(test)]
mod tests;
