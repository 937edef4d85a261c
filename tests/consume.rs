//! The consumer, on a real Kafka: everything that was produced, once and in order, from wherever it is told to start.

mod support;

use std::{collections::HashMap, time::Duration};

use futures_util::StreamExt;
use milena::{
    Compression, ConsumeError, Consumer, Kafka, OffsetReset, OffsetSpec, Producer, Record, Timestamp, TopicPartition,
};
use support::{broker, eventually};
use tokio::time::timeout;

const SOON: Duration = Duration::from_secs(20);

/// Sends the numbers from `from` to before `to`, as values, keyed by their last digit.
async fn produce(producer: &Producer, topic: &str, numbers: std::ops::Range<u32>) {
    let mut deliveries = Vec::new();
    for number in numbers {
        let (key, value) = ((number % 10).to_string(), number.to_string());
        deliveries.push(producer.enqueue(Record::to(topic).key(&key).value(&value)).await.unwrap());
    }
    for delivery in deliveries {
        delivery.await.unwrap();
    }
}

fn number(value: Option<&[u8]>) -> u32 {
    std::str::from_utf8(value.unwrap()).unwrap().parse().unwrap()
}

async fn next(consumer: &mut Consumer) -> u32 {
    let record = timeout(SOON, consumer.recv()).await.expect("a record comes").unwrap();
    number(record.expect("there is more").value())
}

#[tokio::test]
async fn every_record_comes_once_and_in_order_whatever_the_codec() {
    let broker = broker();
    let topic = broker.topic("consume-codecs", 6).await;
    let kafka = Kafka::connect(broker.bootstrap()).await.unwrap();
    let codecs = [Compression::None, Compression::Gzip(6), Compression::Snappy, Compression::Lz4, Compression::Zstd(3)];
    for (at, codec) in codecs.into_iter().enumerate() {
        let producer = kafka.producer().compression(codec).build().await.unwrap();
        let from = at as u32 * 5_000;
        produce(&producer, &topic, from..from + 5_000).await;
        producer.close().await;
    }
    let reader = || kafka.standalone_consumer().assign_topics([&*topic], OffsetSpec::Beginning).until_end();

    let mut last: HashMap<Vec<u8>, u32> = HashMap::new();
    let mut seen = 0;
    let mut consumer = reader().build().await.unwrap();
    while let Some(record) = timeout(SOON, consumer.recv()).await.unwrap().unwrap() {
        let number = number(record.value());
        assert_eq!(record.key(), Some((number % 10).to_string().as_bytes()));
        let before = last.insert(record.key().unwrap().to_vec(), number);
        assert_eq!(number.checked_sub(10), before, "the one before of its key");
        seen += 1;
    }
    assert_eq!(seen, 25_000);
    assert!(consumer.recv().await.unwrap().is_none(), "the end stays the end");
    for partition in consumer.assignment() {
        assert_eq!(consumer.lag(&partition).unwrap_or(0), 0);
    }
    consumer.close().await;

    let mut consumer = reader().build().await.unwrap();
    let (mut by_batch, mut offsets) = (0, HashMap::new());
    while let Some(batch) = timeout(SOON, consumer.recv_batch()).await.unwrap().unwrap() {
        for record in &batch {
            let offset = record.unwrap().offset();
            assert_eq!(*offsets.get(&batch.partition()).unwrap_or(&0), offset);
            offsets.insert(batch.partition(), offset + 1);
            by_batch += 1;
        }
    }
    assert_eq!(by_batch, 25_000);
    let mut streamed = 0;
    let mut stream = reader().build().await.unwrap();
    while let Some(record) = timeout(SOON, stream.next()).await.unwrap() {
        record.unwrap();
        streamed += 1;
    }
    assert_eq!(streamed, 25_000);
}

