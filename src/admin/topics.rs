use std::sync::Arc;

use super::{
    Admin, AdminError, CreatedTopic, NewTopic, PerTopic,
    exchange::{Target, Terms},
    ledger::{Ledger, Refusal, Subject},
};
use crate::{
    cluster::Snapshot,
    model::TopicId,
    wire::{
        ErrorCode,
        messages::{
            CreatePartitionsRequest, CreateTopicsRequest, DeleteTopicsRequest,
            create_partitions_request::CreatePartitionsTopic, delete_topics_request::DeleteTopicState, message,
        },
    },
};

impl Admin {
    /// Creates a topic (CreateTopics, KIP-4), and waits until every broker that answers knows all its partitions with a leader,
    /// so that it can be produced to at once. If only that wait runs out of time the topic is there: it is no error.
    ///
    /// # Errors
    /// [`AdminError::AlreadyExists`]; [`AdminError::Refused`] for a bad name, an unknown setting, more replicas than there
    /// are brokers; and see [`AdminError`].
    pub async fn create_topic(&self, topic: NewTopic) -> Result<CreatedTopic, AdminError> {
        only(self.create_topics([topic]).await)
    }

    /// Creates topics in one request, as [`create_topic`](Admin::create_topic). Each has its own result: those that are
    /// refused keep none of the others from being created.
    pub async fn create_topics(&self, topics: impl IntoIterator<Item = NewTopic>) -> PerTopic<CreatedTopic> {
        self.create(topics.into_iter().collect(), false).await
    }

    /// Deletes a topic with all its records (DeleteTopics, KIP-4), and waits until no broker that answers knows it any more.
    /// If only that wait runs out of time the topic is as good as gone: it is no error.
    ///
    /// # Errors
    /// [`AdminError::Unknown`] if it does not exist; and see [`AdminError`].
    pub async fn delete_topic(&self, topic: &str) -> Result<(), AdminError> {
        only(self.delete_topics([topic]).await)
    }

