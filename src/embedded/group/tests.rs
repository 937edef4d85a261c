use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use tokio::time::Instant;

use super::{Coordinators, Group, GroupState, Groups, Join, Joined, Protocol, Synced, Syncing, Turn};
use crate::{
    embedded::waiting::{Answer, Ticket, Waiting},
    wire::ErrorCode,
};

const SESSION: Duration = Duration::from_secs(10);
const REBALANCE: Duration = Duration::from_secs(60);

/// A group and its clock.
struct Bench {
    group: Group,
    waiting: Waiting,
    now: Instant,
    random: fastrand::Rng,
    answers: BTreeMap<Ticket, Answer>,
}

fn bench() -> Bench {
    bench_waiting(Duration::ZERO)
}

fn bench_waiting(delay: Duration) -> Bench {
    Bench {
        group: Group::new(delay),
        waiting: Waiting::default(),
        now: Instant::now(),
        random: fastrand::Rng::with_seed(1),
        answers: BTreeMap::new(),
    }
}

fn wish(id: &str) -> Join {
    Join {
        version: 9,
        member_id: id.to_owned(),
        instance: None,
        client_id: "client".to_owned(),
        host: "/127.0.0.1".to_owned(),
        session_timeout: SESSION,
        rebalance_timeout: REBALANCE,
        protocol_type: "consumer".to_owned(),
        protocols: protocols(&["range"]),
    }
}

fn protocols(names: &[&str]) -> Vec<Protocol> {
    names.iter().map(|name| Protocol { name: (*name).to_owned(), metadata: Bytes::new() }).collect()
}

impl Bench {
    fn settle(&mut self) {
        self.group.settle(&mut Turn { now: self.now, waiting: &mut self.waiting });
        self.answers.extend(self.waiting.take_ready());
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        self.settle();
    }

    fn join(&mut self, join: Join) -> Ticket {
        let ticket = self.waiting.ticket();
        let turn = &mut Turn { now: self.now, waiting: &mut self.waiting };
        self.group.join(turn, join, ticket, &mut self.random);
        self.settle();
        ticket
    }

