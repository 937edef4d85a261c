//! The admin client's view of groups, and what it does to their offsets, on a real cluster, judged by Kafka's own tool.

mod support;

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

use milena::{
    Admin, AdminError, Consumer, ConsumerEvent, ErrorCode, GroupState, GroupType, Kafka, OffsetAndMetadata,
    OffsetChange, OffsetReset, Rebalance, Record, ResetTo, Timestamp, TopicPartition,
};
use support::{Broker, Fault, Filter, eventually, new_topic, unique};

const SOON: Duration = Duration::from_secs(30);
const HOUR: Duration = Duration::from_secs(3_600);

const TOOL: &str = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand";
const DELETE_GROUPS: i16 = 42;

async fn connect(broker: &Broker) -> (Kafka, Admin) {
    let kafka = Kafka::connect(broker.bootstrap()).await.unwrap();
    let admin = kafka.admin();
    (kafka, admin)
}

/// Ten records to each partition: five that are two hours old, and five of now.
async fn produce(kafka: &Kafka, topic: &str, partitions: i32) {
    let producer = kafka.producer().build().await.unwrap();
    let now = SystemTime::now();
    for partition in (0..partitions).flat_map(|partition| [partition; 5]) {
        let record = Record::to(topic).partition(partition).value("old").timestamp(now - 2 * HOUR);
        producer.send(record).await.unwrap();
    }
    for partition in (0..partitions).flat_map(|partition| [partition; 5]) {
        producer.send(Record::to(topic).partition(partition).value("new").timestamp(now)).await.unwrap();
    }
    producer.close().await;
}

/// A member that has been given partitions of the topic.
async fn join(kafka: &Kafka, group: &str, topic: &str) -> Consumer {
    let builder = kafka.consumer(group).subscribe([topic]).auto_offset_reset(OffsetReset::Earliest).auto_commit(None);
    let mut consumer = builder.build().await.unwrap();
    let assigned = async {
        loop {
            let event = consumer.next_event().await.unwrap().unwrap();
            if matches!(event, ConsumerEvent::Rebalance(Rebalance::Assigned(_))) {
                return;
            }
        }
    };
    tokio::time::timeout(SOON, assigned).await.expect("it is given partitions");
    consumer
}

fn at(topic: &str, partition: i32) -> TopicPartition {
    TopicPartition::new(topic, partition)
}

/// The rows that the tool prints below a line of heads, by the words of the heads.
fn rows<'a>(told: &'a str, group: &str) -> Vec<Vec<&'a str>> {
    let lines = told.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    lines.filter(|words| words.first() == Some(&group)).collect()
}

/// What the tool says that a group has committed: offset, end, lag.
async fn committed(broker: &Broker, group: &str) -> Option<BTreeMap<i32, (i64, i64, i64)>> {
    let told = broker.tool(TOOL, &["--describe", "--group", group], "").await?;
    let number = |word: &str| word.parse().unwrap_or_else(|_| panic!("{told}"));
    let each = rows(&told, group).into_iter().map(|row| {
        let partition = row[2].parse().unwrap();
        (partition, (number(row[3]), number(row[4]), number(row[5])))
    });
    Some(each.collect())
}

