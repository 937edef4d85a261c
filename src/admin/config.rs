use std::time::Duration;

use crate::config::{Key, millis};

/// An admin's settings.
#[derive(Debug, Clone)]
pub(crate) struct AdminConfig {
    /// How long one call may take, with all its retries and waits.
    pub(crate) api_timeout: Duration,
}

impl Default for AdminConfig {
    fn default() -> Self {
        // Java's.
        AdminConfig { api_timeout: Duration::from_secs(60) }
    }
}

const DAY_MS: u64 = 24 * 3_600_000;

pub(crate) const ADMIN_KEYS: &[Key<AdminConfig>] =
    &[Key { name: "default.api.timeout.ms", set: |c, t| millis(t, 1..=DAY_MS).map(|v| c.api_timeout = v) }];
