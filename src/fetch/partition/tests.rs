use bytes::Bytes;

use super::*;
use crate::{
    batch::{BatchBuilder, Compression},
    wire::messages::message,
};

fn rules(reset: OffsetReset) -> Arc<Rules> {
    Arc::new(Rules {
        reset,
        isolation: IsolationLevel::ReadUncommitted,
        check_crcs: true,
        retry_backoff: Duration::from_millis(100),
        retry_backoff_max: Duration::from_secs(1),
        replica_for: Duration::from_secs(300),
    })
}

/// A partition led by broker 1 in epoch 4.
fn led(reset: OffsetReset, at: OffsetSpec) -> PartitionFetch {
    let mut fetch = PartitionFetch::new(rules(reset), 1, at, false);
    assert!(fetch.see(TopicId([1; 16]), Some(1), 4).is_none());
    fetch
}

fn ask(fetch: &mut PartitionFetch, now: Instant, broker: i32) -> Option<Ask> {
    match fetch.want(now, broker, &"t".into(), 0) {
        Want::Fetch(ask) => Some(ask),
        _ => None,
    }
}

fn batch(base_offset: i64, count: i64) -> Vec<u8> {
    let mut builder = BatchBuilder::new(Vec::new());
    for n in 0..count {
        builder.append(n, None, Some(b"value"), &[]);
    }
    let mut bytes = builder.seal(Compression::None).unwrap().bytes().to_vec();
    bytes[..8].copy_from_slice(&base_offset.to_be_bytes());
    // The leader's epoch, which a broker fills in and the checksum leaves out.
    bytes[12..16].copy_from_slice(&4i32.to_be_bytes());
    bytes
}

fn data(records: Vec<u8>) -> PartitionData {
    message!(PartitionData { high_watermark: 100, records: Some(Bytes::from(records)) })
}

fn refused(code: ErrorCode) -> PartitionData {
    message!(PartitionData { error_code: code.code(), high_watermark: -1 })
}

#[test]
fn reads_on_behind_the_last_whole_batch() {
    let now = Instant::now();
    let mut fetch = led(OffsetReset::Latest, OffsetSpec::At(12));
    let first = ask(&mut fetch, now, 1).unwrap();
    assert_eq!((first.wanted.offset, first.wanted.leader_epoch), (12, 4));
    assert!(ask(&mut fetch, now, 1).is_none(), "one request at a time");
    let bytes = [batch(10, 5), batch(15, 2), batch(17, 9)[..30].to_vec()].concat();
    let Some(Next::Chunk(chunk)) = fetch.answered(now, 1, &first, &data(bytes)).next else { panic!() };
    assert_eq!((chunk.from, chunk.next), (12, 17));
    assert_eq!(ask(&mut fetch, now, 1).unwrap().wanted.offset, 17);
    assert_eq!(fetch.end_offset(), Some(100));
}

#[test]
fn an_answer_from_before_a_seek_or_a_new_leader_counts_no_more() {
    let now = Instant::now();
    let mut fetch = led(OffsetReset::Latest, OffsetSpec::At(0));
    let old = ask(&mut fetch, now, 1).unwrap();
    fetch.seek(OffsetSpec::At(50));
    assert!(fetch.answered(now, 1, &old, &data(batch(0, 5))).next.is_none());
    let current = ask(&mut fetch, now, 1).unwrap();
    assert_eq!(current.wanted.offset, 50);
    fetch.see(TopicId([1; 16]), Some(2), 5);
    assert!(fetch.answered(now, 1, &current, &data(batch(50, 5))).next.is_none());
    assert!(ask(&mut fetch, now, 1).is_none());
    assert_eq!(ask(&mut fetch, now, 2).unwrap().wanted.offset, 50);
}

#[test]
fn a_new_leader_is_asked_whether_it_has_what_was_read() {
    let now = Instant::now();
    let read = |reset| {
        let mut fetch = led(reset, OffsetSpec::At(0));
        let first = ask(&mut fetch, now, 1).unwrap();
        fetch.answered(now, 1, &first, &data(batch(0, 5)));
        fetch.see(TopicId([1; 16]), Some(2), 6);
        assert!(ask(&mut fetch, now, 2).is_none(), "not before it is known");
        let (attempt, inquiry) = fetch.inquire(now).unwrap().unwrap();
        assert_eq!(inquiry, Inquiry::Epoch { last: 4, leader: 6 });
        (fetch, attempt)
    };
    let end = |end_offset| Ok(EpochEnd { leader_epoch: 4, end_offset });

    let (mut fetch, attempt) = read(OffsetReset::None);
    assert!(fetch.validated(now, attempt, end(5)).next.is_none());
    assert_eq!(ask(&mut fetch, now, 2).unwrap().wanted.offset, 5);

    let (mut fetch, attempt) = read(OffsetReset::Latest);
    let lineage = fetch.lineage();
    let moved = fetch.validated(now, attempt, end(3)).next;
    assert!(matches!(moved, Some(Next::Moved(3))), "{moved:?}");
    assert_ne!(fetch.lineage(), lineage, "what was fetched is no longer in the log");
    assert_eq!(ask(&mut fetch, now, 2).unwrap().wanted.offset, 3);

    let (mut fetch, attempt) = read(OffsetReset::None);
    let told = fetch.validated(now, attempt, end(3)).next;
    assert!(matches!(told, Some(Next::Failed(FetchFailure::Truncated { offset: 5, end: Some(3) }))), "{told:?}");
    assert!(ask(&mut fetch, now, 2).is_none());
    fetch.seek(OffsetSpec::At(3));
    assert_eq!(ask(&mut fetch, now, 2).unwrap().wanted.offset, 3);

    let (mut fetch, attempt) = read(OffsetReset::Earliest);
    assert!(fetch.validated(now, attempt, Ok(EpochEnd { leader_epoch: -1, end_offset: -1 })).next.is_none());
    let (_, inquiry) = fetch.inquire(now).unwrap().unwrap();
    assert_eq!(inquiry, Inquiry::Offset(OffsetSpec::Beginning));
}

