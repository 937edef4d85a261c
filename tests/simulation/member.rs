//! A member of the group: what it does with its records, and what it must not meet.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use milena::{ConsumeError, Consumer, ConsumerEvent, ConsumerRecord, Kafka, OffsetSpec, Rebalance, TopicPartition};
use tokio::{sync::oneshot, time::Instant};

use super::{
    handed::{GROUP, Handed},
    schedule::{Commits, Ending, MemberPlan, Schedule},
};

/// Closing takes 25 s at the most, however the coordinator does.
const CLOSING: Duration = Duration::from_millis(25_500);
/// With nothing in its way it commits and leaves, which takes no time here.
const CLOSING_IN_CALM: Duration = Duration::from_secs(5);

struct Member {
    number: usize,
    who: String,
    plan: MemberPlan,
    handed: Handed,
    random: fastrand::Rng,
    too_slow: u32,
    /// What it owns as far as it was told, and the next offset of each once it had a record of it.
    owned: BTreeMap<TopicPartition, Option<i64>>,
    /// Done with, and not committed by itself yet.
    uncommitted: BTreeMap<TopicPartition, i64>,
    count: u32,
}

/// A member's whole life: until its plan ends it, or until it is told to stop.
pub async fn consume(
    kafka: Kafka,
    schedule: Arc<Schedule>,
    number: usize,
    handed: Handed,
    stop: oneshot::Receiver<()>,
) -> Result<(), ConsumeError> {
    let start = Instant::now();
    let plan = schedule.members[number].clone();
    tokio::time::sleep(plan.joins).await;
    let topics = schedule.topics.iter().map(|(name, _)| *name);
    let builder = kafka.consumer(GROUP).subscribe(topics);
    let builder = plan.settings.iter().fold(builder, |builder, (key, value)| builder.set(*key, value));
    let consumer = builder.build().await?;
    drop(kafka);
    let member = Member {
        number,
        who: format!("m{number}"),
        handed,
        random: fastrand::Rng::with_seed(schedule.seed ^ number as u64),
        too_slow: plan.too_slow,
        plan,
        owned: BTreeMap::new(),
        uncommitted: BTreeMap::new(),
        count: 0,
    };
    let ending = member.plan.ends.map(|(_, ending)| ending).unwrap_or(Ending::Closed);
    let ends_at = member.plan.ends.map(|(at, _)| start + at);
    let end = async {
        match ends_at {
            Some(at) => tokio::time::sleep_until(at).await,
            None => drop(stop.await),
        }
    };
    member.live(consumer, end, ending).await;
    Ok(())
}

impl Member {
    fn write(&self, what: impl std::fmt::Display) {
        self.handed.journal().write(&self.who, what);
    }

    fn violation(&self, what: impl std::fmt::Display) {
        self.handed.journal().violation(format_args!("{}: {what}", self.who));
    }

    async fn live(mut self, mut consumer: Consumer, end: impl Future<Output = ()>, ending: Ending) {
        tokio::pin!(end);
        loop {
            let event = tokio::select! {
                biased;
                () = &mut end => break,
                event = consumer.next_event() => event,
            };
            self.handed.look_at_commits();
            match event {
                Ok(Some(ConsumerEvent::Record(record))) => {
                    self.meet(&consumer, &record);
                    let slow = self.slowness();
                    let handling = async {
                        if !slow.is_zero() {
                            tokio::time::sleep(slow).await;
                        }
                    };
                    // Whoever is dropped does not wait for the end of what it does.
                    let dropped = async {
                        match ending {
                            Ending::Dropped => (&mut end).await,
                            Ending::Closed => std::future::pending().await,
                        }
                    };
                    tokio::select! {
                        biased;
                        () = handling => {}
                        () = dropped => break,
                    }
                    self.is_done(&mut consumer, &record);
                }
                Ok(Some(ConsumerEvent::Rebalance(rebalance))) => self.rebalance(&mut consumer, rebalance).await,
                Ok(None) => {
                    self.violation("the consumer has come to an end");
                    break;
                }
                Err(error) => self.failed(&mut consumer, &error),
            }
        }
        self.end(consumer, ending).await;
    }

