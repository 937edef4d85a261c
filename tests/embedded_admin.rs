//! The embedded broker as admins use it: topics, settings, records.

use std::time::Duration;

use milena::{
    Admin, AdminError, ConfigChange, ConfigEntry, ConfigResource, ConfigSource, Embedded, ErrorCode, Kafka, NewTopic,
    OffsetSpec, Record,
};

async fn connect(brokers: u16) -> (Embedded, Kafka, Admin) {
    let embedded = Embedded::brokers(brokers);
    let kafka = embedded.kafka().await.unwrap();
    let admin = kafka.admin();
    (embedded, kafka, admin)
}

fn refused(error: &AdminError) -> (ErrorCode, &str) {
    let AdminError::Refused { code, message, .. } = error else { panic!("{error}") };
    (*code, message.as_deref().unwrap_or_default())
}

fn entry<'a>(entries: &'a [ConfigEntry], name: &str) -> &'a ConfigEntry {
    entries.iter().find(|entry| &*entry.name == name).unwrap_or_else(|| panic!("no {name}"))
}

fn value<'a>(entries: &'a [ConfigEntry], name: &str) -> (&'a str, ConfigSource) {
    let entry = entry(entries, name);
    (entry.value.as_deref().unwrap(), entry.source)
}

fn topic(name: &str) -> ConfigResource {
    ConfigResource::Topic(name.into())
}

#[tokio::test]
async fn a_topic_is_created_grown_and_deleted() {
    let (_embedded, kafka, admin) = connect(3).await;
    let new = NewTopic::new("orders").partitions(3).replication_factor(2).config("retention.ms", "100000");
    let would_be = admin.dry_run().create_topic(new.clone()).await.unwrap();
    assert_eq!((would_be.partitions, would_be.replication_factor), (Some(3), Some(2)));
    assert!(admin.list_topics().await.unwrap().is_empty(), "a dry run creates nothing");
    let created = admin.create_topic(new.clone()).await.unwrap();
    let description = admin.describe_topic("orders").await.unwrap();
    assert_eq!((description.id, description.partitions.len()), (created.id, 3));
    assert!(description.partitions.iter().all(|partition| partition.isr.len() == 2));

    let again = admin.create_topic(new.clone()).await.unwrap_err();
    assert!(matches!(again, AdminError::AlreadyExists { .. }), "{again}");
    let producer = kafka.producer().build().await.unwrap();
    producer.send(Record::to("orders").partition(2).value("a")).await.unwrap();

    admin.dry_run().create_partitions("orders", 5).await.unwrap();
    assert_eq!(admin.describe_topic("orders").await.unwrap().partitions.len(), 3);
    admin.create_partitions("orders", 5).await.unwrap();
    assert_eq!(admin.describe_topic("orders").await.unwrap().partitions.len(), 5);
    for (count, why) in [
        (4, "The topic orders currently has 5 partition(s); 4 would not be an increase."),
        (5, "Topic already has 5 partition(s)."),
    ] {
        let error = admin.create_partitions("orders", count).await.unwrap_err();
        assert_eq!(refused(&error), (ErrorCode::INVALID_PARTITIONS, why));
    }

    admin.delete_topic("orders").await.unwrap();
    let gone = admin.describe_topic("orders").await.unwrap_err();
    assert!(matches!(gone, AdminError::Unknown { .. }), "{gone}");
    let anew = admin.create_topic(new).await.unwrap();
    assert_ne!(anew.id, created.id);
    let mut consumer =
        kafka.standalone_consumer().assign_topics(["orders"], OffsetSpec::Beginning).build().await.unwrap();
    let producer = kafka.producer().build().await.unwrap();
    producer.send(Record::to("orders").partition(0).value("b")).await.unwrap();
    assert_eq!(consumer.recv().await.unwrap().unwrap().value(), Some(&b"b"[..]), "what the topic had before is gone");
}