#[test]
fn an_offset_that_is_not_in_the_log_follows_the_policy() {
    let now = Instant::now();
    let mut fetch = led(OffsetReset::Earliest, OffsetSpec::At(7));
    let first = ask(&mut fetch, now, 1).unwrap();
    assert!(fetch.answered(now, 1, &first, &refused(ErrorCode::OFFSET_OUT_OF_RANGE)).next.is_none());
    let (attempt, inquiry) = fetch.inquire(now).unwrap().unwrap();
    assert_eq!(inquiry, Inquiry::Offset(OffsetSpec::Beginning));
    let found = FoundOffset { offset: 40, timestamp: -1, leader_epoch: 4 };
    let moved = fetch.located(now, attempt, Ok(found)).next;
    assert!(matches!(moved, Some(Next::Moved(40))), "{moved:?}");
    assert_eq!(ask(&mut fetch, now, 1).unwrap().wanted.offset, 40);

    let mut fetch = led(OffsetReset::None, OffsetSpec::At(7));
    let first = ask(&mut fetch, now, 1).unwrap();
    let told = fetch.answered(now, 1, &first, &refused(ErrorCode::OFFSET_OUT_OF_RANGE)).next;
    assert!(matches!(told, Some(Next::Failed(FetchFailure::OutOfRange { offset: 7 }))), "{told:?}");
    assert!(ask(&mut fetch, now, 1).is_none() && fetch.inquire(now) == Ok(None));
}

#[test]
fn a_replica_in_the_same_rack_is_read_from_and_left_when_it_fails() {
    let now = Instant::now();
    let mut fetch = led(OffsetReset::None, OffsetSpec::At(7));
    let first = ask(&mut fetch, now, 1).unwrap();
    fetch.answered(now, 1, &first, &message!(PartitionData { preferred_read_replica: 3, high_watermark: 100 }));
    assert_eq!(fetch.source(now), Some(3));
    let second = ask(&mut fetch, now, 3).unwrap();
    // A replica may lag: its word on what is in range does not count.
    assert!(fetch.answered(now, 3, &second, &refused(ErrorCode::OFFSET_OUT_OF_RANGE)).next.is_none());
    assert_eq!(fetch.source(now), Some(1));
    let third = ask(&mut fetch, now, 1).unwrap();
    fetch.answered(now, 1, &third, &message!(PartitionData { preferred_read_replica: 3, high_watermark: 100 }));
    let fourth = ask(&mut fetch, now, 3).unwrap();
    fetch.lost(now, fourth.attempt);
    assert_eq!(fetch.source(now), Some(1));
}

#[test]
fn broken_bytes_are_fetched_once_more_and_then_told_once() {
    let mut now = Instant::now();
    let mut fetch = led(OffsetReset::Latest, OffsetSpec::At(0));
    let mut broken = batch(5, 3);
    let last = broken.len() - 1;
    broken[last] ^= 1;
    let first = ask(&mut fetch, now, 1).unwrap();
    let Some(Next::Chunk(chunk)) = fetch.answered(now, 1, &first, &data([batch(0, 5), broken.clone()].concat())).next
    else {
        panic!("what is before it is good")
    };
    assert_eq!(chunk.next, 5);
    let second = ask(&mut fetch, now, 1).unwrap();
    assert!(fetch.answered(now, 1, &second, &data(broken.clone())).next.is_none());
    now += Duration::from_secs(2);
    let third = ask(&mut fetch, now, 1).unwrap();
    let told = fetch.answered(now, 1, &third, &data(broken)).next;
    assert!(matches!(told, Some(Next::Failed(FetchFailure::Corrupt { offset: 5, .. }))), "{told:?}");
    now += Duration::from_secs(2);
    assert!(ask(&mut fetch, now, 1).is_none(), "it waits for a seek");
}

