use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use parking_lot::Mutex;
use tokio::time::Instant;

use super::{
    Admin, AdminError, PerPartition,
    exchange::Target,
    ledger::{Ledger, Refusal, Subject},
};
use crate::{
    model::{OffsetAndMetadata, TopicPartition},
    wire::{
        Api,
        messages::{
            OffsetCommitRequest, OffsetDeleteRequest, OffsetFetchRequest, message,
            offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic},
            offset_delete_request::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic},
            offset_fetch_request::OffsetFetchRequestGroup,
        },
    },
};

type Offsets = BTreeMap<TopicPartition, OffsetAndMetadata>;

/// What a coordinator answered for partitions; a refusal of all of them comes first.
type Answers = Result<HashMap<TopicPartition, Result<(), Refusal>>, Refusal>;

impl Admin {
    /// All that a group, of whatever type, has committed, by partition (OffsetFetch). Nothing for a group that does not exist:
    /// brokers do not tell it apart from one that has committed nothing.
    ///
    /// What a transaction has not yet committed does not count.
    ///
    /// # Errors
    /// See [`AdminError`].
    pub async fn group_offsets(&self, group: &str) -> Result<Offsets, AdminError> {
        let id: Arc<str> = Arc::from(group);
        let patience = self.cluster.config().unknown_topic_patience;
        let ledger = Ledger::asking("OffsetFetch", vec![Subject::of_group(&id)], patience);
        let fetched = self
            .exchange(
                Target::Coordinator(id),
                ledger,
                self.deadline(),
                |_, terms| match terms.version {
                    8.. => message!(OffsetFetchRequest {
                        groups: vec![message!(OffsetFetchRequestGroup { group_id: group.into(), topics: None })],
                    }),
                    _ => message!(OffsetFetchRequest { group_id: group.into(), topics: None }),
                },
                |answer| vec![(group.to_owned(), offsets(answer))],
            )
            .await;
        fetched.into_iter().next().unwrap_or_else(|| Ok(Offsets::new()))
    }

    /// Commits offsets for a group that has no active member, each that of the next record to be read (OffsetCommit). A group
    /// that does not exist comes to be. They are committed as they are: see
    /// [`reset_group_offsets`](Admin::reset_group_offsets) for offsets that are in the logs.
    ///
    /// # Errors
    /// In each partition's result: [`AdminError::ActiveMembers`]; [`AdminError::Unknown`] if there is no such partition; and
    /// see [`AdminError`].
    pub async fn alter_group_offsets<O: Into<OffsetAndMetadata>>(
        &self,
        group: &str,
        offsets: impl IntoIterator<Item = (TopicPartition, O)>,
    ) -> PerPartition<()> {
        let (partitions, offsets): (Vec<TopicPartition>, Vec<OffsetAndMetadata>) =
            offsets.into_iter().map(|(at, offset)| (at, offset.into())).unzip();
        let request = |open: &[(usize, &TopicPartition)]| {
            let mut topics: BTreeMap<&str, Vec<OffsetCommitRequestPartition>> = BTreeMap::new();
            for (index, at) in open {
                let OffsetAndMetadata { offset, leader_epoch, metadata } = &offsets[*index];
                topics.entry(&at.topic).or_default().push(message!(OffsetCommitRequestPartition {
                    partition_index: at.partition,
                    committed_offset: *offset,
                    committed_leader_epoch: *leader_epoch,
                    committed_metadata: Some((&**metadata).into()),
                }));
            }
            let topics = topics.into_iter().map(|(name, partitions)| {
                message!(OffsetCommitRequestTopic { name: name.into(), partitions: partitions })
            });
            message!(OffsetCommitRequest {
                group_id: group.into(),
                // Of no member.
                generation_id_or_member_epoch: -1,
                topics: topics.collect(),
            })
        };
        self.each_offset(group, &partitions, request, |answer| {
            let topics = answer.topics.iter();
            let each =
                topics.flat_map(|t| t.partitions.iter().map(|p| (t.name.as_str(), p.partition_index, p.error_code)));
            Ok(filed(each))
        })
        .await
    }

