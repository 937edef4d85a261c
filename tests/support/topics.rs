//! Names that no other test uses, so that tests can share a cluster; and topics.

use std::{
    process,
    sync::{
        LazyLock,
        atomic::{AtomicU32, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use milena::{Kafka, NewTopic};

/// A new topic, made by this crate's admin in a fraction of the time that Kafka's tool takes to start. Every broker knows it.
pub async fn new_topic(bootstrap: &str, prefix: &str, partitions: i32) -> String {
    new_topic_with(bootstrap, prefix, partitions, &[]).await
}

/// As [`new_topic`], with settings such as `segment.bytes=1000000`.
pub async fn new_topic_with(bootstrap: &str, prefix: &str, partitions: i32, settings: &[&str]) -> String {
    let kafka = Kafka::connect(bootstrap).await.expect("a cluster");
    let name = unique(prefix);
    let settings = settings.iter().map(|setting| setting.split_once('=').expect("a name and a value"));
    let new = NewTopic::new(&*name).partitions(partitions);
    let new = settings.fold(new, |new, (name, value)| new.config(name, value));
    kafka.admin().create_topic(new).await.expect("a topic");
    name
}

/// A topic whose name follows from another's. Every broker knows it.
pub async fn create_topic(kafka: &Kafka, name: &str, partitions: i32) {
    kafka.admin().create_topic(NewTopic::new(name).partitions(partitions)).await.expect("a topic");
}

/// A name for a topic, group or transactional id that no other test uses, on a cluster that outlives the tests too.
pub fn unique(prefix: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    // Process ids come again, and topics of an earlier run may still be there.
    static STARTED: LazyLock<u128> = LazyLock::new(|| {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() % 100_000_000)
    });
    format!("{prefix}-{}-{}-{}", process::id(), *STARTED, COUNT.fetch_add(1, Ordering::Relaxed))
}
