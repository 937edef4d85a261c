//! milena and Java's own client on a real Kafka: what one writes the other reads, byte for byte, where it was acknowledged; and
//! both put a key into the same partition.

mod support;

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use milena::{Compression, Consumer, IsolationLevel, Kafka, OffsetSpec, Record, Timestamp};
use support::{Broker, Java, Place, Plain, real_kafka_only};
use tokio::time::timeout;

const SOON: Duration = Duration::from_secs(60);

const CODECS: [(&str, Compression); 5] = [
    ("none", Compression::None),
    ("gzip", Compression::GZIP),
    ("snappy", Compression::Snappy),
    ("lz4", Compression::Lz4),
    ("zstd", Compression::ZSTD),
];

/// Records for each codec.
const COUNT: usize = 20_000;

/// `length` bytes that are as good as random, and always the same for `seed`.
fn noise(seed: usize, length: usize) -> impl Iterator<Item = u8> {
    let mut random = fastrand::Rng::with_seed(seed as u64);
    std::iter::repeat_with(move || random.u8(..)).take(length)
}

/// The value of record `number`: 100 bytes of text that no other has.
fn text_of(number: usize) -> String {
    let noise = noise(number, 90).map(|byte| char::from(b'0' + byte % 64));
    format!("{number:010}").chars().chain(noise).collect()
}

/// What Kafka's console consumer prints of the first `count` records: partition, offset, key and value.
async fn console(broker: &Broker, topic: &str, count: usize) -> String {
    let max = count.to_string();
    #[rustfmt::skip]
    let args = [
        "--topic", topic, "--from-beginning", "--max-messages", &max, "--timeout-ms", "20000",
        "--formatter-property", "print.partition=true", "--formatter-property", "print.offset=true",
        "--formatter-property", "print.key=true",
    ];
    broker.tool("org.apache.kafka.tools.consumer.ConsoleConsumer", &args, "").await.expect("it is real")
}

/// How many records the partitions of a topic hold that only one producer without transactions wrote to.
async fn length(broker: &Broker, topic: &str) -> i64 {
    let offsets =
        broker.tool("org.apache.kafka.tools.GetOffsetShell", &["--topic", topic], "").await.expect("it is real");
    offsets.lines().map(|line| line.rsplit(':').next().unwrap().parse::<i64>().unwrap()).sum()
}

/// `MILENA_TEST_RECORDS` sets how many.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kafkas_console_consumer_reads_all_that_was_acknowledged() {
    let count: usize = std::env::var("MILENA_TEST_RECORDS").map_or(100_000, |n| n.parse().expect("a number"));
    const KEYS: usize = 300;
    let Some(broker) = real_kafka_only("Java's own client is the judge") else { return };
    let topic = broker.topic("interop-console", 6).await;
    let kafka = Kafka::connect(broker.bootstrap()).await.unwrap();
    let producer = kafka.producer().build().await.unwrap();

    let started = Instant::now();
    let (mut deliveries, mut sum) = (Vec::with_capacity(count), 0u64);
    for number in 0..count {
        let (key, value) = (format!("key-{}", number % KEYS), text_of(number));
        sum = sum.wrapping_add(checksum(&value));
        deliveries.push(producer.enqueue(Record::to(&topic).key(&key).value(&value)).await.unwrap());
    }
    let mut acknowledged: HashMap<Place, usize> = HashMap::with_capacity(count);
    for (number, delivery) in deliveries.into_iter().enumerate() {
        let ack = delivery.await.unwrap();
        assert!(acknowledged.insert((ack.partition(), ack.offset()), number).is_none(), "{ack:?} twice");
    }
    producer.close().await;
    let written = started.elapsed();

    let text = console(&broker, &topic, count).await;
    let (mut seen, mut sum_of_read) = (0, 0u64);
    let mut last: HashMap<&str, (i32, usize)> = HashMap::new();
    for line in text.lines().filter(|line| line.starts_with("Partition:")) {
        let [partition, offset, key, value] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let partition: i32 = partition.trim_start_matches("Partition:").parse().unwrap();
        let offset: i64 = offset.trim_start_matches("Offset:").parse().unwrap();
        let number: usize = value[..10].parse().unwrap();
        assert_eq!(acknowledged.get(&(partition, offset)), Some(&number), "at {partition}:{offset}");
        assert_eq!(key, format!("key-{}", number % KEYS), "at {partition}:{offset}");
        if let Some((before, previous)) = last.insert(key, (partition, number)) {
            assert!(before == partition && previous < number, "{key} went from {before}: {previous} to {line}");
        }
        sum_of_read = sum_of_read.wrapping_add(checksum(value));
        seen += 1;
    }
    assert_eq!((seen, sum_of_read), (count, sum));
    assert_eq!(last.len(), KEYS);
    assert_eq!(length(&broker, &topic).await, count as i64, "more than was acknowledged");
    let read = started.elapsed() - written;
    println!("{count} records, checksum {sum:016x}: written in {written:.1?}, read by Java and compared in {read:.1?}");
}

