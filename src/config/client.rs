use std::{sync::Arc, time::Duration};

use super::{Key, boolean, millis, one_of};
use crate::wire::{Address, ConnectOptions, Dial, Tcp};

/// What the producers, consumers and admins of one handle share.
#[derive(Debug, Clone)]
pub(crate) struct ClientConfig {
    pub(crate) bootstrap_servers: Vec<Address>,
    /// How brokers are reached. No setting: an embedded broker brings its own.
    pub(crate) dial: Arc<dyn Dial>,
    pub(crate) client_id: Arc<str>,
    /// Where this client stands: fetches go to a replica in the same rack (KIP-392).
    pub(crate) rack: Option<Arc<str>>,
    pub(crate) request_timeout: Duration,
    pub(crate) connect_timeout: Duration,
    pub(crate) retry_backoff: Duration,
    pub(crate) retry_backoff_max: Duration,
    pub(crate) reconnect_backoff: Duration,
    pub(crate) reconnect_backoff_max: Duration,
    pub(crate) metadata_max_age: Duration,
    pub(crate) allow_auto_create_topics: bool,
    /// How long a topic that no broker knows is asked for again before that is an error.
    pub(crate) unknown_topic_patience: Duration,
    /// The largest answer to a fetch, in bytes.
    pub(crate) max_fetch_frame: usize,
}

impl Default for ClientConfig {
    fn default() -> Self {
        ClientConfig {
            bootstrap_servers: Vec::new(),
            dial: Arc::new(Tcp),
            client_id: Arc::from(env!("CARGO_PKG_NAME")),
            rack: None,
            // These five are Java's.
            request_timeout: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(10),
            retry_backoff: Duration::from_millis(100),
            retry_backoff_max: Duration::from_secs(1),
            metadata_max_age: Duration::from_secs(300),
            // A broker that restarts is back within seconds: trying once a second costs nothing.
            reconnect_backoff: Duration::from_millis(50),
            reconnect_backoff_max: Duration::from_secs(1),
            // Whether a topic is made is the broker's decision (auto.create.topics.enable); Java's clients allow it too.
            allow_auto_create_topics: true,
            // Longer than a new topic takes to reach every broker, short enough to be called "at once".
            unknown_topic_patience: Duration::from_secs(1),
            // A fetch of 50 MiB, and a batch beyond it that a broker sends whole whatever its size.
            max_fetch_frame: 128 << 20,
        }
    }
}

const HOUR_MS: u64 = 3_600_000;

pub(crate) const CLIENT_KEYS: &[Key<ClientConfig>] = &[
    Key {
        name: "bootstrap.servers",
        set: |config, text| {
            let servers = text.split(',').filter(|s| !s.trim().is_empty()).map(str::parse);
            config.bootstrap_servers = servers.collect::<Result<_, _>>().map_err(|e| format!("{e}"))?;
            match config.bootstrap_servers.is_empty() {
                true => Err("host:port, separated by commas, is allowed".to_owned()),
                false => Ok(()),
            }
        },
    },
    Key {
        name: "client.id",
        set: |config, text| {
            config.client_id = Arc::from(text);
            match text.len() {
                0..=249 => Ok(()),
                _ => Err("up to 249 bytes are allowed".to_owned()),
            }
        },
    },
    Key {
        name: "client.rack",
        set: |config, text| {
            config.rack = (!text.is_empty()).then(|| Arc::from(text));
            Ok(())
        },
    },
    Key { name: "request.timeout.ms", set: |c, t| millis(t, 1..=HOUR_MS).map(|v| c.request_timeout = v) },
    Key {
        name: "socket.connection.setup.timeout.ms",
        set: |c, t| millis(t, 1..=HOUR_MS).map(|v| c.connect_timeout = v),
    },
    Key { name: "retry.backoff.ms", set: |c, t| millis(t, 1..=HOUR_MS).map(|v| c.retry_backoff = v) },
    Key { name: "retry.backoff.max.ms", set: |c, t| millis(t, 1..=HOUR_MS).map(|v| c.retry_backoff_max = v) },
    Key { name: "reconnect.backoff.ms", set: |c, t| millis(t, 1..=HOUR_MS).map(|v| c.reconnect_backoff = v) },
    Key { name: "reconnect.backoff.max.ms", set: |c, t| millis(t, 1..=HOUR_MS).map(|v| c.reconnect_backoff_max = v) },
    Key { name: "metadata.max.age.ms", set: |c, t| millis(t, 100..=24 * HOUR_MS).map(|v| c.metadata_max_age = v) },
    Key { name: "allow.auto.create.topics", set: |c, t| boolean(t).map(|v| c.allow_auto_create_topics = v) },
    Key { name: "security.protocol", set: |_, t| one_of(t, &[("PLAINTEXT", ())]) },
];

impl ClientConfig {
    pub(crate) fn connect_options(&self) -> ConnectOptions {
        ConnectOptions {
            client_id: Arc::clone(&self.client_id),
            dial: Arc::clone(&self.dial),
            connect_timeout: self.connect_timeout,
            request_timeout: self.request_timeout.min(Duration::from_secs(10)),
            // Answers without records: the metadata of a hundred thousand partitions measure some 10 MB.
            max_frame: 64 << 20,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{ConfigError, Properties, apply, reject_unknown};

    #[test]
    fn texts_become_settings() {
        let mut config = ClientConfig::default();
        let properties = Properties::from_iter([("bootstrap.servers", "a:1, b:2"), ("request.timeout.ms", "5000")]);
        apply(&mut config, CLIENT_KEYS, &properties).unwrap();
        assert_eq!(config.bootstrap_servers, ["a:1".parse().unwrap(), "b:2".parse().unwrap()]);
        assert_eq!(config.request_timeout, Duration::from_secs(5));
    }

    #[test]
    fn a_bad_value_is_named_with_what_is_allowed() {
        for (key, value, word) in [
            ("request.timeout.ms", "soon", "milliseconds from 1"),
            ("request.timeout.ms", "0", "milliseconds from 1"),
            ("bootstrap.servers", "nowhere", "host:port"),
            ("allow.auto.create.topics", "maybe", "true, false"),
            ("security.protocol", "SSH", "PLAINTEXT"),
        ] {
            let properties = Properties::from_iter([(key, value)]);
            let error = apply(&mut ClientConfig::default(), CLIENT_KEYS, &properties).unwrap_err().to_string();
            assert!(error.contains(key) && error.contains(value) && error.contains(word), "{error}");
        }
    }

    #[test]
    fn an_unknown_name_gets_its_nearest() {
        let known: Vec<&str> = CLIENT_KEYS.iter().map(|k| k.name).collect();
        let unknown = |key: &str| reject_unknown(&Properties::from_iter([(key, "1")]), &known).unwrap_err();
        let ConfigError::UnknownKey { nearest, .. } = unknown("request.timeout") else { panic!() };
        assert_eq!(nearest, Some("request.timeout.ms"));
        let ConfigError::UnknownKey { nearest, .. } = unknown("zookeeper") else { panic!() };
        assert_eq!(nearest, None);
    }
}
