//! Brokers fail under a group: its coordinator is killed, every broker is replaced in turn, all are gone at once. The members go on
//! by themselves, and no record that was committed comes again.

mod support;

use std::time::Duration;

use milena::{Kafka, Producer};
use support::{
    ClusterControl, Commits, Journal, Member, Numbers, eventually, new_topic, quick, real_cluster_control, unique,
};

const SOON: Duration = Duration::from_secs(90);
const PARTITIONS: u32 = 6;

/// Two members, and what they read.
struct Setting {
    group: String,
    journal: Journal,
    numbers: Numbers,
    members: Vec<Member>,
    count: u32,
}

impl Setting {
    async fn new(control: &ClusterControl, name: &str) -> Setting {
        let kafka = Kafka::connect(&control.bootstrap()).await.unwrap();
        let (group, journal) = (unique(name), Journal::new());
        let topic = new_topic(&control.bootstrap(), name, PARTITIONS as i32).await;
        let producer: Producer = kafka.producer().build().await.unwrap();
        let mut members = Vec::new();
        for member in ["one", "two"] {
            let builder = quick(&kafka, &group).subscribe([&*topic]).auto_commit(None);
            // They outlast the fault: only what the brokers forget is lost.
            let builder = builder.set("session.timeout.ms", "60000");
            members.push(Member::start(member, builder.build().await.unwrap(), &journal, Commits::Every(7)));
        }
        let numbers = Numbers::new(&producer, &topic, PARTITIONS);
        let mut setting = Setting { group, journal, numbers, members, count: 0 };
        setting.are_read(600).await;
        setting
    }

    /// So many more numbers are sent and handed out.
    async fn are_read(&mut self, more: u32) {
        self.count += more;
        self.numbers.send(more).await;
        eventually(SOON, "all are handed out", async || self.journal.has_all(self.count)).await;
        eventually(SOON, "they share", async || self.journal.shared_by(&["one", "two"], PARTITIONS as usize)).await;
    }

    async fn end(self) {
        for member in self.members {
            member.close().await;
        }
        self.journal.assert_nothing_again();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes; `bash .ci/run long` runs it"]
async fn the_coordinator_is_killed() {
    let Some(mut control) = real_cluster_control("processes are killed") else { return };
    let mut setting = Setting::new(&control, "coordinator").await;
    for _ in 0..2 {
        let generation = setting.members[0].generation().await;
        let victim = control.coordinator(SOON, &setting.group, |_| true).await;
        tokio::task::block_in_place(|| control.kill(victim));
        control.coordinator(SOON, &setting.group, |node| node != victim).await;
        setting.are_read(600).await;
        assert_eq!(setting.members[0].generation().await, generation, "the next coordinator knows the group");
        tokio::task::block_in_place(|| control.start(victim));
        control.in_sync(SOON).await;
    }
    setting.are_read(600).await;
    setting.journal.assert_nothing_twice();
    setting.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes; `bash .ci/run long` runs it"]
async fn every_broker_is_replaced_and_then_all_are_gone_at_once() {
    let Some(mut control) = real_cluster_control("processes are killed") else { return };
    let mut setting = Setting::new(&control, "replaced").await;
    for node in 1..=control.nodes() {
        tokio::task::block_in_place(|| control.stop(node));
        setting.are_read(600).await;
        tokio::task::block_in_place(|| control.start(node));
        control.in_sync(SOON).await;
    }
    setting.journal.assert_nothing_twice();
    tokio::task::block_in_place(|| {
        (1..=control.nodes()).for_each(|node| control.kill(node));
        control.start_all();
    });
    setting.are_read(600).await;
    setting.end().await;
}