#[tokio::test]
async fn starts_where_it_is_told_and_moves_where_it_is_told() {
    let broker = broker();
    let topic = broker.topic("consume-places", 1).await;
    let kafka = Kafka::connect(broker.bootstrap()).await.unwrap();
    let producer = kafka.producer().build().await.unwrap();
    // Old enough to be told apart, and young enough for retention to leave them.
    let base = Timestamp::now().as_millis() - 1_000_000;
    for number in 0..100u32 {
        let time = Timestamp::from_millis(base + i64::from(number) * 1_000);
        producer.send(Record::to(&topic).value(number.to_string()).timestamp(time)).await.unwrap();
    }
    let at = TopicPartition::new(&*topic, 0);
    let time = |number: i64| Timestamp::from_millis(base + number * 1_000 - 500);
    let mut consumer = kafka.standalone_consumer().build().await.unwrap();
    for (spec, first) in [(OffsetSpec::Beginning, 0), (OffsetSpec::At(17), 17), (OffsetSpec::Timestamp(time(42)), 42)] {
        consumer.assign([(at.clone(), spec)]).await.unwrap();
        assert_eq!(next(&mut consumer).await, first, "{spec:?}");
        assert_eq!(next(&mut consumer).await, first + 1, "{spec:?}");
        assert_eq!(consumer.position(&at), Some(i64::from(first) + 2));
        assert_eq!(consumer.lag(&at), Some(98 - i64::from(first)));
    }
    consumer.seek(&at, 5).unwrap();
    assert_eq!(next(&mut consumer).await, 5);
    consumer.seek(&at, OffsetSpec::End).unwrap();
    eventually(SOON, "the end is found", async || {
        let nothing = timeout(Duration::from_millis(10), consumer.recv()).await;
        assert!(nothing.is_err(), "{nothing:?}");
        consumer.position(&at)
    })
    .await;
    assert_eq!(consumer.position(&at), Some(100));
    produce(&producer, &topic, 100..101).await;
    assert_eq!(next(&mut consumer).await, 100);

    let all = std::slice::from_ref(&at);
    assert_eq!(consumer.beginning_offsets(all).await.unwrap()[&at], 0);
    assert_eq!(consumer.end_offsets(all).await.unwrap()[&at], 101);
    let found = consumer.offsets_for_times([(at.clone(), time(42))]).await.unwrap()[&at].unwrap();
    assert_eq!((found.offset, found.timestamp.as_millis()), (42, base + 42_000));
    let later = Timestamp::from_millis(i64::MAX / 2);
    assert_eq!(consumer.offsets_for_times([(at.clone(), later)]).await.unwrap()[&at], None);

    consumer.unassign(all).unwrap();
    assert!(consumer.assignment().is_empty());
    let error = consumer.seek(&at, 0).unwrap_err();
    assert!(matches!(error, ConsumeError::NotAssigned { .. }), "{error}");
    let error = consumer.assign([(TopicPartition::new(&*topic, 9), OffsetSpec::End)]).await.unwrap_err();
    assert!(error.to_string().contains("has 1 partitions, there is no number 9"), "{error}");
    let error = kafka.standalone_consumer().assign_topics(["no-such"], OffsetSpec::End).build().await.unwrap_err();
    assert!(error.to_string().contains("no-such"), "{error}");
}

#[tokio::test]
async fn a_paused_partition_loses_nothing() {
    let broker = broker();
    let topic = broker.topic("consume-paused", 2).await;
    let kafka = Kafka::connect(broker.bootstrap()).await.unwrap();
    let producer = kafka.producer().build().await.unwrap();
    let numbers = |from: u32| (from..from + 400).map(|number| (number, (number % 2) as i32));
    for (number, partition) in numbers(0) {
        producer.send(Record::to(&topic).partition(partition).value(number.to_string())).await.unwrap();
    }
    let (even, odd) = (TopicPartition::new(&*topic, 0), TopicPartition::new(&*topic, 1));
    let consumer = kafka.standalone_consumer().assign_topics([&*topic], OffsetSpec::Beginning);
    let mut consumer = consumer.build().await.unwrap();
    // In the middle of whichever comes first.
    let mut seen = vec![next(&mut consumer).await, next(&mut consumer).await, next(&mut consumer).await];
    consumer.pause(std::slice::from_ref(&even)).unwrap();
    assert_eq!(consumer.paused(), std::slice::from_ref(&even));
    while seen.iter().filter(|n| *n % 2 == 1).count() < 200 {
        let number = next(&mut consumer).await;
        assert_eq!(number % 2, 1, "a record of the paused partition");
        seen.push(number);
    }
    for (number, partition) in numbers(400) {
        producer.send(Record::to(&topic).partition(partition).value(number.to_string())).await.unwrap();
    }
    while seen.iter().filter(|n| *n % 2 == 1).count() < 400 {
        let number = next(&mut consumer).await;
        assert_eq!(number % 2, 1, "a record of the paused partition");
        seen.push(number);
    }
    consumer.pause(std::slice::from_ref(&odd)).unwrap();
    consumer.resume(std::slice::from_ref(&even)).unwrap();
    while seen.len() < 800 {
        seen.push(next(&mut consumer).await);
    }
    for remainder in [0, 1] {
        let of_partition: Vec<u32> = seen.iter().copied().filter(|n| n % 2 == remainder).collect();
        assert!(of_partition.windows(2).all(|pair| pair[0] + 2 == pair[1]), "{of_partition:?}");
    }
}

