//! Transactions that Java's producers write, on a real Kafka: under read committed milena sees those that were committed and
//! nothing else, under read uncommitted all; and it ends where Java's consumer says that the log ends.

mod support;

use std::{collections::BTreeMap, time::Duration};

use milena::{
    Consumer, IsolationLevel,
    IsolationLevel::{ReadCommitted, ReadUncommitted},
    Kafka, OffsetSpec, StandaloneBuilder, Timestamp, TopicPartition,
};
use support::{Java, JavaProducer, Place, Plain, eventually, real_kafka_only, unique};
use tokio::time::timeout;

const SOON: Duration = Duration::from_secs(30);
/// How long "nothing comes" is watched: longer than a broker waits for records.
const A_WHILE: Duration = Duration::from_millis(700);

/// Records by their place: as they stand in each partition's log.
type Log = BTreeMap<Place, Plain>;

/// A topic that Java writes to, and what a consumer has to see of it.
struct Written {
    java: Java,
    topic: String,
    partitions: i32,
    count: usize,
    committed: Log,
    aborted: Log,
}

impl Written {
    async fn start(mut java: Java, partitions: u32) -> Written {
        let topic = java.topic("transactions", partitions).await;
        Written { java, topic, partitions: partitions as i32, count: 0, committed: Log::new(), aborted: Log::new() }
    }

    /// A producer of many small batches, so that a transaction is several, and is met by several fetches.
    async fn producer(&mut self) -> JavaProducer {
        self.java.producer(&["batch.size=1000"]).await
    }

    async fn transactional(&mut self) -> JavaProducer {
        let id = format!("transactional.id={}", unique("transactions"));
        self.java.producer(&["batch.size=1000", &id]).await
    }

    /// Sends the next record.
    async fn send(&mut self, producer: JavaProducer, partition: i32) -> Plain {
        let value = format!("{} of {producer:?} {}", self.count, "-".repeat(self.count % 150)).into_bytes();
        let record = Plain { timestamp: Timestamp::now().as_millis(), value: Some(value), ..Plain::default() };
        self.count += 1;
        self.java.send(producer, &self.topic, Some(partition), &record).await;
        record
    }

    async fn send_each(&mut self, producer: JavaProducer, partition: i32, count: usize) -> Vec<Plain> {
        let mut records = Vec::new();
        for _ in 0..count {
            records.push(self.send(producer, partition).await);
        }
        records
    }

    /// These are in the log now, and where.
    async fn places(&mut self, producer: JavaProducer, records: Vec<Plain>) -> Log {
        let places = self.java.flush(producer).await;
        assert_eq!(places.len(), records.len());
        places.into_iter().zip(records).collect()
    }

    /// Of a producer without transactions.
    async fn write(&mut self, producer: JavaProducer, partition: i32, count: usize) {
        let records = self.send_each(producer, partition, count).await;
        let places = self.places(producer, records).await;
        self.committed.extend(places);
    }

    /// Ends the transaction in which these were sent.
    async fn end(&mut self, producer: JavaProducer, records: Vec<Plain>, commit: bool) {
        let places = self.places(producer, records).await;
        if commit {
            self.java.commit(producer).await;
            self.committed.extend(places);
        } else {
            self.java.abort(producer).await;
            self.aborted.extend(places);
        }
    }

    /// What a consumer sees once no transaction is open.
    fn seen(&self, level: IsolationLevel) -> Log {
        let mut seen = self.committed.clone();
        if level == ReadUncommitted {
            seen.extend(self.aborted.clone());
        }
        seen
    }

    async fn ends(&mut self, level: IsolationLevel) -> BTreeMap<i32, i64> {
        self.java.ends(&self.topic, level).await
    }

    /// Waits until every transaction that has ended has its markers in the log; where that ends then.
    async fn settled(&mut self) -> BTreeMap<i32, i64> {
        eventually(SOON, "no transaction is open", async || {
            let (stable, all) = (self.ends(ReadCommitted).await, self.ends(ReadUncommitted).await);
            if stable == all { Ok(all) } else { Err(format!("{stable:?} of {all:?}")) }
        })
        .await
    }

    fn at(&self, partition: i32) -> TopicPartition {
        TopicPartition::new(&*self.topic, partition)
    }

    fn reader(&self, kafka: &Kafka, level: IsolationLevel) -> StandaloneBuilder {
        let all = (0..self.partitions).map(|partition| (self.at(partition), OffsetSpec::Beginning));
        kafka.standalone_consumer().isolation_level(level).assign(all)
    }
}

