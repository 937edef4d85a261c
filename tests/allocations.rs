//! What a record costs in allocations: none in the batch code, in either direction; nearly none through the whole client.

mod support;

use allocation_counter::measure;
use milena::{
    Header, Kafka, OffsetSpec, Record,
    batch::{BatchBuilder, DecodeLimits, RecordSet},
};
use support::broker;

const RECORDS: usize = 10_000;

/// A batch of so many records with keys, values and headers, in a buffer that is large enough.
fn encode(records: usize, buffer: Vec<u8>) -> BatchBuilder {
    let mut batch = BatchBuilder::new(buffer);
    let headers = [Header::new("type", "order.created"), Header::null("nothing")];
    for number in 0..records {
        let key = number.to_be_bytes();
        batch.append(1_700_000_000_000 + number as i64, Some(&key), Some(&[7; 100]), &headers);
    }
    batch
}

#[test]
fn encoding_allocates_nothing_per_record() {
    let [few, many] = [0; 2].map(|_| Vec::with_capacity(4 << 20));
    let few = measure(|| drop(encode(RECORDS, few)));
    let many = measure(|| drop(encode(2 * RECORDS, many)));
    assert_eq!((few.count_total, many.count_total), (0, 0));
}

#[test]
fn decoding_allocates_nothing_per_record() {
    let read = |records: usize| {
        let sealed = encode(records, Vec::new()).seal(milena::Compression::None).unwrap();
        let bytes = bytes::Bytes::from(sealed.bytes().to_vec());
        let mut seen = 0;
        let cost = measure(|| {
            for batch in RecordSet::new(bytes.clone()) {
                let batch = batch.unwrap();
                batch.verify().unwrap();
                let mut records = batch.records(DecodeLimits::default()).unwrap();
                while let Some(record) = records.next() {
                    let record = record.unwrap();
                    let view = records.view(&record);
                    assert_eq!(view.value().map(<[u8]>::len), Some(100));
                    seen += view.headers().filter(|header| header.value.is_none()).count();
                }
            }
        });
        assert_eq!(seen, records);
        cost.count_total
    };
    let (few, many) = (read(RECORDS), read(2 * RECORDS));
    // One for the answer's shared ownership, however many records it has.
    assert!(few <= 1 && many <= 1, "{few} for {RECORDS} records, {many} for twice as many");
}

/// On one thread, so that all that the client does is counted: handle, tasks, connections.
#[test]
fn a_record_costs_the_client_next_to_no_allocation() {
    let broker = broker();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let total = 20 * RECORDS;
    let (kafka, topic) = runtime
        .block_on(async { (Kafka::connect(broker.bootstrap()).await.unwrap(), broker.topic("allocations", 3).await) });

    let producer = runtime.block_on(kafka.producer().build()).unwrap();
    runtime.block_on(producer.send(Record::to(&topic).value("the topic is known"))).unwrap();
    let produced = measure(|| {
        runtime.block_on(async {
            for number in 0..total {
                let key = number.to_be_bytes();
                drop(producer.enqueue(Record::to(&topic).key(&key).value(&[7; 100])).await.unwrap());
            }
            producer.flush().await;
        });
    });
    runtime.block_on(producer.close());

    let builder = kafka.standalone_consumer().assign_topics([&*topic], OffsetSpec::Beginning).until_end();
    let mut consumer = runtime.block_on(builder.build()).unwrap();
    let mut seen = 0;
    let consumed = measure(|| {
        runtime.block_on(async {
            while let Some(record) = consumer.recv().await.unwrap() {
                seen += usize::from(record.value().is_some());
            }
        });
    });
    assert_eq!(seen, total + 1);
    let per_record = |info: allocation_counter::AllocationInfo| info.count_total as f64 / total as f64;
    let (produced, consumed) = (per_record(produced), per_record(consumed));
    println!("allocations a record: {produced:.4} to produce it, {consumed:.4} to consume it");
    assert!(produced < 0.05 && consumed < 0.05, "{produced} and {consumed} a record");
}
