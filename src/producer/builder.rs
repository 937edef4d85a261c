use std::{sync::Arc, time::Duration};

use super::{PRODUCER_KEYS, Partitioner, Producer, ProducerConfig, partitioner::Custom};
use crate::{
    batch::Compression,
    cluster::Cluster,
    config::{ConfigError, Properties, apply, reject_unknown},
};

/// Builds a [`Producer`]; from [`Kafka::producer`](crate::Kafka::producer).
#[derive(Debug)]
pub struct ProducerBuilder {
    cluster: Arc<Cluster>,
    config: ProducerConfig,
    properties: Properties,
}

impl ProducerBuilder {
    pub(crate) fn new(cluster: Arc<Cluster>, config: ProducerConfig) -> Self {
        ProducerBuilder { cluster, config, properties: Properties::new() }
    }

    /// A setting by its Kafka name, as `linger.ms`; checked by [`build`](ProducerBuilder::build). It wins over the setters here.
    pub fn set(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.properties.set(key, value);
        self
    }

    /// How batches are compressed, and at which level. Default: not. Costs CPU here, saves network and disk. By Kafka's names:
    /// `compression.type`, `compression.gzip.level`, `compression.zstd.level`, `compression.lz4.level`; see [`Compression`].
    pub fn compression(mut self, compression: Compression) -> Self {
        self.config.compression = compression;
        self
    }

    /// How long a partial batch waits for more while something is in flight to its broker. Default: 5 ms. More makes
    /// larger batches and later records; a lone record never waits.
    pub fn linger(mut self, linger: Duration) -> Self {
        self.config.linger = linger;
        self
    }

    /// The largest batch, in bytes before compression. Default: 1,000,000. A broker refuses what is above its
    /// topic's `max.message.bytes` after compression.
    pub fn batch_bytes(mut self, bytes: usize) -> Self {
        self.config.batch_bytes = bytes;
        self
    }

    /// Memory for records that are not yet acknowledged, in bytes. Default: 64 MiB. When it is full, sending waits.
    pub fn buffer_bytes(mut self, bytes: usize) -> Self {
        self.config.buffer_bytes = bytes;
        self
    }

    /// How long a record may take from being taken to being acknowledged. Default: 120 s.
    pub fn delivery_timeout(mut self, limit: Duration) -> Self {
        self.config.delivery_timeout = limit;
        self
    }

    /// Chooses the partitions of records that name none. Default: murmur2 of the key, as Java's clients; records without a
    /// key go to one partition until a batch is full, then to another.
    ///
    /// ```no_run
    /// # async fn example(kafka: milena::Kafka) -> Result<(), milena::ConfigError> {
    /// let by_first_byte = |_topic: &str, key: Option<&[u8]>, _value: Option<&[u8]>, partitions: usize| {
    ///     key?.first().map(|byte| i32::from(*byte) % partitions as i32)
    /// };
    /// let producer = kafka.producer().partitioner(by_first_byte).build().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn partitioner(mut self, partitioner: impl Partitioner) -> Self {
        self.config.partitioner = Custom::new(partitioner);
        self
    }

    /// The producer. Connects when the first record is sent.
    ///
    /// # Errors
    /// For an unknown name or a bad value.
    pub async fn build(mut self) -> Result<Producer, ConfigError> {
        let known: Vec<&'static str> = PRODUCER_KEYS.iter().map(|key| key.name).collect();
        reject_unknown(&self.properties, &known)?;
        apply(&mut self.config, PRODUCER_KEYS, &self.properties)?;
        Ok(Producer::start(self.cluster, self.config))
    }
}
