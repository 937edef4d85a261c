//! Records that a producer is given, what it was told of each, and both held against the log.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use milena::{Ack, Delivery, IsolationLevel, Kafka, OffsetSpec, ProduceError, Producer, Record};
use tokio::time::timeout;

/// How long one delivery, or one record of the log, may take to come.
const PATIENCE: Duration = Duration::from_secs(60);

/// A topic's records by partition: offset and number, in the log's order.
pub type Log = BTreeMap<i32, Vec<(i64, u32)>>;

/// The numbers from 0 on, each a record of about 100 bytes to the partition `number % partitions`.
#[derive(Debug)]
pub struct Numbers {
    producer: Producer,
    topic: String,
    partitions: u32,
    next: u32,
    pending: Vec<(u32, Delivery)>,
    told: BTreeMap<u32, Result<Ack, ProduceError>>,
}

impl Numbers {
    pub fn new(producer: &Producer, topic: &str, partitions: u32) -> Numbers {
        let (producer, topic) = (producer.clone(), topic.to_owned());
        Numbers { producer, topic, partitions, next: 0, pending: Vec::new(), told: BTreeMap::new() }
    }

    /// Enqueues the next `count` numbers; see [`Numbers::settle`].
    pub async fn enqueue(&mut self, count: u32) {
        for number in self.next..self.next + count {
            let partition = (number % self.partitions) as i32;
            let record = Record::to(&self.topic).partition(partition).value(format!("{number:<88}"));
            let delivery = timeout(PATIENCE, self.producer.enqueue(record)).await.expect("it is taken in time");
            self.pending.push((number, delivery.expect("it is taken")));
        }
        self.next += count;
    }

    /// Awaits what becomes of all that was enqueued. Returns what was told since the last time.
    pub async fn settle(&mut self) -> Vec<(u32, Result<Ack, ProduceError>)> {
        let mut news = Vec::new();
        for (number, delivery) in self.pending.drain(..) {
            let told = timeout(PATIENCE, delivery).await;
            news.push((number, told.unwrap_or_else(|_| panic!("nothing was told of record {number}"))));
        }
        self.told.extend(news.iter().cloned());
        news
    }

    /// Enqueues, settles, and asserts that all were acknowledged.
    pub async fn send(&mut self, count: u32) {
        self.enqueue(count).await;
        self.settle_acknowledged().await;
    }

    /// Settles, and asserts that all were acknowledged.
    pub async fn settle_acknowledged(&mut self) {
        for (number, told) in self.settle().await {
            told.unwrap_or_else(|error| panic!("record {number}: {error}"));
        }
    }

    /// Asserts that the log holds what was acknowledged, where it says, and nothing of which it was said that it was not
    /// written; and that it holds nothing twice and keeps the order of each partition. Returns the log.
    pub async fn check(&self, bootstrap: &str) -> Log {
        assert!(self.pending.is_empty(), "settle first");
        let log = read_log(bootstrap, &self.topic).await;
        let mut places = HashMap::new();
        for (partition, records) in &log {
            let out_of_order = records.windows(2).find(|pair| pair[0].1 >= pair[1].1);
            assert_eq!(out_of_order, None, "partition {partition}: out of order or there twice");
            for (offset, number) in records {
                assert_eq!((number % self.partitions) as i32, *partition, "{number} is in another's log");
                places.insert(*number, *offset);
            }
        }
        for (number, told) in &self.told {
            let found = places.remove(number);
            match told {
                Ok(ack) if ack.offset() < 0 => assert!(found.is_some(), "{number} was acknowledged and is lost"),
                Ok(ack) => assert_eq!(found, Some(ack.offset()), "{number}: acknowledged as {ack:?}"),
                Err(error) if error.is_possibly_written() => {}
                Err(error) => assert_eq!(found, None, "{number} is there, but: {error}"),
            }
        }
        assert!(places.is_empty(), "nobody sent these: {places:?}");
        log
    }
}

/// Reads a whole topic with a consumer of this crate: that is there within a second where Kafka's console consumer needs
/// several to start, and `broker_killed.rs` and `consume.rs` hold it against Kafka's own.
pub async fn read_log(bootstrap: &str, topic: &str) -> Log {
    let kafka = Kafka::connect(bootstrap).await.expect("a cluster");
    let consumer = kafka.standalone_consumer().assign_topics([topic], OffsetSpec::Beginning).until_end();
    let mut consumer = consumer.isolation_level(IsolationLevel::ReadUncommitted).build().await.expect("a consumer");
    let mut log = Log::new();
    while let Some(record) = timeout(PATIENCE, consumer.recv()).await.expect("the log's end comes").expect("a record") {
        log.entry(record.partition()).or_default().push((record.offset(), number_of(record.value())));
    }
    log
}

/// The number that a record's value carries.
pub fn number_of(value: Option<&[u8]>) -> u32 {
    let text = std::str::from_utf8(value.expect("a value")).expect("digits");
    text.trim_end().parse().unwrap_or_else(|_| panic!("{text:?} is no number"))
}