    /// A record was handed out: the next of a partition that this member owns.
    fn meet(&mut self, consumer: &Consumer, record: &ConsumerRecord) {
        let (at, offset) = (record.topic_partition(), record.offset());
        self.write(format_args!("{at}:{offset}"));
        match self.owned.get_mut(&at) {
            None => self.violation(format_args!("was handed {at}:{offset}, and does not own it")),
            Some(next) => {
                if let Some(expected) = next.replace(offset + 1).filter(|expected| *expected != offset) {
                    self.violation(format_args!("was handed {at}:{offset}, and {expected} was to be next"));
                }
            }
        }
        if consumer.position(&at).is_some_and(|position| position != offset + 1) {
            self.violation(format_args!("was handed {at}:{offset}, and is at {:?}", consumer.position(&at)));
        }
        self.handed.record(&at, offset);
    }

    fn slowness(&mut self) -> Duration {
        if self.too_slow > 0 && self.random.u32(..100) < 10 {
            self.too_slow -= 1;
            return self.plan.max_poll_interval + Duration::from_secs(3);
        }
        match self.random.u32(..100) < self.plan.slow_percent {
            true => self.plan.slow,
            false => Duration::ZERO,
        }
    }

    fn is_done(&mut self, consumer: &mut Consumer, record: &ConsumerRecord) {
        let (at, offset) = (record.topic_partition(), record.offset());
        self.handed.done(self.number, &at, offset);
        self.count += 1;
        if let Commits::Every(records) = self.plan.commits {
            self.uncommitted.insert(at, offset + 1);
            if self.count.is_multiple_of(records) {
                self.uncommitted.remove(&record.topic_partition());
                // Under way, whether it is awaited or not.
                drop(consumer.commit_record(record));
            }
        }
    }

    async fn rebalance(&mut self, consumer: &mut Consumer, rebalance: Rebalance) {
        self.write(format_args!("{rebalance:?}"));
        match rebalance {
            Rebalance::Assigned(partitions) => {
                self.handed.assigned(self.number, &partitions);
                self.owned.extend(partitions.into_iter().map(|at| (at, None)));
            }
            Rebalance::Revoked(partitions) => {
                self.commit(consumer, Some(&partitions)).await;
                self.gone(&partitions);
            }
            Rebalance::Lost(partitions) => {
                if self.handed.is_gentle() {
                    self.violation(format_args!("lost {partitions:?}, and nothing was to take it away"));
                }
                self.gone(&partitions);
            }
            other => self.violation(format_args!("{other:?}")),
        }
    }

    fn gone(&mut self, partitions: &[TopicPartition]) {
        let gone: BTreeSet<_> = partitions.iter().collect();
        self.owned.retain(|at, _| !gone.contains(at));
        self.uncommitted.retain(|at, _| !gone.contains(at));
        self.handed.gone(self.number, Some(partitions));
    }

    /// Commits by itself what it is done with, of these partitions or of all.
    async fn commit(&mut self, consumer: &mut Consumer, only: Option<&[TopicPartition]>) {
        let is_meant = |at: &TopicPartition| only.is_none_or(|only| only.contains(at));
        let offsets: Vec<_> = self.uncommitted.extract_if(.., |at, _| is_meant(at)).collect();
        if offsets.is_empty() {
            return;
        }
        match consumer.commit_offsets(offsets.clone()).await {
            Ok(()) => self.write(format_args!("committed {offsets:?}")),
            Err(error) => self.write(format_args!("not committed {offsets:?}: {error}")),
        }
    }

    fn failed(&mut self, consumer: &mut Consumer, error: &ConsumeError) {
        self.write(format_args!("{error}"));
        match error {
            // Once more: it was broken on its way.
            ConsumeError::Corrupt { partition, offset, .. } => {
                let _ = consumer.seek(partition, OffsetSpec::At(*offset));
            }
            ConsumeError::PollOverdue { .. } if !self.handed.is_gentle() => {}
            other => self.violation(format_args!("{other}")),
        }
    }

    async fn end(mut self, mut consumer: Consumer, ending: Ending) {
        self.write(format_args!("ends: {ending:?}"));
        if ending == Ending::Dropped {
            drop(consumer);
            self.handed.gone(self.number, None);
            return;
        }
        self.commit(&mut consumer, None).await;
        // Others may have its partitions before it knows that it has left.
        self.handed.gone(self.number, None);
        let limit = if self.plan.ends.is_none() { CLOSING_IN_CALM } else { CLOSING };
        match tokio::time::timeout(limit, consumer.close()).await {
            Ok(()) => self.write("closed"),
            Err(_) => self.violation(format_args!("is not closed after {limit:?}")),
        }
    }
}
