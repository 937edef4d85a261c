use std::{
    collections::BTreeMap,
    error::Error,
    time::{Duration, Instant},
};

use futures_util::FutureExt;
use milena::{
    Commit, CommitError, ConsumeError, Consumer, ConsumerEvent, Kafka, OffsetReset, OffsetSpec, Rebalance,
    TopicPartition,
};

use crate::{
    args::Consume,
    consume::{BUFFER, flush, print},
    stop,
};

/// How often what was printed is committed, as consumers do it by themselves.
const COMMIT_EVERY: Duration = Duration::from_secs(5);
/// How often it is looked whether the end is reached, while nothing comes: a position may move without a record.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How long the last commit may keep the program from ending.
const LAST_COMMIT: Duration = Duration::from_secs(10);

/// Prints records as a member of a group, and commits what has been written to stdout, never more. On the count, the end or a
/// signal to stop it commits, and leaves the group.
pub(crate) async fn run(kafka: &Kafka, group: &str, options: Consume, json: bool) -> Result<(), Box<dyn Error>> {
    let mut builder = kafka.consumer(group).auto_commit(None);
    builder = match options.from {
        Some(OffsetSpec::Beginning) => builder.auto_offset_reset(OffsetReset::Earliest),
        Some(OffsetSpec::End) => builder.auto_offset_reset(OffsetReset::Latest),
        _ => builder,
    };
    let names = options.topics.iter().map(String::as_str);
    if options.pattern {
        let patterns: Vec<String> = names.map(|pattern| format!("(?:{pattern})")).collect();
        builder = builder.subscribe_pattern(patterns.join("|"));
    } else {
        // A member waits for a topic that is not there; a person has mistyped its name.
        for (_, described) in kafka.admin().describe_topics(names.clone()).await {
            described?;
        }
        builder = builder.subscribe(names);
    }
    let mut consumer = builder.build().await?;
    let read = read(&mut consumer, options, json).await;
    let last = match &read {
        // Nobody reads what is printed: how much of it arrived is not known.
        Err(error) if error.is::<std::io::Error>() => Ok(()),
        _ => match tokio::time::timeout(LAST_COMMIT, consumer.commit()).await {
            Ok(last) => last,
            Err(_) => Err(CommitError::TimedOut { after: LAST_COMMIT }),
        },
    };
    consumer.close().await;
    read?;
    match last {
        // They are others' to read, and what was printed of them was committed when they were given up.
        Err(CommitError::NotOwned { .. }) => Ok(()),
        last => Ok(last?),
    }
}

/// All that was handed out has been written to stdout when this returns without an I/O error.
async fn read(consumer: &mut Consumer, options: Consume, json: bool) -> Result<(), Box<dyn Error>> {
    let mut out = Vec::with_capacity(BUFFER);
    let mut left = options.count.unwrap_or(u64::MAX);
    let mut ends = options.exit_at_end.then(Ends::default);
    let mut commit: Option<Commit> = None;
    let mut committed = Instant::now();
    let mut interrupted = std::pin::pin!(stop::signal());
    // From here on a signal ends nothing by itself.
    let _ = (&mut interrupted).now_or_never();
    while left > 0 {
        let event = match consumer.next_event().now_or_never() {
            Some(event) => event,
            None => {
                // Whoever reads sees what there is while nothing comes.
                flush(&mut out)?;
                if ends.as_mut().is_some_and(|ends| ends.are_reached(consumer)) {
                    break;
                }
                if commit.is_none() && committed.elapsed() >= COMMIT_EVERY {
                    commit = Some(consumer.commit());
                }
                let under_way = commit.is_some();
                let pause = if ends.is_some() { LOOK_EVERY } else { COMMIT_EVERY };
                tokio::select! {
                    event = consumer.next_event() => event,
                    end = async { commit.as_mut()?.await.err() }, if under_way => {
                        (commit, committed) = (None, Instant::now());
                        tell(end);
                        continue;
                    }
                    () = tokio::time::sleep(pause) => continue,
                    () = &mut interrupted => break,
                }
            }
        };
        match event {
            Ok(Some(ConsumerEvent::Record(record))) => {
                print(&mut out, &record, &options, json)?;
                left -= 1;
                if let Some(ends) = &ends {
                    ends.pause_at_end(consumer, &record.topic_partition(), record.offset() + 1)?;
                }
                if out.len() >= BUFFER {
                    flush(&mut out)?;
                    if commit.is_none() && committed.elapsed() >= COMMIT_EVERY {
                        commit = Some(consumer.commit());
                    }
                }
            }
            Ok(Some(ConsumerEvent::Rebalance(rebalance))) => {
                flush(&mut out)?;
                if let Rebalance::Revoked(_) = &rebalance {
                    tell(consumer.commit().await.err());
                }
                if let Some(ends) = &mut ends {
                    ends.rebalanced(consumer, rebalance).await?;
                }
            }
            Ok(None) => break,
            // It joins again by itself.
            Err(error @ ConsumeError::PollOverdue { .. }) => eprintln!("milena: {error}"),
            Err(error) => {
                flush(&mut out)?;
                return Err(error.into());
            }
        }
    }
    Ok(flush(&mut out)?)
}

/// A commit that failed: the next one says more, and the last is an error.
fn tell(failure: Option<CommitError>) {
    match failure {
        None | Some(CommitError::NotOwned { .. }) => {}
        Some(error) => eprintln!("milena: {error}"),
    }
}

/// Where the partitions of this member ended when it got them.
#[derive(Debug, Default)]
struct Ends {
    /// Whether it has been told of any assignment, maybe of nothing.
    assigned: bool,
    offsets: BTreeMap<TopicPartition, i64>,
}

impl Ends {
    async fn rebalanced(&mut self, consumer: &Consumer, rebalance: Rebalance) -> Result<(), ConsumeError> {
        match rebalance {
            Rebalance::Assigned(partitions) => {
                self.assigned = true;
                self.offsets.extend(consumer.end_offsets(&partitions).await?);
            }
            Rebalance::Revoked(gone) | Rebalance::Lost(gone) => {
                // Until the next assignment nothing is known.
                self.assigned = false;
                self.offsets.retain(|at, _| !gone.contains(at));
            }
            _ => {}
        }
        Ok(())
    }

    /// What comes to the partition behind its end is not read.
    fn pause_at_end(&self, consumer: &mut Consumer, at: &TopicPartition, position: i64) -> Result<(), ConsumeError> {
        match self.offsets.get(at) {
            Some(end) if position >= *end => match consumer.pause(std::slice::from_ref(at)) {
                // Lost since the record came: another member reads it.
                Err(ConsumeError::NotAssigned { .. }) => Ok(()),
                paused => paused,
            },
            _ => Ok(()),
        }
    }

    fn are_reached(&self, consumer: &Consumer) -> bool {
        let is_reached =
            |(at, end): (&TopicPartition, &i64)| consumer.position(at).is_some_and(|offset| offset >= *end);
        self.assigned && self.offsets.iter().all(is_reached)
    }
}
