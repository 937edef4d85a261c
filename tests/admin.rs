//! The admin client on a real cluster, checked by Kafka's own tools.

mod support;

use std::{collections::BTreeMap, time::Duration};

use milena::{
    Admin, AdminError, ConfigChange, ConfigEntry, ConfigResource, ConfigSource, ErrorCode, Kafka, NewTopic, Record,
};
use support::{Broker, Fault, Filter, eventually, unique};

const SOON: Duration = Duration::from_secs(20);

const CREATE_TOPICS: i16 = 19;
const DELETE_TOPICS: i16 = 20;
const DELETE_RECORDS: i16 = 21;
const CREATE_PARTITIONS: i16 = 37;

async fn connect(broker: &Broker) -> (Kafka, Admin) {
    let kafka = Kafka::connect(broker.bootstrap()).await.unwrap();
    let admin = kafka.admin();
    (kafka, admin)
}

/// What Kafka's tool says of a topic: the line of the topic, and one for each partition. None on the embedded broker.
async fn described(broker: &Broker, topic: &str) -> Option<String> {
    broker.tool("org.apache.kafka.tools.TopicCommand", &["--describe", "--topic", topic], "").await
}

/// What Kafka's tool says is set on a resource itself.
async fn configured(broker: &Broker, kind: &str, name: &str) -> Option<String> {
    let args = ["--describe", "--entity-type", kind, "--entity-name", name];
    broker.tool("kafka.admin.ConfigCommand", &args, "").await
}

fn value<'a>(entries: &'a [ConfigEntry], name: &str) -> (&'a str, ConfigSource) {
    let entry = entries.iter().find(|entry| &*entry.name == name).unwrap();
    (entry.value.as_deref().unwrap(), entry.source)
}

fn refused(error: &AdminError) -> ErrorCode {
    let AdminError::Refused { code, message, possibly_applied: false, .. } = error else { panic!("{error}") };
    assert!(message.is_some(), "{error}");
    *code
}

#[tokio::test]
async fn a_topic_is_created_grown_and_deleted() {
    let broker = support::broker();
    let (kafka, admin) = connect(&broker).await;
    let topic = unique("admin");

    let new = NewTopic::new(&*topic).partitions(3).replication_factor(3).config("retention.ms", "100000");
    let would_be = admin.dry_run().create_topic(new.clone()).await.unwrap();
    assert!(would_be.id.is_zero() && would_be.partitions == Some(3), "{would_be:?}");
    let created = admin.create_topic(new.clone()).await.expect("a dry run creates nothing");
    assert_eq!((&*created.name, created.partitions, created.replication_factor), (&*topic, Some(3), Some(3)));

    // At once, by a client that has not heard of it.
    for partition in 0..3 {
        let producer = kafka.producer().build().await.unwrap();
        producer.send(Record::to(&topic).partition(partition).value("a")).await.unwrap();
    }

    let description = admin.describe_topic(&topic).await.unwrap();
    assert_eq!((description.id, description.is_internal, description.partitions.len()), (created.id, false, 3));
    let told = described(&broker, &topic).await;
    let id = format!("TopicId: {}", created.id);
    assert!(told.as_ref().is_none_or(|told| told.contains(&id) && told.contains("retention.ms=100000")), "{told:?}");
    for (number, partition) in (0..).zip(&description.partitions) {
        assert_eq!((partition.partition, partition.isr.len(), partition.offline_replicas.len()), (number, 3, 0));
        let replicas = partition.replicas.iter().map(i32::to_string).collect::<Vec<_>>().join(",");
        let leader = partition.leader.unwrap();
        let line = format!("Partition: {number}\tLeader: {leader}\tReplicas: {replicas}\t");
        let is_told = told.as_ref().is_none_or(|told| told.contains(&line));
        assert!(partition.leader_epoch.is_some() && is_told, "{partition:?} is not in\n{told:?}");
    }

    let listed = admin.list_topics().await.unwrap();
    let listing = listed.iter().find(|listing| *listing.name == *topic).unwrap();
    assert_eq!((listing.id, listing.partitions, listing.replication_factor), (created.id, 3, 3));
    assert!(listed.is_sorted_by_key(|listing| &listing.name));

    admin.dry_run().create_partitions(&topic, 5).await.unwrap();
    assert_eq!(admin.describe_topic(&topic).await.unwrap().partitions.len(), 3);
    admin.create_partitions(&topic, 5).await.unwrap();
    if let Some(told) = described(&broker, &topic).await {
        assert!(told.contains("PartitionCount: 5"), "{told}");
    }
    let fewer = admin.create_partitions(&topic, 4).await.unwrap_err();
    assert_eq!(refused(&fewer), ErrorCode::INVALID_PARTITIONS);

    admin.delete_topic(&topic).await.unwrap();
    if let Some(names) = broker.tool("org.apache.kafka.tools.TopicCommand", &["--list"], "").await {
        assert!(names.lines().all(|name| name != topic), "{names}");
    }
    let gone = admin.describe_topic(&topic).await.unwrap_err();
    assert!(matches!(gone, AdminError::Unknown { .. }) && gone.to_string().contains(&topic), "{gone}");
    // Its name is free again.
    admin.create_topic(new).await.unwrap();
    admin.delete_topic(&topic).await.unwrap();
}