fn checksum(value: &str) -> u64 {
    crc_fast::checksum(crc_fast::CrcAlgorithm::Crc64Nvme, value.as_bytes())
}

/// Records of all sorts, the same ones each time but for when they are from.
fn all_sorts(count: usize) -> Vec<Plain> {
    let now = Timestamp::now().as_millis();
    let one = |number: usize| Plain {
        // Neither in order nor apart: what a batch holds is the difference to its first.
        timestamp: now - (number * 7_919 % 1_000_003) as i64,
        key: match number % 7 {
            0 => None,
            1 => Some(noise(number, number % 41).collect()),
            _ => Some(format!("ключ-{}", number % 500).into_bytes()),
        },
        value: match number % 11 {
            0 => None,
            1 => Some(Vec::new()),
            2 => Some(noise(number, number % 300).collect()),
            // Larger than the blocks of snappy and lz4, and than a Java producer's batch.
            3 if number % 4_000 < 11 => Some(noise(number, 200_000).map(|byte| byte % 16).collect()),
            _ => Some(format!("{{\"order\":{number},\"state\":\"paid\"}}").repeat(1 + number % 9).into_bytes()),
        },
        headers: match number % 5 {
            0 => vec![
                ("trace".into(), Some(noise(number, 16).collect())),
                ("again".into(), Some(b"first".to_vec())),
                ("again".into(), None),
                ("again".into(), Some(Vec::new())),
                ("".into(), Some("größer".into())),
                ("имя".into(), Some(b"x".to_vec())),
            ],
            1 => vec![("null".into(), None)],
            _ => Vec::new(),
        },
    };
    (0..count).map(one).collect()
}

/// Asserts that what was read is what was written, each record at its place, and that partitions were read in order.
fn assert_same(what: &str, written: &[(Place, Plain)], mut read: Vec<(Place, Plain)>) {
    let mut next: HashMap<i32, i64> = HashMap::new();
    for ((partition, offset), _) in &read {
        let next = next.entry(*partition).or_default();
        assert_eq!(*offset, *next, "{what}: in partition {partition}");
        *next += 1;
    }
    read.sort_by_key(|(place, _)| *place);
    let mut written: Vec<&(Place, Plain)> = written.iter().collect();
    written.sort_by_key(|(place, _)| *place);
    for (written, read) in written.iter().zip(&read) {
        assert_eq!(read, *written, "{what}");
    }
    assert_eq!(read.len(), written.len(), "{what}");
}