#[tokio::test]
async fn a_group_is_listed_and_described_with_its_members() {
    let broker = support::broker();
    let (kafka, admin) = connect(&broker).await;
    let (group, topic) = (unique("admin"), new_topic(broker.bootstrap(), "admin", 3).await);
    let mut consumers = Vec::new();
    for name in ["one", "two"] {
        let builder = kafka.consumer(&*group).subscribe([&*topic]).instance_id(name);
        let mut consumer = builder.set("partition.assignment.strategy", "range").build().await.unwrap();
        consumers.push(tokio::spawn(async move { while consumer.next_event().await.is_ok() {} }));
    }
    let description = eventually(SOON, "both are members and have partitions", async || {
        let description = admin.describe_group(&group).await.map_err(|error| error.to_string())?;
        let counts: Vec<_> = description.members.iter().map(|m| m.assignment.as_ref().map_or(0, Vec::len)).collect();
        match (&description.state, counts.iter().sum::<usize>(), counts.contains(&2)) {
            (GroupState::Stable, 3, true) => Ok(description),
            _ => Err(format!("{description:?}")),
        }
    })
    .await;
    assert_eq!((&*description.id, &*description.protocol_type, &*description.protocol), (&*group, "consumer", "range"));
    let mut instances: Vec<_> = description.members.iter().map(|m| m.instance_id.as_deref().unwrap()).collect();
    instances.sort_unstable();
    assert_eq!(instances, ["one", "two"]);
    let owner = description.owner(&at(&topic, 0)).unwrap();
    assert_eq!(owner.assignment.as_deref().unwrap(), [at(&topic, 0), at(&topic, 1)]);
    assert!(description.owner(&at(&topic, 3)).is_none());

    let coordinator = (description.coordinator_address.to_string(), format!("({})", description.coordinator));
    let told = broker.tool(TOOL, &["--describe", "--group", &group, "--members"], "").await;
    for (member, told) in description.members.iter().zip(told.iter().cycle()) {
        let row = rows(told, &group).into_iter().find(|row| row[1] == &*member.id).expect("the tool has the member");
        let partitions = member.assignment.as_ref().unwrap().len().to_string();
        let expected =
            [member.instance_id.as_deref().unwrap(), &format!("/{}", member.host), &*member.client_id, &partitions];
        assert_eq!(row[2..], expected, "{told}");
    }
    if let Some(told) = broker.tool(TOOL, &["--describe", "--group", &group, "--state"], "").await {
        assert_eq!(rows(&told, &group)[0][1..], [&*coordinator.0, &*coordinator.1, "range", "Stable", "2"], "{told}");
    }

    let listed = admin.list_groups().await.unwrap();
    assert!(listed.is_sorted_by_key(|listing| listing.id.clone()));
    let listing = listed.iter().find(|listing| *listing.id == *group).unwrap();
    let (state, group_type) = (listing.state.as_ref(), listing.group_type.as_ref());
    assert_eq!((state, group_type), (Some(&GroupState::Stable), Some(&GroupType::Classic)));
    assert_eq!(&*listing.protocol_type, "consumer");
    let is_in = async |state| admin.list_groups_in([state]).await.unwrap().iter().any(|listing| *listing.id == *group);
    assert!(is_in(GroupState::Stable).await && !is_in(GroupState::Empty).await);
    consumers.iter().for_each(|consumer| consumer.abort());
}

#[tokio::test]
async fn there_is_no_such_group() {
    let broker = support::broker();
    let (_, admin) = connect(&broker).await;
    let (group, topic) = (unique("admin"), new_topic(broker.bootstrap(), "admin", 1).await);
    let forgotten = admin.delete_group_offsets(&group, [at(&topic, 0)]).await.pop().unwrap().1;
    for error in [
        admin.describe_group(&group).await.unwrap_err(),
        admin.group_lag(&group).await.unwrap_err(),
        admin.delete_group(&group).await.unwrap_err(),
        forgotten.unwrap_err(),
    ] {
        assert!(matches!(error, AdminError::Unknown { .. }), "{error}");
        assert_eq!(error.to_string(), format!("there is no group {group:?}"));
    }
    // Brokers do not tell it apart from a group that has committed nothing.
    assert!(admin.group_offsets(&group).await.unwrap().is_empty());
}