#[tokio::test]
async fn brokers_choose_what_a_topic_leaves_open_and_hold_what_it_assigns() {
    let broker = support::broker();
    let (_, admin) = connect(&broker).await;
    let (open, assigned) = (unique("admin"), unique("admin"));
    let topics = [NewTopic::new(&*open), NewTopic::new(&*assigned).replicas([[2, 1], [3, 2], [1, 3], [2, 3]])];
    for (name, result) in admin.create_topics(topics).await {
        result.unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    // num.partitions and default.replication.factor of tests/kafka/kafka.sh.
    if let Some(told) = described(&broker, &open).await {
        assert!(told.contains("PartitionCount: 3\tReplicationFactor: 3"), "{told}");
    }
    let partitions = admin.describe_topic(&open).await.unwrap().partitions;
    assert_eq!((partitions.len(), partitions[0].replicas.len()), (3, 3));
    let told = described(&broker, &assigned).await;
    for line in ["Partition: 0\tLeader: 2\tReplicas: 2,1", "Partition: 3\tLeader: 2\tReplicas: 2,3"] {
        assert!(told.as_ref().is_none_or(|told| told.contains(line)), "{told:?}");
    }
    let both = [&*assigned, &*open];
    let descriptions = admin.describe_topics(both).await;
    assert_eq!(descriptions.iter().map(|(name, _)| &**name).collect::<Vec<_>>(), both);
    assert_eq!(descriptions[0].1.as_ref().unwrap().partitions[1].replicas, [3, 2]);
    assert!(admin.delete_topics(both).await.iter().all(|(_, result)| result.is_ok()));
}

#[tokio::test]
async fn each_topic_of_a_request_has_its_own_error() {
    let broker = support::broker();
    let (_, admin) = connect(&broker).await;
    let (there, good, bad) = (broker.topic("admin", 1).await, unique("admin"), unique("admin"));
    let topics = [
        NewTopic::new(&*there),
        NewTopic::new("no/topic"),
        NewTopic::new(&*bad).config("retention.msec", "1"),
        NewTopic::new(&*bad).replication_factor(9),
        NewTopic::new(&*good).partitions(1),
    ];
    // The same name twice in one request is an error for both.
    let mut topics = topics.to_vec();
    let too_many_replicas = topics.remove(3);
    let results = admin.create_topics(topics).await;
    let error = |index: usize| results[index].1.as_ref().unwrap_err();
    assert!(matches!(error(0), AdminError::AlreadyExists { topic, possibly_ours: false } if **topic == *there));
    assert_eq!(error(0).to_string(), format!("topic {there:?} exists already"));
    assert_eq!(refused(error(1)), ErrorCode::INVALID_TOPIC_EXCEPTION);
    assert_eq!(refused(error(2)), ErrorCode::INVALID_CONFIG);
    assert!(error(2).to_string().contains("retention.msec"), "{}", error(2));
    assert!(results[3].1.is_ok(), "{:?}", results[3]);
    let error = admin.create_topic(too_many_replicas.clone()).await.unwrap_err();
    assert_eq!(refused(&error), ErrorCode::INVALID_REPLICATION_FACTOR);
    let error = admin.dry_run().create_topic(too_many_replicas).await.unwrap_err();
    assert_eq!(refused(&error), ErrorCode::INVALID_REPLICATION_FACTOR);

    let results = admin.delete_topics([&*bad, &*good, &*there]).await;
    assert!(matches!(&results[0].1, Err(AdminError::Unknown { subject }) if subject.contains(&bad)), "{results:?}");
    assert!(results[1].1.is_ok() && results[2].1.is_ok(), "{results:?}");

    let unknown = admin.create_partitions(&bad, 2).await.unwrap_err();
    assert!(matches!(unknown, AdminError::Unknown { .. }), "{unknown}");
    let resource = ConfigResource::Topic(bad.as_str().into());
    let unknown = admin.alter_configs(&resource, [ConfigChange::set("retention.ms", "1")]).await.unwrap_err();
    assert!(matches!(unknown, AdminError::Unknown { .. }), "{unknown}");
    let unknown = admin.describe_configs(&resource).await.unwrap_err();
    assert!(matches!(unknown, AdminError::Unknown { .. }), "{unknown}");
    let bad_name = admin.describe_topic("no/topic").await.unwrap_err();
    assert!(matches!(bad_name, AdminError::Refused { code: ErrorCode::INVALID_TOPIC_EXCEPTION, .. }), "{bad_name}");
}

#[tokio::test]
async fn a_topics_config_is_changed_one_setting_at_a_time() {
    let broker = support::broker();
    let (_, admin) = connect(&broker).await;
    let topic = broker.topic_with("admin", 1, &["retention.ms=100000"]).await;
    let resource = ConfigResource::Topic(topic.as_str().into());

    let entries = admin.describe_configs(&resource).await.unwrap();
    assert_eq!(value(&entries, "retention.ms"), ("100000", ConfigSource::Topic));
    assert_eq!(value(&entries, "cleanup.policy"), ("delete", ConfigSource::Default));
    // From the brokers' properties file.
    assert_eq!(value(&entries, "min.insync.replicas").0, "2");
    assert!(entries.iter().find(|entry| &*entry.name == "cleanup.policy").unwrap().is_default());
    assert!(entries.iter().all(|entry| !entry.sensitive && !entry.read_only));

    let change = [ConfigChange::set("retention.ms", "1")];
    admin.dry_run().alter_configs(&resource, change).await.unwrap();
    let changes = [
        ConfigChange::set("max.message.bytes", "5000"),
        ConfigChange::append("cleanup.policy", "compact"),
        ConfigChange::delete("segment.bytes"),
    ];
    admin.alter_configs(&resource, changes).await.unwrap();
    eventually(SOON, "Kafka's tool shows both old and new settings", async || {
        let Some(told) = configured(&broker, "topics", &topic).await else { return Ok(()) };
        let all = ["retention.ms=100000 ", "max.message.bytes=5000 ", "cleanup.policy=delete,compact "];
        if all.iter().all(|setting| told.contains(setting)) { Ok(()) } else { Err(told) }
    })
    .await;
    let changes = [ConfigChange::delete("retention.ms"), ConfigChange::subtract("cleanup.policy", "delete")];
    admin.alter_configs(&resource, changes).await.unwrap();
    eventually(SOON, "the change is told by any broker", async || {
        let entries = admin.describe_configs(&resource).await.unwrap();
        value(&entries, "retention.ms").1 != ConfigSource::Topic && value(&entries, "cleanup.policy").0 == "compact"
    })
    .await;

    let unknown = admin.alter_configs(&resource, [ConfigChange::set("retention.msec", "1")]).await.unwrap_err();
    assert_eq!(refused(&unknown), ErrorCode::INVALID_CONFIG);
    assert!(unknown.to_string().contains(&topic) && unknown.to_string().contains("retention.msec"), "{unknown}");
    let bad = [ConfigChange::set("max.message.bytes", "6000"), ConfigChange::set("retention.ms", "soon")];
    assert_eq!(refused(&admin.alter_configs(&resource, bad).await.unwrap_err()), ErrorCode::INVALID_CONFIG);
    let bad = admin.dry_run().alter_configs(&resource, [ConfigChange::set("retention.ms", "soon")]).await;
    assert_eq!(refused(&bad.unwrap_err()), ErrorCode::INVALID_CONFIG);
    let entries = admin.describe_configs(&resource).await.unwrap();
    assert_eq!(value(&entries, "max.message.bytes").0, "5000", "all of the changes, or none");
}

#[tokio::test]
async fn a_brokers_config_is_that_brokers_own() {
    let broker = support::broker();
    let (_, admin) = connect(&broker).await;
    for id in 1..=3 {
        let entries = admin.describe_configs(&ConfigResource::Broker(id)).await.unwrap();
        assert_eq!(value(&entries, "broker.rack"), (&*format!("rack{id}"), ConfigSource::BrokerFile));
        let node = entries.iter().find(|entry| &*entry.name == "node.id").unwrap();
        assert!(node.read_only && node.value.as_deref() == Some(&*id.to_string()), "{node:?}");
        let secret = entries.iter().find(|entry| &*entry.name == "ssl.key.password").unwrap();
        assert!(secret.sensitive && secret.value.is_none(), "{secret:?}");
    }
    // One that no test depends on.
    let (name, resource) = ("log.cleaner.backoff.ms", ConfigResource::Broker(2));
    admin.alter_configs(&resource, [ConfigChange::set(name, "15001")]).await.unwrap();
    eventually(SOON, "the broker has it", async || {
        let entries = admin.describe_configs(&resource).await.unwrap();
        value(&entries, name) == ("15001", ConfigSource::Broker)
    })
    .await;
    if let Some(told) = configured(&broker, "brokers", "2").await {
        assert!(told.contains("log.cleaner.backoff.ms=15001"), "{told}");
    }
    let other = admin.describe_configs(&ConfigResource::Broker(1)).await.unwrap();
    assert_eq!(value(&other, name).0, "15000");
    admin.alter_configs(&resource, [ConfigChange::delete(name)]).await.unwrap();
    eventually(SOON, "the broker has its default again", async || {
        value(&admin.describe_configs(&resource).await.unwrap(), name).0 == "15000"
    })
    .await;

    let read_only = admin.alter_configs(&resource, [ConfigChange::set("node.id", "7")]).await.unwrap_err();
    assert!(matches!(read_only, AdminError::Refused { .. }), "{read_only}");
    let unknown = admin.describe_configs(&ConfigResource::Broker(99)).await.unwrap_err();
    assert!(matches!(&unknown, AdminError::Unknown { .. }) && unknown.to_string().contains("broker 99"), "{unknown}");
    admin.describe_configs(&ConfigResource::BrokerDefaults).await.unwrap();
}

#[tokio::test]
async fn a_groups_config_is_kept_before_the_group_is_there() {
    let broker = support::broker();
    let (_, admin) = connect(&broker).await;
    let group = ConfigResource::Group(unique("admin-group").into());
    admin.alter_configs(&group, [ConfigChange::set("consumer.session.timeout.ms", "7000")]).await.unwrap();
    eventually(SOON, "a broker tells it", async || {
        let entries = admin.describe_configs(&group).await.unwrap();
        value(&entries, "consumer.session.timeout.ms") == ("7000", ConfigSource::Group)
    })
    .await;
    admin.alter_configs(&group, [ConfigChange::delete("consumer.session.timeout.ms")]).await.unwrap();
}

#[tokio::test]
async fn records_are_deleted_up_to_an_offset() {
    let broker = support::broker();
    let (kafka, admin) = connect(&broker).await;
    let topic = broker.topic("admin", 6).await;
    let producer = kafka.producer().build().await.unwrap();
    let mut deliveries = Vec::new();
    for partition in (0..6).flat_map(|partition| [partition; 10]) {
        deliveries.push(producer.enqueue(Record::to(&topic).partition(partition).value("a")).await.unwrap());
    }
    for delivery in deliveries {
        delivery.await.unwrap();
    }

    // Led by all three brokers.
    let before = [(0, 4), (1, -1), (2, 0), (3, 10), (4, 11), (5, 3), (6, 1)];
    let results = admin.delete_records(&topic, before).await;
    assert_eq!(results.iter().map(|(partition, _)| *partition).collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5, 6]);
    let marks: BTreeMap<i32, i64> = results.iter().filter_map(|(p, mark)| Some((*p, *mark.as_ref().ok()?))).collect();
    assert_eq!(marks, BTreeMap::from([(0, 4), (1, 10), (2, 0), (3, 10), (5, 3)]));
    let beyond = results[4].1.as_ref().unwrap_err();
    let AdminError::Refused { code: ErrorCode::OFFSET_OUT_OF_RANGE, subject, .. } = beyond else { panic!("{beyond}") };
    assert!(subject.contains(&format!("{topic}-4")), "{beyond}");
    assert!(matches!(results[6].1, Err(AdminError::Unknown { .. })), "{:?}", results[6]);

    let args = ["--topic", &topic, "--time", "earliest"];
    if let Some(told) = broker.tool("org.apache.kafka.tools.GetOffsetShell", &args, "").await {
        for (partition, mark) in [(0, 4), (1, 10), (2, 0), (3, 10), (4, 0), (5, 3)] {
            assert!(told.lines().any(|line| line == format!("{topic}:{partition}:{mark}")), "{told}");
        }
    }

    let nowhere = admin.delete_records(&unique("admin"), [(0, 1)]).await;
    assert!(matches!(nowhere[0].1, Err(AdminError::Unknown { .. })), "{nowhere:?}");
    let compacted = broker.topic_with("admin", 1, &["cleanup.policy=compact"]).await;
    let kept = admin.delete_records(&compacted, [(0, -1)]).await;
    assert!(matches!(kept[0].1, Err(AdminError::Refused { code: ErrorCode::POLICY_VIOLATION, .. })), "{kept:?}");
}

