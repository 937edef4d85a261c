//! The producer on a real cluster: what goes wrong in one call, or on one connection, holds up nothing else.

mod support;

use std::{
    panic::AssertUnwindSafe,
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use futures_util::FutureExt;
use kafka_wire::MetadataResponse;
use kafka_wire_core::{ApiVersion, DecodeLimits, KafkaDecode, KafkaEncode};
use milena::{Kafka, ProduceError, Properties, Record};
use support::{Direction, Fault, Filter, broker, new_topic, unique};
use tokio::{net::TcpListener, runtime::Handle, time::timeout};

const PRODUCE: i16 = 0;
const METADATA: i16 = 3;
const SOON: Duration = Duration::from_secs(30);

async fn connect(bootstrap: &str, settings: &[(&str, &str)]) -> Kafka {
    let mut properties = Properties::from_iter([("bootstrap.servers", bootstrap)]);
    for (key, value) in settings {
        properties.set(*key, *value);
    }
    Kafka::with_properties(properties).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_is_found_out_about_though_every_call_is_given_up() {
    let broker = broker();
    let Some(proxied) = broker.proxied() else { return };
    let topic = new_topic(broker.bootstrap(), "given-up", 1).await;
    let kafka = connect(proxied.bootstrap(), &[]).await;
    let producer = kafka.producer().build().await.unwrap();
    let slow = proxied.on_each(Filter::api(METADATA), || Fault::Delay(Duration::from_millis(300)));
    let began = Instant::now();
    let mut given_up = 0;
    let delivery = loop {
        let enqueued = producer.enqueue(Record::to(&topic).value("v"));
        match timeout(Duration::from_millis(30), enqueued).await {
            Ok(delivery) => break delivery.unwrap(),
            Err(_) => given_up += 1,
        }
        assert!(began.elapsed() < SOON, "given up {given_up} times");
    };
    assert!(given_up > 1, "the metadata were not slow");
    drop(slow);
    assert_eq!(delivery.await.unwrap().offset(), 0, "what was given up was sent");

    // What nobody has is an error all the same, whoever else has given it up.
    let unknown = unique("no-such-topic");
    let enqueued = producer.enqueue(Record::to(&unknown).value("v"));
    assert!(timeout(Duration::from_millis(1), enqueued).await.is_err());
    let error = timeout(SOON, producer.send(Record::to(&unknown).value("v"))).await.unwrap().unwrap_err();
    assert!(matches!(error, ProduceError::Topic(_)) && !error.is_possibly_written(), "{error}");
}

/// Makes a Metadata answer say that every broker listens on this port.
fn says_port(answer: &mut Vec<u8>, port: u16) {
    const VERSION: ApiVersion = ApiVersion::new(13);
    // The correlation id, and no tagged fields of the header.
    let (header, body) = answer.split_at(5);
    let body = Bytes::copy_from_slice(body);
    let mut body = MetadataResponse::decode_from_bytes(body, VERSION, DecodeLimits::default()).unwrap();
    for broker in &mut body.brokers {
        broker.port = port.into();
    }
    let mut rewritten = BytesMut::from(header);
    body.encode_into(&mut rewritten, VERSION).unwrap();
    *answer = rewritten.to_vec();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_is_told_while_another_connection_is_being_made() {
    let broker = broker();
    let Some(proxied) = broker.proxied() else { return };
    let topic = new_topic(broker.bootstrap(), "apart", 1).await;
    let kafka = connect(proxied.bootstrap(), &[("metadata.max.age.ms", "200")]).await;
    let producer = kafka.producer().linger(Duration::ZERO).build().await.unwrap();
    producer.send(Record::to(&topic).value("first")).await.unwrap();

    let held = proxied.on_each(Filter::api(PRODUCE), || Fault::Stall(Direction::Answers));
    let before = proxied.requests(PRODUCE);
    let in_flight = producer.enqueue(Record::to(&topic).value("in flight")).await.unwrap();
    support::eventually(SOON, "it is in flight", async || proxied.requests(PRODUCE) > before).await;

    // The leader is said to be elsewhere, where somebody listens and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = silent.local_addr().unwrap().port();
    let moved = proxied.on_each(Filter::api(METADATA), || Fault::rewrite(move |answer| says_port(answer, port)));
    let mut behind = Vec::new();
    // Metadata are asked for there too; a producer's connection comes when there is a record for it.
    let mut connections = Vec::new();
    let began = Instant::now();
    while connections.len() < 2 {
        assert!(began.elapsed() < SOON, "nobody connects");
        behind.push(producer.enqueue(Record::to(&topic).value("behind")).await.unwrap());
        if let Ok(accepted) = timeout(Duration::from_millis(300), silent.accept()).await {
            connections.push(accepted.unwrap());
        }
    }
    drop(held);
    let told = timeout(Duration::from_secs(5), in_flight).await.expect("it is told at once").unwrap();
    assert_eq!(told.offset(), 1);

    drop((moved, connections, silent));
    for delivery in behind {
        timeout(SOON, delivery).await.expect("the producer goes on").unwrap();
    }
}

#[tokio::test]
async fn a_partitioner_that_panics_takes_no_memory_along() {
    let broker = broker();
    let topic = new_topic(broker.bootstrap(), "panics", 1).await;
    let kafka = connect(broker.bootstrap(), &[]).await;
    let panics = |_: &str, key: Option<&[u8]>, _: Option<&[u8]>, _: usize| match key {
        Some(_) => panic!("a partitioner's own panic"),
        None => Some(0),
    };
    let producer = kafka.producer().buffer_bytes(10_000).partitioner(panics).build().await.unwrap();
    producer.send(Record::to(&topic).value("v")).await.unwrap();
    for _ in 0..20 {
        let sent = producer.send(Record::to(&topic).key("k").value(vec![0; 1_000]));
        let caught = timeout(SOON, AssertUnwindSafe(sent).catch_unwind()).await.expect("there is memory");
        assert!(caught.is_err(), "it panics");
    }
    let sent = producer.send(Record::to(&topic).value(vec![0; 9_000]));
    assert_eq!(timeout(SOON, sent).await.expect("there is memory").unwrap().offset(), 1);
}

#[tokio::test]
async fn who_closes_beside_another_waits_for_the_same_end() {
    let broker = broker();
    let topic = new_topic(broker.bootstrap(), "closes", 1).await;
    let kafka = connect(broker.bootstrap(), &[]).await;
    let producer = kafka.producer().build().await.unwrap();
    let tasks = || Handle::current().metrics().num_alive_tasks();
    let (one, other, third) = (producer.clone(), producer.clone(), producer.clone());
    producer.send(Record::to(&topic).value("v")).await.unwrap();
    let open = tasks();
    let mut first = Box::pin(one.close());
    assert!(futures_util::poll!(first.as_mut()).is_pending(), "there is nothing to wait for");
    // The first is not even polled meanwhile.
    timeout(SOON, other.close()).await.expect("the second ends by itself");
    // The keeper and the sender; a connection's reader ends with what holds it.
    assert!(tasks() <= open - 2, "{} tasks of {open}", tasks());
    first.await;
    timeout(SOON, third.close()).await.expect("nothing is left to wait for");
    let error = producer.send(Record::to(&topic).value("v")).await.unwrap_err();
    assert!(matches!(error, ProduceError::Closed { possibly_written: false }), "{error}");
}
