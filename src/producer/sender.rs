use std::{
    collections::HashMap,
    future::Future,
    pin::Pin,
    sync::{Arc, atomic::Ordering},
    task::Poll,
    time::Duration,
};

use futures_util::{StreamExt, poll, stream::FuturesUnordered};
use parking_lot::MutexGuard;
use tokio::time::{Instant, sleep, sleep_until};

use super::shared::{List, Shared, Slot};
use crate::{
    accumulate::{Answer, PartitionQueue, Step},
    batch::SealedBatch,
    cluster::{ClusterError, Purpose},
    model::{TopicId, TopicPartition},
    wire::{
        Connection, ErrorCode, ProducePartition, ProduceRequest, ProduceTopic, WireError,
        messages::{InitProducerIdRequest, ProduceResponse, message},
    },
};

/// Requests on one connection; a broker reads no further ones before it has answered.
const MAX_REQUESTS: usize = 5;
/// Bytes of one request, and of all unanswered ones of a broker: more would only wait longer in the sockets.
const MAX_REQUEST_BYTES: usize = 8 << 20;
const MAX_UNANSWERED_BYTES: usize = 16 << 20;

/// A batch that is in a request.
struct Shipped {
    slot: Arc<Slot>,
    id: u64,
    batch: Arc<SealedBatch>,
}

type Request = Pin<Box<dyn Future<Output = (Vec<Shipped>, Result<ProduceResponse, WireError>)> + Send>>;

/// What the next request waits for. Meanwhile no other is made: their order is that of the batches.
type Preparing = Pin<Box<dyn Future<Output = Prepared> + Send>>;

enum Prepared {
    /// The producer's id is asked for, or that has failed.
    Asked,
    Connected(Vec<Shipped>, Result<Arc<Connection>, ClusterError>),
}

