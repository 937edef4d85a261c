use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use futures_util::{StreamExt, stream::FuturesUnordered};

use super::{Cluster, ClusterError, Purpose, Snapshot};
use crate::{
    model::{IsolationLevel, OffsetSpec, TopicPartition},
    time::Deadline,
    wire::{
        ErrorCode,
        messages::{
            ListOffsetsRequest, ListOffsetsResponse, OffsetForLeaderEpochRequest,
            list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic},
            message,
            offset_for_leader_epoch_request::{OffsetForLeaderPartition, OffsetForLeaderTopic},
        },
    },
};

/// An offset that a leader has found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FoundOffset {
    /// −1 where no record has the timestamp asked for, or a later one.
    pub(crate) offset: i64,
    /// The record's, in milliseconds; −1 for beginning and end.
    pub(crate) timestamp: i64,
    /// −1 where the broker tells none.
    pub(crate) leader_epoch: i32,
}

/// Where a leader epoch ends in the leader's log: −1 for both where it knows none at or below the one asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EpochEnd {
    pub(crate) leader_epoch: i32,
    pub(crate) end_offset: i64,
}

/// An epoch to be looked up: that of the last record read, under the leader epoch that the client knows.
#[derive(Debug, Clone)]
pub(crate) struct EpochQuery {
    pub(crate) partition: TopicPartition,
    pub(crate) leader_epoch: i32,
    pub(crate) current_leader_epoch: i32,
}

pub(crate) type PerPartition<T> = BTreeMap<TopicPartition, Result<T, ClusterError>>;

impl Cluster {
    /// Asks the leaders for offsets (ListOffsets), each once, side by side. Every partition asked for has a result.
    pub(crate) async fn list_offsets(
        &self,
        specs: &[(TopicPartition, OffsetSpec)],
        isolation: IsolationLevel,
    ) -> PerPartition<FoundOffset> {
        self.list_offsets_in(&self.snapshot(), specs, isolation).await
    }

    /// As [`list_offsets`](Cluster::list_offsets), of the leaders in a picture beside the kept one.
    pub(crate) async fn list_offsets_in(
        &self,
        picture: &Snapshot,
        specs: &[(TopicPartition, OffsetSpec)],
        isolation: IsolationLevel,
    ) -> PerPartition<FoundOffset> {
        let mut found = PerPartition::new();
        let mut by_leader: BTreeMap<i32, BTreeMap<Arc<str>, Vec<ListOffsetsPartition>>> = BTreeMap::new();
        for (at, spec) in specs {
            let partition = picture.partition(&at.topic, at.partition);
            let Some((leader, epoch)) = partition.and_then(|p| Some((p.leader?, p.leader_epoch))) else {
                found.insert(at.clone(), Err(refused("ListOffsets", ErrorCode::LEADER_NOT_AVAILABLE)));
                continue;
            };
            let timestamp = match spec {
                OffsetSpec::At(offset) => {
                    let known = FoundOffset { offset: *offset, timestamp: -1, leader_epoch: -1 };
                    found.insert(at.clone(), Ok(known));
                    continue;
                }
                OffsetSpec::Beginning => -2,
                OffsetSpec::End => -1,
                OffsetSpec::Timestamp(timestamp) => timestamp.as_millis(),
            };
            let query = message!(ListOffsetsPartition {
                partition_index: at.partition,
                current_leader_epoch: epoch,
                timestamp: timestamp,
            });
            by_leader.entry(leader).or_default().entry(Arc::clone(&at.topic)).or_default().push(query);
        }
        let mut asked: FuturesUnordered<_> = by_leader
            .into_iter()
            .map(|(leader, topics)| async move {
                let names: Vec<TopicPartition> = partitions_of(&topics, |p| p.partition_index);
                let request = message!(ListOffsetsRequest {
                    replica_id: -1,
                    isolation_level: isolation as i8,
                    timeout_ms: self.config().request_timeout.as_millis() as i32,
                    topics: topics
                        .into_iter()
                        .map(|(name, partitions)| message!(ListOffsetsTopic {
                            name: (&*name).into(),
                            partitions: partitions,
                        }))
                        .collect(),
                });
                (names, self.ask_leader(leader, request).await)
            })
            .collect();
        while let Some((names, answer)) = asked.next().await {
            match answer {
                Err(error) => found.extend(names.into_iter().map(|at| (at, Err(error.clone())))),
                Ok(answer) => found.extend(filed(&answer, names)),
            }
        }
        found
    }

