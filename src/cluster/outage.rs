use std::{collections::HashMap, fmt::Display, hash::Hash, time::Duration};

use parking_lot::Mutex;
use tokio::time::Instant;

const FIRST_INTERVAL: Duration = Duration::from_secs(10);
const MAX_INTERVAL: Duration = Duration::from_secs(600);

/// Says that something does not answer: once with the cause, then at growing intervals, and once when it is over.
#[derive(Debug)]
pub(crate) struct Outages<K> {
    open: Mutex<HashMap<K, Outage>>,
}

#[derive(Debug)]
struct Outage {
    since: Instant,
    failures: u64,
    say_next: Instant,
    interval: Duration,
}

/// What is to be said of one failure.
#[derive(Debug, PartialEq, Eq)]
enum Word {
    First,
    Still { failures: u64, since: Duration },
    Nothing,
}

impl<K: Hash + Eq + Clone + Display> Outages<K> {
    pub(crate) fn new() -> Self {
        Outages { open: Mutex::new(HashMap::new()) }
    }

    pub(crate) fn failed(&self, who: &K, cause: &dyn Display) {
        match self.note(who, Instant::now()) {
            Word::First => tracing::warn!("{who} does not answer: {cause}"),
            Word::Still { failures, since } => {
                tracing::warn!("{who} still does not answer, after {failures} tries in {since:.0?}: {cause}");
            }
            Word::Nothing => tracing::debug!("{who} does not answer: {cause}"),
        }
    }

    pub(crate) fn answered(&self, who: &K) {
        let over = self.open.lock().remove(who);
        if let Some(outage) = over {
            tracing::info!("{who} answers again, after {:.1?}", outage.since.elapsed());
        }
    }

    fn note(&self, who: &K, now: Instant) -> Word {
        let mut open = self.open.lock();
        let Some(outage) = open.get_mut(who) else {
            let first = Outage { since: now, failures: 1, say_next: now + FIRST_INTERVAL, interval: FIRST_INTERVAL };
            open.insert(who.clone(), first);
            return Word::First;
        };
        outage.failures += 1;
        if now < outage.say_next {
            return Word::Nothing;
        }
        outage.interval = (outage.interval * 2).min(MAX_INTERVAL);
        outage.say_next = now + outage.interval;
        Word::Still { failures: outage.failures, since: now - outage.since }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_it_once_and_then_at_growing_intervals() {
        let outages = Outages::new();
        let start = Instant::now();
        let words: Vec<u64> = (0..1000u64)
            .filter(|second| outages.note(&"broker 1", start + Duration::from_secs(*second)) != Word::Nothing)
            .collect();
        assert_eq!(words, [0, 10, 30, 70, 150, 310, 630]);
        outages.answered(&"broker 1");
        assert_eq!(outages.note(&"broker 1", start), Word::First);
    }
}