    fn sync(&mut self, id: &str, assignments: &[(&str, &'static str)]) -> Ticket {
        let ticket = self.waiting.ticket();
        let sync = Syncing {
            member_id: id,
            instance: None,
            generation: self.group.generation,
            protocol_type: Some("consumer"),
            protocol: None,
            assignments: assignments.iter().map(|(id, what)| (*id, Bytes::from_static(what.as_bytes()))).collect(),
        };
        self.group.sync(&mut Turn { now: self.now, waiting: &mut self.waiting }, sync, ticket);
        self.settle();
        ticket
    }

    fn joined(&mut self, ticket: Ticket) -> Joined {
        match self.answers.remove(&ticket) {
            Some(Answer::Join(joined)) => joined,
            other => panic!("{other:?}"),
        }
    }

    fn synced(&mut self, ticket: Ticket) -> Synced {
        match self.answers.remove(&ticket) {
            Some(Answer::Sync(synced)) => synced,
            other => panic!("{other:?}"),
        }
    }

    /// A new member's id, with which it has yet to join.
    fn known(&mut self) -> String {
        let ticket = self.join(wish(""));
        let joined = self.joined(ticket);
        assert_eq!(joined.error, ErrorCode::MEMBER_ID_REQUIRED);
        assert!(joined.member_id.starts_with("client-"), "{joined:?}");
        joined.member_id
    }

    fn heartbeat(&mut self, id: &str) -> Result<(), ErrorCode> {
        let generation = self.group.generation;
        self.group.heartbeat(self.now, id, None, generation)
    }

    fn leave(&mut self, id: &str, instance: Option<&str>) -> Result<(), ErrorCode> {
        let left = self.group.leave(&mut Turn { now: self.now, waiting: &mut self.waiting }, &[(id, instance)]);
        self.settle();
        left[0]
    }

    /// A stable group of these many members; their ids, the leader's first.
    fn stable(&mut self, count: usize) -> Vec<String> {
        let ids: Vec<String> = (0..count).map(|_| self.known()).collect();
        let tickets: Vec<Ticket> = ids.iter().map(|id| self.join(wish(id))).collect();
        // The first made a generation alone, if no initial delay kept it waiting.
        let tickets: Vec<Ticket> = if count > 1 && self.group.state() != GroupState::CompletingRebalance {
            let again = self.join(wish(&ids[0]));
            std::iter::once(again).chain(tickets.into_iter().skip(1)).collect()
        } else {
            tickets
        };
        let joined: Vec<Joined> = tickets.into_iter().map(|ticket| self.joined(ticket)).collect();
        let leader = joined[0].leader.clone();
        assert!(joined.iter().all(|one| one.error == ErrorCode::NONE && one.leader == leader), "{joined:?}");
        let mut ids = ids;
        ids.sort_by_key(|id| *id != leader);
        let waiting: Vec<Ticket> = ids[1..].to_vec().iter().map(|id| self.sync(id, &[])).collect();
        let shares: Vec<(&str, &'static str)> = ids.iter().map(|id| (id.as_str(), "share")).collect();
        let own = self.sync(&leader, &shares);
        for ticket in waiting.into_iter().chain([own]) {
            assert_eq!(&*self.synced(ticket).assignment, b"share");
        }
        assert_eq!(self.group.state(), GroupState::Stable);
        ids
    }
}

#[test]
fn members_join_in_one_generation_and_get_what_the_leader_says() {
    let mut bench = bench();
    let ids = bench.stable(3);
    assert_eq!(bench.group.members().count(), 3);
    for id in &ids {
        assert_eq!(bench.heartbeat(id), Ok(()));
    }
    assert_eq!(bench.heartbeat("stranger"), Err(ErrorCode::UNKNOWN_MEMBER_ID));
    let generation = bench.group.generation;
    assert_eq!(bench.group.heartbeat(bench.now, &ids[0], None, generation - 1), Err(ErrorCode::ILLEGAL_GENERATION));
}

#[test]
fn the_first_rebalance_waits_for_more_members() {
    let delay = Duration::from_secs(3);
    let mut bench = bench_waiting(delay);
    let one = bench.known();
    let first = bench.join(wish(&one));
    bench.pass(delay / 2);
    let two = bench.known();
    let second = bench.join(wish(&two));
    bench.pass(delay / 2);
    assert_eq!(bench.group.state(), GroupState::PreparingRebalance, "another came: it waits a while longer");
    bench.pass(delay);
    assert_eq!((bench.joined(first).generation, bench.joined(second).generation), (1, 1));
}

#[test]
fn one_that_does_not_join_again_is_out_after_the_rebalance_timeout() {
    let mut bench = bench();
    let ids = bench.stable(2);
    let third = bench.known();
    let joining = bench.join(wish(&third));
    assert_eq!(bench.heartbeat(&ids[0]), Err(ErrorCode::REBALANCE_IN_PROGRESS));
    let again = bench.join(wish(&ids[0]));
    // The other goes on with heartbeats, and does not join.
    for _ in 0..REBALANCE.as_secs() / 5 - 1 {
        bench.pass(Duration::from_secs(5));
        assert_eq!(bench.heartbeat(&ids[1]), Err(ErrorCode::REBALANCE_IN_PROGRESS));
    }
    assert!(!bench.answers.contains_key(&joining));
    bench.pass(Duration::from_secs(5));
    assert_eq!(bench.joined(joining).leader, ids[0]);
    assert_eq!(bench.joined(again).members.len(), 2);
    assert_eq!(bench.heartbeat(&ids[1]), Err(ErrorCode::UNKNOWN_MEMBER_ID));
}

#[test]
fn a_member_without_heartbeats_is_out_after_its_session() {
    let mut bench = bench();
    let ids = bench.stable(2);
    bench.pass(SESSION / 2);
    bench.heartbeat(&ids[0]).unwrap();
    bench.pass(SESSION / 2);
    assert_eq!(bench.group.state(), GroupState::PreparingRebalance);
    assert_eq!(bench.heartbeat(&ids[1]), Err(ErrorCode::UNKNOWN_MEMBER_ID));
    let again = bench.join(wish(&ids[0]));
    assert_eq!(bench.joined(again).members.len(), 1);
    // It never asks for its assignment, nor for anything else.
    bench.pass(SESSION);
    assert_eq!(bench.group.state(), GroupState::Empty);
    assert_eq!(bench.group.next_deadline(), None);
}

#[test]
fn one_that_never_asks_for_its_assignment_is_out_though_it_sends_heartbeats() {
    let mut bench = bench();
    let id = bench.known();
    let ticket = bench.join(wish(&id));
    assert_eq!(bench.joined(ticket).error, ErrorCode::NONE);
    for _ in 0..REBALANCE.as_secs() / 5 {
        bench.heartbeat(&id).unwrap();
        bench.pass(Duration::from_secs(5));
    }
    assert_eq!(bench.group.state(), GroupState::Empty);
}

#[test]
fn an_id_that_is_not_used_does_not_hold_the_others_up_for_long() {
    let mut bench = bench();
    let ids = bench.stable(1);
    bench.known();
    let again = bench.join(wish(&ids[0]));
    assert!(!bench.answers.contains_key(&again), "who was given an id is waited for");
    bench.pass(SESSION);
    assert_eq!(bench.joined(again).members.len(), 1);
}

#[test]
fn an_id_that_is_not_used_moves_nothing_when_it_lapses() {
    let mut bench = bench();
    let ids = bench.stable(1);
    bench.known();
    bench.pass(SESSION / 2);
    bench.heartbeat(&ids[0]).unwrap();
    bench.pass(SESSION / 2);
    assert_eq!(bench.group.state(), GroupState::Stable);
    assert!(bench.group.pending_join.is_empty());
}

#[test]
fn protocols_are_chosen_by_vote_and_one_that_fits_none_is_refused() {
    let mut bench = bench_waiting(Duration::from_secs(1));
    let votes: [&[&str]; 3] = [&["range", "sticky"], &["sticky", "range"], &["sticky", "other", "range"]];
    let tickets = votes.map(|names| {
        let id = bench.known();
        bench.join(Join { protocols: protocols(names), ..wish(&id) })
    });
    for refused in [
        Join { protocols: protocols(&["other"]), ..wish("") },
        Join { protocol_type: "connect".to_owned(), ..wish("") },
        Join { protocols: Vec::new(), ..wish("") },
    ] {
        let ticket = bench.join(refused);
        assert_eq!(bench.joined(ticket).error, ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
    }
    bench.pass(Duration::from_secs(1));
    bench.pass(Duration::from_secs(1));
    for ticket in tickets {
        assert_eq!(bench.joined(ticket).protocol.as_deref(), Some("sticky"));
    }
}

#[test]
fn commits_are_taken_of_the_generation_and_of_no_member_only_while_there_is_none() {
    let mut bench = bench();
    let now = bench.now;
    assert_eq!(bench.group.check_commit(now, "", None, -1), Ok(()));
    let ids = bench.stable(1);
    let generation = bench.group.generation;
    assert_eq!(bench.group.check_commit(now, &ids[0], None, generation), Ok(()));
    assert_eq!(bench.group.check_commit(now, &ids[0], None, generation - 1), Err(ErrorCode::ILLEGAL_GENERATION));
    assert_eq!(bench.group.check_commit(now, "stranger", None, generation), Err(ErrorCode::UNKNOWN_MEMBER_ID));
    assert_eq!(bench.group.check_commit(now, "", None, -1), Err(ErrorCode::UNKNOWN_MEMBER_ID));
    let two = bench.known();
    bench.join(wish(&two));
    assert_eq!(bench.group.state(), GroupState::PreparingRebalance);
    assert_eq!(bench.group.check_commit(now, &ids[0], None, generation), Ok(()), "what it has handled still counts");
    bench.join(wish(&ids[0]));
    assert_eq!(bench.group.state(), GroupState::CompletingRebalance);
    let refused = bench.group.check_commit(now, &ids[0], None, generation + 1);
    assert_eq!(refused, Err(ErrorCode::REBALANCE_IN_PROGRESS));
}

fn static_wish(instance: &str) -> Join {
    Join { instance: Some(instance.to_owned()), ..wish("") }
}

#[test]
fn a_static_member_is_replaced_without_a_rebalance_and_the_old_one_is_fenced() {
    let mut bench = bench();
    let ticket = bench.join(static_wish("a"));
    let old = bench.joined(ticket).member_id;
    bench.sync(&old, &[(&old, "share")]);
    for (version, skips) in [(9, true), (8, false)] {
        let old = bench.group.static_members["a"].clone();
        let ticket = bench.join(Join { version, ..static_wish("a") });
        let new = bench.joined(ticket);
        assert_eq!((new.error, new.generation, new.skip_assignment), (ErrorCode::NONE, 1, skips));
        // An old client would assign anew if it saw that it leads.
        assert_eq!(new.leader == new.member_id, skips);
        assert_eq!(bench.group.state(), GroupState::Stable);
        let sync = bench.sync(&new.member_id, &[]);
        assert_eq!(&*bench.synced(sync).assignment, b"share");
        assert_eq!(bench.group.heartbeat(bench.now, &old, Some("a"), 1), Err(ErrorCode::FENCED_INSTANCE_ID));
        assert_eq!(bench.group.check_commit(bench.now, &old, Some("a"), 1), Err(ErrorCode::FENCED_INSTANCE_ID));
        assert_eq!(bench.leave(&old, Some("a")), Err(ErrorCode::FENCED_INSTANCE_ID));
        assert_eq!(bench.group.heartbeat(bench.now, &new.member_id, Some("a"), 1), Ok(()));
    }
    // By its instance id alone it can be made to leave.
    assert_eq!(bench.leave("", Some("b")), Err(ErrorCode::UNKNOWN_MEMBER_ID));
    assert_eq!(bench.leave("", Some("a")), Ok(()));
    assert_eq!(bench.group.state(), GroupState::Empty);
}

#[test]
fn a_static_member_that_waits_is_told_that_another_came() {
    let mut bench = bench_waiting(Duration::from_secs(3));
    let first = bench.join(static_wish("a"));
    let second = bench.join(static_wish("a"));
    assert_eq!(bench.joined(first).error, ErrorCode::FENCED_INSTANCE_ID);
    bench.pass(Duration::from_secs(3));
    assert_eq!(bench.joined(second).error, ErrorCode::NONE);
}

#[test]
fn those_that_wait_for_the_leader_are_sent_to_join_again_when_one_leaves() {
    let mut bench = bench();
    let ids = bench.stable(2);
    let tickets = [bench.join(wish(&ids[0])), bench.join(wish(&ids[1]))];
    for ticket in tickets {
        assert_eq!(bench.joined(ticket).error, ErrorCode::NONE);
    }
    let sync = bench.sync(&ids[1], &[]);
    assert_eq!(bench.leave(&ids[0], None), Ok(()));
    assert_eq!(bench.synced(sync).error, ErrorCode::REBALANCE_IN_PROGRESS);
    let again = bench.join(wish(&ids[1]));
    assert_eq!(bench.joined(again).leader, ids[1]);
}

#[test]
fn a_lost_answer_is_given_again() {
    let mut bench = bench();
    let ids = bench.stable(2);
    let generation = bench.group.generation;
    let again = bench.join(wish(&ids[1]));
    assert_eq!(bench.joined(again).generation, generation, "a follower that has not changed moves nothing");
    let sync = bench.sync(&ids[1], &[]);
    assert_eq!(&*bench.synced(sync).assignment, b"share");
    bench.join(wish(&ids[0]));
    assert_eq!(bench.group.state(), GroupState::PreparingRebalance, "a leader that joins again wants an assignment");
}

#[test]
fn another_coordinator_knows_the_last_assignment_and_nothing_later() {
    let mut bench = bench();
    let ids = bench.stable(2);
    let generation = bench.group.generation;
    let third = bench.known();
    let joining = bench.join(wish(&third));
    bench.group.reload(&mut Turn { now: bench.now, waiting: &mut bench.waiting });
    bench.settle();
    assert_eq!(bench.joined(joining).error, ErrorCode::NOT_COORDINATOR);
    assert_eq!((bench.group.state(), bench.group.generation), (GroupState::Stable, generation));
    assert_eq!(bench.heartbeat(&ids[1]), Ok(()));
    let unknown = bench.join(wish(&third));
    assert_eq!(bench.joined(unknown).error, ErrorCode::UNKNOWN_MEMBER_ID);
    bench.pass(SESSION);
    assert_eq!(bench.group.state(), GroupState::Empty, "sessions begin anew, and end");
}

#[test]
fn an_expired_member_is_out_at_once() {
    let mut bench = bench();
    let ids = bench.stable(2);
    let turn = &mut Turn { now: bench.now, waiting: &mut bench.waiting };
    assert!(bench.group.expire(turn, &ids[0]));
    assert!(!bench.group.expire(turn, &ids[0]));
    assert_eq!(bench.heartbeat(&ids[0]), Err(ErrorCode::UNKNOWN_MEMBER_ID));
    assert_eq!(bench.heartbeat(&ids[1]), Err(ErrorCode::REBALANCE_IN_PROGRESS));
}

#[test]
fn groups_wake_for_the_first_that_falls_due() {
    let (mut groups, mut waiting, now) = (Groups::default(), Waiting::default(), Instant::now());
    let mut random = fastrand::Rng::with_seed(1);
    for (id, session) in [("slow", 20), ("quick", 10)] {
        let ticket = waiting.ticket();
        let join = Join { session_timeout: Duration::from_secs(session), ..wish("") };
        let turn = &mut Turn { now, waiting: &mut waiting };
        groups.get_or_create(id, Duration::ZERO).join(turn, join, ticket, &mut random);
    }
    groups.settle(now, &mut waiting);
    assert_eq!(groups.next_wake(), Some(now + Duration::from_secs(10)));
    groups.settle(now + Duration::from_secs(10), &mut waiting);
    assert_eq!(groups.next_wake(), Some(now + Duration::from_secs(20)));
}

#[test]
fn a_coordinator_stays_while_its_broker_runs() {
    let mut coordinators = Coordinators::new(vec![1, 2, 3]);
    // As Kafka: the hash of "readers" in Java, modulo 50 partitions.
    let first = coordinators.of("readers");
    coordinators.elect(|id| id != first);
    let second = coordinators.of("readers");
    assert_ne!(first, second);
    coordinators.elect(|_| true);
    assert_eq!(coordinators.of("readers"), second);
    coordinators.set("readers", first);
    assert_eq!(coordinators.of("readers"), first);
    coordinators.elect(|id| id == second);
    assert_eq!(coordinators.of("readers"), second);
    coordinators.elect(|_| false);
    assert_eq!(coordinators.of("readers"), -1);
}
