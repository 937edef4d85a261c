//! What brokers answer to fetches that this crate's consumer does not make: the same on both.

#[macro_use]
mod support;

use std::time::{Duration, Instant};

use kafka_wire::{
    FetchRequest, FetchResponse, ProduceRequest,
    fetch_request::{FetchPartition, FetchTopic},
    produce_request::{PartitionProduceData, TopicProduceData},
};
use kafka_wire_core::Uuid;
use milena::{
    Api, ErrorCode, Kafka, NewTopic, OffsetSpec, Record,
    batch::{BatchBuilder, Compression},
};
use support::{RawPartition, eventually};

/// Long enough to tell a fetch that has waited from one that has not.
const WAIT: Duration = Duration::from_millis(800);

/// A fetch of one partition; the rest is as clients have it.
struct Asked {
    partition: i32,
    offset: i64,
    max_bytes: i32,
    leader_epoch: i32,
}

fn asked(partition: i32, offset: i64) -> Asked {
    Asked { partition, offset, max_bytes: 1 << 20, leader_epoch: -1 }
}

fn fetch(topic: &str, partitions: &[Asked]) -> FetchRequest {
    let partitions = partitions.iter().map(|asked| {
        message!(FetchPartition {
            partition: asked.partition,
            current_leader_epoch: asked.leader_epoch,
            fetch_offset: asked.offset,
            partition_max_bytes: asked.max_bytes,
        })
    });
    let partitions: Vec<FetchPartition> = partitions.collect();
    let topics = match partitions.is_empty() {
        true => Vec::new(),
        false => vec![message!(FetchTopic { topic: topic.into(), partitions: partitions })],
    };
    message!(FetchRequest {
        max_wait_ms: WAIT.as_millis() as i32,
        min_bytes: 1,
        max_bytes: 1 << 20,
        session_epoch: -1,
        topics: topics,
    })
}

/// Changed as said.
fn with(mut request: FetchRequest, change: impl FnOnce(&mut FetchRequest)) -> FetchRequest {
    change(&mut request);
    request
}

/// By the topic's id, as from version 13 on.
fn by_id(request: FetchRequest, id: Uuid) -> FetchRequest {
    with(request, |it| it.topics.iter_mut().for_each(|topic| (topic.topic, topic.topic_id) = ("".into(), id)))
}

/// Of each partition its number, code and records' bytes.
fn answered(answer: &FetchResponse) -> Vec<(i32, i16, usize)> {
    let partitions = answer.responses.iter().flat_map(|topic| &topic.partitions);
    let each = partitions.map(|p| (p.partition_index, p.error_code, p.records.as_ref().map_or(0, |r| r.len())));
    each.collect()
}

/// Writes a record of `size` bytes; what its batch measures.
async fn produce(partition: &mut RawPartition, index: i32, size: usize) -> usize {
    let mut builder = BatchBuilder::new(Vec::new());
    builder.append(1, None, Some(&vec![b'v'; size]), &[]);
    let batch = builder.seal(Compression::None).unwrap().bytes().to_vec();
    let measured = batch.len();
    let data = message!(PartitionProduceData { index: index, records: Some(batch.into()) });
    let name = partition.topic.as_str().into();
    let topic = message!(TopicProduceData { name: name, partition_data: vec![data] });
    let request = message!(ProduceRequest { acks: -1, timeout_ms: 10_000, topic_data: vec![topic] });
    let answer = partition.ask(9, &request).await;
    assert_eq!(answer.responses[0].partition_responses[0].error_code, 0);
    measured
}

/// A topic of which one node leads both partitions, and the nodes.
async fn two_partitions(broker: &support::Broker, prefix: &str) -> RawPartition {
    let admin = Kafka::connect(broker.bootstrap()).await.unwrap().admin();
    let name = support::unique(prefix);
    admin.create_topic(NewTopic::new(&*name).replicas([[1, 2], [1, 2]])).await.unwrap();
    RawPartition::of(broker.bootstrap(), &name).await
}

#[tokio::test]
async fn it_waits_for_as_many_bytes_as_may_be_answered() {
    let broker = support::broker();
    let mut partition = two_partitions(&broker, "waits").await;
    let topic = partition.topic.clone();
    let size = produce(&mut partition, 0, 100).await;
    produce(&mut partition, 0, 100).await;
    let little = Asked { max_bytes: size as i32, ..asked(0, 0) };
    // What lies there is enough, but what may be answered is not; and a partition that is not there is no reason to hurry.
    for (what, request, waits) in [
        ("there is enough", fetch(&topic, &[asked(0, 0)]), false),
        ("not so much may be answered", with(fetch(&topic, &[little]), |it| it.min_bytes = size as i32 + 1), true),
        ("one is empty, one unknown", fetch(&topic, &[asked(1, 0), asked(9, 0)]), true),
        ("all are unknown", fetch(&topic, &[asked(9, 0)]), false),
        ("one is empty, one out of range", fetch(&topic, &[asked(1, 0), asked(0, 99)]), false),
    ] {
        let started = Instant::now();
        partition.ask(12, &request).await;
        assert_eq!(started.elapsed() >= WAIT, waits, "{what}");
    }
}

