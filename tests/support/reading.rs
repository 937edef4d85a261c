//! Records of a topic, and what is in them.

use std::time::Duration;

use milena::{ConsumerRecord, Kafka, OffsetSpec};
use serde_json::Value;
use tokio::time::timeout;

/// How long the next record may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// The first `count` records of a topic; waits for them.
pub async fn read(kafka: &Kafka, topic: &str, count: usize) -> Vec<ConsumerRecord> {
    let builder = kafka.standalone_consumer().assign_topics([topic], OffsetSpec::Beginning);
    let mut consumer = builder.build().await.expect("a consumer");
    let mut records = Vec::new();
    while records.len() < count {
        let next = timeout(PATIENCE, consumer.recv()).await;
        let next = next.unwrap_or_else(|_| panic!("{} of {count} records in {topic}", records.len()));
        records.push(next.expect("a record").expect("it has no end"));
    }
    records
}

/// # Panics
/// If there are none, or they aren't UTF-8.
pub fn text(bytes: Option<&[u8]>) -> &str {
    std::str::from_utf8(bytes.expect("bytes")).expect("UTF-8")
}

/// Names and values in their order.
pub fn headers_of(record: &ConsumerRecord) -> Vec<(String, Vec<u8>)> {
    record.headers().map(|header| (header.name().into_owned(), header.value().expect("no null").to_vec())).collect()
}

/// Of its value.
pub fn json_of(record: &ConsumerRecord) -> Value {
    serde_json::from_slice(record.value().expect("a value")).expect("JSON")
}

/// As [`headers_of`] gives them.
pub fn owned(headers: &[(&str, &[u8])]) -> Vec<(String, Vec<u8>)> {
    headers.iter().map(|(name, value)| ((*name).to_owned(), value.to_vec())).collect()
}
