//! Three groups in a row: each hands on what it reads, while members come and go. Calm, every number arrives exactly once; with
//! members that vanish and a broker that is killed, at least once; and no record that was committed is handed out again.
//! `MILENA_TEST_RECORDS` sets how many numbers there are, `MILENA_TEST_RUNS` how often each assignor has its turn, and
//! `MILENA_TEST_ASSIGNOR` the only one that does.

mod support;

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
    time::{Duration, Instant},
};

use milena::{Consumer, ConsumerEvent, Delivery, Kafka, Producer, Rebalance, Record, TopicPartition};
use parking_lot::Mutex;
use support::{
    Happening, Journal, Numbers, broker, eventually, new_topic, number_of, peer::assignor_named, quick,
    real_cluster_control, unique,
};
use tokio::{sync::watch, task::JoinHandle};

const SOON: Duration = Duration::from_secs(300);
const PARTITIONS: [u32; 3] = [7, 11, 31];
const ASSIGNORS: [&str; 4] = ["range", "roundrobin", "sticky", "cooperative-sticky"];

/// A group, what it reads, and where it hands it on.
struct Level {
    group: String,
    topic: String,
    next: Option<(Producer, String)>,
    journal: Journal,
    seen: Mutex<HashSet<u32>>,
}

/// How a member ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ends {
    WithTheChain,
    /// As soon as it has partitions.
    AtOnce,
    /// After two rounds, in order.
    Early,
    /// In its third round, which it has handed on and does not commit.
    Vanishes,
}

/// One member of a level, and what it has handed on since its last commit.
struct Worker {
    name: String,
    level: Arc<Level>,
    consumer: Consumer,
    deliveries: Vec<Delivery>,
    offsets: BTreeMap<TopicPartition, i64>,
    count: usize,
}

impl Worker {
    fn write(&self, what: Happening) {
        self.level.journal.write(&self.name, what);
    }

    async fn run(mut self, ends: Ends, mut stop: watch::Receiver<bool>) {
        let mut rounds = 0;
        loop {
            let event = tokio::select! {
                event = self.consumer.next_event() => event,
                _ = stop.wait_for(|stop| *stop) => break,
            };
            match event {
                Ok(Some(ConsumerEvent::Record(record))) => {
                    let (at, offset, number) = (record.topic_partition(), record.offset(), number_of(record.value()));
                    assert_eq!(self.consumer.position(&at), Some(offset + 1), "{}: {at}", self.name);
                    self.write(Happening::Record { at: at.clone(), offset, number });
                    self.level.seen.lock().insert(number);
                    self.offsets.insert(at, offset + 1);
                    self.count += 1;
                    if let Some((producer, topic)) = &self.level.next {
                        let record = Record::to(&**topic).key(number.to_string()).value(number.to_string());
                        self.deliveries.push(producer.enqueue(record).await.expect("it is taken"));
                    }
                    if self.count == round() {
                        if ends == Ends::Vanishes && rounds == 2 {
                            self.write(Happening::Gone);
                            return;
                        }
                        self.commit().await;
                        rounds += 1;
                        if ends == Ends::Early && rounds == 2 {
                            break;
                        }
                    }
                }
                Ok(Some(ConsumerEvent::Rebalance(Rebalance::Assigned(partitions)))) => {
                    let some = !partitions.is_empty();
                    self.write(Happening::Assigned(partitions.into_iter().collect()));
                    if ends == Ends::AtOnce && some {
                        break;
                    }
                }
                Ok(Some(ConsumerEvent::Rebalance(Rebalance::Revoked(partitions)))) => {
                    self.commit().await;
                    self.write(Happening::Revoked(partitions.into_iter().collect()));
                }
                Ok(Some(ConsumerEvent::Rebalance(Rebalance::Lost(partitions)))) => {
                    self.offsets.retain(|at, _| !partitions.contains(at));
                    self.write(Happening::Lost(partitions.into_iter().collect()));
                }
                Ok(other) => panic!("{other:?}"),
                Err(error) => self.write(Happening::Failed(error.to_string())),
            }
        }
        self.commit().await;
        self.write(Happening::Gone);
        self.consumer.close().await;
    }