#[tokio::test]
async fn an_offset_that_is_gone_follows_the_policy() {
    let broker = broker();
    let topic = broker.topic("consume-reset", 1).await;
    let kafka = Kafka::connect(broker.bootstrap()).await.unwrap();
    let producer = kafka.producer().build().await.unwrap();
    produce(&producer, &topic, 0..50).await;
    let at = TopicPartition::new(&*topic, 0);
    let start = |reset| {
        let builder = kafka.standalone_consumer().auto_offset_reset(reset);
        builder.assign([(at.clone(), OffsetSpec::At(1_000))]).build()
    };
    assert_eq!(next(&mut start(OffsetReset::Earliest).await.unwrap()).await, 0);
    let by_duration = OffsetReset::ByDuration(Duration::from_secs(3600));
    assert_eq!(next(&mut start(by_duration).await.unwrap()).await, 0);
    let mut latest = start(OffsetReset::Latest).await.unwrap();
    eventually(SOON, "the end is found", async || {
        let _ = timeout(Duration::from_millis(10), latest.recv()).await;
        latest.position(&at) == Some(50)
    })
    .await;
    let mut none = start(OffsetReset::None).await.unwrap();
    let error = timeout(SOON, none.recv()).await.unwrap().unwrap_err();
    assert!(
        matches!(&error, ConsumeError::OffsetOutOfRange { offset: 1_000, partition } if *partition == at),
        "{error}"
    );
    none.seek(&at, 49).unwrap();
    assert_eq!(next(&mut none).await, 49);
}

#[tokio::test]
async fn partitions_that_a_topic_grows_by_are_read_too() {
    let broker = broker();
    let topic = broker.topic("consume-grows", 1).await;
    let mut short = milena::Properties::from_iter([("bootstrap.servers", broker.bootstrap())]);
    short.set("metadata.max.age.ms", "300");
    let kafka = Kafka::with_properties(short).await.unwrap();
    let mut consumer = kafka.standalone_consumer().assign_topics([&*topic], OffsetSpec::End).build().await.unwrap();
    kafka.admin().create_partitions(&topic, 4).await.unwrap();
    let producer = kafka.producer().build().await.unwrap();
    eventually(SOON, "the producer sees the partition", async || {
        producer.send(Record::to(&topic).partition(3).value("8")).await
    })
    .await;
    assert_eq!(next(&mut consumer).await, 8);
}

#[tokio::test]
async fn a_partition_that_was_given_up_stays_so() {
    let broker = broker();
    let topic = broker.topic("consume-unassign", 2).await;
    let mut short = milena::Properties::from_iter([("bootstrap.servers", broker.bootstrap())]);
    short.set("metadata.max.age.ms", "100");
    let kafka = Kafka::with_properties(short).await.unwrap();
    let mut consumer =
        kafka.standalone_consumer().assign_topics([&*topic], OffsetSpec::Beginning).build().await.unwrap();
    consumer.unassign(&[TopicPartition::new(topic.as_str(), 0)]).unwrap();
    kafka.admin().create_partitions(&topic, 3).await.unwrap();
    let expected = [1, 2].map(|number| TopicPartition::new(topic.as_str(), number));
    eventually(SOON, "the new partition is there", async || match consumer.assignment() {
        assigned if assigned.contains(&expected[1]) => Ok(()),
        assigned => Err(format!("{assigned:?}")),
    })
    .await;
    assert_eq!(consumer.assignment(), expected);
}
