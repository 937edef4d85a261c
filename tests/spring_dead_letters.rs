//! The headers of Spring's dead letters and retry topics on real Kafka, and what Spring reads of a dead letter that milena wrote.

mod support;

use futures_util::future::join_all;
use milena::{ConsumerRecord, Header, Kafka, Producer, Record, Timestamp};
use serde_json::json;
use support::{
    Broker, Heard, Spring, create_topic, headers_of, json_of, owned, read,
    spring::{FAILED_DESERIALIZER, FAILED_LISTENER, PRODUCTS_CLASS, TYPE_ID, order},
    text, unique, with_spring,
};

/// When a record is from, that has a time of its own.
const AT: i64 = 1_742_466_600_123;

/// milena's side.
async fn connect(broker: &Broker) -> (Kafka, Producer) {
    let kafka = Kafka::connect(broker.bootstrap()).await.unwrap();
    let producer = kafka.producer().build().await.unwrap();
    (kafka, producer)
}

/// With the stack traces judged, and taken out.
fn headers_without_traces(record: &ConsumerRecord) -> Vec<(String, Vec<u8>)> {
    let mut headers = headers_of(record);
    for (name, value) in &mut headers {
        if name.ends_with("exception-stacktrace") {
            let trace = text(Some(value));
            assert!(trace.contains("\n\tat org.springframework.kafka."), "{trace}");
            value.clear();
        }
    }
    headers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dead_letters_of_spring_say_where_they_are_from_and_why() {
    let Some(broker) = with_spring() else { return };
    let (kafka, producer) = &connect(&broker).await;
    let each = ["bytes", "json"].map(async |letters| {
        let topic = &broker.topic(&format!("spring-letters-{letters}"), 3).await;
        let dead = &format!("{topic}-dlt");
        create_topic(kafka, dead, 3).await;
        let failing = order("o-1", -1).to_string();
        let common = |key: &'static str| {
            let headers = [Header::new("x-shop", "Riga"), Header::new(TYPE_ID, PRODUCTS_CLASS)];
            Record::to(topic).partition(2).key(key).timestamp(Timestamp::from_millis(AT)).headers(headers)
        };
        producer.send(common("o-0").value(order("o-0", 1).to_string())).await.unwrap();
        producer.send(common("o-1").value(&failing)).await.unwrap();
        producer.send(common("o-2").value("{not JSON")).await.unwrap();
        let group = &unique("spring-group");
        let options = [("topic", &**topic), ("types", "class"), ("letters", letters), ("group", group)];
        let mut spring = Spring::start(&broker, "products", &options).await;
        let heard = spring.heard_all(4).await;
        assert_eq!(heard.iter().map(|heard| heard.offset).collect::<Vec<_>>(), [0, 1, 1, 1], "two more attempts");

        let found = read(kafka, dead, 2).await;
        let places: Vec<_> = found.iter().map(|letter| (letter.partition(), text(letter.key()))).collect();
        assert_eq!(places, [(2, "o-1"), (2, "o-2")]);
        assert_eq!(json_of(&found[0]), order("o-1", -1));
        let (value, class) = match letters {
            "bytes" => ("{not JSON", None),
            _ => (r#""e25vdCBKU09O""#, Some("[B")),
        };
        assert_eq!(text(found[1].value()), value);
        let failed = "Listener method 'void com.acme.product.ProductService.on(com.acme.product.OrderCreated,\
            org.apache.kafka.clients.consumer.ConsumerRecord<?, ?>)' threw exception; no stock for o-1";
        let handling = (FAILED_LISTENER, "java.lang.IllegalStateException", failed, Some(PRODUCTS_CLASS));
        // The deserializer takes the type away before it fails: what is there is of the letter's own serializer.
        let decoding = (FAILED_DESERIALIZER, FAILED_DESERIALIZER, "failed to deserialize", class);
        for (letter, offset, (error, cause, message, class)) in [(&found[0], 1i64, handling), (&found[1], 2, decoding)]
        {
            let mut expected = vec![
                ("x-shop", &b"Riga"[..]),
                ("kafka_dlt-exception-fqcn", error.as_bytes()),
                ("kafka_dlt-exception-cause-fqcn", cause.as_bytes()),
                ("kafka_dlt-exception-message", message.as_bytes()),
                ("kafka_dlt-exception-stacktrace", b""),
                ("kafka_dlt-original-topic", topic.as_bytes()),
                ("kafka_dlt-original-partition", &[0, 0, 0, 2]),
            ];
            let (offset, at) = (offset.to_be_bytes(), AT.to_be_bytes());
            expected.push(("kafka_dlt-original-offset", &offset));
            expected.push(("kafka_dlt-original-timestamp", &at));
            expected.push(("kafka_dlt-original-timestamp-type", b"CreateTime"));
            expected.push(("kafka_dlt-original-consumer-group", group.as_bytes()));
            expected.extend(class.map(|class| (TYPE_ID, class.as_bytes())));
            assert_eq!(headers_without_traces(letter), owned(&expected), "{letters}");
        }
        spring.stop().await;
    });
    join_all(each).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retry_topics_of_spring_pile_up_one_set_of_headers_a_hop() {
    let Some(broker) = with_spring() else { return };
    let (kafka, producer) = &connect(&broker).await;
    let topic = &broker.topic("spring-retry", 3).await;
    let group = &unique("spring-group");
    let options = [("topic", &**topic), ("types", "class"), ("group", group)];
    let mut spring = Spring::start(&broker, "retry", &options).await;
    let values = [("o-1", order("o-1", -1).to_string()), ("o-9", order("o-9", -9).to_string())];
    for (id, value) in values.into_iter().chain([("poison", "{not JSON".to_owned())]) {
        let headers = [Header::new("x-shop", "Riga"), Header::new(TYPE_ID, PRODUCTS_CLASS)];
        let record = Record::to(topic).partition(2).key(id).timestamp(Timestamp::from_millis(AT)).headers(headers);
        producer.send(record.value(value)).await.unwrap();
    }
    let heard = spring.heard_all(6).await;
    let hops = |id: &str| {
        let ours = heard.iter().filter(|heard| heard.key.as_deref() == Some(id));
        let hop = |heard: &Heard| (heard.listener.clone(), heard.topic.clone(), heard.partition);
        ours.map(hop).collect::<Vec<_>>()
    };
    let hop = |listener: &str, suffix: &str, partition| (listener.to_owned(), format!("{topic}{suffix}"), partition);
    // Its topics have one partition each.
    assert_eq!(hops("o-1"), [hop("retry", "", 2), hop("retry", "-retry-200", 0)]);
    let dead =
        [hop("retry", "", 2), hop("retry", "-retry-200", 0), hop("retry", "-retry-400", 0), hop("dead", "-dlt", 0)];
    assert_eq!(hops("o-9"), dead);

    let of = async |id: &str, suffix: &str, count| {
        let records = read(kafka, &format!("{topic}{suffix}"), count).await;
        records.into_iter().rfind(|record| text(record.key()) == id).unwrap()
    };
    // What can't be read is not tried again. Its letter is written with the service's own template, which makes JSON of bytes, and
    // the handler of dead letters can't read that.
    let poison = of("poison", "-dlt", 2).await;
    assert_eq!(json_of(&poison), json!("e25vdCBKU09O"));
    assert_eq!(text(poison.header("kafka_exception-fqcn").unwrap()), FAILED_DESERIALIZER);
    assert_eq!(poison.header("retry_topic-attempts").unwrap(), Some(&[0, 0, 0, 2][..]));
    assert_eq!(text(poison.header(TYPE_ID).unwrap()), "[B");

    let hops = [of("o-9", "-retry-200", 2).await, of("o-9", "-retry-400", 1).await, of("o-9", "-dlt", 2).await];
    let minimal = &AT.to_be_bytes()[2..];
    let mut piled = Vec::new();
    for (hop, record) in hops.iter().enumerate() {
        assert_eq!(json_of(record), order("o-9", -9));
        let named = headers_without_traces(record);
        let due: Vec<_> = named.iter().filter(|(name, _)| name == "retry_topic-backoff-timestamp").collect();
        assert_eq!(due.len(), hop + 1);
        let due = &due[hop].1;
        let exception = [
            ("kafka_exception-fqcn", FAILED_LISTENER.as_bytes()),
            ("kafka_exception-cause-fqcn", b"java.lang.IllegalStateException"),
            ("kafka_exception-message", b"Listener failed; no stock for o-9"),
            ("kafka_exception-stacktrace", b""),
        ];
        let original = [
            ("kafka_original-topic", topic.as_bytes()),
            ("kafka_original-partition", &[0, 0, 0, 2]),
            ("kafka_original-offset", &[0, 0, 0, 0, 0, 0, 0, 1]),
            ("kafka_original-timestamp", &AT.to_be_bytes()),
            ("kafka_original-timestamp-type", b"CreateTime"),
            ("kafka_dlt-original-consumer-group", group.as_bytes()),
        ];
        let attempts = (hop as i32 + 2).to_be_bytes();
        let retry = [
            ("retry_topic-original-timestamp", minimal),
            ("retry_topic-attempts", &attempts),
            ("retry_topic-backoff-timestamp", due),
        ];
        // The first hop says first why it failed, and then where it is from; what stays from before then comes first.
        let mut expected = owned(&[("x-shop", b"Riga")]);
        if hop == 0 {
            expected.extend(owned(&exception));
            expected.extend(owned(&original));
            piled.extend(owned(&original));
            expected.extend(owned(&retry));
        } else {
            expected.extend(piled.clone());
            expected.extend(owned(&exception));
            expected.extend(owned(&retry));
        }
        piled.extend(owned(&retry));
        expected.extend(owned(&[(TYPE_ID, PRODUCTS_CLASS.as_bytes())]));
        assert_eq!(named, expected, "hop {hop}");
        assert_eq!(due.len(), 6, "minimal");
    }
    spring.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn spring_reads_the_headers_of_a_dead_letter() {
    let Some(broker) = with_spring() else { return };
    let (_, producer) = connect(&broker).await;
    let topic = broker.topic("spring-reads-letters", 1).await;
    let (partition, offset, at) = (2i32.to_be_bytes(), 77i64.to_be_bytes(), AT.to_be_bytes());
    let headers = [
        Header::new("kafka_dlt-exception-fqcn", "shop::NoStock"),
        Header::new("kafka_dlt-exception-cause-fqcn", "shop::Empty"),
        Header::new("kafka_dlt-exception-message", "no stock for o-1: “tea”"),
        Header::new("kafka_dlt-exception-stacktrace", "no stock\n  the shelf is empty"),
        Header::new("kafka_dlt-original-topic", "orders"),
        Header::new("kafka_dlt-original-partition", &partition),
        Header::new("kafka_dlt-original-offset", &offset),
        Header::new("kafka_dlt-original-timestamp", &at),
        Header::new("kafka_dlt-original-timestamp-type", "CreateTime"),
        Header::new("kafka_dlt-original-consumer-group", "product-service"),
    ];
    producer.send(Record::to(&topic).key("o-1").value("{not JSON").headers(headers)).await.unwrap();
    let mut spring = Spring::start(&broker, "letters", &[("topic", &topic), ("group", &unique("spring-group"))]).await;
    let heard = spring.heard().await;
    assert_eq!((heard.key.as_deref(), &heard.value), (Some("o-1"), &json!("{not JSON")));
    let expected = json!({
        "error": "shop::NoStock", "cause": "shop::Empty", "message": "no stock for o-1: “tea”",
        "stackTrace": "no stock\n  the shelf is empty",
        "originalTopic": "orders", "originalPartition": 2, "originalOffset": 77, "originalTimestamp": AT,
        "originalTimestampType": "CreateTime", "originalGroup": "product-service",
    });
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&heard.line[name], value, "{name}");
    }
    spring.stop().await;
}
