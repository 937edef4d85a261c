//! What the assignors' tests share: groups and shares in few words.

use std::sync::Arc;

use super::{Assignor, GroupMember, GroupTopics};
use crate::model::TopicPartition;

/// Members `(id, topics)`, topics with blanks between.
pub(super) fn members(members: &[(&str, &str)]) -> Vec<GroupMember> {
    members.iter().map(|(id, topics)| GroupMember::new(*id, topics.split_whitespace())).collect()
}

/// Topics with so many partitions.
pub(super) fn topics(topics: &[(&str, usize)]) -> GroupTopics {
    topics.iter().fold(GroupTopics::new(), |all, (topic, partitions)| all.with(*topic, *partitions))
}

/// Topics on brokers in racks `a`, `b`, and so on; each partition starts one rack further than the last, over all topics.
pub(super) fn striped(topics: &[(&str, usize)], replicas: usize, racks: usize) -> GroupTopics {
    let mut first = 0..;
    let mut partition = || {
        let first = first.next().unwrap();
        (first..first + replicas).map(|number| rack(number % racks)).collect::<Vec<_>>()
    };
    topics.iter().fold(GroupTopics::new(), |all, (topic, partitions)| {
        all.with_racks(*topic, (0..*partitions).map(|_| partition()).collect())
    })
}

pub(super) fn rack(number: usize) -> Arc<str> {
    char::from(b'a' + number as u8).to_string().into()
}

/// `t0-0 t1-2`: two partitions.
pub(super) fn partitions(text: &str) -> Vec<TopicPartition> {
    let partition = |word: &str| {
        let (topic, number) = word.rsplit_once('-').unwrap();
        TopicPartition::new(topic, number.parse().unwrap())
    };
    text.split_whitespace().map(partition).collect()
}

/// Each member's partitions, as [`partitions`] reads them.
pub(super) fn shares(assignor: &dyn Assignor, topics: &GroupTopics, members: &[GroupMember]) -> Vec<String> {
    let text = |share: Vec<TopicPartition>| share.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    assignor.assign(topics, members).into_iter().map(text).collect()
}
