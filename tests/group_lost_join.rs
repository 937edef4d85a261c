//! A member whose JoinGroup was counted, but whose answer it never had: it joins once more and keeps what it owns.

use std::time::Duration;

use milena::{
    Api, ConsumerEvent, Embedded, Fault, OffsetReset, Properties, Rebalance, Record,
    assignor::CooperativeStickyAssignor,
};

#[tokio::test(start_paused = true)]
async fn a_commit_of_the_generation_that_has_just_ended_loses_nothing() {
    let embedded = Embedded::builder().topic("greetings", 1).start().await.unwrap();
    let properties = Properties::from_iter([("retry.backoff.ms", "1000")]);
    let kafka = embedded.kafka_with(properties).await.unwrap();
    let producer = kafka.producer().build().await.unwrap();
    let builder = kafka.consumer("readers").subscribe(["greetings"]).auto_offset_reset(OffsetReset::Earliest);
    let builder = builder.assignors([std::sync::Arc::new(CooperativeStickyAssignor) as _]).auto_commit(None);
    let mut member = builder.build().await.unwrap();
    producer.send(Record::to("greetings").value("one")).await.unwrap();
    while !matches!(member.next_event().await.unwrap().unwrap(), ConsumerEvent::Record(_)) {}

    let lost = embedded.fault(Api::JoinGroup).once(Fault::LoseAnswer);
    member.rejoin();
    lost.until_fired(1).await;
    // The next generation has begun, which the member cannot know.
    tokio::time::sleep(Duration::from_millis(100)).await;
    member.commit().await.unwrap();
    producer.send(Record::to("greetings").value("two")).await.unwrap();
    loop {
        match member.next_event().await.unwrap().unwrap() {
            ConsumerEvent::Record(record) => break assert_eq!(record.value(), Some(&b"two"[..])),
            ConsumerEvent::Rebalance(Rebalance::Lost(lost)) => panic!("lost {lost:?}"),
            ConsumerEvent::Rebalance(_) => {}
        }
    }
    member.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_heartbeat_of_the_generation_that_has_just_ended_loses_nothing() {
    let embedded = Embedded::builder().topic("greetings", 1).start().await.unwrap();
    let properties = Properties::from_iter([("retry.backoff.ms", "5000"), ("retry.backoff.max.ms", "5000")]);
    let kafka = embedded.kafka_with(properties).await.unwrap();
    let builder = kafka.consumer("readers").subscribe(["greetings"]).set("heartbeat.interval.ms", "500");
    let builder = builder.assignors([std::sync::Arc::new(CooperativeStickyAssignor) as _]).auto_commit(None);
    let mut member = builder.build().await.unwrap();
    let first = member.next_event().await.unwrap().unwrap();
    assert!(matches!(first, ConsumerEvent::Rebalance(Rebalance::Assigned(_))), "{first:?}");

    let lost = embedded.fault(Api::JoinGroup).once(Fault::LoseAnswer);
    member.rejoin();
    lost.until_fired(1).await;
    // It beats meanwhile, under the generation that it knows.
    let next = tokio::time::timeout(Duration::from_secs(30), member.next_event()).await;
    let next = next.expect("it has joined once more").unwrap().unwrap();
    assert!(matches!(next, ConsumerEvent::Rebalance(Rebalance::Assigned(_))), "{next:?}");
    member.close().await;
}
