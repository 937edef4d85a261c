use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    embedded::{
        config::Configs,
        topic::{Partition, Topic},
    },
    model::TopicId,
};

/// One thing that the journal says; a later entry about the same holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Entry {
    /// What has been given out, so that it is not given out again.
    Numbers {
        topics_made: u64,
        last_producer_id: i64,
    },
    /// What has been changed of the brokers' and groups' settings.
    Configs(Configs),
    /// All of a topic but its records. A name has one topic.
    Topic(TopicEntry),
    TopicDeleted {
        id: Id,
    },
    /// Records before this offset are gone.
    LogStart {
        id: Id,
        partition: i32,
        offset: i64,
    },
    /// A group's offset.
    Committed {
        group: String,
        topic: String,
        partition: i32,
        offset: i64,
        leader_epoch: i32,
        metadata: String,
        #[serde(default)]
        committed_ms: i64,
        #[serde(default)]
        expires_ms: Option<i64>,
    },
    CommitDeleted {
        group: String,
        topic: String,
        partition: i32,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TopicEntry {
    pub(crate) name: String,
    pub(crate) id: Id,
    pub(crate) settings: BTreeMap<String, String>,
    pub(crate) partitions: Vec<PartitionEntry>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PartitionEntry {
    pub(crate) replicas: Vec<i32>,
    pub(crate) leader_epoch: i32,
}

/// A topic's id, as 32 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Id(pub(crate) TopicId);

impl Id {
    pub(super) fn parse(text: &str) -> Option<Id> {
        let is_hex = text.len() == 32 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let number = is_hex.then(|| u128::from_str_radix(text, 16).ok()).flatten()?;
        Some(Id(TopicId(number.to_be_bytes())))
    }
}

impl std::fmt::Display for Id {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0.0))
    }
}

impl Serialize for Id {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Id::parse(&text).ok_or_else(|| serde::de::Error::custom("a topic's id has 32 hexadecimal digits"))
    }
}

impl From<&Topic> for TopicEntry {
    fn from(topic: &Topic) -> Self {
        TopicEntry {
            name: topic.name.to_string(),
            id: Id(topic.id),
            settings: topic.settings.clone(),
            partitions: topic.partitions.iter().map(PartitionEntry::from).collect(),
        }
    }
}

impl From<&Partition> for PartitionEntry {
    fn from(partition: &Partition) -> Self {
        PartitionEntry { replicas: partition.replicas.clone(), leader_epoch: partition.leader_epoch }
    }
}
