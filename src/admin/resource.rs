use std::{fmt, sync::Arc};

use crate::config::is_secret;

/// What has a config of its own.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum ConfigResource {
    /// A topic, by its name.
    Topic(Arc<str>),
    /// One broker, by its id. It is the one that is asked, and that takes the change.
    Broker(i32),
    /// What all brokers of the cluster go by, where they have nothing of their own (KIP-226).
    BrokerDefaults,
    /// A group, by its id (KIP-848; brokers from 4.0).
    Group(Arc<str>),
    /// A subscription to clients' metrics, by its name (KIP-714; brokers from 3.7).
    ClientMetrics(Arc<str>),
}

/// One value of a config.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConfigEntry {
    /// The setting's name, as `retention.ms`.
    pub name: Arc<str>,
    /// The value in force. `None` where there is none, and for sensitive ones, which a broker never tells.
    pub value: Option<Arc<str>>,
    /// Where the value comes from.
    pub source: ConfigSource,
    /// Whether it cannot be changed while the broker runs.
    pub read_only: bool,
    /// Whether it is a secret.
    pub sensitive: bool,
}

impl ConfigEntry {
    /// Whether nobody set it: the value is Kafka's own default.
    pub fn is_default(&self) -> bool {
        self.source == ConfigSource::Default
    }
}

/// Where a value comes from: the most particular that is set wins, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ConfigSource {
    /// Set on the topic.
    Topic,
    /// Set on the one broker while it runs.
    Broker,
    /// Set for all brokers while they run.
    BrokerDefaults,
    /// From the broker's properties file.
    BrokerFile,
    /// Kafka's own default.
    Default,
    /// Set on the group.
    Group,
    /// Set on the subscription to clients' metrics.
    ClientMetrics,
    /// One that this crate does not know, by its number on the wire.
    Other(i8),
}

impl ConfigSource {
    pub(super) fn from_wire(number: i8) -> Self {
        match number {
            1 => ConfigSource::Topic,
            2 => ConfigSource::Broker,
            3 => ConfigSource::BrokerDefaults,
            4 => ConfigSource::BrokerFile,
            5 => ConfigSource::Default,
            7 => ConfigSource::ClientMetrics,
            8 => ConfigSource::Group,
            other => ConfigSource::Other(other),
        }
    }
}

impl fmt::Display for ConfigSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ConfigSource::Topic => "topic",
            ConfigSource::Broker => "broker",
            ConfigSource::BrokerDefaults => "broker-defaults",
            ConfigSource::BrokerFile => "broker-file",
            ConfigSource::Default => "default",
            ConfigSource::Group => "group",
            ConfigSource::ClientMetrics => "client-metrics",
            ConfigSource::Other(number) => return write!(f, "source {number}"),
        })
    }
}

/// One change of a config; what it does not name stays as it is (KIP-339).
///
/// `Debug` shows no value of a setting that may be a secret.
#[derive(Clone, PartialEq, Eq)]
pub struct ConfigChange {
    pub(super) name: Arc<str>,
    pub(super) operation: Operation,
    pub(super) value: Option<Arc<str>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    Set,
    Delete,
    Append,
    Subtract,
}

impl ConfigChange {
    /// Gives `name` this value.
    pub fn set(name: impl Into<Arc<str>>, value: impl Into<Arc<str>>) -> Self {
        ConfigChange { name: name.into(), operation: Operation::Set, value: Some(value.into()) }
    }

    /// Takes the value away, so that the next source counts: the broker's value, or the default.
    pub fn delete(name: impl Into<Arc<str>>) -> Self {
        ConfigChange { name: name.into(), operation: Operation::Delete, value: None }
    }

    /// Adds to a setting that is a list (as `cleanup.policy`). What is in the list already is not added again.
    pub fn append(name: impl Into<Arc<str>>, value: impl Into<Arc<str>>) -> Self {
        ConfigChange { name: name.into(), operation: Operation::Append, value: Some(value.into()) }
    }

    /// Takes out of a setting that is a list. What is not in the list is no error.
    pub fn subtract(name: impl Into<Arc<str>>, value: impl Into<Arc<str>>) -> Self {
        ConfigChange { name: name.into(), operation: Operation::Subtract, value: Some(value.into()) }
    }
}

impl fmt::Debug for ConfigChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = if is_secret(&self.name) { Some("[hidden]") } else { self.value.as_deref() };
        write!(f, "{:?} {}", self.operation, self.name)?;
        value.map_or(Ok(()), |value| write!(f, "={value:?}"))
    }
}

impl Operation {
    /// The number on the wire.
    pub(super) fn to_wire(self) -> i8 {
        match self {
            Operation::Set => 0,
            Operation::Delete => 1,
            Operation::Append => 2,
            Operation::Subtract => 3,
        }
    }
}

impl ConfigResource {
    /// The number of its kind on the wire.
    pub(super) fn kind(&self) -> i8 {
        match self {
            ConfigResource::Topic(_) => 2,
            ConfigResource::Broker(_) | ConfigResource::BrokerDefaults => 4,
            ConfigResource::ClientMetrics(_) => 16,
            ConfigResource::Group(_) => 32,
        }
    }

    /// Its name on the wire.
    pub(super) fn name(&self) -> Arc<str> {
        match self {
            ConfigResource::Topic(name) | ConfigResource::Group(name) | ConfigResource::ClientMetrics(name) => {
                Arc::clone(name)
            }
            ConfigResource::Broker(id) => Arc::from(id.to_string()),
            ConfigResource::BrokerDefaults => Arc::from(""),
        }
    }
}

impl fmt::Display for ConfigResource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConfigResource::Topic(name) => write!(f, "topic {name:?}"),
            ConfigResource::Broker(id) => write!(f, "broker {id}"),
            ConfigResource::BrokerDefaults => f.write_str("broker defaults"),
            ConfigResource::Group(name) => write!(f, "group {name:?}"),
            ConfigResource::ClientMetrics(name) => write!(f, "client metrics {name:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_what_is_no_secret() {
        assert_eq!(format!("{:?}", ConfigChange::set("retention.ms", "1")), "Set retention.ms=\"1\"");
        assert_eq!(format!("{:?}", ConfigChange::delete("retention.ms")), "Delete retention.ms");
        let secret = ConfigChange::set("listener.name.a.ssl.keystore.password", "hunter2");
        assert!(!format!("{secret:?}").contains("hunter2"));
    }
}
