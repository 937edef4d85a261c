//! A topic's settings, by Kafka's names, with Kafka's defaults.

use super::topic::Topic;
use crate::model::TimestampType;

/// The defaults of Kafka 4.3's `LogConfig`, of those settings that a topic may have.
const DEFAULTS: &[(&str, &str)] = &[
    ("cleanup.policy", "delete"),
    ("max.message.bytes", "1048588"),
    ("message.timestamp.after.max.ms", "3600000"),
    ("message.timestamp.before.max.ms", "9223372036854775807"),
    ("message.timestamp.type", "CreateTime"),
    ("min.insync.replicas", "1"),
    ("retention.bytes", "-1"),
];

impl Topic {
    /// A setting's text, the topic's own or the default. Empty for one that is not known.
    pub(crate) fn setting(&self, name: &str) -> &str {
        let default = || DEFAULTS.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
        self.settings.get(name).map(String::as_str).or_else(default).unwrap_or_default()
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
        self.setting("cleanup.policy").split(',').any(|policy| policy.trim() == "compact")
    }
}