#[tokio::test]
async fn what_a_topic_leaves_open_the_brokers_choose_and_what_it_assigns_they_hold() {
    let (_embedded, _, admin) = connect(3).await;
    admin.create_topic(NewTopic::new("open")).await.unwrap();
    let open = admin.describe_topic("open").await.unwrap();
    assert_eq!((open.partitions.len(), open.partitions[0].replicas.len()), (1, 3));
    admin.create_topic(NewTopic::new("assigned").replicas([[2, 1], [3, 2], [1, 3]])).await.unwrap();
    let assigned = admin.describe_topic("assigned").await.unwrap();
    let replicas: Vec<_> = assigned.partitions.iter().map(|partition| partition.replicas.clone()).collect();
    assert_eq!(replicas, [[2, 1], [3, 2], [1, 3]]);
    assert_eq!(assigned.partitions[1].leader, Some(3));
}

#[tokio::test]
async fn topics_that_cannot_be_are_refused_as_by_kafka() {
    let (_embedded, _, admin) = connect(3).await;
    admin.create_topic(NewTopic::new("a.b")).await.unwrap();
    let cases = [
        (NewTopic::new("no/topic"), ErrorCode::INVALID_TOPIC_EXCEPTION, "other than ASCII alphanumerics"),
        (NewTopic::new("a_b"), ErrorCode::INVALID_TOPIC_EXCEPTION, "Topic 'a_b' collides with existing topic: a.b"),
        (NewTopic::new("a").replication_factor(9), ErrorCode::INVALID_REPLICATION_FACTOR, "only 3 broker(s)"),
        (NewTopic::new("a").config("retention.msec", "1"), ErrorCode::INVALID_CONFIG, "retention.msec"),
        (NewTopic::new("a").config("retention.ms", "soon"), ErrorCode::INVALID_CONFIG, "Not a number of type LONG"),
        (NewTopic::new("a").partitions(20_000), ErrorCode::POLICY_VIOLATION, "large number of partitions"),
        (NewTopic::new("a").replicas([[1, 1]]), ErrorCode::INVALID_REPLICA_ASSIGNMENT, "more than once"),
        (NewTopic::new("a").replicas([[7]]), ErrorCode::INVALID_REPLICA_ASSIGNMENT, "broker 7"),
    ];
    for (new, code, why) in cases {
        for admin in [&admin, &admin.dry_run()] {
            let error = admin.create_topic(new.clone()).await.unwrap_err();
            assert_eq!(refused(&error).0, code, "{error}");
            assert!(refused(&error).1.contains(why), "{error}");
        }
    }
}

#[tokio::test]
async fn a_topics_settings_are_changed_one_at_a_time() {
    let (_embedded, kafka, admin) = connect(1).await;
    admin.create_topic(NewTopic::new("orders").config("retention.ms", "100000")).await.unwrap();
    let entries = admin.describe_configs(&topic("orders")).await.unwrap();
    assert_eq!(value(&entries, "retention.ms"), ("100000", ConfigSource::Topic));
    assert_eq!(value(&entries, "cleanup.policy"), ("delete", ConfigSource::Default));
    assert!(entries.iter().all(|entry| !entry.sensitive && !entry.read_only));

    let changes = [
        ConfigChange::set("max.message.bytes", "500"),
        ConfigChange::append("cleanup.policy", "compact"),
        ConfigChange::delete("segment.bytes"),
    ];
    admin.dry_run().alter_configs(&topic("orders"), changes.clone()).await.unwrap();
    let entries = admin.describe_configs(&topic("orders")).await.unwrap();
    assert_eq!(value(&entries, "cleanup.policy").0, "delete");
    admin.alter_configs(&topic("orders"), changes).await.unwrap();
    let entries = admin.describe_configs(&topic("orders")).await.unwrap();
    assert_eq!(value(&entries, "cleanup.policy"), ("delete,compact", ConfigSource::Topic));
    assert_eq!(value(&entries, "retention.ms").0, "100000");
    let changes = [ConfigChange::delete("retention.ms"), ConfigChange::subtract("cleanup.policy", "compact")];
    admin.alter_configs(&topic("orders"), changes).await.unwrap();
    let entries = admin.describe_configs(&topic("orders")).await.unwrap();
    assert_eq!(value(&entries, "retention.ms"), ("604800000", ConfigSource::Default));
    assert_eq!(value(&entries, "cleanup.policy").0, "delete");

    // They do something.
    let producer = kafka.producer().build().await.unwrap();
    let error = producer.send(Record::to("orders").value(vec![0; 600])).await.unwrap_err();
    assert!(error.to_string().contains("MESSAGE_TOO_LARGE") || error.to_string().contains("large"), "{error}");

    let bad = [ConfigChange::set("max.message.bytes", "6000"), ConfigChange::set("retention.ms", "soon")];
    let error = admin.alter_configs(&topic("orders"), bad).await.unwrap_err();
    assert_eq!(refused(&error).0, ErrorCode::INVALID_CONFIG);
    let entries = admin.describe_configs(&topic("orders")).await.unwrap();
    assert_eq!(value(&entries, "max.message.bytes").0, "500", "all of the changes, or none");
    let error = admin.alter_configs(&topic("orders"), [ConfigChange::append("retention.ms", "1")]).await.unwrap_err();
    assert_eq!(refused(&error).0, ErrorCode::INVALID_CONFIG);
    let error = admin.alter_configs(&topic("none"), [ConfigChange::set("retention.ms", "1")]).await.unwrap_err();
    assert!(matches!(error, AdminError::Unknown { .. }), "{error}");
}

