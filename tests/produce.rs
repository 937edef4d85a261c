//! The producer on a broker: what it refuses. What arrives is for interop.rs, what fails for produce_faults.rs.

mod support;

use milena::{Kafka, ProduceError, Record};
use support::{broker, unique};

#[tokio::test]
async fn what_cannot_be_sent_is_an_error_at_once() {
    let broker = broker();
    let kafka = Kafka::connect(broker.bootstrap()).await.unwrap();
    let topic = broker.topic("produce", 2).await;
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