    /// As [`list_offsets`](Cluster::list_offsets), asking again what failed and may succeed, until the deadline.
    ///
    /// # Errors
    /// The first partition's failure that asking again does not mend, or the last one when time is up.
    pub(crate) async fn find_offsets(
        &self,
        specs: &[(TopicPartition, OffsetSpec)],
        isolation: IsolationLevel,
        deadline: Deadline,
    ) -> Result<HashMap<TopicPartition, FoundOffset>, ClusterError> {
        for (at, _) in specs {
            self.topic(&at.topic, deadline).await?;
        }
        let done = parking_lot::Mutex::new(HashMap::new());
        self.retrying(deadline, || async {
            let left: Vec<_> = specs.iter().filter(|(at, _)| !done.lock().contains_key(at)).cloned().collect();
            let mut failed = None;
            for (at, result) in self.list_offsets(&left, isolation).await {
                match result {
                    Ok(found) => drop(done.lock().insert(at, found)),
                    Err(error) if !error.is_retriable() => return Err(error),
                    Err(error) => failed = Some(error),
                }
            }
            failed.map_or(Ok(()), Err)
        })
        .await?;
        Ok(done.into_inner())
    }

    /// Asks the leaders where epochs end (OffsetForLeaderEpoch, KIP-320), each once, side by side.
    pub(crate) async fn epoch_ends(&self, queries: Vec<EpochQuery>) -> PerPartition<EpochEnd> {
        let picture = self.snapshot();
        let mut found = PerPartition::new();
        let mut by_leader: BTreeMap<i32, BTreeMap<Arc<str>, Vec<OffsetForLeaderPartition>>> = BTreeMap::new();
        for query in queries {
            let at = query.partition;
            let Some(leader) = picture.partition(&at.topic, at.partition).and_then(|p| p.leader) else {
                found.insert(at, Err(refused("OffsetForLeaderEpoch", ErrorCode::LEADER_NOT_AVAILABLE)));
                continue;
            };
            let partition = message!(OffsetForLeaderPartition {
                partition: at.partition,
                current_leader_epoch: query.current_leader_epoch,
                leader_epoch: query.leader_epoch,
            });
            by_leader.entry(leader).or_default().entry(at.topic).or_default().push(partition);
        }
        let mut asked: FuturesUnordered<_> = by_leader
            .into_iter()
            .map(|(leader, topics)| async move {
                let names: Vec<TopicPartition> = partitions_of(&topics, |p| p.partition);
                let request = message!(OffsetForLeaderEpochRequest {
                    replica_id: -1,
                    topics: topics
                        .into_iter()
                        .map(|(name, partitions)| message!(OffsetForLeaderTopic {
                            topic: (&*name).into(),
                            partitions: partitions,
                        }))
                        .collect(),
                });
                (names, self.ask_leader(leader, request).await)
            })
            .collect();
        while let Some((names, answer)) = asked.next().await {
            match answer {
                Err(error) => found.extend(names.into_iter().map(|at| (at, Err(error.clone())))),
                Ok(answer) => {
                    for topic in &answer.topics {
                        for p in &topic.partitions {
                            let at = TopicPartition::new(topic.topic.as_str(), p.partition);
                            let end = EpochEnd { leader_epoch: p.leader_epoch, end_offset: p.end_offset };
                            let result = ErrorCode::new(p.error_code).check().map(|()| end);
                            found.insert(at, result.map_err(|code| refused("OffsetForLeaderEpoch", code)));
                        }
                    }
                    for at in names {
                        let left_out = || Err(refused("OffsetForLeaderEpoch", ErrorCode::UNKNOWN_TOPIC_OR_PARTITION));
                        found.entry(at).or_insert_with(left_out);
                    }
                }
            }
        }
        found
    }

