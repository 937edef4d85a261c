//! The embedded broker, from within its process.

use milena::{Embedded, Kafka, OffsetSpec, Record};

#[tokio::test]
async fn what_is_sent_is_read_back() {
    let kafka = Kafka::embedded().await.unwrap();
    let producer = kafka.producer().build().await.unwrap();
    for n in 0..100 {
        drop(producer.enqueue(Record::to("greetings").value(n.to_string())).await.unwrap());
    }
    producer.flush().await;
    let mut consumer =
        kafka.standalone_consumer().assign_topics(["greetings"], OffsetSpec::Beginning).build().await.unwrap();
    for n in 0..100 {
        let record = consumer.recv().await.unwrap().unwrap();
        assert_eq!(record.value(), Some(n.to_string().as_bytes()));
    }
}

/// The cluster ends with its last handle: no task of it stays behind.
#[tokio::test(start_paused = true)]
async fn nothing_is_left_of_a_cluster_without_handles() {
    let embedded = Embedded::brokers(3);
    let kafka = embedded.kafka().await.unwrap();
    let producer = kafka.producer().build().await.unwrap();
    producer.send(Record::to("greetings").value("hello")).await.unwrap();
    producer.close().await;
    drop((embedded, kafka));
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    assert_eq!(tokio::runtime::Handle::current().metrics().num_alive_tasks(), 0);
}