/// Sends one broker's batches, until the producer closes.
pub(super) async fn run(shared: Arc<Shared>, broker: i32, list: Arc<List>) {
    let mut slots: Vec<Arc<Slot>> = Vec::new();
    let mut requests: FuturesUnordered<Request> = FuturesUnordered::new();
    let mut preparing: Option<Preparing> = None;
    let mut unanswered = 0;
    let mut answered = false;
    loop {
        slots.append(&mut list.slots.lock());
        hand_back(&shared, broker, &mut slots);
        let mut wake = None;
        let room = |requests: &FuturesUnordered<Request>, unanswered| {
            requests.len() < MAX_REQUESTS && (requests.is_empty() || unanswered < MAX_UNANSWERED_BYTES)
        };
        while preparing.is_none() && !slots.is_empty() && room(&requests, unanswered) {
            let Some(producer_id) = known_id(&shared) else {
                preparing = Some(Box::pin(ask_id(Arc::clone(&shared))));
                break;
            };
            let idle = requests.is_empty() || answered;
            let shipped = collect(&shared, broker, &mut slots, producer_id, idle, &mut wake);
            if shipped.is_empty() {
                break;
            }
            answered = false;
            let mut connecting: Preparing = Box::pin(connect(Arc::clone(&shared), broker, shipped));
            match poll!(connecting.as_mut()) {
                Poll::Ready(prepared) => unanswered += depart(&shared, prepared, &mut requests).await,
                Poll::Pending => preparing = Some(connecting),
            }
        }
        answered = false;
        let waking = async {
            match wake {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        let prepared = async {
            match &mut preparing {
                Some(preparing) => preparing.await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            Some((shipped, result)) = requests.next(), if !requests.is_empty() => {
                unanswered -= bytes_of(&shipped);
                settle(&shared, shipped, &result.map_err(ClusterError::from));
                answered = true;
            }
            prepared = prepared => {
                preparing = None;
                unanswered += depart(&shared, prepared, &mut requests).await;
            }
            () = list.news.notified() => {}
            () = waking => {}
        }
    }
}

async fn connect(shared: Arc<Shared>, broker: i32, shipped: Vec<Shipped>) -> Prepared {
    let connection = shared.cluster.connection(broker, Purpose::Produce).await;
    Prepared::Connected(shipped, connection)
}

/// Writes what was prepared; how many bytes of batches are on their way then.
async fn depart(shared: &Shared, prepared: Prepared, requests: &mut FuturesUnordered<Request>) -> usize {
    match prepared {
        Prepared::Asked => {}
        Prepared::Connected(shipped, Err(error)) => settle(shared, shipped, &Err(error)),
        Prepared::Connected(shipped, Ok(connection)) => {
            if let Some((bytes, request)) = write(shared, &connection, shipped).await {
                requests.push(request);
                return bytes;
            }
        }
    }
    0
}

/// Gives up the partitions that have another leader, once nothing of them is in flight here.
fn hand_back(shared: &Shared, broker: i32, slots: &mut Vec<Arc<Slot>>) {
    if slots.is_empty() {
        return;
    }
    let picture = shared.cluster.snapshot();
    slots.retain(|slot| {
        if picture.partition(&slot.at.topic, slot.at.partition).and_then(|p| p.leader) == Some(broker) {
            return true;
        }
        let mut queue = slot.queue.lock();
        if queue.in_flight() > 0 {
            return true;
        }
        queue.listed_at = None;
        if !queue.is_empty() {
            shared.route(slot, &mut queue);
        }
        false
    });
}

fn bytes_of(shipped: &[Shipped]) -> usize {
    shipped.iter().map(|s| s.batch.bytes().len()).sum()
}

/// One batch of each partition that has one to send. Partitions with nothing left leave the list.
fn collect(
    shared: &Shared,
    broker: i32,
    slots: &mut Vec<Arc<Slot>>,
    producer_id: i64,
    idle: bool,
    wake: &mut Option<Instant>,
) -> Vec<Shipped> {
    let (now, picture) = (Instant::now(), shared.cluster.snapshot());
    let flushing = shared.flushing.load(Ordering::Acquire) > 0;
    let mut shipped = Vec::new();
    let mut bytes = 0;
    // Not always the same ones first, for when a request is full.
    let start = fastrand::usize(..slots.len());
    slots.rotate_left(start);
    slots.retain(|slot| {
        let mut queue = slot.queue.lock();
        let leader = picture.partition(&slot.at.topic, slot.at.partition).and_then(|p| p.leader);
        if leader != Some(broker) || bytes >= MAX_REQUEST_BYTES {
            return true;
        }
        match sealed_step(shared, &mut queue, now, idle, flushing, producer_id) {
            Step::Send { id, batch } => {
                bytes += batch.bytes().len();
                shipped.push(Shipped { slot: Arc::clone(slot), id, batch });
                true
            }
            Step::Wait(until) => {
                *wake = Some(wake.map_or(until, |w: Instant| w.min(until)));
                true
            }
            Step::NewId(used_up) => {
                let _ = shared.producer_id.compare_exchange(used_up, -1, Ordering::AcqRel, Ordering::Acquire);
                *wake = Some(now);
                true
            }
            Step::Await | Step::Seal(_) => true,
            Step::Idle => {
                queue.listed_at = None;
                false
            }
        }
    });
    shipped
}

/// What to do with a partition now, a batch that is next having been sealed on the way.
fn sealed_step(
    shared: &Shared,
    queue: &mut MutexGuard<'_, PartitionQueue>,
    now: Instant,
    idle: bool,
    flushing: bool,
    producer_id: i64,
) -> Step {
    loop {
        match queue.step(now, &shared.limits, idle, flushing, producer_id) {
            Step::Seal(open) => {
                // Compressing takes long: records are appended meanwhile.
                let seal = || open.seal(shared.limits.compression, &shared.spares);
                let sealed = MutexGuard::unlocked(queue, seal);
                let freed = queue.admit(sealed, producer_id);
                shared.memory.give(freed);
            }
            step => return step,
        }
    }
}

/// Puts a request on the wire: it is written, in order, before this returns. With the bytes of its batches; nothing if all of
/// them have expired while the connection was being made.
async fn write(shared: &Shared, connection: &Arc<Connection>, mut shipped: Vec<Shipped>) -> Option<(usize, Request)> {
    shipped.retain(|s| s.slot.queue.lock().depart(s.id));
    if shipped.is_empty() {
        return None;
    }
    let bytes = bytes_of(&shipped);
    let picture = shared.cluster.snapshot();
    let mut topics: Vec<ProduceTopic> = Vec::new();
    for s in &shipped {
        let partition = ProducePartition { index: s.slot.at.partition, batch: Arc::clone(&s.batch) };
        match topics.iter_mut().find(|topic| topic.name == s.slot.at.topic) {
            Some(topic) => topic.partitions.push(partition),
            None => topics.push(ProduceTopic {
                name: Arc::clone(&s.slot.at.topic),
                id: picture.topic(&s.slot.at.topic).map_or(TopicId::ZERO, |t| t.id),
                partitions: vec![partition],
            }),
        }
    }
    let limit = shared.cluster.config().request_timeout;
    let request = ProduceRequest { transactional_id: None, timeout_ms: limit.as_millis() as i32, topics };
    let call = connection.call(request, limit);
    let mut request: Request = Box::pin(async move { (shipped, call.await) });
    // The first poll writes. Whatever comes of it at once is kept for the loop to see.
    match poll!(request.as_mut()) {
        Poll::Pending => Some((bytes, request)),
        Poll::Ready(done) => Some((bytes, Box::pin(std::future::ready(done)))),
    }
}

/// Tells each batch's queue what came of it.
fn settle(shared: &Shared, shipped: Vec<Shipped>, result: &Result<ProduceResponse, ClusterError>) {
    let now = Instant::now();
    let (first, max) = (shared.cluster.config().retry_backoff, shared.cluster.config().retry_backoff_max);
    let backoff = |failures: u32| -> Duration {
        first.saturating_mul(1 << failures.saturating_sub(1).min(10)).min(max).mul_f64(0.8 + 0.4 * fastrand::f64())
    };
    let answers = result.as_ref().map(|response| by_partition(shared, response));
    let mut freed = 0;
    for Shipped { slot, id, batch } in shipped {
        // The queue may stamp the batch anew: it has to be the only holder.
        drop(batch);
        let answer = match &answers {
            Ok(answers) => match answers.get(&slot.at) {
                Some((code, offset, message)) => answer(*code, *offset, message.as_deref()),
                None => Answer::Retry {
                    why: Arc::from("the broker's answer leaves the partition out"),
                    maybe_written: true,
                },
            },
            Err(ClusterError::Wire(error)) if !error.is_retriable() => {
                let why = Arc::from(error.to_string());
                Answer::Refused { why, code: -1, possibly_written: false }
            }
            Err(error) => {
                let maybe_written = matches!(error, ClusterError::Wire(e) if e.may_have_been_applied());
                Answer::Retry { why: Arc::from(error.to_string()), maybe_written }
            }
        };
        if !matches!(answer, Answer::Written { .. }) {
            shared.want_refresh();
        }
        freed += slot.queue.lock().answered(now, id, answer, backoff);
    }
    shared.memory.give(freed);
}

type Answers = HashMap<TopicPartition, (ErrorCode, i64, Option<String>)>;

fn by_partition(shared: &Shared, response: &ProduceResponse) -> Answers {
    let picture = shared.cluster.snapshot();
    let mut answers = Answers::new();
    for topic in &response.responses {
        let id = TopicId::from(topic.topic_id);
        let name: Arc<str> = match topic.name.is_empty() {
            false => Arc::from(topic.name.as_str()),
            true => match picture.topic_by_id(id) {
                Some(topic) => Arc::clone(&topic.name),
                None => continue,
            },
        };
        for p in &topic.partition_responses {
            let message = p.error_message.as_ref().map(|m| m.as_str().to_owned());
            answers.insert(
                TopicPartition::new(Arc::clone(&name), p.index),
                (ErrorCode::new(p.error_code), p.base_offset, message),
            );
        }
    }
    answers
}

fn answer(code: ErrorCode, base_offset: i64, message: Option<&str>) -> Answer {
    let why = || -> Arc<str> {
        match message {
            Some(message) => Arc::from(format!("{code}: {message}")),
            None => Arc::from(code.to_string()),
        }
    };
    match code {
        ErrorCode::NONE => Answer::Written { base_offset },
        // Older than the five that the broker remembers: it has it, and no longer knows where.
        ErrorCode::DUPLICATE_SEQUENCE_NUMBER => Answer::Written { base_offset: -1 },
        ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER | ErrorCode::UNKNOWN_PRODUCER_ID => Answer::OutOfOrder { why: why() },
        code if code.is_retriable() => {
            // Also said of a batch that was appended and waited for followers when the leader moved or its disk failed: one of
            // them may have it.
            let appended = [
                ErrorCode::REQUEST_TIMED_OUT,
                ErrorCode::NOT_ENOUGH_REPLICAS_AFTER_APPEND,
                ErrorCode::NOT_LEADER_OR_FOLLOWER,
                ErrorCode::KAFKA_STORAGE_ERROR,
            ];
            Answer::Retry { why: why(), maybe_written: appended.contains(&code) }
        }
        code => {
            let possibly_written = code == ErrorCode::UNKNOWN_SERVER_ERROR;
            Answer::Refused { why: why(), code: code.code(), possibly_written }
        }
    }
}

fn known_id(shared: &Shared) -> Option<i64> {
    Some(shared.producer_id.load(Ordering::Acquire)).filter(|id| *id >= 0)
}

/// Asks for the producer's id, unless another sender has meanwhile; pauses after a failed attempt.
async fn ask_id(shared: Arc<Shared>) -> Prepared {
    let _one_at_a_time = shared.initializing.lock().await;
    if known_id(&shared).is_some() {
        return Prepared::Asked;
    }
    let asked = async {
        let connection = shared.cluster.any_connection().await?;
        let request = message!(InitProducerIdRequest {
            // The schema's default is the empty string, which a broker refuses.
            transactional_id: None,
            transaction_timeout_ms: i32::MAX,
            producer_id: -1,
            producer_epoch: -1,
        });
        let answer = connection.call(request, shared.cluster.config().request_timeout).await?;
        let refused = |code| ClusterError::Refused { api: "InitProducerId", code, message: None };
        ErrorCode::new(answer.error_code).check().map_err(refused)?;
        Ok::<i64, ClusterError>(answer.producer_id)
    };
    match asked.await {
        Ok(id) => shared.producer_id.store(id, Ordering::Release),
        Err(error) => {
            match error.is_retriable() {
                // Brokers that do not answer are told of where they are met, and a coordinator that loads is no news.
                true => tracing::debug!("no producer id yet: {error}"),
                false => tracing::warn!("no producer id: {error}"),
            }
            sleep(shared.cluster.config().retry_backoff_max).await;
        }
    }
    Prepared::Asked
}

#[cfg(test)]
mod tests;
