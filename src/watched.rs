//! A value that is replaced, and those who wait for the next. As tokio's `watch`, but for the order in which they are woken:
//! there it is random, here that in which they began to wait, so that a simulation replays exactly.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use parking_lot::RwLock;
use tokio::sync::Notify;

/// The value, held by who replaces it.
#[derive(Debug)]
pub(crate) struct Watched<T>(Arc<Shared<T>>);

/// Sees each value once, or the newest where several came meanwhile.
#[derive(Debug, Clone)]
pub(crate) struct Watcher<T> {
    shared: Arc<Shared<T>>,
    /// The number of the value that was seen last.
    seen: u64,
}

#[derive(Debug)]
struct Shared<T> {
    /// Counted from 0.
    value: RwLock<(T, u64)>,
    news: Notify,
    /// There will be no other value.
    is_over: AtomicBool,
}

/// There will be no other value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Over;

impl<T: Clone> Watched<T> {
    pub(crate) fn new(value: T) -> Self {
        let value = RwLock::new((value, 0));
        Watched(Arc::new(Shared { value, news: Notify::new(), is_over: AtomicBool::new(false) }))
    }

    pub(crate) fn get(&self) -> T {
        self.0.value.read().0.clone()
    }

    /// Puts another value in its place, made from it.
    pub(crate) fn replace_with(&self, next: impl FnOnce(&T) -> T) -> T {
        let mut value = self.0.value.write();
        *value = (next(&value.0), value.1 + 1);
        let next = value.0.clone();
        drop(value);
        self.0.news.notify_waiters();
        next
    }

    /// Waits for the next value from now on.
    pub(crate) fn watch(&self) -> Watcher<T> {
        Watcher { shared: Arc::clone(&self.0), seen: self.0.value.read().1 }
    }
}

impl<T> Drop for Watched<T> {
    fn drop(&mut self) {
        self.0.is_over.store(true, Ordering::Release);
        self.0.news.notify_waiters();
    }
}

impl<T: Clone> Watcher<T> {
    #[cfg(feature = "embedded")]
    pub(crate) fn get(&self) -> T {
        self.shared.value.read().0.clone()
    }

    /// Waits for a value that was not seen yet. Dropping the future loses none.
    pub(crate) async fn changed(&mut self) -> Result<(), Over> {
        loop {
            // Made before the look: what comes between the two wakes it.
            let news = self.shared.news.notified();
            let newest = self.shared.value.read().1;
            if newest != self.seen {
                self.seen = newest;
                return Ok(());
            }
            if self.shared.is_over.load(Ordering::Acquire) {
                return Err(Over);
            }
            news.await;
        }
    }

    /// Waits until the value is such.
    #[cfg(feature = "embedded")]
    pub(crate) async fn until(&mut self, is_such: impl Fn(&T) -> bool) -> Result<(), Over> {
        while !is_such(&self.get()) {
            self.changed().await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use futures_util::{FutureExt, poll};

    use super::*;

    #[tokio::test]
    async fn each_value_is_seen_once_and_the_end_too() {
        let watched = Watched::new(1);
        let mut watcher = watched.watch();
        assert_eq!(watcher.changed().now_or_never(), None);
        watched.replace_with(|value| value + 1);
        watched.replace_with(|value| value + 1);
        assert_eq!(watcher.changed().now_or_never(), Some(Ok(())));
        assert_eq!((watcher.get(), watcher.changed().now_or_never()), (3, None));
        let mut waiting = Box::pin(watcher.until(|value| *value == 4));
        assert!(poll!(&mut waiting).is_pending());
        watched.replace_with(|value| value + 1);
        drop(watched);
        assert_eq!(waiting.await, Ok(()));
        assert_eq!(watcher.changed().now_or_never(), Some(Err(Over)));
    }

    #[tokio::test]
    async fn those_who_wait_are_woken_in_their_order() {
        let (watched, order) = (Watched::new(0), Arc::new(parking_lot::Mutex::new(Vec::new())));
        let waiting = Arc::new(AtomicUsize::new(0));
        let mut tasks = tokio::task::JoinSet::new();
        for n in 0..100 {
            let (mut watcher, order, waiting) = (watched.watch(), Arc::clone(&order), Arc::clone(&waiting));
            tasks.spawn(async move {
                waiting.fetch_add(1, Ordering::Relaxed);
                watcher.changed().await.unwrap();
                order.lock().push(n);
            });
        }
        while waiting.load(Ordering::Relaxed) < 100 {
            tokio::task::yield_now().await;
        }
        watched.replace_with(|_| 1);
        tasks.join_all().await;
        assert!(order.lock().iter().copied().eq(0..100));
    }
}
