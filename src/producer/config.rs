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
    levels: Levels,
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
            levels: Levels::default(),
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
    Key { name: "compression.type", set: |c, t| t.parse().map(|v| c.compression = c.levels.of(v)) },
    Key {
        name: "compression.gzip.level",
        set: |c, t| gzip_level(t).map(|v| c.set_levels(Levels { gzip: v, ..c.levels })),
    },
    // Checked as Java does, and without effect: this LZ4 has one level.
    Key { name: "compression.lz4.level", set: |_, t| number(t, 1..=17).map(|_: i32| ()) },
    Key {
        name: "compression.zstd.level",
        set: |c, t| zstd_level(t).map(|v| c.set_levels(Levels { zstd: v, ..c.levels })),
    },
    Key { name: "max.in.flight.requests.per.connection", set: |c, t| number(t, 1..=5).map(|v| c.in_flight = v) },
    Key { name: "acks", set: |_, t| one_of(t, &[("all", ()), ("-1", ())]) },
    Key { name: "enable.idempotence", set: |_, t| one_of(t, &[("true", ())]) },
];

/// The levels of the codecs that have one (KIP-390), for when they are named by `compression.type`.
#[derive(Debug, Clone, Copy)]
struct Levels {
    gzip: Compression,
    zstd: Compression,
}

impl Default for Levels {
    fn default() -> Self {
        Levels { gzip: Compression::GZIP, zstd: Compression::ZSTD }
    }
}

impl Levels {
    fn of(self, codec: Compression) -> Compression {
        match codec {
            Compression::Gzip(_) => self.gzip,
            Compression::Zstd(_) => self.zstd,
            others => others,
        }
    }
}

/// As Java: 1 to 9, or −1 for zlib's default, which is 6.
fn gzip_level(text: &str) -> Result<Compression, String> {
    let allowed = || "a whole number from 1 to 9, or -1, is allowed".to_owned();
    let level = match number(text, -1..=9).map_err(|_| allowed())? {
        -1 => 6,
        0 => return Err(allowed()),
        level => level as u32,
    };
    Ok(Compression::Gzip(level))
}

/// As Java, where 0 is the default; [`Compression::Zstd`] tells what becomes of those that this codec lacks.
fn zstd_level(text: &str) -> Result<Compression, String> {
    number(text, -131_072..=22).map(Compression::Zstd)
}

impl ProducerConfig {
    /// A codec that is chosen already gets its new level.
    fn set_levels(&mut self, levels: Levels) {
        self.levels = levels;
        self.compression = levels.of(self.compression);
    }

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{ConfigError, Properties, apply};

    fn set(config: &mut ProducerConfig, pairs: &[(&str, &str)]) -> Result<Compression, ConfigError> {
        apply(config, PRODUCER_KEYS, &Properties::from_iter(pairs.iter().copied()))?;
        Ok(config.compression)
    }

    #[test]
    fn a_codec_has_the_level_that_is_set_wherever_each_is_set() {
        let levels =
            [("compression.gzip.level", "9"), ("compression.zstd.level", "-5"), ("compression.lz4.level", "17")];
        for (codec, expected) in [
            ("gzip", Compression::Gzip(9)),
            ("zstd", Compression::Zstd(-5)),
            ("lz4", Compression::Lz4),
            ("none", Compression::None),
        ] {
            let codec = ("compression.type", codec);
            let mut config = ProducerConfig::default();
            assert_eq!(set(&mut config, &[&[codec], &levels[..]].concat()), Ok(expected));
            // As where a client sets the one and its producer the other.
            let mut config = ProducerConfig::default();
            set(&mut config, &levels).unwrap();
            assert_eq!(set(&mut config, &[codec]), Ok(expected));
            let mut config = ProducerConfig::default();
            set(&mut config, &[codec]).unwrap();
            assert_eq!(set(&mut config, &levels), Ok(expected));
        }
        let default =
            set(&mut ProducerConfig::default(), &[("compression.type", "gzip"), ("compression.gzip.level", "-1")]);
        assert_eq!(default, Ok(Compression::Gzip(6)));
    }

    #[test]
    fn levels_are_allowed_that_java_allows() {
        for (key, allowed, forbidden) in [
            ("compression.gzip.level", ["-1", "1", "9"], ["-2", "0", "10"]),
            ("compression.lz4.level", ["1", "9", "17"], ["-1", "0", "18"]),
            ("compression.zstd.level", ["-131072", "0", "22"], ["-131073", "23", "high"]),
        ] {
            for level in allowed {
                set(&mut ProducerConfig::default(), &[(key, level)]).unwrap();
            }
            for level in forbidden {
                let error = set(&mut ProducerConfig::default(), &[(key, level)]).unwrap_err().to_string();
                assert!(error.contains(key) && error.contains("a whole number from"), "{error}");
            }
        }
    }
}
