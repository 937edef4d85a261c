use super::*;

const PRODUCER: i64 = 7;

struct Bench {
    queue: PartitionQueue,
    limits: Limits,
    now: Instant,
}

impl Bench {
    fn new() -> Self {
        let limits = Limits {
            batch_bytes: 200,
            linger: Duration::from_millis(5),
            delivery_timeout: Duration::from_secs(120),
            compression: Compression::None,
            in_flight: 5,
        };
        Bench {
            queue: PartitionQueue::new(TopicPartition::new("t", 0), TopicId([1; 16]), Arc::new(Spares::new(1 << 20))),
            limits,
            now: Instant::now(),
        }
    }

    /// A record that fills a batch.
    fn append(&mut self) -> Arc<Completion> {
        self.queue.append(|| self.now, &self.limits, 0, None, Some(&[0; 100]), &[], 100).unwrap().0
    }

    /// The next batch that a sender takes, sealed on the way.
    fn take(&mut self) -> Option<(u64, Arc<SealedBatch>)> {
        loop {
            match self.queue.step(self.now, &self.limits, true, false, PRODUCER) {
                Step::Seal(open) => {
                    let sealed = open.seal(self.limits.compression, &Spares::new(0));
                    self.queue.admit(sealed, PRODUCER);
                }
                Step::Send { id, batch } => return Some((id, batch)),
                _ => return None,
            }
        }
    }

    /// The ids and (epoch, sequence) of what is sent until there is nothing more to send.
    fn send_all(&mut self) -> Vec<(u64, (i16, i32))> {
        let mut sent = Vec::new();
        while let Some((id, batch)) = self.take() {
            let bytes = batch.bytes();
            let epoch = i16::from_be_bytes(bytes[51..53].try_into().unwrap());
            assert!(self.queue.depart(id));
            sent.push((id, (epoch, i32::from_be_bytes(bytes[53..57].try_into().unwrap()))));
        }
        sent
    }

    fn answer(&mut self, id: u64, answer: Answer) {
        self.queue.answered(self.now, id, answer, |_| Duration::ZERO);
    }
}

fn written() -> Answer {
    Answer::Written { base_offset: 0 }
}

fn lost() -> Answer {
    Answer::Retry { why: "lost".into(), maybe_written: true }
}

fn numbers(sent: &[(u64, (i16, i32))]) -> Vec<(i16, i32)> {
    sent.iter().map(|(_, number)| *number).collect()
}

/// A queue with its first batch acknowledged and `count` more in flight.
fn in_flight(count: usize) -> (Bench, Vec<u64>, Vec<Arc<Completion>>) {
    let mut bench = Bench::new();
    bench.append();
    let first = bench.send_all();
    bench.answer(first[0].0, written());
    let completions = (0..count).map(|_| bench.append()).collect();
    let ids = bench.send_all().iter().map(|(id, _)| *id).collect();
    (bench, ids, completions)
}

#[test]
fn one_in_flight_until_the_first_acknowledgement_then_five() {
    let mut bench = Bench::new();
    (0..8).for_each(|_| drop(bench.append()));
    let first = bench.send_all();
    assert_eq!(numbers(&first), [(0, 0)]);
    bench.answer(first[0].0, written());
    assert_eq!(numbers(&bench.send_all()), [(0, 1), (0, 2), (0, 3), (0, 4), (0, 5)]);
}

#[test]
fn after_a_lost_connection_the_same_numbers_go_out_again_in_order() {
    let (mut bench, ids, completions) = in_flight(3);
    bench.answer(ids[0], lost());
    assert!(bench.send_all().is_empty(), "something was sent while answers were due");
    bench.answer(ids[1], lost());
    bench.answer(ids[2], lost());
    let again = bench.send_all();
    assert_eq!(numbers(&again), [(0, 1), (0, 2), (0, 3)]);
    again.iter().for_each(|(id, _)| bench.answer(*id, written()));
    assert!(completions.iter().all(|c| c.is_settled()) && bench.queue.is_empty());
}

#[test]
fn out_of_order_behind_a_failed_batch_changes_no_number() {
    let (mut bench, ids, _) = in_flight(2);
    bench.answer(ids[0], Answer::Retry { why: "not enough replicas".into(), maybe_written: false });
    bench.answer(ids[1], Answer::OutOfOrder { why: "gap".into() });
    assert_eq!(numbers(&bench.send_all()), [(0, 1), (0, 2)]);
}

#[test]
fn out_of_order_for_the_first_starts_an_epoch() {
    let (mut bench, ids, _) = in_flight(2);
    bench.answer(ids[0], Answer::OutOfOrder { why: "the log was cut".into() });
    bench.answer(ids[1], Answer::OutOfOrder { why: "gap".into() });
    let again = bench.send_all();
    assert_eq!(numbers(&again), [(1, 0)], "one at a time under a new epoch");
    bench.answer(again[0].0, written());
    assert_eq!(numbers(&bench.send_all()), [(1, 1)]);
}

#[test]
fn a_batch_that_expired_unanswered_takes_no_numbers_from_what_may_be_written() {
    let (mut bench, ids, completions) = in_flight(1);
    bench.now += Duration::from_secs(100);
    let second = bench.append();
    bench.now += Duration::from_secs(30);
    bench.queue.expire(bench.now, &bench.limits);
    assert!(completions[0].is_settled() && !second.is_settled());
    bench.answer(ids[0], lost());
    // The second keeps the number behind the first, which may be in the log.
    assert_eq!(numbers(&bench.send_all()), [(0, 2)]);
}