#[test]
fn what_the_broker_refuses_is_told_once_and_asked_again() {
    let mut now = Instant::now();
    let mut fetch = led(OffsetReset::Latest, OffsetSpec::At(0));
    let mut told = 0;
    for _ in 0..5 {
        let next = ask(&mut fetch, now, 1).unwrap();
        let taken = fetch.answered(now, 1, &next, &refused(ErrorCode::TOPIC_AUTHORIZATION_FAILED));
        told += i32::from(matches!(taken.next, Some(Next::Failed(FetchFailure::Refused { .. }))));
        assert!(ask(&mut fetch, now, 1).is_none(), "not at once");
        now += Duration::from_secs(2);
    }
    assert_eq!(told, 1);
}

#[test]
fn a_topic_made_anew_is_read_from_its_beginning() {
    let now = Instant::now();
    let mut fetch = led(OffsetReset::Latest, OffsetSpec::At(70));
    assert!(fetch.see(TopicId([2; 16]), Some(1), 0).is_none());
    let (_, inquiry) = fetch.inquire(now).unwrap().unwrap();
    assert_eq!(inquiry, Inquiry::Offset(OffsetSpec::Beginning));
}

#[test]
fn stops_where_the_log_ended_when_reading_began() {
    let now = Instant::now();
    let mut fetch = PartitionFetch::new(rules(OffsetReset::Latest), 1, OffsetSpec::Beginning, true);
    fetch.see(TopicId([1; 16]), Some(1), 4);
    let found = |offset| Ok(FoundOffset { offset, timestamp: -1, leader_epoch: 4 });
    let (attempt, inquiry) = fetch.inquire(now).unwrap().unwrap();
    assert_eq!(inquiry, Inquiry::Offset(OffsetSpec::End));
    fetch.located(now, attempt, found(5));
    let (attempt, inquiry) = fetch.inquire(now).unwrap().unwrap();
    assert_eq!(inquiry, Inquiry::Offset(OffsetSpec::Beginning));
    fetch.located(now, attempt, found(0));
    let first = ask(&mut fetch, now, 1).unwrap();
    fetch.answered(now, 1, &first, &data(batch(0, 9)));
    assert!(ask(&mut fetch, now, 1).is_none());
    assert!(!fetch.is_finished(Some(4)) && fetch.is_finished(Some(5)));
}

#[test]
fn an_answer_of_another_shape_is_no_progress_and_no_harm() {
    let now = Instant::now();
    let mut fetch = led(OffsetReset::Latest, OffsetSpec::At(20));
    // Batches from before the offset asked for.
    let first = ask(&mut fetch, now, 1).unwrap();
    assert!(fetch.answered(now, 1, &first, &data(batch(0, 5))).next.is_none());
    assert!(ask(&mut fetch, now, 1).is_none(), "not at once");
    assert_eq!(ask(&mut fetch, now + Duration::from_secs(2), 1).unwrap().wanted.offset, 20);
}

#[test]
fn an_end_that_the_leader_does_not_know_is_asked_for_again_later() {
    let mut now = Instant::now();
    let found = |offset| Ok(FoundOffset { offset, timestamp: -1, leader_epoch: 4 });
    let mut fetch = PartitionFetch::new(rules(OffsetReset::Latest), 1, OffsetSpec::End, true);
    fetch.see(TopicId([1; 16]), Some(1), 4);
    // Once for where to end, once for where to start.
    for _ in 0..2 {
        for _ in 0..3 {
            let (attempt, inquiry) = fetch.inquire(now).unwrap().unwrap();
            assert_eq!(inquiry, Inquiry::Offset(OffsetSpec::End));
            assert!(fetch.located(now, attempt, found(-1)).refresh);
            now = fetch.inquire(now).expect_err("not at once");
            assert!(!fetch.is_finished(Some(0)));
        }
        let (attempt, _) = fetch.inquire(now).unwrap().unwrap();
        fetch.located(now, attempt, found(7));
    }
    assert!(fetch.is_finished(Some(7)));
}

#[test]
fn reading_that_is_to_end_ends_with_its_topic() {
    let gone = || {
        FetchFailure::Cluster(ClusterError::Topic { topic: "t".into(), code: ErrorCode::UNKNOWN_TOPIC_OR_PARTITION })
    };
    let ending = || {
        let mut fetch = PartitionFetch::new(rules(OffsetReset::Latest), 1, OffsetSpec::At(0), true);
        fetch.see(TopicId([1; 16]), Some(1), 4);
        fetch
    };
    let mut anew = ending();
    assert!(anew.see(TopicId([2; 16]), Some(1), 0).is_none() && anew.is_finished(None));
    let mut deleted = ending();
    assert!(deleted.topic_is_gone(gone()).is_some() && deleted.topic_is_gone(gone()).is_none());
    assert!(deleted.is_finished(None));
    // Reading that is not to end waits for the topic.
    let mut waiting = led(OffsetReset::Latest, OffsetSpec::At(0));
    assert!(waiting.topic_is_gone(gone()).is_some() && waiting.topic_is_gone(gone()).is_none());
    assert!(ask(&mut waiting, Instant::now(), 1).is_some());
}
