//! Which seeds are run, and on how many threads.

use std::{
    hash::{Hash, Hasher},
    ops::Range,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use super::{
    run::{Outcome, run},
    schedule::Schedule,
};

/// `MILENA_SEEDS=FROM..TO`, or these.
pub fn chosen(default: Range<u64>) -> Range<u64> {
    let Ok(text) = std::env::var("MILENA_SEEDS") else { return default };
    let parts = text.split_once("..").and_then(|(from, to)| Some((from.parse().ok()?, to.parse().ok()?)));
    let (from, to) = parts.unwrap_or_else(|| panic!("MILENA_SEEDS={text}: FROM..TO is wanted, as in 0..1000"));
    from..to
}

/// What came of many seeds.
#[derive(Debug, Default)]
pub struct Tally {
    pub failed: Vec<(u64, Vec<String>)>,
    /// Of all traces: the same on each run, on whichever machine.
    pub digest: u64,
}

/// No seed takes so long, unless something turns around without an end, for which the virtual clock does not pass.
const TOO_LONG: Duration = Duration::from_secs(120);

/// Each seed on a thread of its own, as many at a time as there are processors.
pub fn run_all(seeds: Range<u64>) -> Tally {
    // Then all of it is shown.
    let is_alone = seeds.end - seeds.start == 1;
    let (next, end) = (AtomicU64::new(seeds.start), seeds.end);
    let tally = Mutex::new(Tally::default());
    let most = std::thread::available_parallelism().map_or(1, usize::from);
    let running: Vec<Mutex<Option<(u64, Instant)>>> = (0..most).map(|_| Mutex::new(None)).collect();
    let left = AtomicU64::new(most as u64);
    std::thread::scope(|scope| {
        for place in &running {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end {
                        break;
                    }
                    *place.lock().unwrap() = Some((seed, Instant::now()));
                    let outcome = run(seed);
                    *place.lock().unwrap() = None;
                    let mut tally = tally.lock().unwrap();
                    // Whatever the order in which they end.
                    tally.digest = tally.digest.wrapping_add(digest(seed, &outcome));
                    if !outcome.violations.is_empty() || is_alone {
                        eprintln!("{}", report(seed, &outcome, is_alone));
                    }
                    if !outcome.violations.is_empty() {
                        tally.failed.push((seed, outcome.violations));
                    }
                }
                left.fetch_sub(1, Ordering::Release);
            });
        }
        while left.load(Ordering::Acquire) > 0 {
            std::thread::sleep(Duration::from_millis(20));
            for place in &running {
                if let Some((seed, since)) = *place.lock().unwrap()
                    && since.elapsed() > TOO_LONG
                {
                    eprintln!("seed {seed} does not end; replay it with {}", command(seed));
                    std::process::exit(1);
                }
            }
        }
    });
    tally.into_inner().unwrap()
}

/// The same in each process, which the standard library's default is by its keys.
fn digest(seed: u64, outcome: &Outcome) -> u64 {
    #[allow(deprecated, reason = "its successor has random keys")]
    let mut hasher = std::hash::SipHasher::new();
    (seed, &outcome.trace).hash(&mut hasher);
    hasher.finish()
}

fn command(seed: u64) -> String {
    format!("MILENA_SEEDS={seed}..{} cargo test --features embedded --test simulation -- --nocapture", seed + 1)
}

fn report(seed: u64, outcome: &Outcome, in_full: bool) -> String {
    let mut report = format!("seed {seed}:\n");
    outcome.violations.iter().take(10).for_each(|violation| report += &format!("  {violation}\n"));
    report += &format!("replay it with {}\n", command(seed));
    if in_full {
        report += &format!("{:#?}\n{}\n", Schedule::of(seed), outcome.trace);
    }
    report
}
