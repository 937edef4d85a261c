//! `roundrobin`: members take turns.

use super::{Assignor, GroupMember, GroupTopics, roster::Roster};
use crate::model::TopicPartition;

/// All partitions, by topic and number, go to the members in turn; who is not subscribed to a topic is passed over.
/// The turn does not start anew with each topic. Static members come first, in order of their instance ids (KIP-345).
///
/// Shares are within one partition of each other if all members subscribe to the same topics, and may be far apart if
/// not.
#[derive(Debug, Clone, Copy, Default)]
pub struct RoundRobinAssignor;

impl Assignor for RoundRobinAssignor {
    fn name(&self) -> &str {
        "roundrobin"
    }

    fn assign(&self, topics: &GroupTopics, members: &[GroupMember]) -> Vec<Vec<TopicPartition>> {
        let roster = Roster::static_first(topics, members);
        let mut owners = vec![None; roster.partition_count()];
        let mut turn = 0;
        for (topic, subscribers) in roster.subscribers.iter().enumerate() {
            for partition in roster.partitions(topic) {
                let next = subscribers.partition_point(|member| *member < turn);
                let member = subscribers[next % subscribers.len()];
                owners[partition] = Some(member);
                turn = member + 1;
            }
        }
        roster.assignment(topics, &owners)
    }
}

#[cfg(test)]
mod tests;
