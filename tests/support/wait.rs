//! Waiting for a condition instead of for a time.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

/// What a condition answers: `true`, `Some` and `Ok` mean that it holds.
pub trait Settled {
    type Value;
    /// The value, or why the condition does not hold yet.
    fn settled(self) -> Result<Self::Value, String>;
}

impl Settled for bool {
    type Value = ();
    fn settled(self) -> Result<(), String> {
        self.then_some(()).ok_or_else(|| "false".into())
    }
}

impl<T> Settled for Option<T> {
    type Value = T;
    fn settled(self) -> Result<T, String> {
        self.ok_or_else(|| "none".into())
    }
}

impl<T, E: std::fmt::Display> Settled for Result<T, E> {
    type Value = T;
    fn settled(self) -> Result<T, String> {
        self.map_err(|error| error.to_string())
    }
}

/// Asks `condition` again and again until it holds, and returns its value.
///
/// # Panics
/// After `deadline`, with `what` and the last answer; also if one call of `condition` hangs until then.
#[track_caller]
pub fn eventually<S: Settled>(
    deadline: Duration,
    what: &str,
    mut condition: impl AsyncFnMut() -> S,
) -> impl Future<Output = S::Value> {
    let caller = std::panic::Location::caller();
    async move {
        let end = Instant::now() + deadline;
        let mut pause = Duration::from_millis(5);
        let mut last = "it was never answered".to_owned();
        while let Ok(answer) = timeout_at(end, condition()).await {
            match answer.settled() {
                Ok(value) => return value,
                Err(why) => last = why,
            }
            if Instant::now() + pause >= end {
                break;
            }
            sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(200));
        }
        panic!("{caller}: not within {deadline:?}: {what}; last answer: {last}");
    }
}
