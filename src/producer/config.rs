use std::time::Duration;

use super::partitioner::Custom;
use crate::{
    accumulate::Limits,
    batch::Compression,
    config::{Key, bytes, millis, number, one_of},
};

/// A producer's settings.
#[derive(Debug, Clone)]
pub(crate) struct ProducerConfig {
    pub(crate) linger: Duration,
    pub(crate) batch_bytes: usize,
    pub(crate) buffer_bytes: usize,
    pub(crate) delivery_timeout: Duration,
    pub(crate) compression: Compression,
    pub(crate) in_flight: usize,
    pub(super) partitioner: Custom,
}

impl Default for ProducerConfig {
    fn default() -> Self {
        ProducerConfig {
            // Java's since 4.0; it only counts while something is in flight.
            linger: Duration::from_millis(5),
            // What a broker takes at its default message.max.bytes of 1,048,588.
            batch_bytes: 1_000_000,
            buffer_bytes: 64 << 20,
            delivery_timeout: Duration::from_secs(120),
            compression: Compression::None,
            // What a broker remembers of a producer (KIP-98).
            in_flight: 5,
            partitioner: Custom::default(),
        }
    }
}

const DAY_MS: u64 = 24 * 3_600_000;

pub(crate) const PRODUCER_KEYS: &[Key<ProducerConfig>] = &[
    Key { name: "linger.ms", set: |c, t| millis(t, 0..=60_000).map(|v| c.linger = v) },
    Key { name: "batch.size", set: |c, t| bytes(t, 100..=(1 << 30)).map(|v| c.batch_bytes = v) },
    Key { name: "buffer.memory", set: |c, t| bytes(t, 1024..=(1 << 40)).map(|v| c.buffer_bytes = v) },
    Key { name: "delivery.timeout.ms", set: |c, t| millis(t, 1..=DAY_MS).map(|v| c.delivery_timeout = v) },
    Key { name: "compression.type", set: |c, t| t.parse().map(|v| c.compression = v) },
    Key { name: "max.in.flight.requests.per.connection", set: |c, t| number(t, 1..=5).map(|v| c.in_flight = v) },
    Key { name: "acks", set: |_, t| one_of(t, &[("all", ()), ("-1", ())]) },
    Key { name: "enable.idempotence", set: |_, t| one_of(t, &[("true", ())]) },
];

impl ProducerConfig {
    pub(crate) fn limits(&self) -> Limits {
        Limits {
            batch_bytes: self.batch_bytes,
            linger: self.linger,
            delivery_timeout: self.delivery_timeout,
            compression: self.compression,
            in_flight: self.in_flight,
        }
    }
}