#[tokio::test]
async fn a_leader_that_has_moved_is_asked_for_anew() {
    let broker = support::broker();
    let Some(cluster) = broker.proxied() else { return };
    let admin = Kafka::connect(cluster.bootstrap()).await.unwrap().admin();
    let topic = broker.topic("admin", 1).await;
    // The first answer: the error code stands before the three empty tag sections that end it.
    let moved = || {
        Fault::rewrite(|answer| {
            let at = answer.len() - 5;
            answer[at..at + 2].copy_from_slice(&ErrorCode::NOT_LEADER_OR_FOLLOWER.code().to_be_bytes());
        })
    };
    let _faults = cluster.on_each(Filter::api(DELETE_RECORDS).nth(1), moved);
    let results = admin.delete_records(&topic, [(0, -1)]).await;
    assert!(matches!(results[..], [(0, Ok(0))]), "{results:?}");
    assert_eq!(cluster.requests(DELETE_RECORDS), 2);
}

#[tokio::test]
async fn an_answer_that_is_lost_leaves_no_doubt_that_can_be_resolved() {
    let broker = support::broker();
    let Some(cluster) = broker.proxied() else { return };
    let admin = Kafka::connect(cluster.bootstrap()).await.unwrap().admin();
    let topic = unique("admin");

    // Each node loses its first answer; the request is then tried at the same node, or at another that does the same.
    let faults = cluster.on_each(Filter::api(CREATE_TOPICS).nth(1), || Fault::CutBeforeAnswer);
    let error = admin.create_topic(NewTopic::new(&*topic)).await.unwrap_err();
    assert!(matches!(error, AdminError::AlreadyExists { possibly_ours: true, .. }), "{error}");
    assert!(error.is_possibly_applied() && error.to_string().contains("may be the one"), "{error}");
    drop(faults);

    let _faults = cluster.on_each(Filter::api(CREATE_PARTITIONS).nth(1), || Fault::CutBeforeAnswer);
    admin.create_partitions(&topic, 7).await.unwrap();
    assert_eq!(admin.describe_topic(&topic).await.unwrap().partitions.len(), 7);
    let _faults = cluster.on_each(Filter::api(DELETE_TOPICS).nth(1), || Fault::CutBeforeAnswer);
    admin.delete_topic(&topic).await.unwrap();
    let gone = admin.delete_topic(&topic).await.unwrap_err();
    assert!(matches!(gone, AdminError::Unknown { .. }), "{gone}");
}

