//! Static members (KIP-345): one that comes back has its place again, and nobody notices.

mod support;

use std::time::Duration;

use milena::{ConsumeError, ErrorCode, Kafka, Properties};
use support::{Commits, Journal, Member, Numbers, broker, eventually, new_topic, quick, unique};
use tokio::time::timeout;

const SOON: Duration = Duration::from_secs(30);

async fn attentive(bootstrap: &str) -> Kafka {
    let properties = [("bootstrap.servers", bootstrap), ("metadata.max.age.ms", "300")];
    Kafka::with_properties(Properties::from_iter(properties)).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_static_member_that_comes_back_is_not_noticed() {
    let broker = broker();
    let kafka = attentive(broker.bootstrap()).await;
    let (group, topic) = (unique("static"), new_topic(broker.bootstrap(), "static", 4).await);
    let mut numbers = Numbers::new(&kafka.producer().build().await.unwrap(), &topic, 4);
    numbers.send(100).await;
    let journal = Journal::new();
    let start = async |name: &str| {
        let builder = quick(&kafka, &group).subscribe([&*topic]).auto_commit(None).instance_id(name);
        // It may be away for as long as this test takes.
        let builder = builder.set("session.timeout.ms", "60000");
        Member::start(name, builder.build().await.unwrap(), &journal, Commits::Every(10))
    };
    let mut leader = start("leader").await;
    eventually(SOON, "it has all", async || journal.shared_by(&["leader"], 4)).await;
    let mut follower = start("follower").await;
    eventually(SOON, "they share", async || journal.shared_by(&["leader", "follower"], 4)).await;
    eventually(SOON, "all are handed out", async || journal.has_all(100)).await;
    let owned = journal.owned();
    let generation = leader.generation().await.expect("it has joined");

    follower.close().await;
    eventually(SOON, "it has closed", async || journal.shared_by(&["leader"], 2)).await;
    numbers.send(100).await;
    follower = start("follower").await;
    eventually(SOON, "all are handed out", async || journal.has_all(200)).await;
    assert_eq!(journal.owned(), owned);
    assert_eq!((leader.generation().await, follower.generation().await), (Some(generation), Some(generation)));

    leader.close().await;
    numbers.send(100).await;
    leader = start("leader").await;
    eventually(SOON, "all are handed out", async || journal.has_all(300)).await;
    assert_eq!(journal.owned(), owned);
    assert_eq!((leader.generation().await, follower.generation().await), (Some(generation), Some(generation)));
    journal.assert_nothing_twice();
    journal.assert_one_owner();
    journal.assert_nothing_again();

    // The leader is told that it need not assign (KIP-814), and looks after the topics all the same.
    kafka.admin().create_partitions(&topic, 6).await.unwrap();
    eventually(SOON, "the new ones too", async || journal.shared_by(&["leader", "follower"], 6)).await;

    // What was added while it was away too, though nobody has assigned it.
    leader.close().await;
    kafka.admin().create_partitions(&topic, 9).await.unwrap();
    leader = start("leader").await;
    eventually(SOON, "the newest too", async || journal.shared_by(&["leader", "follower"], 9)).await;
    leader.close().await;
    follower.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_members_with_one_instance_id_the_elder_is_fenced() {
    let broker = broker();
    let kafka = attentive(broker.bootstrap()).await;
    // It hears of it by whichever comes first.
    for (first_by, heartbeat) in [("a heartbeat", "300"), ("a commit", "5500")] {
        let (group, topic) = (unique("fenced"), new_topic(broker.bootstrap(), "fenced", 1).await);
        let mut numbers = Numbers::new(&kafka.producer().build().await.unwrap(), &topic, 1);
        numbers.send(10).await;
        let member = || quick(&kafka, &group).subscribe([&*topic]).instance_id("twin").auto_commit(None);
        let mut elder = member().set("heartbeat.interval.ms", heartbeat).build().await.unwrap();
        timeout(SOON, elder.recv()).await.unwrap().unwrap();
        let mut younger = member().build().await.unwrap();
        timeout(SOON, younger.recv()).await.unwrap().unwrap();
        if first_by == "a commit" {
            let error = timeout(SOON, elder.commit()).await.expect("at once").unwrap_err();
            assert!(error.to_string().contains("FENCED_INSTANCE_ID"), "{error}");
        }
        let error = loop {
            match timeout(SOON, elder.recv()).await.expect("it is told") {
                Ok(_) => {}
                Err(error) => break error,
            }
        };
        let ConsumeError::Group { code: ErrorCode::FENCED_INSTANCE_ID, .. } = error else { panic!("{error:?}") };
        let again = timeout(SOON, elder.recv()).await.expect("it is told each time").unwrap_err();
        for said in [error.to_string(), again.to_string()] {
            assert!(said.contains(&group) && said.contains("FENCED_INSTANCE_ID"), "{said}");
        }
        assert!(elder.assignment().is_empty());
        let commit = elder.commit_offsets([(milena::TopicPartition::new(&*topic, 0), 5)]);
        let error = timeout(SOON, commit).await.expect("at once").unwrap_err();
        let said = error.to_string();
        assert!(said.contains(&group) && said.contains("FENCED_INSTANCE_ID"), "{said}");
        for _ in 0..9 {
            timeout(SOON, younger.recv()).await.unwrap().unwrap();
        }
        younger.commit().await.unwrap();
        elder.close().await;
        numbers.send(1).await;
        assert_eq!(timeout(SOON, younger.recv()).await.unwrap().unwrap().unwrap().offset(), 10, "it is left in peace");
        younger.close().await;
    }
}