#[tokio::test]
async fn offsets_are_moved_as_kafkas_tool_moves_them() {
    let broker = support::broker();
    let (kafka, admin) = connect(&broker).await;
    let (group, topic) = (unique("admin"), new_topic(broker.bootstrap(), "admin", 3).await);
    produce(&kafka, &topic, 2).await;
    // Logs that begin at 2 and at 0, and an empty one.
    admin.delete_records(&topic, [(0, 2)]).await[0].1.as_ref().unwrap();
    let all = || (0..3).map(|partition| at(&topic, partition));

    // To a group that is not there.
    let nothing = admin.reset_group_offsets(&group, all(), ResetTo::Shift(1)).await.unwrap_err();
    assert!(matches!(&nothing, AdminError::NothingCommitted { .. }), "{nothing}");
    let planned = admin.dry_run().reset_group_offsets(&group, all(), ResetTo::Offset(4)).await.unwrap();
    assert!(admin.group_offsets(&group).await.unwrap().is_empty(), "a dry run commits nothing");
    let done = admin.reset_group_offsets(&group, all(), ResetTo::Offset(4)).await.unwrap();
    assert_eq!(done, planned);
    let afters = |changes: &[OffsetChange]| changes.iter().map(|change| change.after).collect::<Vec<_>>();
    assert_eq!(afters(&done), [4, 4, 0]);
    assert!(done.iter().all(|change| change.before.is_none()));
    let expected = BTreeMap::from([(0, (4, 10, 6)), (1, (4, 10, 6)), (2, (0, 0, 0))]);
    if let Some(told) = committed(&broker, &group).await {
        assert_eq!(told, expected);
    }
    let lag = admin.group_lag(&group).await.unwrap();
    let ours = lag
        .partitions
        .iter()
        .map(|p| (p.partition.partition, (p.committed.unwrap(), p.end.unwrap(), p.lag().unwrap())));
    assert_eq!(ours.collect::<BTreeMap<_, _>>(), expected);
    assert_eq!(lag.total(), 12);

    let ago = |age: Duration| Timestamp::from(SystemTime::now() - age);
    for (to, args, expected) in [
        (ResetTo::Beginning, &["--to-earliest"][..], [2, 0, 0]),
        (ResetTo::End, &["--to-latest"], [10, 10, 0]),
        (ResetTo::Offset(1), &["--to-offset", "1"], [2, 1, 0]),
        (ResetTo::Offset(100), &["--to-offset", "100"], [10, 10, 0]),
        (ResetTo::Shift(3), &["--shift-by", "3"], [7, 7, 0]),
        (ResetTo::Shift(-3), &["--shift-by", "-3"], [2, 1, 0]),
        (ResetTo::Shift(i64::MAX), &[], [10, 10, 0]),
        (ResetTo::Shift(i64::MIN), &[], [2, 0, 0]),
        (ResetTo::Age(HOUR), &["--by-duration", "PT1H"], [5, 5, 0]),
        (ResetTo::Age(3 * HOUR), &["--by-duration", "PT3H"], [2, 0, 0]),
        (ResetTo::Age(Duration::MAX), &[], [2, 0, 0]),
        (ResetTo::Timestamp(ago(HOUR)), &[], [5, 5, 0]),
        // After the last record.
        (
            ResetTo::Timestamp(Timestamp::from(SystemTime::now() + HOUR)),
            &["--to-datetime", "2100-01-01T00:00:00.000"],
            [10, 10, 0],
        ),
        (ResetTo::Timestamp(Timestamp::from_millis(-1)), &["--to-datetime", "1970-01-01T00:00:00.000"], [2, 0, 0]),
    ] {
        let changes = admin.dry_run().reset_group_offsets(&group, all(), to).await.unwrap();
        assert_eq!(afters(&changes), expected, "{to:?}");
        assert_eq!(changes.iter().map(|change| change.before).collect::<Vec<_>>(), [Some(4), Some(4), Some(0)]);
        if !args.is_empty() {
            let args = [&["--reset-offsets", "--dry-run", "--group", &group, "--topic", &topic], args].concat();
            let Some(told) = broker.tool(TOOL, &args, "").await else { continue };
            let planned = rows(&told, &group).into_iter().map(|row| (row[2].parse().unwrap(), row[3].parse().unwrap()));
            let planned: BTreeMap<i32, i64> = planned.collect();
            assert_eq!(planned.into_values().collect::<Vec<_>>(), expected, "{to:?}: {told}");
        }
    }
    // Only what was named is moved, and it is read from there.
    admin.reset_group_offsets(&group, [at(&topic, 1)], ResetTo::Shift(5)).await.unwrap();
    let offsets = admin.group_offsets(&group).await.unwrap();
    assert_eq!(offsets.values().map(|committed| committed.offset).collect::<Vec<_>>(), [4, 9, 0]);
    admin.reset_group_offsets(&group, [at(&topic, 0)], ResetTo::End).await.unwrap();
    let mut consumer = kafka.consumer(&*group).subscribe([&*topic]).build().await.unwrap();
    let record = tokio::time::timeout(SOON, consumer.recv()).await.expect("a record").unwrap().unwrap();
    assert_eq!((record.partition(), record.offset()), (1, 9));
    consumer.close().await;

    for missing in [at(&topic, 3), at(&unique("admin"), 0)] {
        let error =
            admin.reset_group_offsets(&group, [at(&topic, 0), missing.clone()], ResetTo::Beginning).await.unwrap_err();
        assert!(
            matches!(error, AdminError::Unknown { .. }) && error.to_string().contains(&missing.to_string()),
            "{error}"
        );
        assert_eq!(admin.group_offsets(&group).await.unwrap()[&at(&topic, 0)].offset, 10, "nothing is changed");
    }
}

