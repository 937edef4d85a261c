//! The embedded broker, from within its process.

use milena::{Kafka, OffsetSpec, Record};

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
