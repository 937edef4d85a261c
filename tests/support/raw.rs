//! Requests word for word, and the answers to them: for what this crate's clients do not ask.

use std::{collections::BTreeMap, time::Duration};

use bytes::{Bytes, BytesMut};
use kafka_wire::{
    KafkaRequest, ListOffsetsRequest, MetadataRequest, RequestResponsePair,
    list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic},
    metadata_request::MetadataRequestTopic,
    response_header_version_for,
};
use kafka_wire_core::{ApiVersion, DecodeLimits, KafkaDecode, KafkaEncode, Uuid};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::eventually;

/// `message!(Type { field: value, … })`: the schema's defaults elsewhere.
#[macro_export]
macro_rules! message {
    ($($name:ident)::+ { $($field:ident: $value:expr),* $(,)? }) => {{
        let mut message = <$($name)::+ as Default>::default();
        $(message.$field = $value;)*
        message
    }};
}

/// A connection to one node.
#[derive(Debug)]
pub struct Raw {
    stream: TcpStream,
    sent: i32,
}

/// A topic's partition, and a connection to each node.
#[derive(Debug)]
pub struct RawPartition {
    pub topic: String,
    pub id: Uuid,
    pub leader: i32,
    pub leader_epoch: i32,
    pub replicas: Vec<i32>,
    pub nodes: BTreeMap<i32, Raw>,
}

impl Raw {
    pub async fn connect(address: &str) -> Raw {
        Raw { stream: TcpStream::connect(address).await.expect("it listens"), sent: 0 }
    }

    /// Asks in this version, and waits for the answer.
    pub async fn ask<R>(&mut self, version: i16, request: &R) -> R::Response
    where
        R: KafkaRequest + RequestResponsePair + KafkaEncode,
        R::Response: KafkaDecode,
    {
        let is_flexible = self.tell(version, request).await;
        let length = self.stream.read_u32().await.expect("it answers");
        let mut answer = vec![0; length as usize];
        self.stream.read_exact(&mut answer).await.expect("it answers");
        assert_eq!(answer[..4], self.sent.to_be_bytes());
        let body = Bytes::from(answer).slice(4 + usize::from(is_flexible)..);
        let version = ApiVersion::new(version);
        R::Response::decode_from_bytes(body, version, DecodeLimits::default()).expect("an answer of this version")
    }

    /// Asks, and waits for nothing. Whether an answer would have tagged fields in its header.
    pub async fn tell<R: KafkaRequest + KafkaEncode>(&mut self, version: i16, request: &R) -> bool {
        let version = ApiVersion::new(version);
        let key = <R as KafkaRequest>::API_KEY.value();
        // The header of a flexible answer has tagged fields but for ApiVersions, which is not asked here.
        let is_flexible = response_header_version_for::<R>(version).expect("a known version") == 1;
        self.sent += 1;
        let mut frame = BytesMut::new();
        for bytes in [&key.to_be_bytes()[..], &version.value().to_be_bytes(), &self.sent.to_be_bytes(), b"\x00\x03raw"]
        {
            frame.extend_from_slice(bytes);
        }
        frame.extend_from_slice(if is_flexible { b"\0" } else { b"" });
        let mut body = BytesMut::new();
        request.encode_into(&mut body, version).expect("it can be said in this version");
        frame.extend_from_slice(&body);
        self.stream.write_u32(frame.len() as u32).await.expect("it listens");
        self.stream.write_all(&frame).await.expect("it listens");
        is_flexible
    }

    /// Waits until the node ends the connection, without a word.
    pub async fn until_ended(&mut self) {
        assert_eq!(self.stream.read(&mut [0; 1]).await.expect("it ends in order"), 0);
    }
}

impl RawPartition {
    /// Partition 0 of a topic, once its leader leads it and all others that it has in the topic.
    pub async fn of(bootstrap: &str, topic: &str) -> RawPartition {
        let first = bootstrap.split(',').next().expect("a server");
        let wanted = message!(MetadataRequestTopic { name: Some(topic.into()) });
        let request = message!(MetadataRequest { topics: Some(vec![wanted]), allow_auto_topic_creation: false });
        let answer = Raw::connect(first).await.ask(12, &request).await;
        let mut nodes = BTreeMap::new();
        for broker in &answer.brokers {
            nodes.insert(broker.node_id, Raw::connect(&format!("{}:{}", broker.host.as_str(), broker.port)).await);
        }
        let partitions = &answer.topics[0].partitions;
        let partition = partitions.iter().find(|one| one.partition_index == 0).expect("it is there");
        let (leader, leader_epoch) = (partition.leader_id, partition.leader_epoch);
        let replicas = partition.replica_nodes.clone();
        let led: Vec<i32> = partitions.iter().filter(|p| p.leader_id == leader).map(|p| p.partition_index).collect();
        let (topic, id) = (topic.to_owned(), answer.topics[0].topic_id);
        let mut partition = RawPartition { topic, id, leader, leader_epoch, replicas, nodes };
        // Kafka's nodes know of it a little before they do.
        eventually(Duration::from_secs(10), "it is led", async || partition.is_led(&led).await).await;
        partition
    }

    async fn is_led(&mut self, partitions: &[i32]) -> bool {
        let asked = partitions.iter().map(|n| message!(ListOffsetsPartition { partition_index: *n, timestamp: -1 }));
        let name = self.topic.as_str().into();
        let topics = vec![message!(ListOffsetsTopic { name: name, partitions: asked.collect() })];
        let answer = self.ask(7, &message!(ListOffsetsRequest { replica_id: -1, topics: topics })).await;
        answer.topics[0].partitions.iter().all(|partition| partition.error_code == 0)
    }

    /// Asks its leader.
    pub async fn ask<R>(&mut self, version: i16, request: &R) -> R::Response
    where
        R: KafkaRequest + RequestResponsePair + KafkaEncode,
        R::Response: KafkaDecode,
    {
        self.at(self.leader).ask(version, request).await
    }

    pub fn at(&mut self, node: i32) -> &mut Raw {
        self.nodes.get_mut(&node).expect("a node")
    }

    /// A replica that does not lead.
    pub fn follower(&self) -> i32 {
        self.replicas.iter().copied().find(|id| *id != self.leader).expect("more than one replica")
    }
}
