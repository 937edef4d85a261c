//! Records for a topic none of whose partitions has a leader: they wait for one.

use std::time::Duration;

use milena::{Embedded, NewTopic, Record};

#[tokio::test(start_paused = true)]
async fn a_record_without_a_key_waits_for_a_leader() {
    let embedded = Embedded::brokers(2);
    let kafka = embedded.kafka().await.unwrap();
    // On one broker only, which then stops.
    let admin = kafka.admin();
    admin.create_topic(NewTopic::new("greetings").partitions(1).replication_factor(1)).await.unwrap();
    let leader = admin.describe_topic("greetings").await.unwrap().partitions[0].leader.unwrap();
    embedded.stop_broker(leader);
    let producer = kafka.producer().build().await.unwrap();
    let delivery = producer.enqueue(Record::to("greetings").value("hello")).await.unwrap();
    let early = tokio::time::timeout(Duration::from_secs(10), delivery).await;
    assert!(early.is_err(), "there is no leader: {early:?}");
    embedded.start_broker(leader);
    let ack = producer.send(Record::to("greetings").value("hello again")).await.unwrap();
    assert_eq!((ack.partition(), ack.offset()), (0, 1));
    producer.close().await;
}
