//! A commit of records of a partition that was lost meanwhile, and is this member's again.

use std::time::Duration;

use milena::{CommitError, ConsumerEvent, Embedded, OffsetReset, Record};

#[tokio::test(start_paused = true)]
async fn what_was_handed_out_before_a_partition_was_lost_is_not_committed_after_it_came_back() {
    let embedded = Embedded::builder().topic("greetings", 1).start().await.unwrap();
    let kafka = embedded.kafka().await.unwrap();
    let producer = kafka.producer().build().await.unwrap();
    producer.send(Record::to("greetings").value("hello")).await.unwrap();
    let builder = kafka.consumer("readers").subscribe(["greetings"]).auto_offset_reset(OffsetReset::Earliest);
    let mut member = builder.auto_commit(None).build().await.unwrap();
    let record = loop {
        if let ConsumerEvent::Record(record) = member.next_event().await.unwrap().unwrap() {
            break record;
        }
    };
    // Its session ends, and it joins again by itself, while the user is busy with the record.
    let first = member.membership().unwrap();
    embedded.expire_member("readers", &first.0);
    while member.membership().is_none_or(|now| now == first) {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let late = member.commit_record(&record).await;
    assert!(matches!(late, Err(CommitError::NotOwned { .. })), "{late:?}");
    assert!(embedded.committed("readers").is_empty(), "{:?}", embedded.committed("readers"));
    member.close().await;
}
