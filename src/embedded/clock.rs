use std::time::{SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// The time of day, as it runs from the broker's start by tokio's clock, so that it stands still and jumps as that does.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    start: Instant,
    start_ms: i64,
}

impl Clock {
    pub(crate) fn starting(now: Instant) -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Clock { start: now, start_ms: since_epoch.as_millis() as i64 }
    }

    /// Milliseconds since the epoch.
    pub(crate) fn millis(&self, now: Instant) -> i64 {
        self.start_ms + now.saturating_duration_since(self.start).as_millis() as i64
    }
}
