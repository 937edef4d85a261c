//! A Spring Boot service and milena's producer and consumer on real Kafka: each record has the headers, with the bytes, that the
//! other side writes and reads. The listeners of Spring read what their set-up can read, and one that can't goes nowhere.

mod support;

use std::{collections::BTreeSet, time::Duration};

use futures_util::future::join_all;
use milena::{Header, Kafka, Producer, Record, TopicPartition};
use serde_json::{Value, json};
use support::{
    Broker, Heard, Spring, create_topic, eventually, headers_of, json_of, owned, read,
    spring::{FAILED_DESERIALIZER, FAILED_LISTENER, PRODUCTS_CLASS, TYPE_ID, order},
    text, unique, with_spring,
};

const SOON: Duration = Duration::from_secs(60);

/// milena's side.
async fn connect(broker: &Broker) -> (Kafka, Producer) {
    let kafka = Kafka::connect(broker.bootstrap()).await.unwrap();
    let producer = kafka.producer().build().await.unwrap();
    (kafka, producer)
}

/// How a record can tell its type.
#[rustfmt::skip]
const TELLS: [(&str, &[(&str, &str)]); 7] = [
    ("nothing", &[]),
    ("CloudEvents", &[("ce_specversion", "1.0"), ("ce_id", "1"), ("ce_source", "orders"), ("ce_type", "OrderCreated"), ("content-type", "application/json")]),
    ("the token", &[(TYPE_ID, "order.created")]),
    ("its own class", &[(TYPE_ID, PRODUCTS_CLASS)]),
    ("a class that isn't trusted", &[(TYPE_ID, "com.shop.OrderCreated")]),
    ("a class that isn't there", &[(TYPE_ID, "com.acme.order.OrderPlaced")]),
    ("another class", &[(TYPE_ID, "com.acme.order.OrderCreated")]),
];

