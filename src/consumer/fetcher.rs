use std::{
    collections::HashMap,
    sync::{Arc, atomic::Ordering},
};

use tokio::time::{Instant, sleep_until};

use super::{shared::Shared, table::Mailbox};
use crate::{
    cluster::{ClusterError, Purpose},
    fetch::{Ask, Session, Wanted},
    model::TopicId,
    wire::{
        ErrorCode,
        messages::{FetchRequest, FetchResponse, fetch_response::PartitionData, message},
    },
};

/// Answers that wait for the reader while the next is being fetched.
const BUFFERED: usize = 1;

/// Fetches from one broker, until the consumer closes: one request on its way while one answer is being read.
pub(super) async fn run(shared: Arc<Shared>, broker: i32, mailbox: Arc<Mailbox>) {
    let mut session = Session::default();
    loop {
        if mailbox.buffered.load(Ordering::Acquire) > BUFFERED {
            mailbox.news.notified().await;
            continue;
        }
        let (asks, wake) = shared.plan(broker);
        if asks.is_empty() {
            tokio::select! {
                biased;
                () = mailbox.news.notified() => {}
                () = until(wake) => {}
            }
            continue;
        }
        match fetch(&shared, broker, &mut session, &asks).await {
            Ok(Some(answer)) => {
                let parts = by_partition(&answer);
                shared.answered(broker, &mailbox, &asks, |ask| parts.of(&ask.wanted));
            }
            // The broker has forgotten the session: at once without it.
            Ok(None) => shared.answered(broker, &mailbox, &asks, |_| None),
            Err(error) => {
                tracing::debug!("fetch from broker {broker}: {error}");
                session.failed();
                shared.lost(&asks);
            }
        }
    }
}

async fn until(wake: Option<Instant>) {
    match wake {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// One request and its answer; `None` if the session was of no use.
async fn fetch(
    shared: &Shared,
    broker: i32,
    session: &mut Session,
    asks: &[Ask],
) -> Result<Option<FetchResponse>, ClusterError> {
    let connection = shared.cluster.connection(broker, Purpose::Fetch).await?;
    let config = &shared.config;
    let max_bytes = share(config.prefetch_bytes, shared.cluster.snapshot().brokers.len()).min(config.fetch_max_bytes);
    let wanted: Vec<Wanted> = asks.iter().map(|ask| ask.wanted.clone()).collect();
    let parts = session.request(&wanted, config.partition_max_bytes as i32);
    let client = shared.cluster.config();
    let request = message!(FetchRequest {
        replica_id: -1,
        max_wait_ms: config.max_wait.as_millis() as i32,
        min_bytes: config.min_bytes as i32,
        max_bytes: max_bytes as i32,
        isolation_level: config.isolation as i8,
        session_id: parts.id,
        session_epoch: parts.epoch,
        topics: parts.topics,
        forgotten_topics_data: parts.forgotten,
        rack_id: client.rack.as_deref().unwrap_or_default().into(),
    });
    let answer = connection.call(request, config.max_wait + client.request_timeout).await?;
    match ErrorCode::new(answer.error_code) {
        ErrorCode::NONE => {
            session.answered(answer.session_id);
            Ok(Some(answer))
        }
        ErrorCode::FETCH_SESSION_ID_NOT_FOUND | ErrorCode::INVALID_FETCH_SESSION_EPOCH if parts.epoch != 0 => {
            session.forgotten();
            Ok(None)
        }
        code => Err(ClusterError::Refused { api: "Fetch", code, message: None }),
    }
}

/// Two answers a broker may be in memory, one being read and one on its way, and all of them are to fit.
fn share(prefetch: usize, brokers: usize) -> usize {
    prefetch / (2 * brokers.max(1))
}

/// An answer's parts by topic, which it names by id since version 13 (KIP-516).
struct Parts<'a> {
    by_name: HashMap<(&'a str, i32), &'a PartitionData>,
    by_id: HashMap<(TopicId, i32), &'a PartitionData>,
}

fn by_partition(answer: &FetchResponse) -> Parts<'_> {
    let mut parts = Parts { by_name: HashMap::new(), by_id: HashMap::new() };
    for topic in &answer.responses {
        let id = TopicId::from(topic.topic_id);
        for data in &topic.partitions {
            match id.is_zero() {
                true => parts.by_name.insert((topic.topic.as_str(), data.partition_index), data),
                false => parts.by_id.insert((id, data.partition_index), data),
            };
        }
    }
    parts
}

impl<'a> Parts<'a> {
    fn of(&self, wanted: &Wanted) -> Option<&'a PartitionData> {
        let by_id = self.by_id.get(&(wanted.id, wanted.partition));
        by_id.or_else(|| self.by_name.get(&(&*wanted.topic, wanted.partition))).copied()
    }
}

#[cfg(test)]
mod tests;
