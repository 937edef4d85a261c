//! Seeded simulation: producers and members of a group on an embedded cluster, under tokio's paused clock, while requests fail,
//! brokers stop and leaders move. A seed says all that happens, and replays exactly.
//!
//! `MILENA_SEEDS=FROM..TO` chooses seeds, as in `MILENA_SEEDS=0..100000 cargo test --release --features embedded --test simulation`.

#[allow(unreachable_pub, reason = "these are modules of a test")]
mod simulation {
    //! In reading order:
    //! - `schedule`: what is going to happen, made from the seed; `incident`: what goes wrong
    //! - `run`: one seed, from beginning to end
    //! - `sent`: producers, and what they are told
    //! - `member`: members of the group; `handed`: what they were handed and what is committed
    //! - `log`: what is in the logs in the end
    //! - `checks`: what must be true
    //! - `journal`: what happens, for the replay, and what should not
    //! - `seeds`: which seeds are run, and on how many threads

    pub mod checks;
    pub mod handed;
    pub mod incident;
    pub mod journal;
    pub mod log;
    pub mod member;
    pub mod run;
    pub mod schedule;
    pub mod seeds;
    pub mod sent;
}

use simulation::{run, seeds};

/// Nothing acknowledged is lost, doubled or out of order; see `checks`.
#[test]
fn what_was_promised_is_kept_whatever_goes_wrong() {
    let chosen = seeds::chosen(0..150);
    let start = std::time::Instant::now();
    let tally = seeds::run_all(chosen.clone());
    eprintln!("seeds {chosen:?} in {:.1?}, digest {:016x}", start.elapsed(), tally.digest);
    assert!(chosen.is_empty() || tally.digest != 0);
    let failed: Vec<u64> = tally.failed.iter().map(|(seed, _)| *seed).collect();
    assert!(failed.is_empty(), "{} of {chosen:?} failed: {failed:?}", failed.len());
}

/// All that clients meet and brokers are asked is the same, to the microsecond, each time: the base of all else here.
#[test]
fn a_seed_replays_exactly() {
    for seed in seeds::chosen(0..30).take(100) {
        let (first, second) = (run::run(seed).trace, run::run(seed).trace);
        let same = first.lines().zip(second.lines()).take_while(|(one, other)| one == other).count();
        let around = |trace: &str| trace.lines().skip(same.saturating_sub(10)).take(20).collect::<Vec<_>>().join("\n");
        assert!(first == second, "seed {seed}: once\n{}\nand once\n{}", around(&first), around(&second));
    }
}
