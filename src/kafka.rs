use std::sync::Arc;

#[cfg(feature = "embedded")]
use crate::embedded::Embedded;
use crate::{
    admin::{ADMIN_KEYS, Admin, AdminConfig},
    cluster::{Cluster, ClusterError},
    config::{CLIENT_KEYS, ClientConfig, ConfigError, Properties, apply, reject_unknown},
    consumer::{CONSUMER_KEYS, ConsumerBuilder, ConsumerConfig, StandaloneBuilder},
    producer::{PRODUCER_KEYS, ProducerBuilder, ProducerConfig},
    wire::{Dial, Tcp},
};

/// The one handle on a Kafka cluster: what producers, consumers and admins are made from.
///
/// Cloning is cheap. Each client made from it has connections of its own.
#[derive(Debug, Clone)]
pub struct Kafka {
    config: Arc<ClientConfig>,
    producer: ProducerConfig,
    consumer: ConsumerConfig,
    admin: AdminConfig,
}

/// What can go wrong in [`Kafka::connect`].
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// A setting that cannot be.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The cluster does not answer.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
}

impl Kafka {
    /// Connects to a cluster of which `servers` (as in `"localhost:9092"`, more of them separated by commas) name at
    /// least one broker, with defaults for everything else.
    ///
    /// # Errors
    /// When a server is no `host:port`, or none of them answers as a Kafka broker.
    pub async fn connect(servers: &str) -> Result<Kafka, ConnectError> {
        Self::with_properties(Properties::from_iter([("bootstrap.servers", servers)])).await
    }

    /// Connects with settings by their Kafka names. Those of producers, consumers and admins are taken too, as defaults for
    /// the clients made from this handle.
    ///
    /// # Errors
    /// As [`connect`](Kafka::connect), and for an unknown name or a bad value.
    pub async fn with_properties(properties: Properties) -> Result<Kafka, ConnectError> {
        Self::reached_by(Arc::new(Tcp), properties).await
    }

    async fn reached_by(dial: Arc<dyn Dial>, properties: Properties) -> Result<Kafka, ConnectError> {
        let known: Vec<&'static str> = known_keys().collect();
        reject_unknown(&properties, &known)?;
        let mut config = ClientConfig { dial, ..ClientConfig::default() };
        apply(&mut config, CLIENT_KEYS, &properties)?;
        if config.bootstrap_servers.is_empty() {
            let what = "name at least one broker, as in localhost:9092";
            return Err(ConfigError::Missing { key: "bootstrap.servers", what }.into());
        }
        let mut producer = ProducerConfig::default();
        apply(&mut producer, PRODUCER_KEYS, &properties)?;
        let mut consumer = ConsumerConfig::default();
        apply(&mut consumer, CONSUMER_KEYS, &properties)?;
        let mut admin = AdminConfig::default();
        apply(&mut admin, ADMIN_KEYS, &properties)?;
        Cluster::new(config.clone()).refresh().await?;
        Ok(Kafka { config: Arc::new(config), producer, consumer, admin })
    }

    /// Connects with the settings in the environment: `KAFKA_BOOTSTRAP_SERVERS`, `KAFKA_LINGER_MS` and so on.
    ///
    /// # Errors
    /// As [`with_properties`](Kafka::with_properties). Names that this crate does not know are left alone here.
    pub async fn from_env() -> Result<Kafka, ConnectError> {
        let mut properties = Properties::from_env();
        properties.retain(|key| known_keys().any(|known| known == key));
        Self::with_properties(properties).await
    }

    /// A producer on this cluster, to be configured and built.
    pub fn producer(&self) -> ProducerBuilder {
        ProducerBuilder::new(self.new_cluster(), self.producer.clone())
    }

    /// A member of the consumer group `group`, which shares the partitions of its topics among its members and keeps the
    /// offsets up to which they have come, to be configured and built.
    pub fn consumer(&self, group: impl Into<Arc<str>>) -> ConsumerBuilder {
        ConsumerBuilder::new(self.new_cluster(), self.consumer.clone(), group.into())
    }

    /// A consumer that reads the partitions it is told to, in no group, to be configured and built.
    pub fn standalone_consumer(&self) -> StandaloneBuilder {
        StandaloneBuilder::new(self.new_cluster(), self.consumer.clone())
    }

    /// An admin of this cluster: topics, configs, groups and their offsets, the deletion of records.
    pub fn admin(&self) -> Admin {
        // Asking for a topic must not make it.
        let config = ClientConfig { allow_auto_create_topics: false, ..(*self.config).clone() };
        Admin::new(Cluster::new(config), self.admin.clone())
    }

    /// A view of the cluster with connections of its own.
    fn new_cluster(&self) -> Arc<Cluster> {
        Cluster::new((*self.config).clone())
    }
}

#[cfg(feature = "embedded")]
impl Kafka {
    /// A cluster of one broker within this process, for development and tests: it ends with the last handle and client.
    /// [`Embedded`](crate::Embedded) has more of them, and faults.
    ///
    /// # Errors
    /// None that is known; it is asked as any other cluster is.
    pub async fn embedded() -> Result<Kafka, ConnectError> {
        Embedded::start().kafka().await
    }
}

#[cfg(feature = "embedded")]
impl Embedded {
    /// A handle on this cluster, for clients within this process.
    ///
    /// # Errors
    /// When no broker of it runs.
    pub async fn kafka(&self) -> Result<Kafka, ConnectError> {
        self.kafka_with(Properties::default()).await
    }

    /// As [`kafka`](crate::Embedded::kafka), with settings by their Kafka names, as
    /// [`Kafka::with_properties`] has them. `bootstrap.servers` is this cluster's.
    ///
    /// # Errors
    /// As [`Kafka::with_properties`].
    pub async fn kafka_with(&self, mut properties: Properties) -> Result<Kafka, ConnectError> {
        let servers: Vec<String> = self.memory_servers().iter().map(ToString::to_string).collect();
        properties.set("bootstrap.servers", servers.join(","));
        Kafka::reached_by(self.dial(), properties).await
    }
}

/// Every setting's name, of whichever client.
fn known_keys() -> impl Iterator<Item = &'static str> {
    let names = CLIENT_KEYS.iter().map(|key| key.name).chain(PRODUCER_KEYS.iter().map(|key| key.name));
    names.chain(CONSUMER_KEYS.iter().map(|key| key.name)).chain(ADMIN_KEYS.iter().map(|key| key.name))
}
