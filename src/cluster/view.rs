use std::{collections::BTreeSet, future::Future, sync::Arc, time::Duration};

use futures_util::{StreamExt, stream::FuturesUnordered};
use parking_lot::Mutex;
use tokio::time::{Instant, sleep, sleep_until};

use super::{ClusterError, Purpose, Snapshot, Topic, pool::Pool};
use crate::{
    config::ClientConfig,
    time::{Backoff, Deadline},
    watched::{Watched, Watcher},
    wire::{
        Address, Connection, ErrorCode, WireError,
        messages::{MetadataRequest, MetadataResponse, message, metadata_request::MetadataRequestTopic},
    },
};

/// A broker that is slow to answer a metadata request is given this long before another is asked beside it.
const ASK_NEXT_AFTER: Duration = Duration::from_millis(750);

/// The cluster: its picture, kept fresh for the topics somebody cares about, and connections to its brokers.
///
/// Nothing runs by itself: whoever meets stale metadata calls [`refresh`](Cluster::refresh), and all who call meanwhile share the
/// one request.
#[derive(Debug)]
pub(crate) struct Cluster {
    config: Arc<ClientConfig>,
    pool: Pool,
    picture: Watched<Arc<Snapshot>>,
    /// Topics that refreshes ask for. Grows only: a client that has used a topic uses it again.
    interest: Mutex<BTreeSet<Arc<str>>>,
    refresh: tokio::sync::Mutex<RefreshState>,
    /// Counts refreshes that have begun; written under `refresh`.
    begun: std::sync::atomic::AtomicU64,
}

#[derive(Debug)]
struct RefreshState {
    /// The number of the last refresh that brought a picture.
    succeeded: u64,
    last: Option<Instant>,
    backoff: Backoff,
}

impl Cluster {
    /// Connects to nobody yet.
    pub(crate) fn new(config: ClientConfig) -> Arc<Self> {
        let backoff = Backoff::new(config.retry_backoff, config.retry_backoff_max);
        let reconnect = (config.reconnect_backoff, config.reconnect_backoff_max);
        Arc::new(Cluster {
            pool: Pool::new(config.connect_options(), config.max_fetch_frame, reconnect),
            picture: Watched::new(Arc::new(Snapshot::empty(Instant::now()))),
            interest: Mutex::default(),
            refresh: tokio::sync::Mutex::new(RefreshState { succeeded: 0, last: None, backoff }),
            begun: Default::default(),
            config: Arc::new(config),
        })
    }

    pub(crate) fn config(&self) -> &ClientConfig {
        &self.config
    }