/// Takes a record in, which has to be behind those of its partition.
fn take(log: &mut Log, place: Place, record: Plain) {
    let last = log.range((place.0, 0)..=(place.0, i64::MAX)).next_back();
    assert!(last.is_none_or(|(last, _)| *last < place), "{place:?} behind {last:?}");
    log.insert(place, record);
}

async fn one_by_one(consumer: &mut Consumer) -> Log {
    let mut log = Log::new();
    while let Some(record) = timeout(SOON, consumer.recv()).await.expect("a record or the end").unwrap() {
        take(&mut log, (record.partition(), record.offset()), Plain::from(&record));
    }
    log
}

async fn by_the_batch(consumer: &mut Consumer) -> Log {
    let mut log = Log::new();
    while let Some(batch) = timeout(SOON, consumer.recv_batch()).await.expect("a batch or the end").unwrap() {
        for record in &batch {
            let record = record.unwrap();
            take(&mut log, (batch.partition(), record.offset()), Plain::from(&record));
        }
    }
    log
}

fn positions(consumer: &Consumer) -> BTreeMap<i32, i64> {
    let position = |at: TopicPartition| (at.partition, consumer.position(&at).expect("it is known"));
    consumer.assignment().into_iter().map(position).collect()
}

/// Transactions of three producers, some committed and some aborted, among records outside any. The tail of partition 0 is the
/// marker of a commit, that of 1 a plain record, that of 2 the marker of an abort, and in 3 there is only what was aborted.
async fn interleaved(java: Java) -> Written {
    let mut written = Written::start(java, 4).await;
    let plain = written.producer().await;
    let mut open: Vec<(JavaProducer, Option<Vec<Plain>>)> = Vec::new();
    for _ in 0..3 {
        open.push((written.transactional().await, None));
    }
    let mut random = fastrand::Rng::with_seed(98);
    for _ in 0..400 {
        let partition = random.i32(0..3);
        let count = random.usize(1..20);
        let Some((producer, transaction)) = open.get_mut(random.usize(..4)) else {
            written.write(plain, partition, count).await;
            continue;
        };
        match transaction.take() {
            None => {
                written.java.begin(*producer).await;
                *transaction = Some(written.send_each(*producer, partition, count).await);
            }
            Some(mut records) if random.u8(..3) > 0 => {
                records.extend(written.send_each(*producer, partition, count).await);
                *transaction = Some(records);
            }
            Some(records) => written.end(*producer, records, random.bool()).await,
        }
    }
    for (producer, transaction) in &mut open {
        if let Some(records) = transaction.take() {
            written.end(*producer, records, true).await;
        }
    }
    let last = open[0].0;
    for (partition, commit) in [(3, false), (0, true), (2, false)] {
        written.java.begin(last).await;
        let records = written.send_each(last, partition, 25).await;
        written.end(last, records, commit).await;
    }
    written.settled().await;
    written.write(plain, 1, 1).await;
    written
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_what_was_committed_is_seen_from_anywhere_to_the_end_of_the_log() {
    let Some(broker) = real_kafka_only("transactions are not embedded, and Java writes them") else { return };
    let kafka = Kafka::connect(broker.bootstrap()).await.unwrap();
    let mut written = interleaved(Java::start(broker.bootstrap())).await;
    let ends = written.settled().await;
    let (committed, aborted) = (written.committed.len(), written.aborted.len());
    assert!(committed > 500 && aborted > 500, "{committed} committed, {aborted} aborted");

    for level in [ReadCommitted, ReadUncommitted] {
        let seen = written.seen(level);
        let javas: Log = written.java.read(&written.topic, level).await.into_iter().collect();
        assert!(javas == seen, "Java's own consumer sees {} of {} under {level:?}", javas.len(), seen.len());
        // With answers of one batch, too: an abort then reaches over many of them.
        for fetch_bytes in ["1048576", "1500"] {
            let reader = || written.reader(&kafka, level).set("max.partition.fetch.bytes", fetch_bytes).until_end();
            let mut consumer = reader().build().await.unwrap();
            let read = one_by_one(&mut consumer).await;
            assert!(read == seen, "{level:?}, {fetch_bytes}: {:?}", difference(&read, &seen));
            assert_eq!(positions(&consumer), ends, "{level:?}, {fetch_bytes}");
            let mut consumer = reader().build().await.unwrap();
            let read = by_the_batch(&mut consumer).await;
            assert!(read == seen, "{level:?}, {fetch_bytes}, by the batch: {:?}", difference(&read, &seen));
            assert_eq!(positions(&consumer), ends, "{level:?}, {fetch_bytes}, by the batch");
        }
        let all_aborted = kafka.standalone_consumer().isolation_level(level).until_end();
        let mut consumer = all_aborted.assign([(written.at(3), OffsetSpec::Beginning)]).build().await.unwrap();
        assert_eq!(one_by_one(&mut consumer).await.len(), if level == ReadCommitted { 0 } else { 25 });
        assert_eq!(consumer.position(&written.at(3)), Some(ends[&3]));
    }
    assert_starts_anywhere(&kafka, &written).await;
    println!("{committed} records committed, {aborted} aborted");
}

/// The first record that one of them has and the other has not.
fn difference(read: &Log, seen: &Log) -> Option<(Place, Option<Plain>, Option<Plain>)> {
    let mut places: Vec<&Place> = read.keys().chain(seen.keys()).collect();
    places.sort();
    let place = **places.iter().find(|place| read.get(place) != seen.get(place))?;
    Some((place, read.get(&place).cloned(), seen.get(&place).cloned()))
}

/// Starts everywhere in partition 2, also within transactions: the first record seen is the first there is to see from there on.
async fn assert_starts_anywhere(kafka: &Kafka, written: &Written) {
    for level in [ReadCommitted, ReadUncommitted] {
        let seen = written.seen(level);
        let at = written.at(2);
        let consumer = kafka.standalone_consumer().isolation_level(level);
        let mut consumer = consumer.assign([(at.clone(), OffsetSpec::Beginning)]).build().await.unwrap();
        let last = seen.range((2, 0)..(3, 0)).next_back().expect("there are some").0.1;
        for offset in (0..=last).step_by(23) {
            consumer.seek(&at, offset).unwrap();
            let record = timeout(SOON, consumer.recv()).await.expect("a record").unwrap().expect("it has no end");
            let first = seen.range((2, offset)..).next().expect("there is one").0;
            assert_eq!((2, record.offset()), *first, "{level:?}, from {offset}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_open_transaction_holds_read_committed_back_until_it_ends() {
    let Some(broker) = real_kafka_only("transactions are not embedded, and Java writes them") else { return };
    let kafka = Kafka::connect(broker.bootstrap()).await.unwrap();
    let mut written = Written::start(Java::start(broker.bootstrap()), 1).await;
    let (plain, transactional) = (written.producer().await, written.transactional().await);
    let at = written.at(0);
    let mut consumer = written.reader(&kafka, ReadCommitted).build().await.unwrap();
    for commit in [true, false, true] {
        let already = written.committed.len();
        written.write(plain, 0, 10).await;
        let before = written.committed.clone();
        written.java.begin(transactional).await;
        let records = written.send_each(transactional, 0, 20).await;
        let open = written.places(transactional, records).await;
        written.write(plain, 0, 10).await;

        let (stable, all) = (written.ends(ReadCommitted).await[&0], written.ends(ReadUncommitted).await[&0]);
        assert_eq!((0, stable), *open.keys().next().unwrap(), "the last stable offset is the open transaction's first");
        let mut until_end = written.reader(&kafka, ReadUncommitted).until_end().build().await.unwrap();
        let read = one_by_one(&mut until_end).await;
        assert_eq!(read.len(), written.committed.len() + written.aborted.len() + open.len());
        assert_eq!(until_end.position(&at), Some(all));
        let mut until_end = written.reader(&kafka, ReadCommitted).until_end().build().await.unwrap();
        assert!(one_by_one(&mut until_end).await == before);
        assert_eq!(until_end.position(&at), Some(stable));

        for (place, record) in before.iter().skip(already) {
            assert_eq!(next(&mut consumer).await, (*place, record.clone()));
        }
        let nothing = timeout(A_WHILE, consumer.recv()).await;
        assert!(nothing.is_err(), "behind the last stable offset: {nothing:?}");
        assert_eq!((consumer.position(&at), consumer.lag(&at)), (Some(stable), Some(0)));

        if commit {
            written.java.commit(transactional).await;
            written.committed.extend(open);
        } else {
            written.java.abort(transactional).await;
            written.aborted.extend(open);
        }
        for (place, record) in written.committed.iter().skip(before.len()) {
            assert_eq!(next(&mut consumer).await, (*place, record.clone()), "after commit={commit}");
        }
        let end = written.settled().await[&0];
        eventually(SOON, "the position is behind the marker", async || {
            let nothing = timeout(Duration::from_millis(10), consumer.recv()).await;
            assert!(nothing.is_err(), "{nothing:?}");
            consumer.position(&at) == Some(end)
        })
        .await;
    }
}

async fn next(consumer: &mut Consumer) -> (Place, Plain) {
    let record = timeout(SOON, consumer.recv()).await.expect("a record").unwrap().expect("it has no end");
    ((record.partition(), record.offset()), Plain::from(&record))
}
