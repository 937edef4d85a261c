//! Settings of topics, brokers and groups, by Kafka's names, with Kafka's defaults.
//!
//! - `setting`: what a setting is, and which values it may have
//! - `topic_settings`, `broker_settings`, `group_settings`: the tables
//! - `configs`: what has been changed while brokers run; `effective`: which value holds, and where it comes from
//! - `alter`: changes, checked
//!
//! All of them can be set and are told; of a topic's these do something: `max.message.bytes`, `message.timestamp.*`,
//! `min.insync.replicas`, `retention.bytes`, `retention.ms`, and of `cleanup.policy` that records need keys where it has
//! `compact`, and are kept for as long as they come where it lacks `delete`. Nothing is compacted.

mod alter;
mod broker_settings;
mod configs;
mod effective;
mod group_settings;
mod setting;
mod topic_settings;

pub(crate) use alter::{Change, Operation, altered, check_broker, check_group, check_topic};
pub(crate) use broker_settings::BROKER;
pub(crate) use configs::{Configs, Values};
pub(crate) use effective::{Described, Synonym, broker, broker_defaults, group, topic};
pub(crate) use group_settings::GROUP;
pub(crate) use setting::{Setting, find};
pub(crate) use topic_settings::TOPIC;

use super::topic::Topic;
use crate::model::TimestampType;

impl Topic {
    /// A setting's text: the topic's own, or what the brokers have in its stead, or the default. Empty for one that is not
    /// known.
    pub(crate) fn setting(&self, name: &str) -> &str {
        let default = || find(TOPIC, name).and_then(|setting| setting.default);
        let set = self.settings.get(name).or_else(|| self.inherited.get(name)).map(String::as_str);
        set.or_else(default).unwrap_or_default().trim()
    }

    /// A setting that is a number; what was set has been checked.
    pub(crate) fn number(&self, name: &str) -> i64 {
        self.setting(name).parse().unwrap_or_default()
    }

    pub(crate) fn timestamp_type(&self) -> TimestampType {
        match self.setting("message.timestamp.type") {
            "LogAppendTime" => TimestampType::LogAppendTime,
            _ => TimestampType::CreateTime,
        }
    }

    pub(crate) fn is_compacted(&self) -> bool {
        self.has_policy("compact")
    }

    /// Whether old records go, and may be deleted by clients.
    pub(crate) fn is_deleted_from(&self) -> bool {
        self.has_policy("delete")
    }

    fn has_policy(&self, wanted: &str) -> bool {
        setting::parts(self.setting("cleanup.policy")).any(|policy| policy == wanted)
    }
}
