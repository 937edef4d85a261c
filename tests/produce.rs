//! The producer on a real broker, read back by Kafka's own console consumer.

mod support;

use std::collections::HashMap;

use milena::{Compression, Kafka, ProduceError, Record};
use support::{brokers, create_topic, kafka_tool, unique};

/// The topic's records as Kafka's console consumer prints them: partition, offset, key and value a line.
fn read_back(brokers: &str, topic: &str, count: usize) -> Vec<(i32, String, String)> {
    let max = count.to_string();
    #[rustfmt::skip]
    let args = [
        "--bootstrap-server", brokers, "--topic", topic, "--from-beginning", "--max-messages", &max,
        "--timeout-ms", "20000", "--formatter-property", "print.partition=true", "--formatter-property", "print.key=true",
    ];
    let text = kafka_tool("org.apache.kafka.tools.consumer.ConsoleConsumer", &args);
    let parse = |line: &str| {
        let mut parts = line.split('\t');
        let partition = parts.next()?.strip_prefix("Partition:")?.parse().ok()?;
        Some((partition, parts.next()?.to_owned(), parts.next()?.to_owned()))
    };
    text.lines().filter_map(parse).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_codec_arrives_whole_and_in_order_per_key() {
    let Some(brokers) = brokers() else { return };
    let kafka = Kafka::connect(&brokers).await.unwrap();
    let codecs = [Compression::None, Compression::GZIP, Compression::Snappy, Compression::Lz4, Compression::ZSTD];
    const COUNT: usize = 20_000;
    for codec in codecs {
        let topic = unique("produce");
        create_topic(&brokers, &topic, 6);
        let producer = kafka.producer().compression(codec).build().await.unwrap();
        let mut deliveries = Vec::new();
        for i in 0..COUNT {
            let (key, value) = (format!("key-{}", i % 50), i.to_string());
            deliveries.push(producer.enqueue(Record::to(&topic).key(&key).value(&value)).await.unwrap());
        }
        let mut offsets: HashMap<(i32, i64), ()> = HashMap::new();
        for delivery in deliveries {
            let ack = delivery.await.unwrap();
            assert!(
                offsets.insert((ack.partition(), ack.offset()), ()).is_none(),
                "an offset was given twice: {ack:?}"
            );
        }
        producer.close().await;

        let records = read_back(&brokers, &topic, COUNT);
        assert_eq!(records.len(), COUNT, "{codec:?}");
        let mut last: HashMap<&str, (i32, usize)> = HashMap::new();
        for (partition, key, value) in &records {
            let number: usize = value.parse().unwrap();
            if let Some((before, previous)) = last.insert(key, (*partition, number)) {
                assert!(before == *partition && previous < number, "{codec:?}: {key} went from {previous} to {number}");
            }
        }
        assert_eq!(last.len(), 50);
    }
}

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
