//! A milena member of a group in a task of its own, and what it goes through as a [`Journal`].

use std::collections::BTreeMap;

use milena::{Consumer, ConsumerBuilder, ConsumerEvent, Kafka, OffsetReset, Rebalance, TopicPartition};
use tokio::{sync::mpsc, task::JoinHandle};

use super::{
    journal::{Happening, Journal},
    numbers::number_of,
};

type Order = Box<dyn FnOnce(&mut Consumer) + Send>;

/// Ends with the test.
#[derive(Debug)]
pub struct Member {
    name: String,
    journal: Journal,
    orders: mpsc::UnboundedSender<Order>,
    task: JoinHandle<Consumer>,
}

/// When a member commits what it was handed, beside what it commits by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Commits {
    Never,
    /// After so many records; also when partitions are revoked, and at the end.
    Every(usize),
}

/// A member-to-be that hears of a rebalance soon, is missed soon, and begins at the beginning.
pub fn quick(kafka: &Kafka, group: &str) -> ConsumerBuilder {
    let builder = kafka.consumer(group).auto_offset_reset(OffsetReset::Earliest);
    builder.set("heartbeat.interval.ms", "300").set("session.timeout.ms", "6000")
}

impl Member {
    pub fn start(name: &str, consumer: Consumer, journal: &Journal, commits: Commits) -> Member {
        let (orders, ordered) = mpsc::unbounded_channel();
        let task = tokio::spawn(serve(name.to_owned(), consumer, journal.clone(), commits, ordered));
        Member { name: name.to_owned(), journal: journal.clone(), orders, task }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// How many partitions it owns now.
    pub fn owns(&self) -> usize {
        self.journal.owns(&self.name)
    }

    /// Asks its consumer something, between two records.
    pub async fn ask<T: Send + 'static>(&self, ask: impl FnOnce(&mut Consumer) -> T + Send + 'static) -> T {
        let (tell, told) = tokio::sync::oneshot::channel();
        let order: Order = Box::new(move |consumer| drop(tell.send(ask(consumer))));
        self.orders.send(order).expect("the member runs");
        told.await.expect("the member runs")
    }

    /// Its generation, once it has joined.
    pub async fn generation(&self) -> Option<i32> {
        self.ask(|consumer| consumer.membership().map(|(_, generation)| generation)).await
    }

    /// Its consumer, which is polled no more.
    pub async fn stop(self) -> Consumer {
        drop(self.orders);
        self.task.await.expect("the member does not panic")
    }

    pub async fn close(self) {
        let (name, journal) = (self.name.clone(), self.journal.clone());
        let consumer = self.stop().await;
        journal.write(&name, Happening::Gone);
        consumer.close().await;
    }

    /// Its consumer is dropped.
    pub async fn drop(self) {
        let (name, journal) = (self.name.clone(), self.journal.clone());
        let consumer = self.stop().await;
        journal.write(&name, Happening::Gone);
        drop(consumer);
    }
}

async fn serve(
    name: String,
    mut consumer: Consumer,
    journal: Journal,
    commits: Commits,
    mut orders: mpsc::UnboundedReceiver<Order>,
) -> Consumer {
    let mut handed = BTreeMap::new();
    let mut count = 0;
    loop {
        let event = tokio::select! {
            order = orders.recv() => {
                let Some(order) = order else { break };
                order(&mut consumer);
                continue;
            }
            event = consumer.next_event() => event,
        };
        match event {
            Ok(Some(ConsumerEvent::Record(record))) => {
                let (at, offset, number) = (record.topic_partition(), record.offset(), number_of(record.value()));
                handed.insert(at.clone(), offset + 1);
                journal.write(&name, Happening::Record { at, offset, number });
                count += 1;
                if matches!(commits, Commits::Every(records) if count % records == 0) {
                    commit(&name, &mut consumer, &journal, &mut handed).await;
                }
            }
            Ok(Some(ConsumerEvent::Rebalance(Rebalance::Assigned(partitions)))) => {
                journal.write(&name, Happening::Assigned(partitions.into_iter().collect()));
            }
            Ok(Some(ConsumerEvent::Rebalance(Rebalance::Revoked(partitions)))) => {
                if commits != Commits::Never {
                    commit(&name, &mut consumer, &journal, &mut handed).await;
                }
                journal.write(&name, Happening::Revoked(partitions.into_iter().collect()));
            }
            Ok(Some(ConsumerEvent::Rebalance(Rebalance::Lost(partitions)))) => {
                handed.retain(|at, _| !partitions.contains(at));
                journal.write(&name, Happening::Lost(partitions.into_iter().collect()));
            }
            Ok(other) => panic!("{name}: {other:?}"),
            Err(error) => journal.write(&name, Happening::Failed(error.to_string())),
        }
    }
    if commits != Commits::Never {
        commit(&name, &mut consumer, &journal, &mut handed).await;
    }
    consumer
}

/// Commits what was handed out since the last commit.
async fn commit(name: &str, consumer: &mut Consumer, journal: &Journal, handed: &mut BTreeMap<TopicPartition, i64>) {
    let offsets = std::mem::take(handed);
    match consumer.commit_offsets(offsets.clone()).await {
        Ok(()) => {
            for (at, offset) in offsets {
                journal.write(name, Happening::Committed { at, offset });
            }
        }
        Err(error) => journal.write(name, Happening::Failed(error.to_string())),
    }
}
