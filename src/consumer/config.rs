use std::{sync::Arc, time::Duration};

use super::assignor::{Assignor, CooperativeStickyAssignor, RangeAssignor, RoundRobinAssignor, StickyAssignor};
use crate::{
    config::{Key, boolean, bytes, millis, one_of},
    model::{IsolationLevel, OffsetReset},
};

/// A consumer's settings.
#[derive(Debug, Clone)]
pub(crate) struct ConsumerConfig {
    pub(crate) fetch_max_bytes: usize,
    pub(crate) partition_max_bytes: usize,
    pub(crate) min_bytes: usize,
    pub(crate) max_wait: Duration,
    /// Memory for fetched answers, over all brokers.
    pub(crate) prefetch_bytes: usize,
    pub(crate) isolation: IsolationLevel,
    pub(crate) reset: OffsetReset,
    pub(crate) check_crcs: bool,
    /// For questions about offsets, and for commits.
    pub(crate) api_timeout: Duration,
    pub(crate) group: GroupConfig,
}

/// What concerns a consumer only as a member of a group.
#[derive(Debug, Clone)]
pub(crate) struct GroupConfig {
    pub(crate) instance: Option<Arc<str>>,
    pub(crate) session_timeout: Duration,
    pub(crate) heartbeat_interval: Duration,
    pub(crate) max_poll_interval: Duration,
    /// Best first.
    pub(crate) assignors: Vec<Arc<dyn Assignor>>,
    /// How often; `None` for never.
    pub(crate) auto_commit: Option<Duration>,
    /// Kept while automatic commits are off.
    pub(crate) auto_commit_interval: Duration,
    /// How long closing may wait for the last commit.
    pub(crate) close_timeout: Duration,
    /// How long it may wait for the coordinator to have been told.
    pub(crate) leave_timeout: Duration,
}

impl Default for GroupConfig {
    fn default() -> Self {
        GroupConfig {
            instance: None,
            // These five are Java's, and so are the assignors.
            session_timeout: Duration::from_secs(45),
            heartbeat_interval: Duration::from_secs(3),
            max_poll_interval: Duration::from_secs(300),
            auto_commit: Some(Duration::from_secs(5)),
            auto_commit_interval: Duration::from_secs(5),
            assignors: vec![Arc::new(RangeAssignor), Arc::new(CooperativeStickyAssignor)],
            close_timeout: Duration::from_secs(20),
            leave_timeout: Duration::from_secs(5),
        }
    }
}

impl Default for ConsumerConfig {
    fn default() -> Self {
        ConsumerConfig {
            // These four are Java's.
            fetch_max_bytes: 50 << 20,
            partition_max_bytes: 1 << 20,
            min_bytes: 1,
            max_wait: Duration::from_millis(500),
            prefetch_bytes: 64 << 20,
            // As librdkafka's: what is aborted is not seen.
            isolation: IsolationLevel::ReadCommitted,
            reset: OffsetReset::Latest,
            check_crcs: true,
            api_timeout: Duration::from_secs(60),
            group: GroupConfig::default(),
        }
    }
}

const HOUR_MS: u64 = 3_600_000;

pub(crate) const CONSUMER_KEYS: &[Key<ConsumerConfig>] = &[
    Key { name: "fetch.max.bytes", set: |c, t| bytes(t, 1024..=(1 << 30)).map(|v| c.fetch_max_bytes = v) },
    Key {
        name: "max.partition.fetch.bytes",
        set: |c, t| bytes(t, 1024..=(1 << 30)).map(|v| c.partition_max_bytes = v),
    },
    Key { name: "fetch.min.bytes", set: |c, t| bytes(t, 1..=(1 << 30)).map(|v| c.min_bytes = v) },
    Key { name: "fetch.max.wait.ms", set: |c, t| millis(t, 0..=HOUR_MS).map(|v| c.max_wait = v) },
    // Not Java's, which has none: librdkafka's name for the same bound.
    Key {
        name: "queued.max.messages.kbytes",
        set: |c, t| bytes(t, 64..=(1 << 30)).map(|v| c.prefetch_bytes = v << 10).map_err(|e| e.replace("bytes", "KiB")),
    },
    Key {
        name: "isolation.level",
        set: |c, t| {
            let levels = [
                ("read_committed", IsolationLevel::ReadCommitted),
                ("read_uncommitted", IsolationLevel::ReadUncommitted),
            ];
            one_of(t, &levels).map(|v| c.isolation = v)
        },
    },
    Key { name: "auto.offset.reset", set: |c, t| t.parse().map(|v| c.reset = v) },
    Key { name: "check.crcs", set: |c, t| boolean(t).map(|v| c.check_crcs = v) },
    Key {
        name: "group.instance.id",
        set: |c, t| {
            c.group.instance = (!t.is_empty()).then(|| Arc::from(t));
            Ok(())
        },
    },
    Key { name: "session.timeout.ms", set: |c, t| millis(t, 1..=HOUR_MS).map(|v| c.group.session_timeout = v) },
    Key { name: "heartbeat.interval.ms", set: |c, t| millis(t, 1..=HOUR_MS).map(|v| c.group.heartbeat_interval = v) },
    Key {
        name: "max.poll.interval.ms",
        set: |c, t| millis(t, 1..=24 * HOUR_MS).map(|v| c.group.max_poll_interval = v),
    },
    Key {
        name: "enable.auto.commit",
        set: |c, t| {
            let is_on = boolean(t)?;
            c.group.auto_commit = is_on.then_some(c.group.auto_commit_interval);
            Ok(())
        },
    },
    Key {
        name: "auto.commit.interval.ms",
        set: |c, t| {
            c.group.auto_commit_interval = millis(t, 1..=HOUR_MS)?;
            c.group.auto_commit = c.group.auto_commit.map(|_| c.group.auto_commit_interval);
            Ok(())
        },
    },
    Key { name: "partition.assignment.strategy", set: |c, t| assignors(t).map(|v| c.group.assignors = v) },
    Key { name: "default.api.timeout.ms", set: |c, t| millis(t, 1..=HOUR_MS).map(|v| c.api_timeout = v) },
];

/// Names separated by commas, best first: those of the protocol, or of Java's classes.
fn assignors(text: &str) -> Result<Vec<Arc<dyn Assignor>>, String> {
    let named = |name: &str| -> Option<Arc<dyn Assignor>> {
        Some(match name.trim().rsplit('.').next()? {
            "range" | "RangeAssignor" => Arc::new(RangeAssignor),
            "roundrobin" | "RoundRobinAssignor" => Arc::new(RoundRobinAssignor),
            "sticky" | "StickyAssignor" => Arc::new(StickyAssignor),
            "cooperative-sticky" | "CooperativeStickyAssignor" => Arc::new(CooperativeStickyAssignor),
            _ => return None,
        })
    };
    let chosen: Option<Vec<_>> = text.split(',').map(named).collect();
    chosen.ok_or_else(|| "range, roundrobin, sticky and cooperative-sticky are allowed, separated by commas".to_owned())
}
