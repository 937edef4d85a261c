//! Groups whose members are of milena, Java and librdkafka, each in turn the first, which leads: whoever joins, leaves or is killed,
//! every partition has one owner, and what was committed is handed out no more.

mod support;

use std::time::Duration;

use milena::Kafka;
use support::{Client, Journal, Numbers, Peer, PeerGroup, eventually, new_topic, peer, real_kafka_only, unique};

const SOON: Duration = Duration::from_secs(60);
const PARTITIONS: usize = 7;

/// The members that run, and what they have been sent.
struct Mixed {
    group: PeerGroup,
    numbers: Numbers,
    running: Vec<Peer>,
    sent: u32,
}

impl Mixed {
    async fn new(bootstrap: &str, assignor: &'static str) -> Mixed {
        let topic = new_topic(bootstrap, "mixed", PARTITIONS as i32).await;
        let kafka = Kafka::connect(bootstrap).await.unwrap();
        let numbers = Numbers::new(&kafka.producer().build().await.unwrap(), &topic, PARTITIONS as u32);
        let (bootstrap, id, journal) = (bootstrap.to_owned(), unique("mixed"), Journal::new());
        let group = PeerGroup { bootstrap, id, topic, assignor, journal };
        Mixed { group, numbers, running: Vec::new(), sent: 0 }
    }

    /// After each step: the members that run share all, evenly, and go on.
    async fn are_settled(&mut self, what: &str) {
        self.numbers.send(210).await;
        self.sent += 210;
        let journal = &self.group.journal;
        let names: Vec<&str> = self.running.iter().map(|peer| &*peer.name).collect();
        let what = format!("{}: {what}: {names:?}", self.group.assignor);
        eventually(SOON, &what, async || journal.shared_by(&names, PARTITIONS)).await;
        let owned = journal.owned();
        let counts = || owned.values().map(|partitions| partitions.len());
        assert!(counts().max() <= counts().min().map(|least| least + 1), "{what}: {owned:?}");
        eventually(SOON, &what, async || journal.has_all(self.sent)).await;
        journal.assert_one_owner();
        journal.assert_nothing_again();
    }

    async fn join(&mut self, client: Client, name: &str) {
        self.running.push(self.group.start(client, name));
        self.are_settled(&format!("{name} ({client:?}) joined")).await;
    }

    fn take(&mut self, name: &str) -> Peer {
        let position = self.running.iter().position(|peer| peer.name == name).expect("it runs");
        self.running.remove(position)
    }

    async fn leave(&mut self, name: &str) {
        self.take(name).close().await;
        self.are_settled(&format!("{name} left")).await;
    }

    async fn kill(&mut self, name: &str) {
        self.take(name).kill().await;
        self.are_settled(&format!("{name} was killed")).await;
    }
}

/// Each client is first once; then it leads, and is killed.
async fn shares(assignor: &'static str) {
    let Some(broker) = real_kafka_only("Java's members are started with Kafka's jars") else { return };
    if peer::python().is_none() {
        return;
    }
    let clients = [Client::Milena, Client::Java, Client::Librdkafka];
    for first in 0..3 {
        let [leader, second, third] = [0, 1, 2].map(|n| clients[(first + n) % 3]);
        let mut mixed = Mixed::new(broker.bootstrap(), assignor).await;
        mixed.join(leader, "leader").await;
        mixed.join(second, "second").await;
        mixed.join(third, "third").await;
        mixed.leave("second").await;
        mixed.join(second, "second again").await;
        mixed.group.journal.assert_nothing_twice();
        mixed.kill("leader").await;
        mixed.join(leader, "leader again").await;
        mixed.kill("second again").await;
        mixed.leave("third").await;
        mixed.leave_all().await;
    }
}

impl Mixed {
    async fn leave_all(&mut self) {
        for peer in std::mem::take(&mut self.running) {
            peer.close().await;
        }
        self.group.journal.assert_one_owner();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes; `bash .ci/run long` runs it"]
async fn with_range() {
    shares("range").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes; `bash .ci/run long` runs it"]
async fn with_round_robin() {
    shares("roundrobin").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes; `bash .ci/run long` runs it"]
async fn with_cooperative_sticky() {
    shares("cooperative-sticky").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the other tests start it, each in a process of its own, as a member of theirs"]
async fn member() {
    peer::serve_if_told().await;
}