    async fn ask_leader<R: crate::wire::Api>(&self, leader: i32, request: R) -> Result<R::Answer, ClusterError> {
        let connection = self.connection(leader, Purpose::Control).await?;
        Ok(connection.call(request, self.config().request_timeout).await?)
    }
}

/// A result for each partition asked for, and for no other.
fn filed(answer: &ListOffsetsResponse, asked: Vec<TopicPartition>) -> PerPartition<FoundOffset> {
    let left_out = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
    let mut found: PerPartition<FoundOffset> =
        asked.into_iter().map(|at| (at, Err(refused("ListOffsets", left_out)))).collect();
    for topic in &answer.topics {
        let name: Arc<str> = Arc::from(topic.name.as_str());
        for p in &topic.partitions {
            let Some(result) = found.get_mut(&TopicPartition::new(Arc::clone(&name), p.partition_index)) else {
                continue;
            };
            let (offset, timestamp, leader_epoch) = (p.offset, p.timestamp, p.leader_epoch);
            let checked = ErrorCode::new(p.error_code).check();
            *result = checked
                .map(|()| FoundOffset { offset, timestamp, leader_epoch })
                .map_err(|code| refused("ListOffsets", code));
        }
    }
    found
}

fn partitions_of<P>(topics: &BTreeMap<Arc<str>, Vec<P>>, index: impl Fn(&P) -> i32) -> Vec<TopicPartition> {
    let each = |(name, partitions): (&Arc<str>, &Vec<P>)| {
        partitions.iter().map(|p| TopicPartition::new(Arc::clone(name), index(p))).collect::<Vec<_>>()
    };
    topics.iter().flat_map(each).collect()
}

fn refused(api: &'static str, code: ErrorCode) -> ClusterError {
    ClusterError::Refused { api, code, message: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{
        Api,
        messages::list_offsets_response::{ListOffsetsPartitionResponse, ListOffsetsTopicResponse},
        mutations,
    };

    #[test]
    fn a_mutated_answer_gives_what_was_asked_for_and_no_more() {
        const PARTITIONS: i32 = 3;
        let mut random = fastrand::Rng::with_seed(4);
        let partition = |index| message!(ListOffsetsPartitionResponse { partition_index: index, offset: 5 });
        let sample = message!(ListOffsetsResponse {
            topics: vec![message!(ListOffsetsTopicResponse {
                name: "t".into(),
                partitions: (0..PARTITIONS).map(partition).collect(),
            })],
        });
        let (low, high) = <ListOffsetsRequest as Api>::VERSIONS;
        let frames: Vec<Vec<u8>> = (low..=high).map(|v| mutations::frame::<ListOffsetsRequest>(v, &sample)).collect();
        let asked: Vec<TopicPartition> = (0..PARTITIONS).map(|p| TopicPartition::new("t", p)).collect();
        let (mut read, mut found, mut missed) = (0, 0, 0);
        for round in 0..mutations::count() as usize {
            let at = round % frames.len();
            let mut frame = frames[at].clone();
            mutations::mutate(&mut random, &mut frame);
            let Ok(answer) = mutations::read::<ListOffsetsRequest>(low + at as i16, frame) else { continue };
            read += 1;
            let results = filed(&answer, asked.clone());
            assert!(results.len() == asked.len() && asked.iter().all(|at| results.contains_key(at)));
            found += results.values().filter(|result| result.is_ok()).count();
            missed += results.values().filter(|result| result.is_err()).count();
        }
        assert!(read > 0 && found > 0 && missed > 0);
    }
}
