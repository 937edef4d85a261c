//! The embedded broker as an older one: what it offers, what it refuses, and that this crate's clients get on with it.

mod support;

use std::time::Duration;

use milena::{Api, Embedded, EmbeddedBuilder, NewTopic, OffsetReset, OffsetSpec, Record};
use support::{Commits, Journal, Member, Numbers, eventually};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

const SOON: Duration = Duration::from_secs(60);

/// What Kafka 2.1 answered ApiVersions with, of the APIs that there are here.
const KAFKA_2_1: [(Api, i16); 24] = [
    (Api::Produce, 7),
    (Api::Fetch, 10),
    (Api::ListOffsets, 4),
    (Api::Metadata, 7),
    (Api::OffsetCommit, 6),
    (Api::OffsetFetch, 5),
    (Api::FindCoordinator, 2),
    (Api::JoinGroup, 3),
    (Api::Heartbeat, 2),
    (Api::LeaveGroup, 2),
    (Api::SyncGroup, 2),
    (Api::DescribeGroups, 2),
    (Api::ListGroups, 2),
    (Api::SaslHandshake, 1),
    (Api::ApiVersions, 2),
    (Api::CreateTopics, 3),
    (Api::DeleteTopics, 3),
    (Api::DeleteRecords, 1),
    (Api::InitProducerId, 1),
    (Api::OffsetForLeaderEpoch, 2),
    (Api::DescribeConfigs, 2),
    (Api::SaslAuthenticate, 0),
    (Api::CreatePartitions, 1),
    (Api::DeleteGroups, 1),
];
/// APIs that came later.
const LATER: [Api; 6] = [
    Api::ElectLeaders,
    Api::IncrementalAlterConfigs,
    Api::OffsetDelete,
    Api::DescribeCluster,
    Api::ListConfigResources,
    Api::DescribeTopicPartitions,
];

fn kafka_2_1() -> EmbeddedBuilder {
    LATER.into_iter().fold(Embedded::builder().max_versions(KAFKA_2_1), EmbeddedBuilder::without)
}

#[tokio::test(start_paused = true)]
async fn the_clients_get_on_with_a_broker_of_kafka_2_1() {
    let embedded = kafka_2_1().brokers(3).topic("numbers", 4).start().await.unwrap();
    let kafka = embedded.kafka().await.unwrap();
    kafka.admin().create_topic(NewTopic::new("more").partitions(2)).await.unwrap();
    let producer = kafka.producer().build().await.unwrap();
    producer.send(Record::to("more").value("v")).await.unwrap();
    let mut reader = kafka.standalone_consumer().assign_topics(["more"], OffsetSpec::Beginning).build().await.unwrap();
    assert_eq!(reader.recv().await.unwrap().unwrap().value(), Some(&b"v"[..]));

    // A group of two: they share, hand over and commit.
    let mut numbers = Numbers::new(&producer, "numbers", 4);
    let journal = Journal::new();
    let start = async |name: &str| {
        let builder = kafka.consumer("readers").subscribe(["numbers"]).auto_offset_reset(OffsetReset::Earliest);
        Member::start(name, builder.build().await.unwrap(), &journal, Commits::Every(10))
    };
    let one = start("one").await;
    numbers.send(100).await;
    eventually(SOON, "the first has all", async || journal.has_all(100)).await;
    let two = start("two").await;
    eventually(SOON, "they share", async || journal.shared_by(&["one", "two"], 4)).await;
    numbers.send(100).await;
    eventually(SOON, "all are handed out", async || journal.has_all(200)).await;
    one.close().await;
    eventually(SOON, "the second has all", async || journal.shared_by(&["two"], 4)).await;
    two.close().await;
    journal.assert_nothing_twice();
    assert_eq!(embedded.committed("readers").values().sum::<i64>(), 200);

    // It was asked in no version that it does not offer.
    let newest = |api: Api| KAFKA_2_1.iter().find(|(known, _)| *known == api).map(|it| it.1);
    let asked = embedded.requests();
    for api in
        [Api::Produce, Api::Fetch, Api::Metadata, Api::JoinGroup, Api::SyncGroup, Api::Heartbeat, Api::OffsetCommit]
    {
        assert!(asked.iter().any(|request| request.api == api), "{api} was not asked for");
    }
    for request in asked.iter().filter(|request| request.api != Api::ApiVersions) {
        let newest = newest(request.api).unwrap_or_else(|| panic!("{} was asked for", request.api));
        assert!(request.version <= newest, "{} in version {}", request.api, request.version);
    }
}

