//! The logs as they are in the end, read when all is calm.

use std::{collections::BTreeMap, time::Duration};

use milena::{Kafka, OffsetSpec, TopicPartition};

use super::{
    journal::Journal,
    schedule::Schedule,
    sent::{Name, name_of},
};

/// Each partition's records, at their offsets.
pub type Logs = BTreeMap<TopicPartition, BTreeMap<i64, Name>>;

pub async fn read(kafka: &Kafka, schedule: &Schedule, journal: &Journal) -> Logs {
    let mut logs = Logs::new();
    let topics = schedule.topics.iter().map(|(name, _)| *name);
    let building = kafka.standalone_consumer().assign_topics(topics, OffsetSpec::Beginning).until_end().build();
    let reading = async {
        let mut consumer = building.await.map_err(|error| error.to_string())?;
        for partition in consumer.assignment() {
            logs.insert(partition, BTreeMap::new());
        }
        while let Some(record) = consumer.recv().await.map_err(|error| error.to_string())? {
            let name = name_of(record.value()).ok_or("a record that nobody has sent")?;
            if logs.entry(record.topic_partition()).or_default().insert(record.offset(), name).is_some() {
                return Err(format!("{}:{} was read twice", record.topic_partition(), record.offset()));
            }
        }
        consumer.close().await;
        Ok::<(), String>(())
    };
    match tokio::time::timeout(Duration::from_secs(60), reading).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => journal.violation(format_args!("the log cannot be read: {error}")),
        Err(_) => journal.violation("the log was not read to its end within a minute"),
    }
    logs
}
