//! What the clients meet, in order, by the virtual clock; and what of it should not be.

use std::{fmt::Display, sync::Arc};

use parking_lot::Mutex;
use tokio::time::Instant;

/// Clones are the same journal.
#[derive(Debug, Clone)]
pub struct Journal {
    start: Instant,
    pages: Arc<Mutex<Pages>>,
}

#[derive(Debug, Default)]
struct Pages {
    lines: Vec<(Instant, String)>,
    violations: Vec<String>,
}

impl Journal {
    pub fn starting(start: Instant) -> Journal {
        Journal { start, pages: Arc::default() }
    }

    pub fn write(&self, who: &str, what: impl Display) {
        self.pages.lock().lines.push((Instant::now(), format!("{who}: {what}")));
    }

    pub fn violation(&self, what: impl Display) {
        self.write("VIOLATION", &what);
        self.pages.lock().violations.push(format!("{} {what}", self.stamp(Instant::now())));
    }

    /// Milliseconds since the start.
    pub fn stamp(&self, at: Instant) -> String {
        let micros = at.duration_since(self.start).as_micros();
        format!("{}.{:03}", micros / 1000, micros % 1000)
    }

    pub fn lines(&self) -> Vec<(Instant, String)> {
        self.pages.lock().lines.clone()
    }

    pub fn violations(&self) -> Vec<String> {
        self.pages.lock().violations.clone()
    }
}