/// What a connection is answered to one request with an empty body: `None` if it ends.
async fn asked(embedded: &Embedded, api: Api, version: i16, body: &[u8]) -> Option<Vec<u8>> {
    let mut stream = TcpStream::connect(embedded.bootstrap_servers()).await.unwrap();
    // Of a version that is not flexible: no client id.
    let mut frame =
        [&api.key().to_be_bytes()[..], &version.to_be_bytes(), &7_i32.to_be_bytes(), &[0xff, 0xff]].concat();
    frame.extend_from_slice(body);
    stream.write_all(&[&(frame.len() as u32).to_be_bytes(), &frame[..]].concat()).await.unwrap();
    let length = stream.read_i32().await.ok()?;
    let mut answer = vec![0; length as usize];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer[..4], 7_i32.to_be_bytes());
    Some(answer.split_off(4))
}

fn i16_at(bytes: &[u8], at: usize) -> i16 {
    i16::from_be_bytes(bytes[at..at + 2].try_into().unwrap())
}

/// An ApiVersions answer of version 0: the error, and each API with its lowest and highest version.
fn offers(answer: &[u8]) -> (i16, Vec<(i16, i16, i16)>) {
    let offers = answer[6..].chunks(6).map(|api| (i16_at(api, 0), i16_at(api, 2), i16_at(api, 4)));
    (i16_at(answer, 0), offers.collect())
}

#[tokio::test]
async fn it_says_what_it_offers_and_serves_nothing_else() {
    let embedded = kafka_2_1().listen("127.0.0.1:0").start().await.unwrap();
    let (error, offered) = offers(&asked(&embedded, Api::ApiVersions, 0, &[]).await.unwrap());
    assert_eq!((error, offered.len()), (0, KAFKA_2_1.len()));
    for (api, newest) in KAFKA_2_1 {
        let found = offered.iter().find(|(key, ..)| *key == api.key()).map(|(_, low, high)| (*low, *high));
        let (low, high) = found.unwrap_or_else(|| panic!("{api} is not offered"));
        assert!((0..=newest).contains(&low) && high == newest, "{api}: {low} to {high}");
    }
    // Too new a version of ApiVersions is answered in version 0, with those that there are (KIP-511).
    let (error, offered) = offers(&asked(&embedded, Api::ApiVersions, 3, &[0, 1, 1, 0]).await.unwrap());
    assert_eq!((error, offered), (35, vec![(Api::ApiVersions.key(), 0, 2)]));
    // Of anything else it is the end of the connection.
    assert!(asked(&embedded, Api::Metadata, 7, &[0xff, 0xff, 0xff, 0xff, 0]).await.is_some());
    for (api, version) in [(Api::Metadata, 8), (Api::Metadata, -1), (Api::ListGroups, 3), (Api::DescribeCluster, 0)] {
        assert_eq!(asked(&embedded, api, version, &[]).await, None, "{api} {version}");
    }
    // Without a word of versions it offers what Kafka 4.3 does.
    let newest = Embedded::builder().listen("127.0.0.1:0").start().await.unwrap();
    let (_, offered) = offers(&asked(&newest, Api::ApiVersions, 0, &[]).await.unwrap());
    assert!(offered.contains(&(Api::Fetch.key(), 4, 18)) && offered.contains(&(Api::OffsetDelete.key(), 0, 0)));
    let none = Embedded::builder().max_versions([(Api::Fetch, 3)]).listen("127.0.0.1:0").start().await.unwrap();
    let (_, offered) = offers(&asked(&none, Api::ApiVersions, 0, &[]).await.unwrap());
    assert!(offered.iter().all(|(key, ..)| *key != Api::Fetch.key()), "no version is left of what begins with 4");
}
