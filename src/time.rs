//! Deadlines and back-off: the arithmetic of waiting. Nothing here waits.

use std::time::Duration;

use tokio::time::Instant;

/// A point in time by which something has to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Deadline(Instant);

impl Deadline {
    pub(crate) fn after(now: Instant, limit: Duration) -> Self {
        // Far enough for a limit that overflows: such a limit means "for ever".
        Deadline(now.checked_add(limit).unwrap_or_else(|| now + Duration::from_secs(60 * 60 * 24 * 365 * 30)))
    }

    pub(crate) fn left(self, now: Instant) -> Duration {
        self.0.saturating_duration_since(now)
    }

    pub(crate) fn has_passed(self, now: Instant) -> bool {
        self.0 <= now
    }

    pub(crate) fn instant(self) -> Instant {
        self.0
    }
}

/// Exponential back-off with jitter, as Kafka's clients have it (KIP-144, KIP-580): each wait is twice the one before, up to
/// a maximum, give or take a fifth, so that clients that failed together do not come back together.
#[derive(Debug, Clone)]
pub(crate) struct Backoff {
    first: Duration,
    max: Duration,
    failures: u32,
}

impl Backoff {
    pub(crate) const fn new(first: Duration, max: Duration) -> Self {
        Backoff { first, max, failures: 0 }
    }

    /// How long to wait after one more failure.
    pub(crate) fn next_wait(&mut self) -> Duration {
        let doubled = self.first.saturating_mul(1u32.checked_shl(self.failures.min(20)).unwrap_or(u32::MAX));
        self.failures = self.failures.saturating_add(1);
        doubled.min(self.max).mul_f64(0.8 + 0.4 * fastrand::f64())
    }

    /// After a success the next failure waits the first time again.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_the_maximum_and_start_again() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(1));
        for expected in [100, 200, 400, 800, 1000, 1000] {
            let wait = backoff.next_wait().as_millis();
            assert!((expected * 8 / 10..=expected * 12 / 10).contains(&wait), "{wait} for {expected}");
        }
        backoff.reset();
        assert!(backoff.next_wait() <= Duration::from_millis(120));
    }

    #[test]
    fn endless_deadlines_do_not_overflow() {
        let now = Instant::now();
        let deadline = Deadline::after(now, Duration::MAX);
        assert!(!deadline.has_passed(now) && deadline.left(now) > Duration::from_secs(1 << 29));
    }
}
