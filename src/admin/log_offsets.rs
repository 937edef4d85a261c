use std::{collections::BTreeSet, sync::Arc};

use parking_lot::Mutex;
use tokio::time::Instant;

use super::{
    Admin, AdminError, PerPartition,
    ledger::{Ledger, Refusal, Subject},
};
use crate::{
    cluster::{ClusterError, FoundOffset},
    model::{IsolationLevel, OffsetSpec, TopicPartition},
    wire::ErrorCode,
};

impl Admin {
    /// Asks the leaders for offsets of these partitions (ListOffsets), transactions or not, as Kafka's own tools do: the end is
    /// the high watermark. With `only_leaders` partitions that have no leader, or are not there, are `None`; without they are
    /// waited for, and an error.
    pub(super) async fn log_offsets(
        &self,
        specs: &[(TopicPartition, OffsetSpec)],
        only_leaders: bool,
    ) -> PerPartition<Option<FoundOffset>> {
        let deadline = self.deadline();
        let patience = self.cluster.config().unknown_topic_patience;
        let subjects = specs.iter().map(|(at, _)| Subject::Partition(at.clone())).collect();
        let ledger = Mutex::new(Ledger::asking("ListOffsets", subjects, patience));
        let book = &ledger;
        if !specs.is_empty() {
            self.settle(book, deadline, |open| async move {
                if self.cluster.snapshot().version == 0 {
                    self.cluster.refresh().await?;
                }
                let topics: BTreeSet<Arc<str>> = open.iter().map(|index| Arc::clone(&specs[*index].0.topic)).collect();
                let topics: Vec<Arc<str>> = topics.into_iter().collect();
                let picture = self.cluster.topics(&topics).await?;
                let now = Instant::now();
                let mut asked = Vec::new();
                for index in open {
                    let at = &specs[index].0;
                    let error = picture.topic(&at.topic).map_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, |t| t.error);
                    let leader = picture.partition(&at.topic, at.partition).map(|partition| partition.leader);
                    let code = match (error, leader) {
                        (ErrorCode::NONE, Some(Some(_))) => {
                            asked.push(index);
                            continue;
                        }
                        (ErrorCode::NONE, Some(None)) => ErrorCode::LEADER_NOT_AVAILABLE,
                        (ErrorCode::NONE, None) => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
                        (error, _) => error,
                    };
                    let is_missing =
                        matches!(code, ErrorCode::LEADER_NOT_AVAILABLE | ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
                    let result = if only_leaders && is_missing { Ok(None) } else { Err(refusal(code)) };
                    book.lock().answered(index, result, now);
                }
                let wanted: Vec<_> = asked.iter().map(|index| specs[*index].clone()).collect();
                let found = self.cluster.list_offsets_in(&picture, &wanted, IsolationLevel::ReadUncommitted).await;
                let (now, mut ledger) = (Instant::now(), book.lock());
                for index in asked {
                    match found.get(&specs[index].0) {
                        Some(Ok(found)) => ledger.answered(index, Ok(Some(*found)), now),
                        Some(Err(ClusterError::Refused { code, .. })) => {
                            ledger.answered(index, Err(refusal(*code)), now)
                        }
                        // The picture that names the leader may be newer than the one that has the addresses.
                        Some(Err(ClusterError::UnknownBroker { .. })) => {
                            ledger.answered(index, Err(refusal(ErrorCode::LEADER_NOT_AVAILABLE)), now);
                        }
                        Some(Err(error)) => ledger.failed(&[index], error, now),
                        None => ledger.answered(index, Err(Refusal::left_out()), now),
                    }
                }
                Ok(())
            })
            .await;
        }
        let results: Vec<Result<_, AdminError>> = ledger.into_inner().close(self.config.api_timeout);
        specs.iter().map(|(at, _)| at.clone()).zip(results).collect()
    }
}

fn refusal(code: ErrorCode) -> Refusal {
    Refusal { code, message: None }
}
