use std::time::{SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// The time of day, as it runs from the broker's start by tokio's clock, so that it stands still and jumps as that does.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    start: Instant,
    start_ms: i64,
}

impl Clock {
    /// It is the real time now, or what it is said to be.
    pub(crate) fn starting(now: Instant, start_ms: Option<i64>) -> Self {
        let real = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as i64;
        Clock { start: now, start_ms: start_ms.unwrap_or_else(real) }
    }

    /// When the broker started, in milliseconds since the epoch.
    pub(crate) fn start_ms(&self) -> i64 {
        self.start_ms
    }

    /// Milliseconds since the epoch.
    pub(crate) fn millis(&self, now: Instant) -> i64 {
        self.start_ms + now.saturating_duration_since(self.start).as_millis() as i64
    }
}
