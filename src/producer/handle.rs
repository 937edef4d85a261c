use std::sync::{Arc, atomic::Ordering};

use tokio::{task::JoinHandle, time::Instant};

use super::{Ack, Delivery, ProduceError, ProducerConfig, keeper, partitioner, shared::Shared, shared::TopicState};
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
    keeper: parking_lot::Mutex<Option<JoinHandle<()>>>,
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
        Producer { alive: Arc::new(Alive { shared, keeper: parking_lot::Mutex::new(Some(keeper)) }) }
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
    pub async fn enqueue(&self, record: Record<'_>) -> Result<Delivery, ProduceError> {
        let shared = &self.alive.shared;
        let topic = match shared.known_topic(&record.topic) {
            Some(topic) => topic,
            None => shared.topic(&record.topic).await?,
        };
        let size = size_of(&record);
        if size > shared.limits.batch_bytes {
            return Err(ProduceError::TooLarge { size, limit: shared.limits.batch_bytes });
        }
        shared.take_memory(size).await;
        let taken = self.append(&topic, &record, size);
        if taken.is_err() {
            shared.memory.give(size);
        }
        taken
    }

    fn append(&self, topic: &TopicState, record: &Record<'_>, size: usize) -> Result<Delivery, ProduceError> {
        let shared = &self.alive.shared;
        let slots = topic.slots.read();
        let partition = match (record.partition, &record.key) {
            (Some(partition), _) => partition,
            (None, Some(key)) => partitioner::of_key(key.as_slice(), slots.count),
            (None, None) => {
                let limit = shared.limits.batch_bytes;
                topic.sticky.lock().next(size, limit, slots.count, || self.any_led(topic, slots.count))
            }
        };
        let slot = usize::try_from(partition).ok().and_then(|index| slots.all.get(index)).ok_or_else(|| {
            ProduceError::NoPartition { topic: Arc::clone(&topic.name), partition, partitions: slots.count }
        })?;
        let timestamp = record.timestamp.unwrap_or_else(Timestamp::now).as_millis();
        let key = record.key.as_ref().map(|k| k.as_slice());
        let value = record.value.as_ref().map(|v| v.as_slice());
        let mut queue = slot.queue.lock();
        // Under the queue's lock: the keeper closes before it takes the lock to abandon what is left.
        if shared.closed.load(Ordering::Acquire) {
            return Err(ProduceError::Closed { possibly_written: false });
        }
        let (completion, index, news) = queue
            .append(Instant::now(), &shared.limits, timestamp, key, value, &record.headers, size)
            .map_err(|Refused::TooLarge { size }| ProduceError::TooLarge { size, limit: shared.limits.batch_bytes })?;
        if news {
            shared.route(slot, &mut queue);
        }
        let timeout = shared.config.delivery_timeout;
        Ok(Delivery {
            completion,
            waiting: Waiting::default(),
            index,
            topic: Arc::clone(&topic.name),
            partition,
            timeout,
        })
    }

    /// A random partition among those that have a leader; among all if none has.
    fn any_led(&self, topic: &TopicState, count: usize) -> i32 {
        let picture = self.alive.shared.cluster.snapshot();
        let partitions = picture.topic(&topic.name).map(|t| &t.partitions[..]).unwrap_or_default();
        let led: Vec<i32> =
            partitions.iter().filter(|p| p.leader.is_some() && (p.index as usize) < count).map(|p| p.index).collect();
        match led.len() {
            0 => fastrand::i32(..count as i32),
            n => led[fastrand::usize(..n)],
        }
    }

    /// Sends all that was taken so far without lingering, and awaits what becomes of it. Failures are told by the deliveries.
    ///
    /// If the future is dropped the records are sent all the same.
    pub async fn flush(&self) {
        let shared = &self.alive.shared;
        let _flushing = Flushing::new(shared);
        for slot in shared.slots() {
            let mut queue = slot.queue.lock();
            if !queue.is_empty() {
                shared.route(&slot, &mut queue);
            }
        }
        loop {
            let settled = shared.settled.notified();
            tokio::pin!(settled);
            settled.as_mut().enable();
            if shared.memory.is_empty() || shared.closed.load(Ordering::Acquire) {
                return;
            }
            settled.await;
        }
    }

    /// Flushes, then ends the tasks and closes the connections. Other clones then fail with [`ProduceError::Closed`].
    ///
    /// Takes no longer than the delivery timeout. If the future is dropped, dropping the handles does the rest.
    pub async fn close(self) {
        self.flush().await;
        self.alive.shared.closed.store(true, Ordering::Release);
        self.alive.shared.keeper.notify_one();
        let keeper = self.alive.keeper.lock().take();
        if let Some(keeper) = keeper {
            let _ = keeper.await;
        }
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