#[tokio::test]
async fn offsets_are_committed_with_what_goes_with_them_and_forgotten() {
    let broker = support::broker();
    let (kafka, admin) = connect(&broker).await;
    let (group, topic) = (unique("admin"), new_topic(broker.bootstrap(), "admin", 2).await);
    produce(&kafka, &topic, 1).await;
    let first = OffsetAndMetadata { offset: 3, leader_epoch: 0, metadata: "three".into() };
    let offsets = [(at(&topic, 0), first.clone()), (at(&topic, 1), 7.into()), (at(&topic, 5), 1.into())];
    let results = admin.alter_group_offsets(&group, offsets).await;
    assert!(results[0].1.is_ok() && results[1].1.is_ok(), "{results:?}");
    let missing = results[2].1.as_ref().unwrap_err();
    assert_eq!(missing.to_string(), format!("there is no partition {topic}-5"));
    assert!(admin.alter_group_offsets::<i64>(&group, []).await.is_empty());

    let committed = admin.group_offsets(&group).await.unwrap();
    assert_eq!(committed, BTreeMap::from([(at(&topic, 0), first), (at(&topic, 1), 7.into())]));
    let lag = admin.group_lag(&group).await.unwrap();
    // As the tool: an offset behind the log's end is a lag below zero.
    assert_eq!(lag.partitions.iter().map(|p| p.lag()).collect::<Vec<_>>(), [Some(7), Some(-7)]);
    assert_eq!(lag.description.as_ref().unwrap().state, GroupState::Empty);

    // What it has not committed too.
    let results = admin.delete_group_offsets(&group, [at(&topic, 0)]).await;
    assert!(results[0].1.is_ok(), "{results:?}");
    let results = admin.delete_group_offsets(&group, [at(&topic, 0), at(&topic, 5)]).await;
    assert!(results[0].1.is_ok() && matches!(results[1].1, Err(AdminError::Unknown { .. })), "{results:?}");
    assert_eq!(admin.group_offsets(&group).await.unwrap().into_keys().collect::<Vec<_>>(), [at(&topic, 1)]);

    admin.delete_group(&group).await.unwrap();
    if let Some(listed) = broker.tool(TOOL, &["--list"], "").await {
        assert!(listed.lines().all(|line| line != group), "{listed}");
    }
    assert!(admin.group_offsets(&group).await.unwrap().is_empty());
}

