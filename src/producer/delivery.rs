use std::{
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ack {
    topic: Arc<str>,
    partition: i32,
    offset: i64,
}

impl Ack {
    /// The topic.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// The partition.
    pub fn partition(&self) -> i32 {
        self.partition
    }

    /// The offset; −1 where the broker only said that it has the record already.
    pub fn offset(&self) -> i64 {
        self.offset
    }
}

/// A record on its way: a future of its acknowledgement.
///
/// Dropping it does not take the record back.
#[derive(Debug)]
#[must_use = "whether the record arrived is told by awaiting this"]
pub struct Delivery {
    pub(super) completion: Arc<Completion>,
    pub(super) waiting: Waiting,
    pub(super) index: u32,
}

impl Future for Delivery {
    type Output = Result<Ack, ProduceError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let fate = ready!(this.completion.poll(&mut this.waiting, cx.waker()));
        let TopicPartition { topic, partition } = this.completion.at().clone();
        Poll::Ready(match fate {
            Fate::Written { base_offset } => {
                let offset = if base_offset < 0 { -1 } else { base_offset + i64::from(this.index) };
                Ok(Ack { topic, partition, offset })
            }
            Fate::Refused { why, code, possibly_written } => {
                Err(ProduceError::Refused { topic, partition, code: ErrorCode::new(code), why, possibly_written })
            }
            Fate::Expired { after, why: last, possibly_written } => {
                Err(ProduceError::Expired { topic, partition, after, last, possibly_written })
            }
            Fate::Abandoned { possibly_written } => Err(ProduceError::Closed { possibly_written }),
        })
    }
}