#[tokio::test]
async fn a_brokers_settings_are_its_own_or_all_brokers() {
    let (_embedded, _, admin) = connect(2).await;
    admin.create_topic(NewTopic::new("orders")).await.unwrap();
    let (first, second) = (ConfigResource::Broker(1), ConfigResource::Broker(2));
    let entries = admin.describe_configs(&first).await.unwrap();
    assert_eq!(value(&entries, "broker.rack"), ("rack1", ConfigSource::BrokerFile));
    assert!(entry(&entries, "node.id").read_only);
    let secret = entry(&entries, "ssl.key.password");
    assert!(secret.sensitive && secret.value.is_none());

    let name = "log.cleaner.backoff.ms";
    admin.alter_configs(&second, [ConfigChange::set(name, "15001")]).await.unwrap();
    let entries = admin.describe_configs(&second).await.unwrap();
    assert_eq!(value(&entries, name), ("15001", ConfigSource::Broker));
    assert_eq!(value(&admin.describe_configs(&first).await.unwrap(), name).0, "15000");
    admin.alter_configs(&second, [ConfigChange::delete(name)]).await.unwrap();
    assert_eq!(value(&admin.describe_configs(&second).await.unwrap(), name).0, "15000");

    // What is set for all of them is what topics have that don't set it.
    let all = ConfigResource::BrokerDefaults;
    admin.alter_configs(&all, [ConfigChange::set("message.max.bytes", "2000")]).await.unwrap();
    let entries = admin.describe_configs(&topic("orders")).await.unwrap();
    assert_eq!(value(&entries, "max.message.bytes"), ("2000", ConfigSource::BrokerDefaults));
    assert_eq!(value(&admin.describe_configs(&all).await.unwrap(), "message.max.bytes").0, "2000");

    for change in [ConfigChange::set("node.id", "7"), ConfigChange::set("message.max.bytes", "many")] {
        let error = admin.alter_configs(&first, [change]).await.unwrap_err();
        assert_eq!(refused(&error).0, ErrorCode::INVALID_REQUEST, "{error}");
    }
    let error = admin.alter_configs(&all, [ConfigChange::set("listeners", "PLAINTEXT://:1")]).await.unwrap_err();
    assert!(refused(&error).1.contains("broker id must be specified"), "{error}");
}