#[test]
fn a_refused_batch_is_a_gap_that_is_closed_by_a_new_epoch() {
    let (mut bench, ids, _) = in_flight(2);
    bench.answer(ids[0], Answer::Refused { why: "invalid".into(), code: 87, possibly_written: false });
    bench.answer(ids[1], Answer::OutOfOrder { why: "gap".into() });
    assert_eq!(numbers(&bench.send_all()), [(1, 0)]);
}

#[test]
fn a_topic_made_anew_starts_an_epoch() {
    let (mut bench, ids, _) = in_flight(1);
    bench.answer(ids[0], lost());
    bench.queue.see_topic(TopicId([2; 16]));
    assert_eq!(numbers(&bench.send_all()), [(1, 0)]);
}

#[test]
fn a_partial_batch_lingers_while_something_is_in_flight() {
    let (mut bench, _, _) = in_flight(1);
    bench.append();
    let step = bench.queue.step(bench.now, &bench.limits, false, false, PRODUCER);
    assert!(matches!(step, Step::Wait(until) if until == bench.now + bench.limits.linger), "{step:?}");
    bench.now += bench.limits.linger;
    assert!(matches!(bench.queue.step(bench.now, &bench.limits, false, false, PRODUCER), Step::Seal(_)));
}

#[test]
fn a_batch_that_expired_before_it_was_written_is_not_written() {
    let (mut bench, ids, _) = in_flight(1);
    bench.answer(ids[0], written());
    let (first, second) = (bench.append(), bench.append());
    let (id, _) = bench.take().unwrap();
    // Its sender waits for a connection.
    bench.now += Duration::from_secs(120);
    bench.queue.expire(bench.now, &bench.limits);
    for completion in [first, second] {
        let fate = completion.poll(&mut Default::default(), std::task::Waker::noop());
        assert!(matches!(fate, std::task::Poll::Ready(Fate::Expired { possibly_written: false, .. })), "{fate:?}");
    }
    assert!(!bench.queue.depart(id));
    bench.append();
    assert_eq!(numbers(&bench.send_all()), [(1, 0)], "its numbers are a gap");
}

#[test]
fn a_batch_that_expired_while_it_was_written_may_be_in_the_log() {
    let (mut bench, _, completions) = in_flight(1);
    bench.now += Duration::from_secs(120);
    bench.queue.expire(bench.now, &bench.limits);
    let fate = completions[0].poll(&mut Default::default(), std::task::Waker::noop());
    assert!(matches!(fate, std::task::Poll::Ready(Fate::Expired { possibly_written: true, .. })), "{fate:?}");
}

#[test]
fn numbers_wrap_to_zero() {
    assert_eq!(after(i32::MAX, 1), 0);
    assert_eq!(after(i32::MAX - 1, 3), 1);
}

#[test]
fn what_was_acknowledged_behind_a_lost_batch_counts_among_what_the_broker_remembers() {
    let (mut bench, ids, _) = in_flight(5);
    bench.answer(ids[0], written());
    bench.append();
    let sixth = bench.send_all();
    assert_eq!(numbers(&sixth), [(0, 6)]);
    // It went over a new connection, before the loss of the old one was seen.
    bench.answer(sixth[0].0, written());
    ids[1..].iter().for_each(|id| bench.answer(*id, lost()));
    bench.append();
    bench.append();
    let again = bench.send_all();
    assert_eq!(numbers(&again), [(0, 2), (0, 3), (0, 4), (0, 5)], "a seventh would make the broker forget the second");
    bench.answer(again[0].0, written());
    assert_eq!(numbers(&bench.send_all()), [(0, 7)]);
}

#[test]
fn when_the_epochs_are_used_up_another_producer_id_is_needed() {
    let mut bench = Bench::new();
    let refused = || Answer::Refused { why: "too large".into(), code: 10, possibly_written: false };
    // Each refusal leaves a gap in the numbers, and so costs an epoch.
    for epoch in 0..=i16::MAX {
        bench.append();
        let sent = bench.send_all();
        assert_eq!(sent.iter().map(|(_, numbers)| *numbers).collect::<Vec<_>>(), [(epoch, 0)]);
        bench.answer(sent[0].0, refused());
    }
    bench.append();
    let step = bench.queue.step(bench.now, &bench.limits, true, false, PRODUCER);
    assert!(matches!(step, Step::NewId(PRODUCER)), "{step:?}");
    let Step::Seal(open) = bench.queue.step(bench.now, &bench.limits, true, false, PRODUCER + 1) else { panic!() };
    bench.queue.admit(open.seal(Compression::None, &Spares::new(0)), PRODUCER + 1);
    let Step::Send { batch, .. } = bench.queue.step(bench.now, &bench.limits, true, false, PRODUCER + 1) else {
        panic!()
    };
    let id = i64::from_be_bytes(batch.bytes()[43..51].try_into().unwrap());
    let epoch = i16::from_be_bytes(batch.bytes()[51..53].try_into().unwrap());
    assert_eq!((id, epoch), (PRODUCER + 1, 0));
}
