//! What a coordinator refuses is told in plain words: once where it may yet be allowed, each time where it is for good; and nothing is
//! asked for without end.

mod support;

use std::{sync::Arc, time::Duration};

use milena::{
    ConsumeError, ErrorCode, Kafka, OffsetSpec, TopicPartition,
    assignor::{Assignor, GroupMember, GroupTopics, RangeAssignor, RoundRobinAssignor},
};
use support::{Fault, Filter, Numbers, broker, new_topic, number_of, quick, unique};
use tokio::time::timeout;

const SOON: Duration = Duration::from_secs(30);

/// API key.
const OFFSET_FETCH: i16 = 9;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn committed_offsets_that_may_not_be_seen_are_told_of_once_and_asked_for_until_they_may() {
    let broker = broker();
    let Some(proxied) = broker.proxied() else { return };
    let kafka = Kafka::connect(broker.bootstrap()).await.unwrap();
    let (group, topic) = (unique("secret"), new_topic(broker.bootstrap(), "secret", 2).await);
    Numbers::new(&kafka.producer().build().await.unwrap(), &topic, 2).send(10).await;
    // From version 8 on an answer ends with its only group's error code, and two empty sets of tagged fields.
    let refuse = |answer: &mut Vec<u8>| {
        let at = answer.len() - 4;
        answer[at..at + 2].copy_from_slice(&ErrorCode::GROUP_AUTHORIZATION_FAILED.code().to_be_bytes());
    };
    let refused = proxied.on_each(Filter::api(OFFSET_FETCH), || Fault::rewrite(refuse));
    let through = Kafka::connect(proxied.bootstrap()).await.unwrap();
    let mut consumer = quick(&through, &group).subscribe([&*topic]).auto_commit(None).build().await.unwrap();
    let error = timeout(SOON, consumer.recv()).await.expect("it is told").unwrap_err();
    let ConsumeError::Refused { code: ErrorCode::GROUP_AUTHORIZATION_FAILED, .. } = error else { panic!("{error:?}") };
    // A user who does not come back meets no pile of errors.
    support::eventually(SOON, "it asks again", async || refused.iter().map(|fault| fault.fired()).sum::<u64>() >= 5)
        .await;
    drop(refused);
    let mut numbers = Vec::new();
    while numbers.len() < 10 {
        let record = timeout(SOON, consumer.recv()).await.expect("it begins").expect("it was told once");
        numbers.push(number_of(record.unwrap().value()));
    }
    consumer.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_refused_for_good_says_so_each_time_and_commits_nothing() {
    let broker = broker();
    let kafka = Kafka::connect(broker.bootstrap()).await.unwrap();
    let (group, topic) = (unique("odd"), new_topic(broker.bootstrap(), "odd", 1).await);
    Numbers::new(&kafka.producer().build().await.unwrap(), &topic, 1).send(10).await;
    let member = || quick(&kafka, &group).subscribe([&*topic]).auto_commit(None);
    let mut even = member().assignors([Arc::new(RangeAssignor) as _]).build().await.unwrap();
    timeout(SOON, even.recv()).await.unwrap().unwrap();
    let mut odd = member().assignors([Arc::new(RoundRobinAssignor) as _]).build().await.unwrap();
    for _ in 0..3 {
        let error = timeout(SOON, odd.recv()).await.expect("it is told").unwrap_err();
        let ConsumeError::Group { code: ErrorCode::INCONSISTENT_GROUP_PROTOCOL, .. } = error else {
            panic!("{error:?}")
        };
        timeout(SOON, odd.next_event()).await.expect("it is told").unwrap_err();
        timeout(SOON, odd.recv_batch()).await.expect("it is told").unwrap_err();
    }
    for commit in [odd.commit(), odd.commit_offsets([(TopicPartition::new(&*topic, 0), 5)])] {
        let error = timeout(SOON, commit).await.expect("at once").unwrap_err();
        let said = error.to_string();
        assert!(said.contains(&group) && said.contains("INCONSISTENT_GROUP_PROTOCOL"), "{said}");
    }
    odd.close().await;
    timeout(SOON, even.recv()).await.unwrap().unwrap();
    even.commit().await.unwrap();
    even.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consumer_beside_the_members_of_its_group_cannot_commit() {
    let broker = broker();
    let kafka = Kafka::connect(broker.bootstrap()).await.unwrap();
    let (group, topic) = (unique("beside"), new_topic(broker.bootstrap(), "beside", 1).await);
    Numbers::new(&kafka.producer().build().await.unwrap(), &topic, 1).send(10).await;
    let mut member = quick(&kafka, &group).subscribe([&*topic]).auto_commit(None).build().await.unwrap();
    timeout(SOON, member.recv()).await.unwrap().unwrap();
    let at = TopicPartition::new(&*topic, 0);
    let beside = kafka.consumer(&*group).assign([(at.clone(), OffsetSpec::Beginning)]).auto_commit(None);
    let mut beside = beside.build().await.unwrap();
    timeout(SOON, beside.recv()).await.unwrap().unwrap();
    for _ in 0..2 {
        let error = timeout(SOON, beside.commit()).await.expect("at once").unwrap_err();
        let said = error.to_string();
        assert!(said.contains(&group) && said.contains("has members"), "{said}");
    }
    member.close().await;
    timeout(SOON, beside.recv()).await.unwrap().unwrap();
    timeout(SOON, beside.commit()).await.expect("at once").expect("nobody else does");
    let committed = beside.committed(std::slice::from_ref(&at)).await.unwrap();
    assert_eq!(committed[&at].offset, 2);
    beside.close().await;
}

/// One that a user may write.
#[derive(Debug)]
struct Careless;

impl Assignor for Careless {
    fn name(&self) -> &str {
        "careless"
    }

    fn assign(&self, _: &GroupTopics, _: &[GroupMember]) -> Vec<Vec<TopicPartition>> {
        panic!("on purpose")
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_of_an_assignor_is_told_to_all_who_wait() {
    let broker = broker();
    let kafka = Kafka::connect(broker.bootstrap()).await.unwrap();
    let (group, topic) = (unique("careless"), new_topic(broker.bootstrap(), "careless", 1).await);
    let builder = quick(&kafka, &group).subscribe([&*topic]).assignors([Arc::new(Careless) as _]);
    let mut consumer = builder.build().await.unwrap();
    for _ in 0..2 {
        let error = timeout(SOON, consumer.recv()).await.expect("it is told").unwrap_err();
        let ConsumeError::Failed { why } = error else { panic!("{error:?}") };
        assert_eq!(&*why, "on purpose");
    }
    let error = timeout(SOON, consumer.commit()).await.expect("at once").unwrap_err();
    assert!(error.to_string().contains("on purpose"), "{error}");
    timeout(Duration::from_secs(3), consumer.close()).await.expect("it has nothing to wait for");
}