    /// Has a group, of whatever type, forget what it has committed of these partitions (OffsetDelete, KIP-496; since Kafka
    /// 2.4). Where it has committed nothing that is no error.
    ///
    /// # Errors
    /// In each partition's result: [`AdminError::ActiveMembers`] while members read the topic; [`AdminError::Unknown`] if there
    /// is no such group or partition; and see [`AdminError`].
    pub async fn delete_group_offsets(
        &self,
        group: &str,
        partitions: impl IntoIterator<Item = TopicPartition>,
    ) -> PerPartition<()> {
        let partitions: Vec<TopicPartition> = partitions.into_iter().collect();
        let request = |open: &[(usize, &TopicPartition)]| {
            let mut topics: BTreeMap<&str, Vec<OffsetDeleteRequestPartition>> = BTreeMap::new();
            for (_, at) in open {
                let partition = message!(OffsetDeleteRequestPartition { partition_index: at.partition });
                topics.entry(&at.topic).or_default().push(partition);
            }
            let topics = topics.into_iter().map(|(name, partitions)| {
                message!(OffsetDeleteRequestTopic { name: name.into(), partitions: partitions })
            });
            message!(OffsetDeleteRequest { group_id: group.into(), topics: topics.collect() })
        };
        self.each_offset(group, &partitions, request, |answer| {
            Refusal::check(answer.error_code, None)?;
            let topics = answer.topics.iter();
            let each =
                topics.flat_map(|t| t.partitions.iter().map(|p| (t.name.as_str(), p.partition_index, p.error_code)));
            Ok(filed(each))
        })
        .await
    }

    /// Asks a group's coordinator to change what it has of these partitions, until each has its answer.
    async fn each_offset<R: Api>(
        &self,
        group: &str,
        partitions: &[TopicPartition],
        request: impl Fn(&[(usize, &TopicPartition)]) -> R,
        read: impl Fn(R::Answer) -> Answers,
    ) -> PerPartition<()> {
        let deadline = self.deadline();
        let group: Arc<str> = Arc::from(group);
        let subject = |at: &TopicPartition| Subject::Offset { group: Arc::clone(&group), partition: at.clone() };
        // The coordinator may not have heard of a new topic yet.
        let patience = self.cluster.config().unknown_topic_patience;
        let subjects = partitions.iter().map(subject).collect();
        let ledger = Mutex::new(Ledger::changing_with(R::NAME, subjects, patience));
        let target = Target::Coordinator(Arc::clone(&group));
        let (book, target, request, read) = (&ledger, &target, &request, &read);
        if !partitions.is_empty() {
            self.settle(book, deadline, |open| async move {
                let connection = self.connect(target).await?;
                let asked: Vec<_> = open.iter().map(|index| (*index, &partitions[*index])).collect();
                let answer = self.call(&connection, book, &open, deadline, |_| request(&asked)).await?;
                let (answers, now) = (read(answer), Instant::now());
                let mut ledger = book.lock();
                for (index, at) in asked {
                    let result = match &answers {
                        Ok(answers) => answers.get(at).cloned().unwrap_or_else(|| Err(Refusal::left_out())),
                        Err(refusal) => Err(refusal.clone()),
                    };
                    ledger.answered(index, result, now);
                }
                Ok(())
            })
            .await;
        }
        let results = ledger.into_inner().close(self.config.api_timeout);
        partitions.iter().cloned().zip(results).collect()
    }
}

fn filed<'a>(each: impl Iterator<Item = (&'a str, i32, i16)>) -> HashMap<TopicPartition, Result<(), Refusal>> {
    each.map(|(topic, partition, code)| (TopicPartition::new(topic, partition), Refusal::check(code, None))).collect()
}

/// From an answer about one group: versions below 8 do not name it.
fn offsets(answer: <OffsetFetchRequest as Api>::Answer) -> Result<Offsets, Refusal> {
    Refusal::check(answer.error_code, None)?;
    let mut offsets = Offsets::new();
    let mut file = |topic: &str, partition: i32, offset: i64, leader_epoch: i32, metadata: Option<&str>, code: i16| {
        Refusal::check(code, None)?;
        if offset >= 0 {
            let metadata = Arc::from(metadata.unwrap_or_default());
            let committed = OffsetAndMetadata { offset, leader_epoch, metadata };
            offsets.insert(TopicPartition::new(topic, partition), committed);
        }
        Ok(())
    };
    for topic in &answer.topics {
        for p in &topic.partitions {
            let metadata = p.metadata.as_ref().map(|text| text.as_str());
            let (epoch, code) = (p.committed_leader_epoch, p.error_code);
            file(topic.name.as_str(), p.partition_index, p.committed_offset, epoch, metadata, code)?;
        }
    }
    for group in &answer.groups {
        Refusal::check(group.error_code, None)?;
        for topic in &group.topics {
            for p in &topic.partitions {
                let metadata = p.metadata.as_ref().map(|text| text.as_str());
                let (epoch, code) = (p.committed_leader_epoch, p.error_code);
                file(topic.name.as_str(), p.partition_index, p.committed_offset, epoch, metadata, code)?;
            }
        }
    }
    Ok(offsets)
}
