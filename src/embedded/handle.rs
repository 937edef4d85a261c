use std::{io, net::SocketAddr, sync::Arc};

use tokio::net::{TcpListener, lookup_host};

use super::{
    host::{self, Host},
    listen::{self, Within},
    names,
    settings::Settings,
};
use crate::{
    model::Timestamp,
    wire::{Address, Dial},
};

/// A Kafka cluster within this process, for development and tests.
///
/// It speaks Kafka's protocol as the brokers of Kafka 4.3 do, to clients within the process, and on TCP to any Kafka client.
/// It keeps records in memory, up to a limit, and drops the oldest then. It ends when the last handle on it is dropped: this, and
/// those that [`kafka`](Embedded::kafka) gives.
#[derive(Debug, Clone)]
pub struct Embedded {
    pub(super) host: Arc<Host>,
}

/// An embedded cluster to be configured and started.
#[derive(Debug, Clone, Default)]
pub struct EmbeddedBuilder {
    settings: Settings,
    listen: Option<String>,
}

/// Why an embedded cluster did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EmbeddedError {
    /// It cannot listen there.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// Where.
        address: String,
        /// Why.
        source: io::Error,
    },
    /// A topic that cannot be.
    #[error("{0}")]
    Topic(String),
}

impl Embedded {
    /// One broker, reached within this process only.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn start() -> Embedded {
        Embedded::on(Settings::default())
    }

    /// As many brokers, reached within this process only.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn brokers(count: u16) -> Embedded {
        Embedded::on(Settings { brokers: count.max(1), ..Settings::default() })
    }

    /// To be configured and started.
    pub fn builder() -> EmbeddedBuilder {
        EmbeddedBuilder::default()
    }

    fn on(settings: Settings) -> Embedded {
        let host = Host::new(settings);
        tokio::spawn(host::keep_time(Arc::downgrade(&host)));
        Embedded { host }
    }

    /// `bootstrap.servers` for clients of any kind; empty if it does not listen on TCP.
    pub fn bootstrap_servers(&self) -> String {
        let servers = self.host.with(|state| {
            let brokers = state.brokers.values().filter_map(|broker| broker.tcp.as_ref());
            brokers.map(Address::to_string).collect::<Vec<_>>()
        });
        servers.join(",")
    }

    /// Where its brokers are within this process.
    pub(crate) fn memory_servers(&self) -> Vec<Address> {
        self.host.with(|state| state.brokers.values().map(|broker| broker.memory.clone()).collect())
    }

    /// What reaches them.
    pub(crate) fn dial(&self) -> Arc<dyn Dial> {
        Arc::new(Within(Arc::clone(&self.host)))
    }

    /// Stops a broker: its connections end, new ones are refused, and other replicas lead its partitions.
    pub fn stop_broker(&self, id: i32) {
        self.host.set_running(id, false);
    }

    /// Whether a broker runs; none that is not there does.
    pub fn is_running(&self, id: i32) -> bool {
        self.host.with(|state| state.is_running(id))
    }

    /// Starts a broker that was stopped.
    pub fn start_broker(&self, id: i32) {
        self.host.set_running(id, true);
    }
}

impl EmbeddedBuilder {
    /// How many brokers, numbered from 1. Default: 1.
    pub fn brokers(mut self, count: u16) -> Self {
        self.settings.brokers = count.max(1);
        self
    }

    /// A topic that is there from the start.
    pub fn topic(mut self, name: impl Into<Arc<str>>, partitions: u32) -> Self {
        self.settings.topics.push((name.into(), partitions));
        self
    }

    /// Listens on TCP too, for clients of any kind: `127.0.0.1:9092`, or `127.0.0.1:0` for a free port. Further brokers take the
    /// ports behind it. Loopback addresses are what it is for: whoever reaches it may read and write everything.
    pub fn listen(mut self, address: impl Into<String>) -> Self {
        self.listen = Some(address.into());
        self
    }

    /// Bytes of records that are kept, over all topics; the oldest go when there are more. Default: 1 GiB.
    pub fn retention_bytes(mut self, bytes: usize) -> Self {
        self.settings.retention_bytes = bytes;
        self
    }

    /// Whether a topic comes to be when a client asks for it, as `auto.create.topics.enable`. Default: yes.
    pub fn auto_create_topics(mut self, yes: bool) -> Self {
        self.settings.auto_create_topics = yes;
        self
    }

    /// Partitions of topics that come to be so, as `num.partitions`. Default: 1.
    pub fn default_partitions(mut self, count: u32) -> Self {
        self.settings.default_partitions = count.max(1);
        self
    }

    /// What member ids and other random numbers are made from. With it, [`starts_at`](EmbeddedBuilder::starts_at), tokio's paused
    /// clock and one thread the brokers do the same in each run. Default: random.
    pub fn seed(mut self, seed: u64) -> Self {
        self.settings.seed = seed;
        self
    }

    /// The time of day when it starts, from which it goes on by tokio's clock. Default: the real one.
    pub fn starts_at(mut self, time: Timestamp) -> Self {
        self.settings.start_ms = Some(time.as_millis());
        self
    }

    /// Starts it.
    ///
    /// # Errors
    /// When it cannot listen there, or a topic cannot be.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub async fn start(self) -> Result<Embedded, EmbeddedError> {
        for (name, partitions) in &self.settings.topics {
            names::check_topic(name).map_err(EmbeddedError::Topic)?;
            if *partitions == 0 {
                return Err(EmbeddedError::Topic(format!("topic {name}: at least one partition is needed")));
            }
        }
        let listeners = match &self.listen {
            Some(address) => {
                let bound = bind(address, self.settings.brokers).await;
                bound.map_err(|source| EmbeddedError::Listen { address: address.clone(), source })?
            }
            None => Vec::new(),
        };
        let embedded = Embedded::on(self.settings);
        for (id, (listener, address)) in (1..).zip(listeners) {
            embedded.host.with(|state| {
                if let Some(broker) = state.brokers.get_mut(&id) {
                    broker.tcp = Some(Address::new(address.ip().to_string(), address.port()));
                }
            });
            tokio::spawn(listen::listen(Arc::downgrade(&embedded.host), id, listener, address));
        }
        Ok(embedded)
    }
}

/// A listener for each broker: the first where it is said, the others behind it, or each anywhere for port 0.
async fn bind(address: &str, count: u16) -> io::Result<Vec<(TcpListener, SocketAddr)>> {
    let first = lookup_host(address).await?.next();
    let first = first.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the name resolves to no address"))?;
    let mut listeners = Vec::new();
    for n in 0..count {
        let port = match first.port() {
            0 => 0,
            port => port.checked_add(n).ok_or_else(|| io::Error::other("there is no port behind 65535"))?,
        };
        let listener = TcpListener::bind(SocketAddr::new(first.ip(), port)).await?;
        let address = listener.local_addr()?;
        listeners.push((listener, address));
    }
    Ok(listeners)
}
