use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A point in time as Kafka writes it: milliseconds since 1970-01-01T00:00:00Z; −1 where a record has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// What a record without a timestamp carries.
    pub const NONE: Timestamp = Timestamp(-1);

    /// From milliseconds since the epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Timestamp(millis)
    }

    /// Milliseconds since the epoch.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// The system clock's time.
    pub fn now() -> Self {
        SystemTime::now().into()
    }

    /// As a system time; `None` for a negative value.
    pub fn to_system_time(self) -> Option<SystemTime> {
        let millis = u64::try_from(self.0).ok()?;
        UNIX_EPOCH.checked_add(Duration::from_millis(millis))
    }
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        let millis = match time.duration_since(UNIX_EPOCH) {
            Ok(after) => i64::try_from(after.as_millis()).unwrap_or(i64::MAX),
            Err(before) => i64::try_from(before.duration().as_millis()).map_or(i64::MIN, |ms| -ms),
        };
        Timestamp(millis)
    }
}

/// Who set a record's timestamp: the producer, or the broker on append (the topic's `message.timestamp.type`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TimestampType {
    /// The producer's.
    CreateTime,
    /// The broker's, at the append.
    LogAppendTime,
}