    async fn commit(&mut self) {
        for delivery in self.deliveries.drain(..) {
            delivery.await.expect("it is acknowledged");
        }
        self.count = 0;
        let offsets = std::mem::take(&mut self.offsets);
        match self.consumer.commit_offsets(offsets.clone()).await {
            Ok(()) => {
                offsets.into_iter().for_each(|(at, offset)| self.write(Happening::Committed { at, offset }));
            }
            Err(error) => self.write(Happening::Failed(error.to_string())),
        }
    }
}

struct Chain {
    kafka: Kafka,
    assignor: &'static str,
    levels: Vec<Arc<Level>>,
    numbers: Numbers,
    sent: u32,
    workers: Vec<JoinHandle<()>>,
    stop: watch::Sender<bool>,
}

impl Chain {
    async fn new(bootstrap: &str, assignor: &'static str) -> Chain {
        let kafka = Kafka::connect(bootstrap).await.unwrap();
        let mut topics = Vec::new();
        for partitions in PARTITIONS {
            topics.push(new_topic(bootstrap, "chain", partitions as i32).await);
        }
        let mut levels = Vec::new();
        for (n, topic) in topics.iter().enumerate() {
            let next = match topics.get(n + 1) {
                Some(next) => Some((kafka.producer().build().await.unwrap(), next.clone())),
                None => None,
            };
            let (group, journal) = (unique("chain"), Journal::new());
            levels.push(Arc::new(Level { group, topic: topic.clone(), next, journal, seen: Mutex::default() }));
        }
        let numbers = Numbers::new(&kafka.producer().build().await.unwrap(), &topics[0], PARTITIONS[0]);
        let stop = watch::Sender::new(false);
        Chain { kafka, assignor, levels, numbers, sent: 0, workers: Vec::new(), stop }
    }

    /// More members for each level.
    async fn start(&mut self, ends: &[Ends]) {
        for level in &self.levels {
            for ends in ends {
                let builder = quick(&self.kafka, &level.group).subscribe([&*level.topic]).auto_commit(None);
                let consumer = builder.assignors([assignor_named(self.assignor)]).build().await.unwrap();
                let name = format!("{} {ends:?}", self.workers.len());
                let (level, deliveries, offsets) = (Arc::clone(level), Vec::new(), BTreeMap::new());
                let worker = Worker { name, level, consumer, deliveries, offsets, count: 0 };
                self.workers.push(tokio::spawn(worker.run(*ends, self.stop.subscribe())));
            }
        }
    }

    async fn send(&mut self, count: u32) {
        self.numbers.send(count).await;
        self.sent += count;
    }

    async fn all_arrive(&self) {
        for (n, level) in self.levels.iter().enumerate() {
            let what = format!("{}: level {n} has all {}", self.assignor, self.sent);
            eventually(all_soon(), &what, async || match level.seen.lock().len() {
                seen if seen == self.sent as usize => Ok(()),
                seen => Err(seen.to_string()),
            })
            .await;
        }
    }

    async fn end(self) -> Vec<Arc<Level>> {
        self.all_arrive().await;
        self.stop.send_replace(true);
        for worker in self.workers {
            worker.await.expect("no worker panics");
        }
        for level in &self.levels {
            level.journal.assert_nothing_again();
            level.journal.assert_only_what_was_handed_out_is_committed();
            assert_coordinator_agrees(&self.kafka, level).await;
        }
        self.levels
    }
}