#[tokio::test]
async fn the_offsets_of_active_members_are_theirs() {
    let broker = support::broker();
    let (kafka, admin) = connect(&broker).await;
    let (group, topic) = (unique("admin"), new_topic(broker.bootstrap(), "admin", 1).await);
    produce(&kafka, &topic, 1).await;
    let consumer = join(&kafka, &group, &topic).await;
    let all = || [at(&topic, 0)];
    for error in [
        admin.reset_group_offsets(&group, all(), ResetTo::End).await.unwrap_err(),
        admin.dry_run().reset_group_offsets(&group, all(), ResetTo::End).await.unwrap_err(),
        admin.alter_group_offsets(&group, [(at(&topic, 0), 1)]).await.pop().unwrap().1.unwrap_err(),
        admin.delete_group_offsets(&group, all()).await.pop().unwrap().1.unwrap_err(),
        admin.delete_group(&group).await.unwrap_err(),
    ] {
        assert!(matches!(&error, AdminError::ActiveMembers { group: named } if **named == *group), "{error}");
        assert_eq!(error.to_string(), format!("group {group:?} has active members"));
    }
    // What is read and not committed has no lag yet, but an owner.
    let lag = admin.group_lag(&group).await.unwrap();
    let partition = &lag.partitions[0];
    assert_eq!((partition.committed, partition.end, partition.lag()), (None, Some(10), None));
    assert_eq!(&*lag.owner(&partition.partition).unwrap().client_id, "milena");

    consumer.close().await;
    let changes = admin.reset_group_offsets(&group, all(), ResetTo::End).await.unwrap();
    assert_eq!((changes[0].before, changes[0].after), (None, 10));
    admin.delete_group(&group).await.unwrap();
}

#[tokio::test]
async fn a_group_of_the_new_protocol_is_told_apart() {
    let Some(broker) = support::real_kafka_only("the groups of KIP-848 are not embedded") else { return };
    let (kafka, admin) = connect(&broker).await;
    let (group, topic) = (unique("admin"), new_topic(broker.bootstrap(), "admin", 1).await);
    produce(&kafka, &topic, 1).await;
    let args = ["--topic", &topic, "--group", &group, "--from-beginning", "--max-messages", "4"];
    let args = [&args[..], &["--command-property", "group.protocol=consumer", "--timeout-ms", "60000"]].concat();
    let read = broker.tool("org.apache.kafka.tools.consumer.ConsoleConsumer", &args, "").await.expect("it is real");
    assert_eq!(read.lines().count(), 4, "{read}");

    let listed = admin.list_groups().await.unwrap();
    let listing = listed.iter().find(|listing| *listing.id == *group).unwrap();
    assert_eq!(listing.group_type, Some(GroupType::Consumer));
    let error = admin.describe_group(&group).await.unwrap_err();
    let AdminError::NotClassic { group_type: GroupType::Consumer, state, .. } = &error else { panic!("{error}") };
    assert_eq!(*state, Some(GroupState::Empty));
    assert!(error.to_string().contains(&group) && error.to_string().contains("type consumer"), "{error}");

    let lag = admin.group_lag(&group).await.unwrap();
    assert!(lag.description.is_none());
    assert_eq!((lag.partitions[0].committed, lag.total()), (Some(4), 6));
    let changes = admin.reset_group_offsets(&group, [at(&topic, 0)], ResetTo::Shift(-1)).await.unwrap();
    assert_eq!((changes[0].before, changes[0].after), (Some(4), 3));
    assert_eq!(committed(&broker, &group).await, Some(BTreeMap::from([(0, (3, 10, 7))])));
    admin.delete_group(&group).await.unwrap();
}

