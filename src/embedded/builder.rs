use std::{collections::BTreeSet, io, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use tokio::net::{TcpListener, lookup_host};

use super::{
    api_name::Api, caller::Door, disk::DataError, handle::Embedded, host::Host, listen, names, placement,
    settings::Settings,
};
use crate::{model::Timestamp, wire::Address};

/// An embedded cluster to be configured and started.
#[derive(Debug, Clone, Default)]
pub struct EmbeddedBuilder {
    settings: Settings,
    listen: Option<String>,
    data_dir: Option<PathBuf>,
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
    /// Its data directory cannot be used.
    #[error(transparent)]
    Data(#[from] DataError),
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

    /// How long a connection on TCP may stand still before it is closed, as `connections.max.idle.ms`: nothing is asked, or
    /// answers are not read. Default: 10 minutes.
    pub fn connections_max_idle(mut self, longest: Duration) -> Self {
        self.settings.max_idle = longest;
        self
    }

    /// Answers as an older broker does: of these APIs it offers no version above the given one, and an API of which no version
    /// is left is not offered at all. Requests of other versions end their connection, as on Kafka; only ApiVersions is
    /// answered, with UNSUPPORTED_VERSION. Default: what Kafka 4.3 offers.
    ///
    /// ```
    /// # use milena::{Api, Embedded};
    /// // Metadata as of Kafka 2.1, which had no OffsetDelete.
    /// Embedded::builder().max_versions([(Api::Metadata, 7)]).without(Api::OffsetDelete);
    /// ```
    pub fn max_versions(mut self, newest: impl IntoIterator<Item = (Api, i16)>) -> Self {
        self.settings.max_versions.extend(newest.into_iter().map(|(api, version)| (api.key(), version)));
        self
    }

    /// Does not offer this API, as a broker from before it was there. Default: all are offered.
    pub fn without(self, api: Api) -> Self {
        self.max_versions([(api, -1)])
    }

    /// Keeps topics, records, producer ids and committed offsets in this directory, which is made if it is not there, and
    /// begins with what is kept there. Default: in memory only.
    ///
    /// What a client has been told is done has been handed to the operating system (write(2)) before, so that it survives the
    /// death of the process. It is synced to the device (fsync) in [`close`](Embedded::close), or when the last handle is
    /// dropped, and else only where the journal of topics and offsets is written anew: a power cut may lose the last. Writing,
    /// and reading all of it at the start, blocks the task that does it, which suits development and tests. Where a
    /// write fails, as on a full disk, the client gets KAFKA_STORAGE_ERROR, until writing succeeds again; meanwhile what
    /// was not written can be read, and is lost if the process ends.
    ///
    /// All records are in memory too. Files go with the records that they hold, whole files of 64 MiB each partition.
    pub fn data_dir(mut self, path: impl Into<PathBuf>) -> Self {
        self.data_dir = Some(path.into());
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

    /// The shortest session time-out that a member of a group may have, as `group.min.session.timeout.ms`. Default: 6 s.
    pub fn min_session_timeout(mut self, shortest: Duration) -> Self {
        self.settings.session_timeouts_ms.0 = i32::try_from(shortest.as_millis()).unwrap_or(i32::MAX);
        self
    }

    /// Someone who may connect on TCP, by PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512 (`security.protocol=SASL_PLAINTEXT`). Default:
    /// anyone may. Clients within the process may always.
    pub fn user(mut self, name: impl Into<String>, password: impl Into<String>) -> Self {
        self.settings.users.add(name.into(), password.into());
        self
    }

    /// Starts it.
    ///
    /// # Errors
    /// When it cannot listen there, a topic cannot be, or the data directory cannot be used.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub async fn start(self) -> Result<Embedded, EmbeddedError> {
        let mut seen = BTreeSet::new();
        for (name, partitions) in &self.settings.topics {
            names::check_topic(name).map_err(EmbeddedError::Topic)?;
            if !(1..=placement::MAX_PARTITIONS).contains(&(*partitions as usize)) {
                let most = placement::MAX_PARTITIONS;
                return Err(EmbeddedError::Topic(format!("topic {name}: 1 to {most} partitions are possible")));
            }
            if !seen.insert(name) {
                return Err(EmbeddedError::Topic(format!("topic {name} is named twice")));
            }
        }
        let listeners = match &self.listen {
            Some(address) => {
                let bound = bind(address, self.settings.brokers).await;
                bound.map_err(|source| EmbeddedError::Listen { address: address.clone(), source })?
            }
            None => Vec::new(),
        };
        let embedded = match &self.data_dir {
            Some(dir) => Embedded::over(Host::kept_in(dir, self.settings)?),
            None => Embedded::on(self.settings),
        };
        for (id, (listener, address)) in (1..).zip(listeners) {
            embedded.host.with(|state| {
                if let Some(broker) = state.brokers.get_mut(&id) {
                    broker.tcp = Some(Address::new(address.ip().to_string(), address.port()));
                }
            });
            tokio::spawn(listen::listen(Arc::downgrade(&embedded.host), id, Door::Tcp, listener, address));
        }
        Ok(embedded)
    }
}

/// A listener for each broker: the first where it is said, the others behind it, or each anywhere for port 0.
async fn bind(address: &str, count: u16) -> io::Result<Vec<(TcpListener, SocketAddr)>> {
    let first = lookup_host(address).await?.next();
    let first = first.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the name resolves to no address"))?;
    let invalid = |why: &str| io::Error::new(io::ErrorKind::InvalidInput, why);
    if first.ip().is_unspecified() {
        // As Kafka: clients are told where the brokers are.
        return Err(invalid("clients could not go there; name an address of this machine"));
    }
    let mut listeners = Vec::new();
    for n in 0..count {
        let port = match first.port() {
            0 => 0,
            port => port.checked_add(n).ok_or_else(|| invalid("there is no port behind 65535"))?,
        };
        let listener = TcpListener::bind(SocketAddr::new(first.ip(), port)).await?;
        let address = listener.local_addr()?;
        listeners.push((listener, address));
    }
    Ok(listeners)
}
