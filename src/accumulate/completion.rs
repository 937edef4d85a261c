use std::{
    sync::Arc,
    task::{Poll, Waker},
    time::Duration,
};

use parking_lot::Mutex;

use crate::model::TopicPartition;

/// What became of a batch: the offset of its first record (−1 where the broker told none), or why there is none.
#[derive(Debug, Clone)]
pub(crate) enum Fate {
    Written { base_offset: i64 },
    Refused { why: Arc<str>, code: i16, possibly_written: bool },
    Expired { after: Duration, why: Option<Arc<str>>, possibly_written: bool },
    Abandoned { possibly_written: bool },
}

/// The fate of one batch, shared by the deliveries of its records: settled once.
#[derive(Debug)]
pub(crate) struct Completion {
    at: TopicPartition,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    fate: Option<Fate>,
    waiting: Vec<Waker>,
}

/// A delivery's place among those that wait.
#[derive(Debug, Default)]
pub(crate) struct Waiting(Option<usize>);

impl Completion {
    pub(crate) fn new(at: TopicPartition) -> Self {
        Completion { at, state: Mutex::default() }
    }

    /// Whose batch it is.
    pub(crate) fn at(&self) -> &TopicPartition {
        &self.at
    }

    /// Settles it and wakes everyone. What was settled first stays.
    pub(crate) fn settle(&self, fate: Fate) {
        let waiting = {
            let mut state = self.state.lock();
            state.fate.get_or_insert(fate);
            std::mem::take(&mut state.waiting)
        };
        waiting.into_iter().for_each(Waker::wake);
    }

    pub(crate) fn is_settled(&self) -> bool {
        self.state.lock().fate.is_some()
    }

    pub(crate) fn poll(&self, waiting: &mut Waiting, waker: &Waker) -> Poll<Fate> {
        let mut state = self.state.lock();
        if let Some(fate) = &state.fate {
            return Poll::Ready(fate.clone());
        }
        match waiting.0 {
            Some(place) => state.waiting[place].clone_from(waker),
            None => {
                waiting.0 = Some(state.waiting.len());
                state.waiting.push(waker.clone());
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
