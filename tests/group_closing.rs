//! A member that closes does not wait for anything but its commit and its leaving.

use std::time::Duration;

use milena::{Embedded, OffsetReset, Record};
use tokio::time::Instant;

/// A static member keeps its place, so that it has nobody to tell: it is gone as soon as its offsets are committed.
#[tokio::test(start_paused = true)]
async fn a_static_member_is_closed_once_its_offsets_are_committed() {
    let embedded = Embedded::start();
    let kafka = embedded.kafka().await.unwrap();
    let producer = kafka.producer().build().await.unwrap();
    producer.send(Record::to("greetings").value("hello")).await.unwrap();
    producer.close().await;

    let builder = kafka.consumer("readers").subscribe(["greetings"]).auto_offset_reset(OffsetReset::Earliest);
    let mut member = builder.instance_id("one").auto_commit(None).build().await.unwrap();
    assert!(member.recv().await.unwrap().is_some());
    member.commit().await.unwrap();
    let start = Instant::now();
    member.close().await;
    assert!(start.elapsed() < Duration::from_secs(1), "it took {:?}", start.elapsed());
    assert_eq!(embedded.committed("readers").into_values().collect::<Vec<_>>(), [1]);
}

/// Its task too is gone, and the cluster with the last handle on it.
#[tokio::test(start_paused = true)]
async fn a_static_member_that_is_dropped_leaves_no_task() {
    let embedded = Embedded::builder().topic("greetings", 1).start().await.unwrap();
    let kafka = embedded.kafka().await.unwrap();
    let mut member =
        kafka.consumer("readers").subscribe(["greetings"]).instance_id("one").auto_commit(None).build().await.unwrap();
    let _ = tokio::time::timeout(Duration::from_secs(1), member.recv()).await;
    drop((member, kafka, embedded));
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(tokio::runtime::Handle::current().metrics().num_alive_tasks(), 0);
}
