//! The producer on a real broker: what it refuses, and what it says of what nobody acknowledges. What arrives is interop.rs's.

mod support;

use std::time::Duration;

use milena::{Kafka, ProduceError, Record};
use support::{Direction, Fault, Filter, broker, brokers, create_topic, unique};

#[tokio::test]
async fn what_cannot_be_sent_is_an_error_at_once() {
    let Some(brokers) = brokers() else { return };
    let kafka = Kafka::connect(&brokers).await.unwrap();
    let topic = unique("produce");
    create_topic(&brokers, &topic, 2);
    let producer = kafka.producer().batch_bytes(1000).build().await.unwrap();

    let large = producer.send(Record::to(&topic).value(vec![0; 2000])).await.unwrap_err();
    assert!(matches!(large, ProduceError::TooLarge { limit: 1000, .. }) && !large.is_possibly_written(), "{large}");
    let nowhere = producer.send(Record::to(&topic).partition(2).value("a")).await.unwrap_err();
    assert!(matches!(nowhere, ProduceError::NoPartition { partition: 2, partitions: 2, .. }), "{nowhere}");
    let unknown = producer.send(Record::to(unique("no-such-topic")).value("a")).await.unwrap_err();
    assert!(matches!(unknown, ProduceError::Topic(_)) && !unknown.is_possibly_written(), "{unknown}");

    let ack = producer.send(Record::to(&topic).partition(1).value("a")).await.unwrap();
    assert_eq!((ack.partition(), ack.offset()), (1, 0));
}

#[tokio::test]
async fn a_record_that_nobody_acknowledges_expires_with_the_truth() {
    const PRODUCE: i16 = 0;
    let Some(broker) = broker() else { return };
    let Some(proxied) = broker.proxied() else { return };
    let topic = broker.topic("produce", 1).await;
    let kafka = Kafka::connect(proxied.bootstrap()).await.unwrap();
    let producer = kafka.producer().delivery_timeout(Duration::from_secs(2)).build().await.unwrap();
    let unanswered = proxied.on_each(Filter::api(PRODUCE), || Fault::Stall(Direction::Answers));
    let error = producer.send(Record::to(&topic).value("a")).await.unwrap_err();
    assert!(matches!(error, ProduceError::Expired { .. }) && error.is_possibly_written(), "{error}");
    assert!(unanswered.iter().any(|fault| fault.fired() > 0), "the request was answered");
}
