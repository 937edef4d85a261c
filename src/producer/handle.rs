use std::sync::{Arc, atomic::Ordering};

use futures_util::{
    FutureExt,
    future::{self, BoxFuture},
};
use tokio::time::Instant;

use super::{
    Ack, Delivery, ProduceError, ProducerConfig, keeper,
    memory::Charge,
    partitioner,
    shared::{Shared, TopicState},
};
use crate::{
    accumulate::{Refused, Waiting},
    cluster::Cluster,
    model::{Record, Timestamp},
};

/// Sends records: idempotent, acknowledged by all in-sync replicas, in order per partition.
///
/// Cloning is cheap; the clones share connections, memory and order. When the last clone is dropped the tasks end, and
/// what was not acknowledged by then fails as [`ProduceError::Closed`]: call [`flush`](Producer::flush) or
/// [`close`](Producer::close) before.
#[derive(Debug, Clone)]
pub struct Producer {
    alive: Arc<Alive>,
}

/// Ends the tasks when the last handle goes.
#[derive(Debug)]
struct Alive {
    shared: Arc<Shared>,
    /// Ready when all tasks have ended, for as many as wait for it.
    ended: future::Shared<BoxFuture<'static, ()>>,
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.shared.closed.store(true, Ordering::Release);
        self.shared.keeper.notify_one();
    }
}

impl Producer {
    pub(super) fn start(cluster: Arc<Cluster>, config: ProducerConfig) -> Self {
        let shared = Arc::new(Shared::new(cluster, config));
        let keeper = tokio::spawn(keeper::run(Arc::clone(&shared)));
        let ended = keeper.map(drop).boxed().shared();
        Producer { alive: Arc::new(Alive { shared, ended }) }
    }

    /// Sends a record and awaits its acknowledgement.
    ///
    /// If the future is dropped the record may be sent all the same.
    ///
    /// # Errors
    /// See [`ProduceError`]; [`is_possibly_written`](ProduceError::is_possibly_written) tells what is certain.
    pub async fn send(&self, record: Record<'_>) -> Result<Ack, ProduceError> {
        self.enqueue(record).await?.await
    }

    /// Takes a record, waiting only while the memory for unacknowledged records is full (or its topic is not known yet),
    /// and returns the future of its acknowledgement.
    ///
    /// If this future is dropped before it is ready the record is not sent.
    ///
    /// # Errors
    /// At once for a record that is too large, an unknown topic, a partition that does not exist, a closed producer.
    ///
    /// # Panics
    /// If the [`Partitioner`](super::Partitioner) of the user does; the record is not sent then, and nothing else is harmed.
    pub async fn enqueue(&self, record: Record<'_>) -> Result<Delivery, ProduceError> {
        let shared = &self.alive.shared;
        let size = size_of(&record);
        if size > shared.limits.batch_bytes {
            return Err(ProduceError::TooLarge { size, limit: shared.limits.batch_bytes });
        }
        let charge = match shared.memory.try_take(size) {
            Some(charge) => charge,
            None => shared.memory.take(size).await.ok_or_else(|| shared.closed_error())?,
        };
        match self.append(&record, &charge) {
            Some(Ok(delivery)) => {
                charge.keep();
                return Ok(delivery);
            }
            Some(Err(error)) => return Err(error),
            // Others need the memory more than a record whose topic is not known.
            None => drop(charge),
        }
        shared.ask_topic(&record.topic).await?;
        let charge = shared.memory.take(size).await.ok_or_else(|| shared.closed_error())?;
        let taken = self.append(&record, &charge).expect("a topic that is known stays known");
        taken.inspect(|_| charge.keep())
    }

    /// `None` if the topic is not known.
    fn append(&self, record: &Record<'_>, charge: &Charge<'_>) -> Option<Result<Delivery, ProduceError>> {
        self.alive.shared.with_topic(&record.topic, |topic| self.append_to(topic, record, charge))
    }

