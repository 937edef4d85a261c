//! What the integration tests share. Include it with `mod support;`.
//!
//! - [`broker`]: which cluster a test runs on, and Kafka's own tools on it
//! - [`cluster_control`]: killing, pausing and starting that cluster's nodes
//! - [`health`]: panics and memory
//! - [`in_process`]: the embedded broker, as a cluster under test
//! - [`java`]: Kafka's own Java client
//! - [`journal`]: what happens to the members of a group
//! - [`member`]: a milena member of a group that keeps a journal
//! - [`peer`]: members that are processes of their own, of milena, Java and librdkafka
//! - [`plain`]: a record as it is compared
//! - [`impostor`]: a broker in this process that lies
//! - [`numbers`]: records, what a producer was told of them, and the log
//! - [`proxy`]: faults between a client and a peer, one request or answer at a time
//! - [`proxied_cluster`]: a proxy before each node
//! - [`raw`]: requests word for word, and the answers to them
//! - [`java_assignors`]: what the Java client's assignors say of a group
//! - [`reading`]: records of a topic, and what is in them
//! - [`spring`]: a Spring Boot service
//! - [`topics`]: names that no other test uses
//! - [`wait`]: waiting for a condition instead of for a time

#![allow(dead_code, unused_imports, unreachable_pub, reason = "each test binary includes it and uses a part")]

pub mod broker;
pub mod cluster_control;
pub mod health;
pub mod impostor;
pub mod in_process;
pub mod java;
pub mod java_assignors;
pub mod journal;
pub mod member;
pub mod numbers;
pub mod peer;
pub mod plain;
pub mod proxied_cluster;
pub mod proxy;
pub mod raw;
pub mod reading;
pub mod spring;
pub mod topics;
pub mod wait;

mod lock;
mod site;

pub use broker::{Broker, broker, kafka_tool, kafka_tool_with, real_kafka_only};
pub use cluster_control::{ClusterControl, cluster_control, real_cluster_control};
pub use impostor::Impostor;
pub use java::{Java, JavaProducer, Place};
pub use journal::{Happening, Journal};
pub use member::{Commits, Member, quick};
pub use numbers::{Log, Numbers, number_of, read_log};
pub use peer::{Client, Peer, PeerGroup};
pub use plain::Plain;
pub use proxied_cluster::ProxiedCluster;
pub use proxy::{Counts, Direction, Fault, Filter, Proxy};
pub use raw::{Raw, RawPartition};
pub use reading::{headers_of, json_of, owned, read, text};
pub use spring::{Heard, Spring, with_spring};
pub use topics::{create_topic, new_topic, unique};
pub use wait::eventually;