/// Asserts that the coordinator holds no less than what it said was committed, and no more than was handed out.
async fn assert_coordinator_agrees(kafka: &Kafka, level: &Level) {
    let held = kafka.admin().group_offsets(&level.group).await.expect("the group's offsets");
    let (handed, told) = (level.journal.handed_out(), level.journal.committed());
    for (at, told) in told {
        let held = held.get(&at).map_or(-1, |committed| committed.offset);
        assert!(held >= told, "{at}: {told} was committed, the coordinator has {held}");
    }
    for (at, held) in held {
        let handed = handed.get(&at).copied().unwrap_or(0);
        assert!(held.offset <= handed, "{at}: {} is committed, and {handed} was next to be handed out", held.offset);
    }
}

/// Each run: the assignor, and how many there were before it.
fn runs() -> Vec<(usize, &'static str)> {
    let only = std::env::var("MILENA_TEST_ASSIGNOR").ok();
    let chosen = ASSIGNORS.into_iter().filter(|name| only.as_deref().is_none_or(|only| only == *name));
    let times = number("MILENA_TEST_RUNS", 1) as usize;
    let runs: Vec<_> = chosen.flat_map(|name| std::iter::repeat_n(name, times)).enumerate().collect();
    assert!(!runs.is_empty(), "MILENA_TEST_ASSIGNOR is one of {ASSIGNORS:?}, MILENA_TEST_RUNS at least 1");
    runs
}

fn records() -> u32 {
    number("MILENA_TEST_RECORDS", 9_000)
}

/// Records between two commits of a member.
fn round() -> usize {
    (records() as usize / 1000).max(100)
}

/// Within which all records have gone through the chain, on a machine that has other things to do, too.
fn all_soon() -> Duration {
    SOON + Duration::from_millis(records().into())
}

fn number(name: &str, otherwise: u32) -> u32 {
    std::env::var(name).map_or(otherwise, |n| n.parse().expect("a number"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes; `bash .ci/run long` runs it"]
async fn calm_every_number_arrives_exactly_once() {
    let broker = broker();
    for (run, assignor) in runs() {
        let (third, began) = (records() / 3, Instant::now());
        let mut chain = Chain::new(broker.bootstrap(), assignor).await;
        chain.start(&[Ends::WithTheChain; 3]).await;
        chain.send(third).await;
        // The next come while these are on their way.
        chain.start(&[Ends::WithTheChain, Ends::AtOnce, Ends::Early]).await;
        chain.send(third).await;
        chain.all_arrive().await;
        chain.send(third).await;
        for level in chain.end().await {
            level.journal.assert_calm();
            level.journal.assert_nothing_twice();
            level.journal.assert_one_owner();
            let committed: i64 = level.journal.committed().values().sum();
            assert_eq!(committed, i64::from(3 * third), "{assignor}: all that is in the log");
        }
        println!("run {run}, {assignor}: {} records in {:.0?}", 3 * third, began.elapsed());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes; `bash .ci/run long` runs it"]
async fn with_vanishing_members_and_a_killed_broker_every_number_arrives() {
    let Some(mut control) = real_cluster_control("processes are killed") else { return };
    for ((run, assignor), victim) in runs().into_iter().zip((1..=control.nodes()).cycle()) {
        let (third, began) = (records() / 3, Instant::now());
        let mut chain = Chain::new(&control.bootstrap(), assignor).await;
        chain.start(&[Ends::WithTheChain; 3]).await;
        chain.send(third).await;
        chain.start(&[Ends::WithTheChain, Ends::AtOnce, Ends::Vanishes]).await;
        tokio::task::block_in_place(|| control.kill(victim));
        chain.send(third).await;
        tokio::task::block_in_place(|| control.start(victim));
        chain.send(third).await;
        let levels = chain.end().await;
        let again: Vec<usize> = levels.iter().map(|level| level.journal.twice().len()).collect();
        println!(
            "run {run}, {assignor}, node {victim} killed: {} records in {:.0?}; more than once by level: {again:?}",
            3 * third,
            began.elapsed()
        );
        control.in_sync(SOON).await;
    }
}
