use std::{collections::BTreeMap, sync::Arc, time::Duration};

use super::sasl::Users;

/// What an embedded broker is started with.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// How many brokers, numbered from 1.
    pub(crate) brokers: u16,
    /// Topics that are there from the start, and their partitions.
    pub(crate) topics: Vec<(Arc<str>, u32)>,
    /// As `auto.create.topics.enable`.
    pub(crate) auto_create_topics: bool,
    /// As `num.partitions`.
    pub(crate) default_partitions: u32,
    /// Bytes of records that all logs keep together; the oldest of the largest go when there are more.
    pub(crate) retention_bytes: usize,
    /// Newest versions to offer, by API key, of a broker older than Kafka 4.3.
    pub(crate) max_versions: BTreeMap<i16, i16>,
    /// As `group.initial.rebalance.delay.ms`, milliseconds.
    pub(crate) initial_rebalance_delay_ms: u64,
    /// As `group.min.session.timeout.ms` and `group.max.session.timeout.ms`, milliseconds.
    pub(crate) session_timeouts_ms: (i32, i32),
    /// As `connections.max.idle.ms`, of connections on TCP.
    pub(crate) max_idle: Duration,
    /// As `offset.metadata.max.bytes`.
    pub(crate) max_offset_metadata: usize,
    /// Of the random numbers, such as those in member ids.
    pub(crate) seed: u64,
    /// The time of day when it starts, in milliseconds since the epoch; `None` for the real one.
    pub(crate) start_ms: Option<i64>,
    /// Who may connect on TCP; anyone, if empty.
    pub(crate) users: Users,
}

impl Settings {
    pub(crate) fn initial_rebalance_delay(&self) -> Duration {
        Duration::from_millis(self.initial_rebalance_delay_ms)
    }
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            brokers: 1,
            topics: Vec::new(),
            // This and the next are Kafka's.
            auto_create_topics: true,
            default_partitions: 1,
            // Enough for ten million records of 100 bytes; small beside what a developer's machine has.
            retention_bytes: 1 << 30,
            max_versions: BTreeMap::new(),
            // Kafka waits 3 s for more members before a group's first assignment; a test has better uses for its time.
            initial_rebalance_delay_ms: 0,
            // This and the next two are Kafka's.
            session_timeouts_ms: (6_000, 1_800_000),
            max_idle: Duration::from_secs(600),
            max_offset_metadata: 4096,
            // Else a member of an earlier run could be taken for one of this.
            seed: fastrand::u64(..),
            start_ms: None,
            users: Users::default(),
        }
    }
}