    /// The picture as it is.
    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        self.picture.get()
    }

    /// Tells of each new picture.
    pub(crate) fn watch(&self) -> Watcher<Arc<Snapshot>> {
        self.picture.watch()
    }

    /// Includes a topic in every refresh from now on. `true` if it was not included before.
    pub(crate) fn include(&self, topic: &Arc<str>) -> bool {
        self.interest.lock().insert(Arc::clone(topic))
    }

    /// Leaves a topic that nobody has out of refreshes, until somebody includes it again.
    pub(crate) fn exclude(&self, topic: &str) {
        self.interest.lock().remove(topic);
    }

    /// Whether the picture is older than the configuration lets it get.
    pub(crate) fn is_old(&self, now: Instant) -> bool {
        now.duration_since(self.snapshot().taken) >= self.config.metadata_max_age
    }

    /// Gets a new picture, at least as new as this call. Calls that come while one is under way share the next one;
    /// successive refreshes keep the retry back-off apart.
    pub(crate) async fn refresh(&self) -> Result<Arc<Snapshot>, ClusterError> {
        use std::sync::atomic::Ordering;
        let asked_at = self.begun.load(Ordering::Acquire);
        let mut state = self.refresh.lock().await;
        if state.succeeded > asked_at {
            return Ok(self.snapshot());
        }
        if let Some(last) = state.last {
            sleep_until(last + self.config.retry_backoff).await;
        }
        let number = self.begun.fetch_add(1, Ordering::AcqRel) + 1;
        let names: Vec<Arc<str>> = self.interest.lock().iter().cloned().collect();
        let answer = self.ask_anyone(Some(&names)).await;
        state.last = Some(Instant::now());
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                // The next caller comes back-off later, not at once.
                let wait = state.backoff.next_wait();
                state.last = Some(Instant::now() + wait.saturating_sub(self.config.retry_backoff));
                return Err(error);
            }
        };
        state.backoff.reset();
        state.succeeded = number;
        Ok(self.take(&answer))
    }

    /// A picture of every topic that this client may see, beside the kept one.
    pub(crate) async fn all_topics(&self) -> Result<Snapshot, ClusterError> {
        let answer = self.ask_anyone(None).await?;
        Ok(self.snapshot().next(&answer, false, Instant::now()))
    }

    /// A picture of these topics as they are now, beside the kept one.
    pub(crate) async fn topics(&self, names: &[Arc<str>]) -> Result<Snapshot, ClusterError> {
        let answer = self.ask_anyone(Some(names)).await?;
        Ok(self.snapshot().next(&answer, false, Instant::now()))
    }

    /// The topic, once it is known and has a partition; asks for it until the deadline.
    ///
    /// A topic that does not exist is asked for again for a short while, since a broker may not have heard of a new one.
    pub(crate) async fn topic(&self, name: &str, deadline: Deadline) -> Result<Arc<Topic>, ClusterError> {
        let is_known = |topic: &&Arc<Topic>| topic.error == ErrorCode::NONE && !topic.partitions.is_empty();
        if let Some(topic) = self.snapshot().topic(name).filter(is_known) {
            return Ok(Arc::clone(topic));
        }
        self.include(&Arc::from(name));
        let unknown_since = Instant::now();
        let mut backoff = self.backoff();
        loop {
            let error = match self.refresh().await {
                Ok(picture) => match picture.topic(name) {
                    Some(topic) if is_known(&topic) => return Ok(Arc::clone(topic)),
                    topic => {
                        let code = topic.map_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, |t| t.error);
                        ClusterError::Topic { topic: Arc::from(name), code }
                    }
                },
                Err(error) => error,
            };
            let missing =
                matches!(&error, ClusterError::Topic { code, .. } if *code == ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
            let now = Instant::now();
            if !error.is_retriable() || missing && now - unknown_since > self.config.unknown_topic_patience {
                self.exclude(name);
                return Err(error);
            }
            if deadline.has_passed(now) {
                return Err(ClusterError::OutOfTime { last: Box::new(error) });
            }
            sleep(backoff.next_wait().min(deadline.left(now))).await;
        }
    }

    /// The back-off between retries of one request.
    pub(crate) fn backoff(&self) -> Backoff {
        Backoff::new(self.config.retry_backoff, self.config.retry_backoff_max)
    }

    /// A connection to a broker of the picture.
    pub(crate) async fn connection(&self, broker: i32, purpose: Purpose) -> Result<Arc<Connection>, ClusterError> {
        let address = self.snapshot().brokers.get(&broker).map(|b| b.address.clone());
        let address = address.ok_or(ClusterError::UnknownBroker { id: broker })?;
        Ok(self.pool.get(&address, purpose).await?)
    }

    /// A connection to a broker by its address: a coordinator's answer names one that the picture may not have yet.
    pub(crate) async fn connection_to(
        &self,
        address: &Address,
        purpose: Purpose,
    ) -> Result<Arc<Connection>, ClusterError> {
        Ok(self.pool.get(address, purpose).await?)
    }

    /// A control connection to any broker: for requests that every broker answers.
    pub(crate) async fn any_connection(&self) -> Result<Arc<Connection>, ClusterError> {
        self.first_of(|cluster, address| async move { cluster.pool.get(&address, Purpose::Control).await }).await
    }

    /// The broker that takes changes of topics and configs. With KRaft any broker passes them on.
    pub(crate) async fn controller(&self) -> Result<Arc<Connection>, ClusterError> {
        if self.snapshot().version == 0 {
            self.refresh().await?;
        }
        match self.snapshot().controller {
            Some(id) => match self.connection(id, Purpose::Control).await {
                Ok(connection) => Ok(connection),
                Err(_) => self.any_connection().await,
            },
            None => self.any_connection().await,
        }
    }

    /// Tries a request against what `connect` yields, again and again until it succeeds, fails for good or time runs out.
    pub(crate) async fn retrying<T, F>(
        &self,
        deadline: Deadline,
        mut attempt: impl FnMut() -> F,
    ) -> Result<T, ClusterError>
    where
        F: Future<Output = Result<T, ClusterError>>,
    {
        let mut backoff = self.backoff();
        loop {
            let error = match tokio::time::timeout_at(deadline.instant(), attempt()).await {
                Ok(Ok(done)) => return Ok(done),
                Ok(Err(error)) if !error.is_retriable() => return Err(error),
                Ok(Err(error)) => error,
                Err(_) => {
                    let late =
                        ClusterError::Refused { api: "request", code: ErrorCode::REQUEST_TIMED_OUT, message: None };
                    return Err(ClusterError::OutOfTime { last: Box::new(late) });
                }
            };
            let now = Instant::now();
            if deadline.has_passed(now) {
                return Err(ClusterError::OutOfTime { last: Box::new(error) });
            }
            sleep(backoff.next_wait().min(deadline.left(now))).await;
            // A controller that moves is found in new metadata, though NOT_CONTROLLER does not say that others are stale.
            let stale = |code: &ErrorCode| code.is_stale_metadata() || *code == ErrorCode::NOT_CONTROLLER;
            if matches!(&error, ClusterError::Refused { code, .. } if stale(code))
                || matches!(error, ClusterError::Wire(_))
            {
                let _ = tokio::time::timeout_at(deadline.instant(), self.refresh()).await;
            }
        }
    }

    fn take(&self, answer: &MetadataResponse) -> Arc<Snapshot> {
        let next = self.picture.replace_with(|picture| Arc::new(picture.next(answer, false, Instant::now())));
        let known = |address: &Address| {
            next.brokers.values().any(|b| b.address == *address) || self.config.bootstrap_servers.contains(address)
        };
        self.pool.retain(known);
        next
    }

    /// Asks one broker after another, starting the next when one fails or is slow, until one answers.
    async fn ask_anyone(&self, topics: Option<&[Arc<str>]>) -> Result<MetadataResponse, ClusterError> {
        let limit = self.config.request_timeout;
        self.first_of(|cluster, address| async move {
            let connection = cluster.pool.get(&address, Purpose::Control).await?;
            let request = message!(MetadataRequest {
                topics: topics.map(|names| {
                    names.iter().map(|name| message!(MetadataRequestTopic { name: Some((&**name).into()) })).collect()
                }),
                allow_auto_topic_creation: cluster.config.allow_auto_create_topics,
            });
            let answer = connection.call(request, limit).await?;
            // A broker that has lost its cluster says so since KIP-1102; another one may know more.
            match ErrorCode::new(answer.error_code).check() {
                Ok(()) if answer.brokers.is_empty() => Err("the metadata name no broker".to_owned()),
                Ok(()) => Ok(answer),
                Err(code) => Err(format!("metadata: {code}")),
            }
            .map_err(|why| WireError::Malformed { api: "Metadata", address, why })
        })
        .await
    }

    /// The first success of `attempt` over all known brokers and then the bootstrap servers.
    async fn first_of<'a, T, F>(&'a self, attempt: impl Fn(&'a Cluster, Address) -> F) -> Result<T, ClusterError>
    where
        F: Future<Output = Result<T, WireError>>,
    {
        let mut candidates = self.candidates().into_iter();
        let mut running = FuturesUnordered::new();
        let mut tried = Vec::new();
        loop {
            match candidates.next() {
                Some(address) => {
                    let attempt = attempt(self, address.clone());
                    running.push(async move { (address, attempt.await) });
                }
                None if running.is_empty() => return Err(ClusterError::NoBroker { tried }),
                None => {}
            }
            let ended = if candidates.len() == 0 {
                running.next().await
            } else {
                tokio::select! {
                    biased;
                    ended = running.next() => ended,
                    () = sleep(ASK_NEXT_AFTER) => None,
                }
            };
            match ended {
                Some((_, Ok(done))) => return Ok(done),
                Some((address, Err(error))) => tried.push((address, error)),
                None => {}
            }
        }
    }

    /// Known brokers in random order, then the bootstrap servers that are not among them.
    fn candidates(&self) -> Vec<Address> {
        let picture = self.snapshot();
        let mut addresses: Vec<Address> = picture.brokers.values().map(|b| b.address.clone()).collect();
        fastrand::shuffle(&mut addresses);
        for seed in &self.config.bootstrap_servers {
            if !addresses.contains(seed) {
                addresses.push(seed.clone());
            }
        }
        addresses
    }
}
