use std::{collections::BTreeMap, sync::Arc};

use futures_util::{StreamExt, stream::FuturesUnordered};
use parking_lot::Mutex;
use tokio::time::Instant;

use super::{
    Admin, AdminError,
    exchange::Terms,
    ledger::{Ledger, Refusal, Subject},
};
use crate::{
    cluster::{ClusterError, Purpose},
    model::TopicPartition,
    time::Deadline,
    wire::{
        ErrorCode,
        messages::{
            DeleteRecordsRequest,
            delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic},
            message,
        },
    },
};

impl Admin {
    /// Deletes the records of a topic before an offset in each partition: `(partition, offset)`; the offset −1 stands for the
    /// high watermark, so that nothing is kept (DeleteRecords, KIP-107). They can no longer be read when this returns; the
    /// space is freed later, a segment at a time.
    ///
    /// Returns, for each partition as named, its low watermark: the smallest log start offset of its replicas that are alive.
    /// The leaders are asked, and found anew where they have moved.
    ///
    /// # Errors
    /// In each partition's result: [`AdminError::Unknown`] if there is no such topic or partition, after a second in which a
    /// broker may yet hear of it; [`AdminError::Refused`] with OFFSET_OUT_OF_RANGE beyond the high watermark, with
    /// POLICY_VIOLATION for a topic that is only compacted; and see [`AdminError`].
    pub async fn delete_records(
        &self,
        topic: &str,
        before: impl IntoIterator<Item = (i32, i64)>,
    ) -> Vec<(i32, Result<i64, AdminError>)> {
        let deadline = self.deadline();
        let topic: Arc<str> = Arc::from(topic);
        let before: Vec<(i32, i64)> = before.into_iter().collect();
        let partition = |(partition, _): &(i32, i64)| TopicPartition::new(Arc::clone(&topic), *partition);
        let subjects = before.iter().map(|entry| Subject::Partition(partition(entry))).collect();
        let patience = self.cluster.config().unknown_topic_patience;
        let ledger = Mutex::new(Ledger::changing_with("DeleteRecords", subjects, patience));
        let (book, name, wanted) = (&ledger, &topic, &before);
        self.settle(book, deadline, |open| async move {
            let leaders = self.leaders(name, wanted, &open, book).await?;
            let mut asked: FuturesUnordered<_> = leaders
                .into_iter()
                .map(|(leader, indexes)| self.ask_leader(leader, indexes, name, wanted, book, deadline))
                .collect();
            while asked.next().await.is_some() {}
            Ok(())
        })
        .await;
        let results = ledger.into_inner().close(self.config.api_timeout);
        before.into_iter().map(|(partition, _)| partition).zip(results).collect()
    }

    /// Which leader is to be asked for which of the open entries; those without one are answered here.
    async fn leaders(
        &self,
        topic: &Arc<str>,
        before: &[(i32, i64)],
        open: &[usize],
        ledger: &Mutex<Ledger<i64>>,
    ) -> Result<BTreeMap<i32, Vec<usize>>, ClusterError> {
        if self.cluster.snapshot().version == 0 {
            self.cluster.refresh().await?;
        }
        let picture = self.cluster.topics(std::slice::from_ref(topic)).await?;
        let now = Instant::now();
        let error = picture.topic(topic).map_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, |t| t.error);
        let mut ledger = ledger.lock();
        let mut leaders: BTreeMap<i32, Vec<usize>> = BTreeMap::new();
        for index in open.iter().copied() {
            let code = match (error, picture.partition(topic, before[index].0)) {
                (ErrorCode::NONE, None) => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
                (ErrorCode::NONE, Some(partition)) => match partition.leader {
                    Some(leader) => {
                        leaders.entry(leader).or_default().push(index);
                        continue;
                    }
                    None => ErrorCode::LEADER_NOT_AVAILABLE,
                },
                (error, _) => error,
            };
            ledger.answered(index, Err(Refusal { code, message: None }), now);
        }
        Ok(leaders)
    }

    /// One leader's answer goes into the ledger, whatever it is.
    async fn ask_leader(
        &self,
        leader: i32,
        indexes: Vec<usize>,
        topic: &Arc<str>,
        before: &[(i32, i64)],
        ledger: &Mutex<Ledger<i64>>,
        deadline: Deadline,
    ) {
        let asked = async {
            let connection = self.cluster.connection(leader, Purpose::Control).await?;
            let request = |terms: Terms| {
                let partitions = indexes.iter().map(|index| {
                    let (partition_index, offset) = before[*index];
                    message!(DeleteRecordsPartition { partition_index: partition_index, offset: offset })
                });
                message!(DeleteRecordsRequest {
                    topics: vec![message!(DeleteRecordsTopic {
                        name: (&**topic).into(),
                        partitions: partitions.collect(),
                    })],
                    timeout_ms: terms.timeout_ms,
                })
            };
            self.call(&connection, ledger, &indexes, deadline, request).await
        };
        let answer = asked.await;
        let (now, mut ledger) = (Instant::now(), ledger.lock());
        match answer {
            // The picture that names the leader may be newer than the one that has the addresses.
            Err(ClusterError::UnknownBroker { .. }) => {
                let refusal = Refusal { code: ErrorCode::LEADER_NOT_AVAILABLE, message: None };
                indexes.iter().for_each(|index| ledger.answered(*index, Err(refusal.clone()), now));
            }
            Err(error) => ledger.failed(&indexes, &error, now),
            Ok(answer) => {
                let named = answer.topics.iter().filter(|part| part.name.as_str() == &**topic);
                let parts: Vec<_> = named.flat_map(|part| &part.partitions).collect();
                for index in indexes {
                    let part = parts.iter().find(|part| part.partition_index == before[index].0);
                    let result = part.map_or_else(
                        || Err(Refusal::left_out()),
                        |part| Refusal::check(part.error_code, None).map(|()| part.low_watermark),
                    );
                    ledger.answered(index, result, now);
                }
            }
        }
    }
}