#[tokio::test]
async fn a_batch_that_does_not_fit_is_sent_only_where_it_is_the_first() {
    let broker = support::broker();
    let mut partition = two_partitions(&broker, "fits").await;
    let topic = partition.topic.clone();
    let size = produce(&mut partition, 0, 100).await;
    produce(&mut partition, 1, 100).await;
    let small = |partition| Asked { max_bytes: size as i32 - 1, ..asked(partition, 0) };
    let answer = partition.ask(12, &fetch(&topic, &[small(0), small(1)])).await;
    assert_eq!(answered(&answer), [(0, 0, size), (1, 0, 0)], "no part of the second");
    let fitting = Asked { max_bytes: size as i32, ..asked(1, 0) };
    let answer = partition.ask(12, &fetch(&topic, &[small(0), fitting])).await;
    assert_eq!(answered(&answer), [(0, 0, size), (1, 0, size)]);
}

#[tokio::test]
async fn a_session_tells_what_is_new_and_a_partition_anew_after_an_error() {
    let broker = support::broker();
    let mut partition = two_partitions(&broker, "session").await;
    let topic = partition.topic.clone();
    let size = produce(&mut partition, 0, 100).await;
    let opened = with(fetch(&topic, &[asked(0, 0), asked(1, 0)]), |it| it.session_epoch = 0);
    let answer = partition.ask(12, &opened).await;
    assert_eq!(answered(&answer), [(0, 0, size), (1, 0, 0)]);
    let session = answer.session_id;
    assert_ne!(session, 0);
    let next = |epoch, partitions: &[Asked]| {
        let change = |it: &mut FetchRequest| (it.session_id, it.session_epoch, it.max_wait_ms) = (session, epoch, 0);
        with(fetch(&topic, partitions), change)
    };
    assert_eq!(answered(&partition.ask(12, &next(1, &[asked(0, 1)])).await), []);
    let out_of_range = ErrorCode::OFFSET_OUT_OF_RANGE.code();
    assert_eq!(answered(&partition.ask(12, &next(2, &[asked(1, 5)])).await), [(1, out_of_range, 0)]);
    assert_eq!(answered(&partition.ask(12, &next(3, &[])).await), [(1, out_of_range, 0)]);
    assert_eq!(answered(&partition.ask(12, &next(4, &[asked(1, 0)])).await), [(1, 0, 0)]);
    assert_eq!(answered(&partition.ask(12, &next(5, &[])).await), []);
    let stale = partition.ask(12, &next(5, &[])).await;
    assert_eq!(stale.error_code, ErrorCode::INVALID_FETCH_SESSION_EPOCH.code());
    // Its topics go by their names.
    let request = by_id(next(6, &[asked(0, 1)]), partition.id);
    let refused = partition.ask(13, &request).await;
    assert_eq!(refused.error_code, ErrorCode::FETCH_SESSION_TOPIC_ID_ERROR.code());
}

/// KIP-392: whoever knows of it may read from any replica, and the leader names the one in the client's own rack.
#[tokio::test]
async fn replicas_that_follow_are_read_from_too() {
    let broker = support::broker();
    let mut partition = two_partitions(&broker, "follows").await;
    let topic = partition.topic.clone();
    let size = produce(&mut partition, 0, 100).await;
    let (leader, follower, epoch) = (partition.leader, partition.follower(), partition.leader_epoch);
    let request = fetch(&topic, &[Asked { leader_epoch: epoch, ..asked(0, 0) }]);
    // On Kafka it has the record a little later, and knows that others have it.
    eventually(Duration::from_secs(10), "it has the record", async || {
        answered(&partition.nodes.get_mut(&follower).unwrap().ask(11, &request).await) == [(0, 0, size)]
    })
    .await;
    let refused = partition.at(follower).ask(10, &request).await;
    assert_eq!(answered(&refused), [(0, ErrorCode::NOT_LEADER_OR_FOLLOWER.code(), 0)]);
    let newer = fetch(&topic, &[Asked { leader_epoch: epoch + 1, ..asked(0, 0) }]);
    let newer = by_id(newer, partition.id);
    let refused = partition.at(follower).ask(17, &newer).await;
    assert_eq!(answered(&refused), [(0, ErrorCode::UNKNOWN_LEADER_EPOCH.code(), 0)]);

    for (rack, named, bytes) in [(follower, follower, 0), (leader, -1, size), (3, -1, size), (99, -1, size)] {
        let nearby = with(request.clone(), |it| it.rack_id = format!("rack{rack}").as_str().into());
        let answer = partition.at(leader).ask(12, &nearby).await;
        let read_from = answer.responses[0].partitions[0].preferred_read_replica;
        assert_eq!((read_from, answered(&answer)), (named, vec![(0, 0, bytes)]), "rack{rack}");
    }
}

/// A consumer in the rack of a follower reads there.
#[tokio::test]
async fn a_consumer_reads_in_its_own_rack() {
    let broker = support::broker();
    let partition = two_partitions(&broker, "nearby").await;
    let follower = partition.follower();
    let settings = [("bootstrap.servers", broker.bootstrap()), ("client.rack", &*format!("rack{follower}"))];
    let kafka = Kafka::with_properties(settings.into_iter().collect()).await.unwrap();
    let producer = kafka.producer().build().await.unwrap();
    let topic = partition.topic.as_str();
    let from = OffsetSpec::Beginning;
    let mut consumer = kafka.standalone_consumer().assign_topics([topic], from).build().await.unwrap();
    for n in 0..5 {
        producer.send(Record::to(topic).partition(0).value(n.to_string())).await.unwrap();
        let record = consumer.recv().await.unwrap().unwrap();
        assert_eq!(record.value(), Some(n.to_string().as_bytes()));
    }
    if let Some(embedded) = broker.embedded() {
        let fetches = embedded.requests().into_iter().filter(|request| request.api == Api::Fetch);
        let last = fetches.last().expect("it has fetched");
        assert_eq!(last.broker, follower, "the leader has sent it there");
    }
}
