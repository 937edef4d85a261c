use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use super::ProduceError;
use crate::{
    accumulate::{Completion, Fate, Waiting},
    model::TopicPartition,
    wire::ErrorCode,
};

/// Where an acknowledged record stands.
#[derive(Clone)]
pub struct Ack {
    completion: Arc<Completion>,
    offset: i64,
}

impl Ack {
    /// The topic.
    pub fn topic(&self) -> &str {
        &self.completion.at().topic
    }

    /// The partition.
    pub fn partition(&self) -> i32 {
        self.completion.at().partition
    }

    /// The offset; −1 where the broker only said that it has the record already.
    pub fn offset(&self) -> i64 {
        self.offset
    }
}

impl fmt::Debug for Ack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ack({} at {})", self.completion.at(), self.offset)
    }
}

impl PartialEq for Ack {
    fn eq(&self, other: &Self) -> bool {
        self.completion.at() == other.completion.at() && self.offset == other.offset
    }
}

impl Eq for Ack {}

/// A record on its way: a future of its acknowledgement.
///
/// Dropping it does not take the record back.
#[derive(Debug)]
#[must_use = "whether the record arrived is told by awaiting this"]
pub struct Delivery {
    /// None once it was ready.
    pub(super) completion: Option<Arc<Completion>>,
    pub(super) waiting: Waiting,
    pub(super) index: u32,
}

impl Future for Delivery {
    type Output = Result<Ack, ProduceError>;

    /// # Panics
    /// If it is polled again after it was ready.
    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let completion = this.completion.as_ref().expect("a delivery is ready once");
        let outcome = match ready!(completion.poll(&mut this.waiting, cx.waker())) {
            Fate::Written { base_offset } if *base_offset < 0 => Ok(-1),
            Fate::Written { base_offset } => Ok(base_offset + i64::from(this.index)),
            failed => Err(failure(completion.at(), failed)),
        };
        let completion = this.completion.take().expect("seen above");
        Poll::Ready(outcome.map(|offset| Ack { completion, offset }))
    }
}

#[cold]
fn failure(at: &TopicPartition, fate: &Fate) -> ProduceError {
    let TopicPartition { topic, partition } = at.clone();
    match fate.clone() {
        Fate::Refused { why, code, possibly_written } => {
            ProduceError::Refused { topic, partition, code: ErrorCode::new(code), why, possibly_written }
        }
        Fate::Expired { after, why: last, possibly_written } => {
            ProduceError::Expired { topic, partition, after, last, possibly_written }
        }
        Fate::Abandoned { why: Some(why), possibly_written } => ProduceError::Failed { why, possibly_written },
        Fate::Abandoned { why: None, possibly_written } => ProduceError::Closed { possibly_written },
        Fate::Written { .. } => unreachable!("a record that was written has not failed"),
    }
}