#[tokio::test]
async fn what_takes_too_long_says_whether_it_may_have_been_done() {
    let broker = support::broker();
    let Some(cluster) = broker.proxied() else { return };
    let admin = Kafka::connect(cluster.bootstrap()).await.unwrap().admin().timeout(Duration::from_millis(700));
    admin.list_topics().await.unwrap();

    let stalled = cluster.on_each(Filter::api(CREATE_TOPICS), || Fault::Stall(support::Direction::Answers));
    let error = admin.create_topic(NewTopic::new(unique("admin"))).await.unwrap_err();
    assert!(matches!(error, AdminError::OutOfTime { possibly_applied: true, .. }), "{error}");
    assert!(error.to_string().contains("within 700ms"), "{error}");
    drop(stalled);

    let _frozen = cluster.freeze();
    let error = admin.list_topics().await.unwrap_err();
    assert!(matches!(error, AdminError::OutOfTime { possibly_applied: false, .. }), "{error}");
    let error = admin.describe_topic("t").await.unwrap_err();
    assert!(matches!(error, AdminError::OutOfTime { possibly_applied: false, .. }), "{error}");
}

#[tokio::test]
async fn calls_may_be_spawned() {
    let broker = support::broker();
    let (_, admin) = connect(&broker).await;
    let there = admin.clone();
    let resource = ConfigResource::Topic(unique("admin").into());
    let calls = tokio::spawn(async move {
        let _ = there.create_topics([]).await;
        let _ = there.delete_topics([]).await;
        let _ = there.describe_topics([]).await;
        let _ = there.delete_records("t", []).await;
        let _ = there.describe_configs(&resource).await;
        let _ = there.alter_configs(&resource, []).await;
        let _ = there.create_partitions("t", 1).await;
        there.list_topics().await.map(|topics| topics.len())
    });
    assert!(calls.await.unwrap().is_ok());
}