/// What of these a listener reads, by how it was set up.
#[rustfmt::skip]
const READS: [(&str, &[&str]); 4] = [
    ("class", &["its own class"]),
    ("none", &["nothing", "CloudEvents", "the token", "its own class", "a class that isn't trusted", "a class that isn't there", "another class"]),
    ("default", &["nothing", "CloudEvents", "its own class"]),
    ("mapping", &["the token", "its own class"]),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listener_reads_what_its_set_up_can_and_the_rest_is_in_the_dead_letters() {
    let Some(broker) = with_spring() else { return };
    let (kafka, producer) = &connect(&broker).await;
    let each = READS.map(async |(types, reads)| {
        let topic = &broker.topic(&format!("spring-types-{types}"), 1).await;
        let dead = &format!("{topic}-dlt");
        create_topic(kafka, dead, 1).await;
        for (told, headers) in TELLS {
            let value = order(told, 1).to_string();
            let headers = headers.iter().map(|(name, value)| Header::new(*name, *value));
            producer.send(Record::to(topic).key(told).value(&value).headers(headers)).await.unwrap();
        }
        producer.send(Record::to(topic).key("a tombstone")).await.unwrap();
        let mut spring = Spring::start(&broker, "products", &[("topic", topic), ("types", types)]).await;
        println!("{types}: started in {:?}", spring.started_in());
        let heard = spring.heard_all(reads.len() + 1).await;
        let refused = read(kafka, dead, TELLS.len() - reads.len()).await;

        for heard in &heard {
            let key = heard.key.as_deref().unwrap();
            let expected = if key == "a tombstone" { Value::Null } else { order(key, 1) };
            assert_eq!(heard.value, expected, "{types}");
        }
        let read: BTreeSet<&str> = heard.iter().map(|heard| heard.key.as_deref().unwrap()).collect();
        assert_eq!(read, reads.iter().copied().chain(["a tombstone"]).collect(), "{types}");
        for letter in &refused {
            let told = text(letter.key());
            let class = text(letter.header("kafka_dlt-exception-fqcn").unwrap());
            // Converting comes after the deserializer, and nothing loops there.
            let exists = told == "another class";
            assert_eq!(class, if exists { FAILED_LISTENER } else { FAILED_DESERIALIZER }, "{types}: {told}");
            // What could not be read still says what it is; what could is written anew.
            let (_, sent) = TELLS.iter().find(|(name, _)| *name == told).unwrap();
            for (name, value) in if exists { &[] } else { *sent } {
                assert_eq!(text(letter.header(name).unwrap()), *value, "{types}: {told}");
            }
            assert_eq!(json_of(letter), order(told, 1), "{types}");
        }
        let refused: BTreeSet<&str> = refused.iter().map(|letter| text(letter.key())).collect();
        assert_eq!(refused.len() + read.len(), TELLS.len() + 1, "{types}");
        spring.stop().await;
    });
    join_all(each).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listener_reads_json_as_jackson_3_does() {
    let Some(broker) = with_spring() else { return };
    let (kafka, producer) = &connect(&broker).await;
    let topic = &broker.topic("spring-json", 1).await;
    let dead = &format!("{topic}-dlt");
    create_topic(kafka, dead, 1).await;
    let with = |name: &str, value: Value| {
        let mut order = order(name, 1);
        order[name] = value;
        order
    };
    let mut missing = order("quantity", 1);
    missing.as_object_mut().unwrap().remove("quantity");
    let values = [
        with("unknown", json!([1])),
        // As Jackson 2 writes an Instant.
        with("createdAt", json!(1_742_466_600.5)),
        with("createdAt", json!("2025-03-20T10:30:00.5Z")),
        with("product", Value::Null),
        // A primitive that has no value.
        missing,
        with("quantity", json!("many")),
    ];
    for value in &values {
        let value = value.to_string();
        producer.send(Record::to(topic).value(&value)).await.unwrap();
    }
    let mut spring = Spring::start(&broker, "products", &[("topic", topic), ("types", "none")]).await;
    let heard = spring.heard_all(4).await;
    let heard: Vec<_> = heard.iter().map(|heard| (heard.offset, &heard.value)).collect();
    let (unknown, half) = (order("unknown", 1), with("createdAt", json!("2025-03-20T10:30:00.500Z")));
    assert_eq!(heard, [(0, &unknown), (1, &half), (2, &half), (3, &values[3])]);
    let refused = read(kafka, dead, 2).await;
    let refused: Vec<_> = refused.iter().map(json_of).collect();
    assert_eq!(refused, values[4..]);
    spring.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_service_sends_a_class_a_token_or_no_type() {
    let Some(broker) = with_spring() else { return };
    let (kafka, _) = &connect(&broker).await;
    let each = [("class", Some("com.acme.order.OrderCreated")), ("mapping", Some("order.created")), ("none", None)];
    let each = each.map(async |(types, expected)| {
        let topic = &broker.topic(&format!("spring-orders-{types}"), 1).await;
        let mut spring = Spring::start(&broker, "orders", &[("topic", topic), ("types", types)]).await;
        let sent = spring.ask(&order("o-1", 2)).await;
        assert_eq!((&sent["sent"], &sent["offset"]), (&order("o-1", 2), &json!(0)), "{sent}");
        let record = &read(kafka, topic, 1).await[0];
        assert_eq!(record.key(), Some(&b"o-1"[..]));
        assert_eq!(
            text(record.value()),
            r#"{"orderId":"o-1","product":"tea","quantity":2,"price":19.9,"createdAt":"2025-03-20T10:30:00.123456789Z"}"#
        );
        let expected = expected.map(|id| (TYPE_ID, id.as_bytes()));
        assert_eq!(headers_of(record), owned(expected.as_slice()), "{types}");
        spring.stop().await;
    });
    join_all(each).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_of_spring_is_answered() {
    let Some(broker) = with_spring() else { return };
    let (kafka, producer) = &connect(&broker).await;
    let (topic, replies) = (&broker.topic("spring-asks", 1).await, &broker.topic("spring-replies", 3).await);
    let options = [("topic", &**topic), ("replies", replies), ("types", "none"), ("group", &unique("spring-group"))];
    let mut spring = Spring::start(&broker, "ask", &options).await;
    spring.tell(&order("o-1", 2)).await;
    let request = &read(kafka, topic, 1).await[0];
    assert_eq!((text(request.key()), json_of(request)), ("o-1", order("o-1", 2)));
    let [(topic_header, reply_topic), (correlation_header, correlation)] = &headers_of(request)[..] else {
        panic!("{:?}", headers_of(request))
    };
    assert_eq!((&**topic_header, text(Some(reply_topic))), ("kafka_replyTopic", &**replies));
    assert_eq!((&**correlation_header, correlation.len()), ("kafka_correlationId", 16));

    let reply = json!({"orderId": "o-1", "product": "tea", "reserved": 2});
    let correlated = Header::new("kafka_correlationId", correlation);
    producer.send(Record::to(replies).value(reply.to_string()).headers([correlated])).await.unwrap();
    let said = spring.line().await;
    assert_eq!((&said["value"], &said["asked"]), (&reply, &order("o-1", 2)), "{said}");
    spring.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn spring_answers_a_request() {
    let Some(broker) = with_spring() else { return };
    let (kafka, producer) = &connect(&broker).await;
    let (topic, replies) = (&broker.topic("spring-asked", 1).await, &broker.topic("spring-answers", 3).await);
    let options = [("topic", &**topic), ("types", "mapping"), ("group", &unique("spring-group"))];
    let mut spring = Spring::start(&broker, "answer", &options).await;
    let uuid = [0xd0, 0x56, 0xee, 0xb6, 0xf2, 0x7c, 0x43, 0xfb, 0xb8, 0xb9, 0x28, 0xc3, 0xb8, 0x28, 0xce, 0x5d];
    // Any bytes are an id, and one may say to which partition the answer goes.
    for (id, correlation, partition) in [("o-1", &uuid[..], None), ("o-2", b"two", Some(2i32.to_be_bytes()))] {
        let mut headers = vec![Header::new(TYPE_ID, "order.created"), Header::new("kafka_replyTopic", replies)];
        headers.push(Header::new("kafka_correlationId", correlation));
        headers.extend(partition.as_ref().map(|partition| Header::new("kafka_replyPartition", partition)));
        producer.send(Record::to(topic).key(id).value(order(id, 2).to_string()).headers(headers)).await.unwrap();
    }
    let mut answers = read(kafka, replies, 2).await;
    answers.sort_by(|one, other| json_of(one)["orderId"].as_str().cmp(&json_of(other)["orderId"].as_str()));
    for (answer, (id, correlation)) in answers.iter().zip([("o-1", &uuid[..]), ("o-2", b"two")]) {
        assert_eq!(json_of(answer), json!({"orderId": id, "product": "tea", "reserved": 2}));
        assert_eq!(answer.key(), Some(id.as_bytes()), "the request's key");
        let expected = [("kafka_correlationId", correlation), (TYPE_ID, b"stock.reserved")];
        assert_eq!(headers_of(answer), owned(&expected), "{id}");
    }
    assert_eq!(answers[1].partition(), 2);
    assert_eq!(spring.heard_all(2).await.iter().map(|heard| heard.offset).collect::<Vec<_>>(), [0, 1]);
    spring.stop().await;
}

/// Where it is, in the middle of partition 1.
const POISON: i64 = 50;
/// More lines than a log of something that goes on has.
const STORM: u64 = 50_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listener_as_of_the_first_tutorial_loops_on_a_poison_record() {
    let Some(broker) = with_spring() else { return };
    let (kafka, producer) = &connect(&broker).await;
    let topic = &broker.topic("spring-trap", 3).await;
    let group = &unique("spring-group");
    for number in 0..300i64 {
        let value = order(&number.to_string(), 1).to_string();
        let value = if number == 3 * POISON + 1 { "{not JSON" } else { &value };
        let record = Record::to(topic).partition((number % 3) as i32).headers([Header::new(TYPE_ID, PRODUCTS_CLASS)]);
        producer.send(record.value(value)).await.unwrap();
    }
    let options = [("topic", &**topic), ("types", "class"), ("group", group)];
    let mut spring = Spring::start(&broker, "trap", &options).await;
    let mut heard = Vec::new();
    let mut logged = async || {
        spring.tell(&json!("how much?")).await;
        loop {
            let line = spring.line().await;
            match line["logged"].as_u64() {
                Some(lines) => return (lines, line),
                None => heard.push(Heard::from(line)),
            }
        }
    };
    let storm = async || Some(logged().await).filter(|(lines, _)| *lines > STORM);
    let (_, storm) = eventually(SOON, "a storm", storm).await;
    println!("lines, bytes and time of the log: {storm}");

    // It has logged what Spring says of it, and it stands where it was.
    let log = spring.end_of_log();
    assert!(log.contains("please consider configuring an 'ErrorHandlingDeserializer'"), "{log}");
    assert!(log.contains(&format!("Error deserializing VALUE for partition {topic}-1 at offset {POISON}")), "{log}");
    let after = heard.iter().filter(|heard| heard.partition == 1 && heard.offset > POISON).count();
    assert_eq!(after, 0, "read past the poison");
    for partition in 0..3 {
        let heard = heard.iter().filter(|heard| heard.partition == partition).count();
        println!("partition {partition}: {heard} of 100 read");
    }
    let offsets = kafka.admin().group_offsets(group).await.unwrap();
    let committed = offsets.get(&TopicPartition::new(&**topic, 1)).map_or(0, |committed| committed.offset);
    assert!(committed <= POISON, "committed {committed}");
}