#[tokio::test]
async fn a_coordinator_that_has_moved_or_lost_its_answer_is_asked_again() {
    let broker = support::broker();
    let Some(cluster) = broker.proxied() else { return };
    let admin = Kafka::connect(cluster.bootstrap()).await.unwrap().admin();
    let (group, topic) = (unique("admin"), new_topic(broker.bootstrap(), "admin", 1).await);
    let commit = async || admin.alter_group_offsets(&group, [(at(&topic, 0), 0)]).await.pop().unwrap().1.unwrap();

    commit().await;
    // The first answer: the error code stands before the two empty tag sections that end it.
    for code in [ErrorCode::NOT_COORDINATOR, ErrorCode::COORDINATOR_LOAD_IN_PROGRESS] {
        let moved = || {
            Fault::rewrite(move |answer| {
                let at = answer.len() - 4;
                answer[at..at + 2].copy_from_slice(&code.code().to_be_bytes());
            })
        };
        let before = cluster.requests(DELETE_GROUPS);
        let _faults = cluster.on_each(Filter::api(DELETE_GROUPS).nth(1), moved);
        // The first request has deleted it, whatever its answer says; the second finds nothing to delete.
        let gone = admin.delete_group(&group).await.unwrap_err();
        assert!(matches!(gone, AdminError::Unknown { .. }), "{gone}");
        assert_eq!(cluster.requests(DELETE_GROUPS), before + 2);
        commit().await;
    }
    let faults = cluster.on_each(Filter::api(DELETE_GROUPS).nth(1), || Fault::CutBeforeAnswer);
    admin.delete_group(&group).await.expect("what was lost was done");
    drop(faults);
    let gone = admin.delete_group(&group).await.unwrap_err();
    assert!(matches!(gone, AdminError::Unknown { .. }), "{gone}");
}

#[tokio::test]
async fn groups_outlive_their_coordinator() {
    let Some(mut cluster) = support::cluster_control() else { return };
    let admin = Kafka::connect(&cluster.bootstrap()).await.unwrap().admin();
    let topic = new_topic(&cluster.bootstrap(), "admin", 1).await;
    let groups: Vec<String> = (0..8).map(|_| unique("admin")).collect();
    for group in &groups {
        admin.alter_group_offsets(group, [(at(&topic, 0), 0)]).await.pop().unwrap().1.unwrap();
    }
    let coordinator = admin.describe_group(&groups[0]).await.unwrap().coordinator;
    cluster.kill(u16::try_from(coordinator).unwrap());

    // The others are asked who coordinates now, until one does; what it had is told by them.
    let described = admin.describe_group(&groups[0]).await.unwrap();
    assert_ne!(described.coordinator, coordinator);
    // A broker lists the groups of the partitions that it leads, and each new leader hears of its part in its own time.
    eventually(SOON, "the others list all groups", async || {
        let listed = admin.list_groups().await.map_err(|error| error.to_string())?;
        let missing: Vec<_> =
            groups.iter().filter(|group| listed.iter().all(|listing| *listing.id != ***group)).collect();
        if missing.is_empty() { Ok(()) } else { Err(format!("without {missing:?}")) }
    })
    .await;
    for group in &groups {
        assert_eq!(admin.group_offsets(group).await.unwrap().len(), 1);
        admin.delete_group(group).await.unwrap();
    }
}

#[tokio::test]
async fn calls_may_be_spawned() {
    let broker = support::broker();
    let (_, admin) = connect(&broker).await;
    let group = unique("admin");
    let calls = tokio::spawn(async move {
        let _ = admin.describe_group(&group).await;
        let _ = admin.group_lag(&group).await;
        let _ = admin.delete_group(&group).await;
        let _ = admin.alter_group_offsets::<i64>(&group, []).await;
        let _ = admin.delete_group_offsets(&group, []).await;
        let _ = admin.dry_run().reset_group_offsets(&group, [], ResetTo::End).await;
        let _ = admin.reset_group_offsets(&group, [], ResetTo::End).await;
        admin.list_groups().await.map(|groups| groups.len())
    });
    assert!(calls.await.unwrap().is_ok());
}