#[tokio::test]
async fn a_groups_settings_are_kept_before_the_group_is_there() {
    let (_embedded, _, admin) = connect(1).await;
    let group = ConfigResource::Group("readers".into());
    admin.alter_configs(&group, [ConfigChange::set("consumer.session.timeout.ms", "7000")]).await.unwrap();
    let entries = admin.describe_configs(&group).await.unwrap();
    assert_eq!(value(&entries, "consumer.session.timeout.ms"), ("7000", ConfigSource::Group));
    let error = admin.alter_configs(&group, [ConfigChange::set("no.such", "1")]).await.unwrap_err();
    assert_eq!(refused(&error).0, ErrorCode::INVALID_CONFIG);
}

#[tokio::test]
async fn records_are_deleted_up_to_an_offset() {
    let (_embedded, kafka, admin) = connect(1).await;
    admin.create_topic(NewTopic::new("orders").partitions(1)).await.unwrap();
    let producer = kafka.producer().build().await.unwrap();
    for n in 0..10 {
        producer.send(Record::to("orders").value(n.to_string())).await.unwrap();
    }
    let first = admin.delete_records("orders", [(0, 4)]).await;
    assert_eq!(first[0].1.as_ref().unwrap(), &4);
    let mut consumer =
        kafka.standalone_consumer().assign_topics(["orders"], OffsetSpec::Beginning).build().await.unwrap();
    assert_eq!(consumer.recv().await.unwrap().unwrap().offset(), 4);
    let too_far = admin.delete_records("orders", [(0, 11)]).await;
    assert_eq!(refused(too_far[0].1.as_ref().unwrap_err()).0, ErrorCode::OFFSET_OUT_OF_RANGE);
    let all = admin.delete_records("orders", [(0, -1)]).await;
    assert_eq!(all[0].1.as_ref().unwrap(), &10);
}

#[tokio::test]
async fn a_topic_holds_no_more_than_its_retention_bytes() {
    let (_embedded, kafka, admin) = connect(1).await;
    admin.create_topic(NewTopic::new("orders").partitions(1).config("retention.bytes", "5000")).await.unwrap();
    let producer = kafka.producer().build().await.unwrap();
    for _ in 0..50 {
        producer.send(Record::to("orders").value(vec![0; 900])).await.unwrap();
    }
    let mut consumer =
        kafka.standalone_consumer().assign_topics(["orders"], OffsetSpec::Beginning).build().await.unwrap();
    let first = consumer.recv().await.unwrap().unwrap().offset();
    assert!((44..=45).contains(&first), "{first}");
    // Less from now on.
    admin.alter_configs(&topic("orders"), [ConfigChange::set("retention.bytes", "1500")]).await.unwrap();
    let mut consumer =
        kafka.standalone_consumer().assign_topics(["orders"], OffsetSpec::Beginning).build().await.unwrap();
    let first = consumer.recv().await.unwrap().unwrap().offset();
    assert!((48..=49).contains(&first), "{first}");
}

#[tokio::test(start_paused = true)]
async fn a_topic_holds_records_no_longer_than_its_retention_ms() {
    let (_embedded, kafka, admin) = connect(1).await;
    for (name, policy) in [("orders", "delete"), ("accounts", "compact")] {
        let new = NewTopic::new(name).partitions(1).config("retention.ms", "60000").config("cleanup.policy", policy);
        admin.create_topic(new).await.unwrap();
    }
    let producer = kafka.producer().build().await.unwrap();
    let send = async || {
        for name in ["orders", "accounts"] {
            producer.send(Record::to(name).key("k").value("v")).await.unwrap();
        }
    };
    let first = async |name: &str| {
        let mut consumer =
            kafka.standalone_consumer().assign_topics([name], OffsetSpec::Beginning).build().await.unwrap();
        consumer.recv().await.unwrap().unwrap().offset()
    };
    send().await;
    tokio::time::advance(Duration::from_secs(100)).await;
    send().await;
    assert_eq!(first("orders").await, 0, "it is looked at each five minutes");
    tokio::time::advance(Duration::from_secs(230)).await;
    send().await;
    assert_eq!((first("orders").await, first("accounts").await), (2, 0));
}
