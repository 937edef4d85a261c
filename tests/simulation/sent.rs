//! What producers send, and what they are told of it.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use milena::{Delivery, Kafka, ProduceError, Producer, Record, Timestamp};
use parking_lot::Mutex;

use super::{
    incident::REST,
    journal::Journal,
    schedule::{ProducerPlan, Route, Schedule},
};

/// In the calm a leader answers at once; a back-off of before may still last.
const SOON: Duration = Duration::from_secs(3);

/// The time of day when all begins.
pub const EPOCH: Timestamp = Timestamp::from_millis(1_700_000_000_000);

/// A record: which producer's, and its number there.
pub type Name = (u32, u32);

/// What a producer was told of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    Acknowledged { topic: String, partition: i32, offset: i64 },
    NotWritten,
    PossiblyWritten,
}

/// All producers'. Clones are the same.
#[derive(Debug, Clone, Default)]
pub struct Sent(Arc<Mutex<BTreeMap<Name, Told>>>);

impl Sent {
    pub fn told(&self) -> BTreeMap<Name, Told> {
        self.0.lock().clone()
    }

    fn tell(&self, journal: &Journal, name: Name, result: Result<milena::Ack, ProduceError>) {
        let told = match &result {
            Ok(ack) => {
                Told::Acknowledged { topic: ack.topic().to_owned(), partition: ack.partition(), offset: ack.offset() }
            }
            Err(error) if error.is_possibly_written() => Told::PossiblyWritten,
            Err(_) => Told::NotWritten,
        };
        match &result {
            Ok(ack) => journal.write(&format!("p{}", name.0), format_args!("{} {ack:?}", name.1)),
            Err(error) => journal.write(&format!("p{}", name.0), format_args!("{} {error}", name.1)),
        }
        self.0.lock().insert(name, told);
    }
}

/// The value of a record, from which [`name_of`] tells whose it is.
fn value(name: Name) -> String {
    let (producer, number) = name;
    // Of many lengths, so that batches are.
    format!("{producer}:{number}:{}", "x".repeat((number as usize * 37 + producer as usize * 11) % 90))
}

/// Whose record this is.
pub fn name_of(value: Option<&[u8]>) -> Option<Name> {
    let text = std::str::from_utf8(value?).ok()?;
    let mut parts = text.split(':');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// A producer's whole life.
pub async fn produce(
    kafka: Kafka,
    schedule: Arc<Schedule>,
    number: u32,
    sent: Sent,
    journal: Journal,
) -> Result<(), milena::ConfigError> {
    let start = tokio::time::Instant::now();
    let plan = &schedule.producers[number as usize];
    tokio::time::sleep(plan.starts).await;
    let builder = plan.settings.iter().fold(kafka.producer(), |builder, (key, value)| builder.set(*key, value));
    let producer = builder.build().await?;
    drop(kafka);
    let mut deliveries: Vec<(Name, Delivery)> = Vec::new();
    for n in 0..plan.records {
        if plan.dropped_after == Some(n) {
            break;
        }
        let name = (number, n);
        match producer.enqueue(record(&schedule, plan, name)).await {
            Ok(delivery) if plan.one_by_one => sent.tell(&journal, name, delivery.await),
            Ok(delivery) => deliveries.push((name, delivery)),
            Err(error) => sent.tell(&journal, name, Err(error)),
        }
        if n % plan.burst == plan.burst - 1 {
            tokio::time::sleep(plan.pause).await;
        }
    }
    if plan.goes_on && plan.dropped_after.is_none() {
        tokio::time::sleep_until(start + schedule.calm + REST).await;
        go_on(&producer, &schedule, number, &sent, &journal).await;
    }
    end(producer, plan, &journal, number).await;
    for (name, delivery) in deliveries {
        sent.tell(&journal, name, delivery.await);
    }
    Ok(())
}

/// Whatever has gone wrong, in the calm behind it a record is acknowledged, in every partition.
async fn go_on(producer: &Producer, schedule: &Schedule, number: u32, sent: &Sent, journal: &Journal) {
    let mut n = schedule.producers[number as usize].records;
    for (topic, partitions) in &schedule.topics {
        for partition in 0..*partitions {
            let name = (number, n);
            let sending = producer.send(named(topic, name).partition(partition));
            match tokio::time::timeout(SOON, sending).await {
                Ok(Ok(ack)) => sent.tell(journal, name, Ok(ack)),
                Ok(Err(error)) => {
                    journal.violation(format_args!("producer {number} in the calm: {topic}-{partition}: {error}"));
                    sent.tell(journal, name, Err(error));
                }
                Err(_) => {
                    journal.violation(format_args!(
                        "producer {number}: {topic}-{partition} is not acknowledged in the calm"
                    ));
                    sent.0.lock().insert(name, Told::PossiblyWritten);
                }
            }
            n += 1;
        }
    }
}

async fn end(producer: Producer, plan: &ProducerPlan, journal: &Journal, number: u32) {
    let who = format!("p{number}");
    if plan.dropped_after.is_some() {
        journal.write(&who, "dropped");
        return drop(producer);
    }
    // Closing takes no longer than the delivery timeout, which is looked after each 100 ms.
    let limit = plan.delivery_timeout + Duration::from_millis(500);
    journal.write(&who, "closes");
    match tokio::time::timeout(limit, producer.close()).await {
        Ok(()) => journal.write(&who, "closed"),
        Err(_) => journal.violation(format_args!("producer {number} is not closed after {limit:?}")),
    }
}

fn named(topic: &'static str, name: Name) -> Record<'static> {
    // The wall clock's time would differ from run to run, and with it the length of a batch.
    Record::to(topic).value(value(name)).timestamp(Timestamp::from_millis(EPOCH.as_millis() + i64::from(name.1)))
}

fn record(schedule: &Schedule, plan: &ProducerPlan, name: Name) -> Record<'static> {
    let (producer, n) = name;
    let (topic, partitions) = schedule.topics[n as usize % schedule.topics.len()];
    let record = named(topic, name);
    match plan.route {
        Route::Named => record.partition((n * 7 + producer) as i32 % partitions),
        Route::Keyed => record.key(format!("key-{}", n % 13)),
        Route::Sticky => record,
    }
}
