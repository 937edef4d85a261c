//! What brokers answer to admins' requests that this crate's does not make: the same on both.

#[macro_use]
mod support;

use kafka_wire::{
    DeleteTopicsRequest, DescribeClusterRequest, InitProducerIdRequest, ListOffsetsRequest, MetadataRequest,
    delete_topics_request::DeleteTopicState,
    list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic},
    metadata_request::MetadataRequestTopic,
};
use milena::ErrorCode;
use support::RawPartition;

#[tokio::test]
async fn a_topic_that_is_to_be_deleted_twice_stays() {
    let broker = support::broker();
    let topic = broker.topic("twice", 1).await;
    let mut partition = RawPartition::of(broker.bootstrap(), &topic).await;
    let by_name = message!(DeleteTopicState { name: Some(topic.as_str().into()) });
    let by_id = message!(DeleteTopicState { name: None, topic_id: partition.id });
    for (topics, why) in [
        (vec![by_name.clone(), by_name.clone()], "Duplicate topic name."),
        (vec![by_id.clone(), by_id.clone()], "Duplicate topic id."),
        (vec![by_name, by_id], "The provided topic name maps to an ID that was already supplied."),
    ] {
        let answer = partition.ask(6, &message!(DeleteTopicsRequest { topics: topics, timeout_ms: 10_000 })).await;
        let each =
            answer.responses.iter().map(|one| (one.error_code, one.error_message.as_ref().map(|it| it.as_str())));
        assert_eq!(each.collect::<Vec<_>>(), [(ErrorCode::INVALID_REQUEST.code(), Some(why))]);
    }
    let known = message!(MetadataRequestTopic { name: Some(topic.as_str().into()) });
    let request = message!(MetadataRequest { topics: Some(vec![known]) });
    assert_eq!(partition.ask(12, &request).await.topics[0].error_code, 0, "it is there");
}

#[tokio::test]
async fn what_may_be_done_is_told_to_who_asks() {
    let broker = support::broker();
    let topic = broker.topic("allowed", 1).await;
    let mut partition = RawPartition::of(broker.bootstrap(), &topic).await;
    let known = message!(MetadataRequestTopic { name: Some(topic.as_str().into()) });
    let mut request = message!(MetadataRequest { topics: Some(vec![known]) });
    assert_eq!(partition.ask(12, &request).await.topics[0].topic_authorized_operations, i32::MIN);
    request.include_topic_authorized_operations = true;
    // Read, Write, Create, Delete, Alter, Describe, DescribeConfigs, AlterConfigs.
    assert_eq!(partition.ask(12, &request).await.topics[0].topic_authorized_operations, 0b1101_1111_1000);
    let request = message!(DescribeClusterRequest { include_cluster_authorized_operations: true });
    let told = partition.ask(0, &request).await.cluster_authorized_operations;
    // Create, Alter, Describe, ClusterAction, DescribeConfigs, AlterConfigs, IdempotentWrite.
    assert_eq!(told, 0b1_1111_1010_0000);
}

/// An empty partition: the offset, the epoch and the code for each time that means something else, by the request's version.
#[tokio::test]
async fn times_that_mean_something_else_are_known_from_a_version_on() {
    let broker = support::broker();
    let topic = broker.topic("times", 1).await;
    let mut partition = RawPartition::of(broker.bootstrap(), &topic).await;
    let epoch = partition.leader_epoch;
    let unsupported = ErrorCode::UNSUPPORTED_VERSION.code();
    for (time, from, offset, epoch) in [
        (-1, 1, 0, epoch),
        (-2, 1, 0, epoch),
        (-3, 7, -1, -1),
        (-4, 8, 0, epoch),
        (-5, 9, -1, -1),
        (-6, 11, -1, -1),
        (-7, i16::MAX, -1, -1),
    ] {
        for version in 4..=11 {
            let asked = message!(ListOffsetsPartition { partition_index: 0, timestamp: time });
            let topics = vec![message!(ListOffsetsTopic { name: topic.as_str().into(), partitions: vec![asked] })];
            let answer = partition.ask(version, &message!(ListOffsetsRequest { replica_id: -1, topics: topics })).await;
            let found = &answer.topics[0].partitions[0];
            let told = (found.error_code, found.offset, found.leader_epoch);
            let expected = if version >= from { (0, offset, epoch) } else { (unsupported, -1, -1) };
            assert_eq!(told, expected, "time {time} in version {version}");
        }
    }
}

#[tokio::test]
async fn half_a_producer_is_none() {
    let broker = support::broker();
    let topic = broker.topic("half", 1).await;
    let mut partition = RawPartition::of(broker.bootstrap(), &topic).await;
    let whole = message!(InitProducerIdRequest { transactional_id: None, transaction_timeout_ms: 1000 });
    for (id, epoch) in [(5, -1), (-1, 3)] {
        let mut half = whole.clone();
        (half.producer_id, half.producer_epoch) = (id, epoch);
        let answer = partition.ask(4, &half).await;
        assert_eq!((answer.error_code, answer.producer_id), (ErrorCode::INVALID_REQUEST.code(), -1));
    }
}
