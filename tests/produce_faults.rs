//! The producer on a real cluster while connections break, answers come late and brokers stand still: every record is in
//! the log once and in order, every delivery ends with the truth, and the producer needs no help.

mod support;

use std::{
    collections::{BTreeSet, HashSet},
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use kafka_wire::ProduceResponse;
use kafka_wire_core::{ApiVersion, DecodeLimits, KafkaDecode, KafkaEncode};
use milena::{Kafka, NewTopic, ProduceError, Properties, Record};
use support::{
    Broker, Direction, Fault, Filter, Log, Numbers, ProxiedCluster, broker, eventually, new_topic, read_log,
    real_cluster_control, unique,
};
use tokio::{runtime::Handle, time::timeout};

const PRODUCE: i16 = 0;
const INIT_PRODUCER_ID: i16 = 22;
const SOON: Duration = Duration::from_secs(60);

/// A cluster that other tests use too, and a proxy before each of its nodes.
fn proxied() -> Option<(Broker, ProxiedCluster)> {
    let broker = broker();
    let proxied = broker.proxied()?;
    Some((broker, proxied))
}

async fn connect(bootstrap: &str, settings: &[(&str, &str)]) -> Kafka {
    let mut properties = Properties::from_iter([("bootstrap.servers", bootstrap)]);
    for (key, value) in settings {
        properties.set(*key, *value);
    }
    Kafka::with_properties(properties).await.unwrap()
}

/// Makes a Produce answer say REQUEST_TIMED_OUT of each partition.
fn answers_request_timed_out(answer: &mut Vec<u8>) {
    const VERSION: ApiVersion = ApiVersion::new(13);
    // The correlation id, and no tagged fields of the header.
    let (header, body) = answer.split_at(5);
    let body = Bytes::copy_from_slice(body);
    let mut body = ProduceResponse::decode_from_bytes(body, VERSION, DecodeLimits::default()).unwrap();
    for partition in body.responses.iter_mut().flat_map(|topic| &mut topic.partition_responses) {
        (partition.error_code, partition.base_offset) = (7, -1);
    }
    let mut rewritten = BytesMut::from(header);
    body.encode_into(&mut rewritten, VERSION).unwrap();
    *answer = rewritten.to_vec();
}

/// Runs `work` with the path of a file of this content.
async fn with_file(content: &str, work: impl AsyncFnOnce(&str)) {
    let file = std::env::temp_dir().join(unique("milena-test-file"));
    std::fs::write(&file, content).unwrap();
    work(file.to_str().unwrap()).await;
    std::fs::remove_file(&file).unwrap();
}

fn count(log: &Log) -> usize {
    log.values().map(Vec::len).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_that_are_lost_after_the_append_double_nothing() {
    let Some((broker, proxied)) = proxied() else { return };
    let topic = new_topic(broker.bootstrap(), "lost-answers", 3).await;
    let kafka = connect(proxied.bootstrap(), &[]).await;
    let producer = kafka.producer().batch_bytes(1_000).build().await.unwrap();
    let mut numbers = Numbers::new(&producer, &topic, 3);
    // Behind the first acknowledgement several batches of a partition are in flight.
    numbers.send(30).await;
    let lost =
        [2, 5, 6, 7, 20, 40].map(|nth| proxied.on_each(Filter::api(PRODUCE).nth(nth), || Fault::CutBeforeAnswer));
    let halved = [10, 30].map(|nth| proxied.on_each(Filter::api(PRODUCE).nth(nth), || Fault::CutWithinAnswer));
    numbers.send(3_000).await;
    for faults in lost.iter().chain(&halved) {
        assert!(faults.iter().all(|fault| fault.fired() == 1), "an answer was not lost");
    }
    assert!(proxied.proxies().iter().any(|proxy| proxy.counts().most_in_flight(PRODUCE) > 1), "nothing was in flight");
    assert_eq!(count(&numbers.check(broker.bootstrap()).await), 3_030);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_that_come_too_late_double_nothing() {
    let Some((broker, proxied)) = proxied() else { return };
    let topic = new_topic(broker.bootstrap(), "late-answers", 3).await;
    let kafka = connect(proxied.bootstrap(), &[("request.timeout.ms", "500")]).await;
    let producer = kafka.producer().batch_bytes(1_000).build().await.unwrap();
    let mut numbers = Numbers::new(&producer, &topic, 3);
    numbers.send(30).await;
    let late = proxied.on_each(Filter::api(PRODUCE).first(4), || Fault::Delay(Duration::from_millis(1_500)));
    numbers.send(600).await;
    assert!(late.iter().all(|fault| fault.fired() == 4), "an answer was not late");
    drop(late);
    numbers.send(300).await;
    assert_eq!(count(&numbers.check(broker.bootstrap()).await), 930);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_that_never_arrive_are_sent_again_in_order() {
    let Some((broker, proxied)) = proxied() else { return };
    let topic = new_topic(broker.bootstrap(), "lost-requests", 3).await;
    let kafka = connect(proxied.bootstrap(), &[]).await;
    let producer = kafka.producer().batch_bytes(1_000).build().await.unwrap();
    let mut numbers = Numbers::new(&producer, &topic, 3);
    // Also the very first one.
    let cuts = [1, 2, 5, 9, 10, 20].map(|nth| proxied.on_each(Filter::api(PRODUCE).nth(nth), || Fault::Cut));
    numbers.send(2_000).await;
    for faults in &cuts {
        assert!(faults.iter().all(|fault| fault.fired() == 1), "a request was not lost");
    }
    drop(cuts);
    let refused = proxied.on_each(Filter::any(), || Fault::Refuse);
    proxied.cut_all();
    numbers.enqueue(1_000).await;
    for fault in &refused {
        fault.until_fired(3, SOON).await;
    }
    drop(refused);
    numbers.settle_acknowledged().await;
    assert_eq!(count(&numbers.check(broker.bootstrap()).await), 3_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_stands_still_until_others_lead_is_left_and_found_again() {
    let Some(mut control) = real_cluster_control("a process has to stand still") else { return };
    let topic = new_topic(&control.bootstrap(), "still", 3).await;
    let kafka = connect(&control.bootstrap(), &[("request.timeout.ms", "2000")]).await;
    let producer = kafka.producer().batch_bytes(1_000).build().await.unwrap();
    let mut numbers = Numbers::new(&producer, &topic, 3);
    numbers.send(300).await;
    let leader = async || kafka.admin().describe_topic(&topic).await.ok()?.partitions[0].leader;
    let still = eventually(SOON, "partition 0 has a leader", leader).await;
    control.pause(still as u16);
    numbers.enqueue(1_500).await;
    eventually(SOON, "another leads partition 0", async || leader().await.is_some_and(|now| now != still)).await;
    // While it stands still.
    numbers.settle_acknowledged().await;
    numbers.send(300).await;
    // It goes on with the requests that it had taken in, of which all but their sender's numbers is history.
    control.resume(still as u16);
    numbers.send(300).await;
    assert_eq!(count(&numbers.check(&control.bootstrap()).await), 2_400);
}

/// By Kafka's own tools: the first replica of each partition becomes the last, and the next one leads.
async fn move_leaders(broker: &Broker, topic: &str, replicas: &[[i32; 3]]) {
    let moved = replicas.iter().enumerate().map(|(partition, replicas)| {
        let [a, b, c] = replicas;
        format!(r#"{{"topic":"{topic}","partition":{partition},"replicas":[{b},{c},{a}]}}"#)
    });
    let json = format!(r#"{{"version":1,"partitions":[{}]}}"#, moved.collect::<Vec<_>>().join(","));
    with_file(&json, async |path| {
        let args = ["--execute", "--reassignment-json-file", path];
        broker.tool("org.apache.kafka.tools.reassign.ReassignPartitionsCommand", &args, "").await;
        // The same form names the partitions whose first replica is to lead.
        let args = ["--election-type", "preferred", "--path-to-json-file", path];
        broker.tool("org.apache.kafka.tools.LeaderElectionCommand", &args, "").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_moves_is_followed() {
    let broker = broker();
    let kafka = connect(broker.bootstrap(), &[]).await;
    let topic = unique("moves");
    let replicas = [[1, 2, 3], [2, 3, 1], [3, 1, 2]];
    kafka.admin().create_topic(NewTopic::new(&*topic).replicas(replicas)).await.unwrap();
    let producer = kafka.producer().batch_bytes(1_000).build().await.unwrap();
    let mut numbers = Numbers::new(&producer, &topic, 3);
    numbers.send(30).await;
    let (stop, mut stopped) = tokio::sync::oneshot::channel();
    let flow = tokio::spawn(async move {
        while stopped.try_recv().is_err() {
            numbers.enqueue(30).await;
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        // And some more, now that others lead.
        numbers.enqueue(300).await;
        numbers.settle_acknowledged().await;
        numbers
    });
    if let Some(embedded) = broker.embedded() {
        replicas.iter().zip(0..).for_each(|([_, next, _], partition)| embedded.move_leader(&topic, partition, *next));
    } else {
        move_leaders(&broker, &topic, &replicas).await;
    }
    eventually(SOON, "every leader has moved", async || {
        let described = kafka.admin().describe_topic(&topic).await.map_err(|error| error.to_string())?;
        let leaders = described.partitions.iter().map(|p| p.leader).collect::<Vec<_>>();
        if leaders == [Some(2), Some(3), Some(1)] { Ok(()) } else { Err(format!("{leaders:?}")) }
    })
    .await;
    stop.send(()).unwrap();
    let numbers = timeout(SOON, flow).await.unwrap().unwrap();
    numbers.check(broker.bootstrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_made_anew_gets_what_was_waiting_once_and_in_order() {
    let broker = broker();
    let topic = new_topic(broker.bootstrap(), "anew", 3).await;
    let kafka = connect(broker.bootstrap(), &[]).await;
    let producer = kafka.producer().batch_bytes(1_000).build().await.unwrap();
    let mut numbers = Numbers::new(&producer, &topic, 3);
    numbers.send(300).await;
    kafka.admin().delete_topic(&topic).await.unwrap();
    numbers.enqueue(300).await;
    kafka.admin().create_topic(NewTopic::new(&*topic).partitions(3)).await.unwrap();
    numbers.enqueue(300).await;
    numbers.settle_acknowledged().await;
    let log = read_log(broker.bootstrap(), &topic).await;
    for (partition, records) in &log {
        let found = records.iter().map(|(_, number)| *number).collect::<Vec<_>>();
        assert_eq!(found, (300..900).filter(|n| (n % 3) as i32 == *partition).collect::<Vec<_>>());
    }
    assert_eq!(count(&log), 600);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_made_anew_with_fewer_partitions_gets_records_where_it_has_them() {
    let broker = broker();
    let topic = new_topic(broker.bootstrap(), "fewer", 6).await;
    let kafka = connect(broker.bootstrap(), &[("metadata.max.age.ms", "300")]).await;
    let producer = kafka.producer().batch_bytes(200).delivery_timeout(Duration::from_secs(5)).build().await.unwrap();
    let send = async |key: Option<String>| {
        let record = Record::to(&topic).value("0");
        producer.send(if let Some(key) = key { record.key(key) } else { record }).await.map(|ack| ack.partition())
    };
    let keys = || (0..20).map(|n| n.to_string());
    for key in keys() {
        send(Some(key)).await.unwrap();
    }
    kafka.admin().delete_topic(&topic).await.unwrap();
    kafka.admin().create_topic(NewTopic::new(&*topic).partitions(2)).await.unwrap();
    let mut reached = BTreeSet::new();
    for key in keys() {
        // What was put in a partition that is no more expires: that is not what is asked here.
        reached.insert(eventually(SOON, "a record with a key is sent", async || send(Some(key.clone())).await).await);
    }
    assert_eq!(reached, BTreeSet::from([0, 1]));
    for _ in 0..50 {
        assert!((0..2).contains(&eventually(SOON, "a record without a key is sent", async || send(None).await).await));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn partitions_that_are_added_get_records_of_both_kinds() {
    let broker = broker();
    let topic = new_topic(broker.bootstrap(), "grows", 1).await;
    let kafka = connect(broker.bootstrap(), &[("metadata.max.age.ms", "300")]).await;
    let producer = kafka.producer().batch_bytes(200).build().await.unwrap();
    let mut sent = 0u32;
    let mut send = async |keyed: bool| {
        let record = Record::to(&topic).value(format!("{sent:<88}"));
        sent += 1;
        producer.send(if keyed { record.key(sent.to_string()) } else { record }).await.unwrap().partition()
    };
    assert_eq!((send(true).await, send(false).await), (0, 0));
    kafka.admin().create_partitions(&topic, 4).await.unwrap();
    for keyed in [true, false] {
        let mut reached = HashSet::new();
        eventually(SOON, "all partitions are reached", async || {
            reached.insert(send(keyed).await);
            reached.len() == 4
        })
        .await;
    }
    let log = read_log(broker.bootstrap(), &topic).await;
    let numbers = log.values().flatten().map(|(_, number)| *number).collect::<BTreeSet<_>>();
    assert_eq!((count(&log), numbers), (sent as usize, (0..sent).collect()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_that_expires_says_whether_it_may_be_written() {
    let Some((broker, proxied)) = proxied() else { return };
    let topic = new_topic(broker.bootstrap(), "expires", 3).await;
    let deadline = if broker.is_real() { Duration::from_secs(3) } else { Duration::from_secs(2) };
    // Far below the delivery timeout, so that what comes behind a fault is not late because of it.
    let quick = [("retry.backoff.max.ms", "100"), ("reconnect.backoff.max.ms", "100")];
    let kafka = connect(proxied.bootstrap(), &quick).await;
    let producer = kafka.producer().delivery_timeout(deadline).batch_bytes(1_000).build().await.unwrap();
    let mut numbers = Numbers::new(&producer, &topic, 3);
    let expired = |told: Vec<(u32, Result<_, ProduceError>)>, possibly: bool| {
        assert!(!told.is_empty());
        for (number, told) in told {
            let error = told.expect_err("nobody acknowledged it");
            assert!(matches!(error, ProduceError::Expired { .. }), "record {number}: {error}");
            assert_eq!(error.is_possibly_written(), possibly, "record {number}: {error}");
        }
    };

    // Without a producer id nothing is sent.
    let no_id = proxied.on_each(Filter::api(INIT_PRODUCER_ID), || Fault::Stall(Direction::Requests));
    numbers.enqueue(60).await;
    expired(numbers.settle().await, false);
    drop(no_id);
    numbers.send(60).await;

    // Without a connection nothing is sent either. The first ones find out that there is none.
    let refused = proxied.on_each(Filter::any(), || Fault::Refuse);
    proxied.cut_all();
    numbers.enqueue(3).await;
    numbers.settle().await;
    numbers.enqueue(60).await;
    expired(numbers.settle().await, false);
    drop(refused);
    numbers.send(60).await;

    // Written, and the answer does not come.
    let unanswered = proxied.on_each(Filter::api(PRODUCE), || Fault::Stall(Direction::Answers));
    numbers.enqueue(3).await;
    expired(numbers.settle().await, true);
    assert!(unanswered.iter().all(|fault| fault.fired() >= 1));
    drop(unanswered);
    numbers.send(60).await;

    // Never arrived; but the producer cannot know.
    let cut = proxied.on_each(Filter::api(PRODUCE), || Fault::Cut);
    numbers.enqueue(3).await;
    expired(numbers.settle().await, true);
    drop(cut);
    numbers.send(60).await;

    // Not acknowledged: 60 + 60 that were not written, 3 that were, and 3 + 3 of which some may be, since what was being sent again
    // when a fault ended arrived.
    let log = numbers.check(broker.bootstrap()).await;
    let unclear = [120..123, 306..309];
    let unclear = log.values().flatten().filter(|(_, number)| unclear.iter().any(|some| some.contains(number))).count();
    assert_eq!(count(&log), 4 * 60 + 3 + unclear);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deliveries_end_in_time_however_many_partitions_fail() {
    let Some((broker, proxied)) = proxied() else { return };
    const PARTITIONS: u32 = 60;
    let topic = new_topic(broker.bootstrap(), "many-fail", PARTITIONS as i32).await;
    let kafka = connect(proxied.bootstrap(), &[("retry.backoff.ms", "20"), ("retry.backoff.max.ms", "50")]).await;
    let limit = Duration::from_secs(3);
    let producer = kafka.producer().delivery_timeout(limit).build().await.unwrap();
    let mut numbers = Numbers::new(&producer, &topic, PARTITIONS);
    numbers.send(PARTITIONS).await;
    let failing = proxied.on_each(Filter::api(PRODUCE), || Fault::rewrite(answers_request_timed_out));
    let began = Instant::now();
    numbers.enqueue(PARTITIONS).await;
    for (number, told) in numbers.settle().await {
        told.expect_err(&format!("nobody acknowledged record {number}"));
    }
    let took = began.elapsed();
    assert!(took < limit * 5, "deliveries with a limit of {limit:?} ended after {took:?}");
    drop(failing);
    numbers.send(PARTITIONS).await;
    numbers.check(broker.bootstrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deliveries_end_in_time_after_a_rest() {
    let Some((broker, proxied)) = proxied() else { return };
    let topic = new_topic(broker.bootstrap(), "rests", 1).await;
    let kafka = connect(proxied.bootstrap(), &[]).await;
    let limit = Duration::from_secs(1);
    let producer = kafka.producer().delivery_timeout(limit).build().await.unwrap();
    let mut numbers = Numbers::new(&producer, &topic, 1);
    numbers.send(1).await;
    // The rest is what is tested: long enough for whatever looks at overdue records to find that there are none.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let unanswered = proxied.on_each(Filter::api(PRODUCE), || Fault::Stall(Direction::Answers));
    let began = Instant::now();
    numbers.enqueue(1).await;
    let (_, told) = numbers.settle().await.remove(0);
    let took = began.elapsed();
    assert!(told.expect_err("nobody acknowledged it").is_possibly_written());
    assert!(took < limit * 5, "a delivery with a limit of {limit:?} ended after {took:?}");
    drop(unanswered);
    numbers.check(broker.bootstrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_dropped_loses_and_doubles_nothing_and_leaves_no_task() {
    let Some((broker, proxied)) = proxied() else { return };
    let topic = new_topic(broker.bootstrap(), "dropped", 3).await;
    let tasks_before = Handle::current().metrics().num_alive_tasks();
    let kafka = connect(proxied.bootstrap(), &[]).await;
    let producer = kafka.producer().batch_bytes(1_000).buffer_bytes(20_000).build().await.unwrap();
    let enqueue = async |number: u32| {
        let value = format!("{number:<88}");
        producer.enqueue(Record::to(&topic).partition((number % 3) as i32).value(value)).await
    };
    let mut taken = BTreeSet::new();
    for number in 0..300 {
        drop(timeout(SOON, enqueue(number)).await.unwrap().unwrap());
        taken.insert(number);
    }
    let frozen = proxied.freeze();
    let mut given_up = 0;
    for number in 300..900 {
        // The memory fills up, and from then on nothing is taken.
        match timeout(Duration::from_micros(100), enqueue(number)).await {
            Ok(delivery) => {
                drop(delivery.unwrap());
                taken.insert(number);
            }
            Err(_) => given_up += 1,
        }
    }
    assert!(given_up > 300, "only {given_up} were not taken");
    drop(frozen);
    timeout(SOON, producer.flush()).await.unwrap();
    let log = read_log(broker.bootstrap(), &topic).await;
    for records in log.values() {
        assert!(records.is_sorted_by_key(|(_, number)| *number), "out of order");
    }
    let found = log.values().flatten().map(|(_, number)| *number).collect::<BTreeSet<_>>();
    assert_eq!((count(&log), &found), (taken.len(), &taken));

    // One clone keeps it alive; with the last everything ends, and what was not acknowledged says so.
    let frozen = proxied.freeze();
    let clone = producer.clone();
    drop(producer);
    let delivery = clone.enqueue(Record::to(&topic).value("0")).await.unwrap();
    drop(clone);
    let error = timeout(SOON, delivery).await.unwrap().unwrap_err();
    assert!(matches!(error, ProduceError::Closed { .. }), "{error}");
    drop((frozen, kafka));
    eventually(SOON, "no task is left", async || {
        let now = Handle::current().metrics().num_alive_tasks();
        if now <= tasks_before { Ok(()) } else { Err(format!("{now}, and {tasks_before} before")) }
    })
    .await;
}