    /// Deletes topics in one request, as [`delete_topic`](Admin::delete_topic). Each has its own result.
    pub async fn delete_topics<'a>(&self, topics: impl IntoIterator<Item = &'a str>) -> PerTopic<()> {
        let deadline = self.deadline();
        let names: Vec<Arc<str>> = topics.into_iter().map(Arc::from).collect();
        let ledger = Ledger::changing("DeleteTopics", names.iter().map(Subject::from).collect())
            .done_already(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, TopicId::ZERO);
        let request = |open: &[usize], terms: Terms| {
            let named = open.iter().map(|index| &*names[*index]);
            let mut request = message!(DeleteTopicsRequest { timeout_ms: terms.timeout_ms });
            if terms.version >= 6 {
                request.topics = named.map(|name| message!(DeleteTopicState { name: Some(name.into()) })).collect();
            } else {
                request.topic_names = named.map(Into::into).collect();
            }
            request
        };
        let deleted = self
            .exchange(Target::Controller, ledger, deadline, request, |answer| {
                let parts = answer.responses.into_iter().filter_map(|part| {
                    let message = part.error_message.as_ref().map(|text| text.as_str());
                    let result = Refusal::check(part.error_code, message).map(|()| TopicId::from(part.topic_id));
                    Some((part.name?.as_str().to_owned(), result))
                });
                parts.collect()
            })
            .await;
        let deleted: PerTopic<TopicId> = names.into_iter().zip(deleted).collect();
        let gone: Vec<(Arc<str>, TopicId)> =
            deleted.iter().filter_map(|(name, result)| Some((Arc::clone(name), *result.as_ref().ok()?))).collect();
        self.seen_everywhere(
            gone.iter().map(|(name, _)| Arc::clone(name)).collect(),
            deadline,
            |picture: &Snapshot| {
                // One that was made anew under the old name is another topic.
                gone.iter().all(|(name, id)| {
                    picture.topic(name).is_none_or(|topic| {
                        topic.error == ErrorCode::UNKNOWN_TOPIC_OR_PARTITION || !id.is_zero() && topic.id != *id
                    })
                })
            },
        )
        .await;
        deleted.into_iter().map(|(name, result)| (name, result.map(|_| ()))).collect()
    }

    /// Adds partitions until the topic has `total` (CreatePartitions, KIP-195), and waits until every broker that answers knows
    /// them with a leader. Records with a key may then go to another partition than those before them.
    ///
    /// # Errors
    /// [`AdminError::Unknown`]; [`AdminError::Refused`] if the topic has as many or more; and see [`AdminError`].
    pub async fn create_partitions(&self, topic: &str, total: i32) -> Result<(), AdminError> {
        self.grow(topic, total, false).await
    }

    pub(super) async fn create(&self, topics: Vec<NewTopic>, validate_only: bool) -> PerTopic<CreatedTopic> {
        let deadline = self.deadline();
        let ledger = Ledger::changing("CreateTopics", topics.iter().map(|topic| Subject::from(&topic.name)).collect());
        let created = self
            .exchange(
                Target::Controller,
                ledger,
                deadline,
                |open, terms| {
                    message!(CreateTopicsRequest {
                        topics: open.iter().map(|index| topics[*index].to_wire()).collect(),
                        timeout_ms: terms.timeout_ms,
                        validate_only: validate_only,
                    })
                },
                |answer| {
                    let parts = answer.topics.into_iter().map(|part| {
                        let message = part.error_message.as_ref().map(|text| text.as_str());
                        let result = Refusal::check(part.error_code, message).map(|()| CreatedTopic {
                            name: Arc::from(part.name.as_str()),
                            // A controller that only checks makes up an id all the same.
                            id: if validate_only { TopicId::ZERO } else { TopicId::from(part.topic_id) },
                            partitions: (part.num_partitions >= 0).then_some(part.num_partitions),
                            replication_factor: (part.replication_factor >= 0).then_some(part.replication_factor),
                        });
                        (part.name.as_str().to_owned(), result)
                    });
                    parts.collect()
                },
            )
            .await;
        if !validate_only {
            let fresh = topics.iter().zip(&created).filter_map(|(topic, result)| {
                let created = result.as_ref().ok()?;
                let answered = created.partitions.and_then(|count| usize::try_from(count).ok());
                Some((Arc::clone(&topic.name), answered.or(topic.expected()).unwrap_or(1)))
            });
            let fresh: Vec<(Arc<str>, usize)> = fresh.collect();
            let names = fresh.iter().map(|(name, _)| Arc::clone(name)).collect();
            self.seen_everywhere(names, deadline, |picture: &Snapshot| {
                fresh.iter().all(|(name, count)| has_partitions(picture, name, *count))
            })
            .await;
        }
        topics.into_iter().map(|topic| topic.name).zip(created).collect()
    }

    pub(super) async fn grow(&self, topic: &str, total: i32, validate_only: bool) -> Result<(), AdminError> {
        let deadline = self.deadline();
        let name: Arc<str> = Arc::from(topic);
        let grown = self
            .exchange(
                Target::Controller,
                Ledger::changing("CreatePartitions", vec![Subject::from(&name)]),
                deadline,
                |_, terms| {
                    message!(CreatePartitionsRequest {
                        topics: vec![message!(CreatePartitionsTopic {
                            name: topic.into(),
                            count: total,
                            assignments: None,
                        })],
                        timeout_ms: terms.timeout_ms,
                        validate_only: validate_only,
                    })
                },
                |answer| {
                    let parts = answer.results.into_iter().map(|part| {
                        let message = part.error_message.as_ref().map(|text| text.as_str());
                        (part.name.as_str().to_owned(), Refusal::check(part.error_code, message))
                    });
                    parts.collect()
                },
            )
            .await;
        for result in grown {
            match result {
                // An earlier attempt, whose answer was lost, may have done it.
                Err(AdminError::Refused { code: ErrorCode::INVALID_PARTITIONS, possibly_applied: true, .. })
                    if self.describe_topic(topic).await?.partitions.len() == usize::try_from(total).unwrap_or(0) => {}
                result => result?,
            }
        }
        if let (false, Ok(count)) = (validate_only, usize::try_from(total)) {
            let shown = |picture: &Snapshot| has_partitions(picture, &name, count);
            self.seen_everywhere(vec![Arc::clone(&name)], deadline, shown).await;
        }
        Ok(())
    }
}

fn has_partitions(picture: &Snapshot, name: &str, count: usize) -> bool {
    picture.topic(name).is_some_and(|topic| topic.is_complete() && topic.partitions.len() >= count)
}

/// The one result of a call for one topic.
pub(super) fn only<T>(results: PerTopic<T>) -> Result<T, AdminError> {
    let result = results.into_iter().next().map(|(_, result)| result);
    result.unwrap_or_else(|| Err(AdminError::Unknown { subject: Arc::from("topic") }))
}