async fn read_to_end(kafka: &Kafka, topic: &str) -> Consumer {
    kafka.standalone_consumer().assign_topics([topic], OffsetSpec::Beginning).until_end().build().await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn milena_reads_what_java_wrote_whatever_the_codec() {
    let Some(broker) = real_kafka_only("Java's own client is the judge") else { return };
    let mut java = Java::start(broker.bootstrap());
    let kafka = Kafka::connect(broker.bootstrap()).await.unwrap();
    let records = all_sorts(COUNT);
    let mut uncompressed = 0;
    for (name, codec) in CODECS {
        let topic = java.topic("interop-from-java", 3).await;
        let producer = java.producer(&[&format!("compression.type={name}")]).await;
        for record in &records {
            java.send(producer, &topic, None, record).await;
        }
        let places = java.flush(producer).await;
        assert_eq!(places.len(), COUNT);
        let written: Vec<(Place, Plain)> = places.into_iter().zip(records.iter().cloned()).collect();
        assert_compressed(codec, java.size(&topic).await, &mut uncompressed);

        let mut consumer = read_to_end(&kafka, &topic).await;
        let mut read = Vec::with_capacity(COUNT);
        while let Some(record) = timeout(SOON, consumer.recv()).await.unwrap().unwrap() {
            read.push(((record.partition(), record.offset()), Plain::from(&record)));
        }
        assert_same(&format!("{name}, one by one"), &written, read);

        let mut consumer = read_to_end(&kafka, &topic).await;
        let mut read = Vec::with_capacity(COUNT);
        while let Some(batch) = timeout(SOON, consumer.recv_batch()).await.unwrap().unwrap() {
            for record in &batch {
                let record = record.unwrap();
                read.push(((batch.partition(), record.offset()), Plain::from(&record)));
            }
        }
        assert_same(&format!("{name}, by the batch"), &written, read);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn java_reads_what_milena_wrote_whatever_the_codec() {
    let Some(broker) = real_kafka_only("Java's own client is the judge") else { return };
    let mut java = Java::start(broker.bootstrap());
    let kafka = Kafka::connect(broker.bootstrap()).await.unwrap();
    let records = all_sorts(COUNT);
    let mut uncompressed = 0;
    for (name, codec) in CODECS {
        let topic = java.topic("interop-to-java", 3).await;
        let producer = kafka.producer().compression(codec).build().await.unwrap();
        let mut deliveries = Vec::with_capacity(COUNT);
        for record in &records {
            deliveries.push(producer.enqueue(record.to(&topic)).await.unwrap());
        }
        let mut written = Vec::with_capacity(COUNT);
        for (delivery, record) in deliveries.into_iter().zip(&records) {
            let ack = delivery.await.unwrap();
            written.push(((ack.partition(), ack.offset()), record.clone()));
        }
        producer.close().await;
        assert_compressed(codec, java.size(&topic).await, &mut uncompressed);
        assert_same(name, &written, java.read(&topic, IsolationLevel::ReadCommitted).await);
    }
}

/// That a codec was used at all: a reader does not tell. The first must be none.
fn assert_compressed(codec: Compression, size: u64, uncompressed: &mut u64) {
    match codec {
        Compression::None => *uncompressed = size,
        codec => assert!(size < *uncompressed * 3 / 4, "{codec:?}: {size} of {uncompressed} bytes"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_goes_where_java_puts_it() {
    let Some(broker) = real_kafka_only("Java's own client is the judge") else { return };
    let mut java = Java::start(broker.bootstrap());
    let kafka = Kafka::connect(broker.bootstrap()).await.unwrap();
    // Every length from 0 to 40, of any bytes; and text, of which a letter takes one to four bytes.
    let mut keys: Vec<Vec<u8>> = (0..41 * 50).map(|number| noise(number, number % 41).collect()).collect();
    keys.extend((0..2_000).map(|number| {
        let letter = |byte: u8| ['a', 'Z', '0', '-', 'ß', 'й', '€', '漢', '🦀', '\u{10ffff}'][usize::from(byte) % 10];
        noise(number, number % 13).map(letter).chain(number.to_string().chars()).collect::<String>().into_bytes()
    }));
    let timestamp = Timestamp::now().as_millis();
    let records: Vec<Plain> =
        keys.into_iter().map(|key| Plain { timestamp, key: Some(key), ..Plain::default() }).collect();
    let (javas, milenas) = (java.producer(&[]).await, kafka.producer().build().await.unwrap());
    for partitions in [1, 6, 7, 31] {
        let topics = (java.topic("interop-keys", partitions).await, java.topic("interop-keys", partitions).await);
        let mut deliveries = Vec::with_capacity(records.len());
        for record in &records {
            java.send(javas, &topics.0, None, record).await;
            deliveries.push(milenas.enqueue(record.to(&topics.1)).await.unwrap());
        }
        let places = java.flush(javas).await;
        assert_eq!(places.len(), records.len());
        let mut used = vec![false; partitions as usize];
        for ((delivery, (partition, _)), record) in deliveries.into_iter().zip(places).zip(&records) {
            let key = record.key.as_deref().unwrap();
            assert_eq!(delivery.await.unwrap().partition(), partition, "{key:02x?}, of {partitions} partitions");
            used[partition as usize] = true;
        }
        assert!(used.iter().all(|used| *used), "some of the {partitions} partitions got no key: {used:?}");
    }
}