    fn append_to(
        &self,
        topic: &TopicState,
        record: &Record<'_>,
        charge: &Charge<'_>,
    ) -> Result<Delivery, ProduceError> {
        let shared = &self.alive.shared;
        let key = record.key.as_ref().map(|k| k.as_slice());
        let value = record.value.as_ref().map(|v| v.as_slice());
        let count = topic.count;
        let chosen = record.partition.or_else(|| shared.config.partitioner.choose(&topic.name, key, value, count));
        let partition = chosen.unwrap_or_else(|| match key {
            Some(key) => partitioner::of_key(key, count),
            None => topic.sticky.next(charge.bytes(), shared.limits.batch_bytes, count, || self.any_led(topic)),
        });
        let slot = usize::try_from(partition).ok().and_then(|index| topic.slots.get(index)).ok_or_else(|| {
            ProduceError::NoPartition { topic: Arc::clone(&topic.name), partition, partitions: count }
        })?;
        let timestamp = match record.timestamp {
            Timestamp::NONE => Timestamp::now(),
            set => set,
        };
        let mut queue = slot.queue.lock();
        // Under the queue's lock: the keeper closes before it takes the lock to abandon what is left.
        if shared.closed.load(Ordering::Acquire) {
            return Err(shared.closed_error());
        }
        let (completion, index, news) = queue
            .append(Instant::now, &shared.limits, timestamp.as_millis(), key, value, &record.headers, charge.bytes())
            .map_err(|Refused::TooLarge { size }| ProduceError::TooLarge { size, limit: shared.limits.batch_bytes })?;
        if news {
            shared.route(slot, &mut queue);
            shared.wake_dozing();
        }
        Ok(Delivery { completion: Some(completion), waiting: Waiting::default(), index })
    }

    /// A random partition among those that have a leader; among all if none has.
    fn any_led(&self, topic: &TopicState) -> i32 {
        let picture = self.alive.shared.cluster.snapshot();
        let partitions = picture.topic(&topic.name).map(|t| &t.partitions[..]).unwrap_or_default();
        let known = partitions.iter().filter(|p| (p.index as usize) < topic.count);
        let led: Vec<i32> = known.filter(|p| p.leader.is_some()).map(|p| p.index).collect();
        match led.len() {
            0 => fastrand::i32(0..topic.count as i32),
            n => led[fastrand::usize(..n)],
        }
    }

    /// Sends all that was taken so far without lingering, and awaits what becomes of it. Failures are told by the deliveries.
    ///
    /// If the future is dropped the records are sent all the same.
    pub async fn flush(&self) {
        let shared = &self.alive.shared;
        let _flushing = Flushing::new(shared);
        let mut unsettled = Vec::new();
        for slot in shared.slots() {
            let mut queue = slot.queue.lock();
            if !queue.is_empty() {
                shared.route(&slot, &mut queue);
            }
            unsettled.extend(queue.unsettled());
        }
        for completion in unsettled {
            completion.settled().await;
        }
    }

    /// Flushes, then ends the tasks and closes the connections. Other clones then fail with [`ProduceError::Closed`].
    ///
    /// Takes no longer than the delivery timeout. Whoever closes another clone meanwhile waits for the same end. If the future is dropped, dropping the handles does the rest.
    pub async fn close(self) {
        self.flush().await;
        self.alive.shared.closed.store(true, Ordering::Release);
        self.alive.shared.keeper.notify_one();
        self.alive.ended.clone().await;
    }
}

/// Counts one flush while it lasts.
struct Flushing<'a>(&'a Shared);

impl<'a> Flushing<'a> {
    fn new(shared: &'a Shared) -> Self {
        shared.flushing.fetch_add(1, Ordering::AcqRel);
        Flushing(shared)
    }
}

impl Drop for Flushing<'_> {
    fn drop(&mut self) {
        self.0.flushing.fetch_sub(1, Ordering::AcqRel);
    }
}

/// About what the record takes in a batch, in bytes: what is charged to the producer's memory.
fn size_of(record: &Record<'_>) -> usize {
    let headers: usize =
        record.headers.iter().map(|h| h.name.len() + h.value.as_ref().map_or(0, |v| v.as_slice().len()) + 4).sum();
    let key = record.key.as_ref().map_or(0, |k| k.as_slice().len());
    key + record.value.as_ref().map_or(0, |v| v.as_slice().len()) + headers + 12
}
