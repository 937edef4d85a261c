use super::sasl::Users;
use std::{collections::BTreeMap, sync::Arc};

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
    /// Who may connect on TCP; anyone, if empty.
    pub(crate) users: Users,
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
            users: Users::default(),
        }
    }
}
