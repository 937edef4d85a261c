use std::{
    sync::{Arc, OnceLock},
    task::{Poll, Waker},
    time::Duration,
};

use parking_lot::Mutex;

use crate::model::TopicPartition;

/// What became of a batch: the offset of its first record (−1 where the broker told none), or why there is none.
#[derive(Debug, Clone)]
pub(crate) enum Fate {
    Written {
        base_offset: i64,
    },
    Refused {
        why: Arc<str>,
        code: i16,
        possibly_written: bool,
    },
    Expired {
        after: Duration,
        why: Option<Arc<str>>,
        possibly_written: bool,
    },
    /// With why, where it was not the user's wish.
    Abandoned {
        why: Option<Arc<str>>,
        possibly_written: bool,
    },
}

/// The fate of one batch, shared by the deliveries of its records: settled once.
#[derive(Debug)]
pub(crate) struct Completion {
    at: TopicPartition,
    fate: OnceLock<Fate>,
    waiting: Mutex<Vec<Waker>>,
}

/// A delivery's place among those that wait.
#[derive(Debug, Default)]
pub(crate) struct Waiting(Option<u32>);

impl Completion {
    pub(crate) fn new(at: TopicPartition) -> Self {
        Completion { at, fate: OnceLock::new(), waiting: Mutex::default() }
    }

    /// Whose batch it is.
    pub(crate) fn at(&self) -> &TopicPartition {
        &self.at
    }

    /// Settles it and wakes everyone. What was settled first stays.
    pub(crate) fn settle(&self, fate: Fate) {
        let _ = self.fate.set(fate);
        let waiting = std::mem::take(&mut *self.waiting.lock());
        waiting.into_iter().for_each(Waker::wake);
    }

    pub(crate) fn is_settled(&self) -> bool {
        self.fate.get().is_some()
    }

    #[inline]
    pub(crate) fn poll(&self, waiting: &mut Waiting, waker: &Waker) -> Poll<&Fate> {
        if let Some(fate) = self.fate.get() {
            return Poll::Ready(fate);
        }
        let mut wakers = self.waiting.lock();
        // Settled before the lock was had: nobody comes to wake any more.
        if let Some(fate) = self.fate.get() {
            return Poll::Ready(fate);
        }
        match waiting.0 {
            Some(place) => wakers[place as usize].clone_from(waker),
            None => {
                // A batch has fewer records than that.
                waiting.0 = Some(wakers.len() as u32);
                wakers.push(waker.clone());
            }
        }
        Poll::Pending
    }

    /// Waits until it is settled, however.
    pub(crate) async fn settled(&self) {
        let mut waiting = Waiting::default();
        std::future::poll_fn(|cx| self.poll(&mut waiting, cx.waker()).map(drop)).await;
    }
}
