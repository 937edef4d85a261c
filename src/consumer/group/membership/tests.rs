use proptest::prelude::*;

use super::*;

const INTERVAL: Duration = Duration::from_secs(3);

fn rules(cooperative: bool) -> Rules {
    Rules {
        heartbeat_interval: INTERVAL,
        retry_backoff: Duration::from_millis(100),
        retry_backoff_max: Duration::from_secs(1),
        is_static: false,
        cooperative,
    }
}

fn at(partition: i32) -> TopicPartition {
    TopicPartition::new("t", partition)
}

fn all(partitions: &[i32]) -> Vec<TopicPartition> {
    partitions.iter().map(|p| at(*p)).collect()
}

fn joined(leads: bool) -> Joined {
    Joined { member_id: Arc::from("me"), generation: 1, leads }
}

/// A member that has joined and got these.
fn member(cooperative: bool, now: Instant, partitions: &[i32]) -> Membership {
    let mut member = Membership::new(rules(cooperative), now);
    rejoined(&mut member, now, partitions);
    member
}

/// Joins again and gets these.
fn rejoined(member: &mut Membership, now: Instant, partitions: &[i32]) {
    in_generation(member, now, 1, partitions);
}

fn in_generation(member: &mut Membership, now: Instant, generation: i32, partitions: &[i32]) {
    assert!(matches!(member.next(now), Action::Join { .. }));
    member.joined(now, Joined { generation, ..joined(false) });
    assert_eq!(member.next(now), Action::Sync { assignments: Vec::new() });
    member.synced(now, partitions.iter().map(|p| at(*p)).collect());
}

#[test]
fn a_leader_shares_and_a_follower_waits() {
    let now = Instant::now();
    let mut leader = Membership::new(rules(false), now);
    assert_eq!(leader.next(now), Action::Join { owned: Vec::new(), reason: "the consumer starts" });
    leader.named(Arc::from("me"));
    assert!(matches!(leader.next(now), Action::Join { .. }));
    assert_eq!(&**leader.member_id(), "me");
    leader.joined(now, joined(true));
    assert_eq!(leader.next(now), Action::Wait(Some(now + INTERVAL)), "until the assignment is made");
    leader.assigned_all(vec![(Arc::from("me"), all(&[0]))]);
    assert_eq!(leader.next(now), Action::Sync { assignments: vec![(Arc::from("me"), all(&[0]))] });
    leader.synced(now, [at(0)].into());
    assert_eq!(leader.next(now), Action::Begin(all(&[0])));
    assert_eq!(leader.next(now), Action::Wait(Some(now + INTERVAL)));
    assert_eq!(leader.next(now + INTERVAL), Action::Heartbeat);
    assert_eq!(leader.next(now + 2 * INTERVAL), Action::Wait(None), "one heartbeat at a time");
}

#[test]
fn eager_gives_everything_up_before_it_joins() {
    let now = Instant::now();
    let mut member = member(false, now, &[0, 1]);
    assert_eq!(member.next(now), Action::Begin(all(&[0, 1])));
    member.refused(now, Refusal::Rebalance).unwrap();
    assert_eq!(member.next(now), Action::Release(all(&[0, 1])));
    assert_eq!(member.next(now), Action::Wait(Some(now + INTERVAL)), "the user holds on to them, and heartbeats go on");
    member.released();
    assert_eq!(member.next(now), Action::Join { owned: Vec::new(), reason: "the group rebalances" });
}

#[test]
fn cooperative_keeps_what_stays_and_gives_up_what_goes() {
    let now = Instant::now();
    let mut member = member(true, now, &[0, 1, 2]);
    member.next(now);
    member.refused(now, Refusal::Rebalance).unwrap();
    assert_eq!(member.next(now), Action::Join { owned: all(&[0, 1, 2]), reason: "the group rebalances" });
    member.joined(now, joined(false));
    member.next(now);
    member.synced(now, [at(0), at(3)].into());
    assert_eq!(member.next(now), Action::Release(all(&[1, 2])));
    assert_eq!(member.next(now), Action::Begin(all(&[3])));
    assert!(member.owned().contains(&at(1)), "still its own to commit");
    member.released();
    assert_eq!(member.next(now), Action::Join { owned: all(&[0, 3]), reason: "revoked partitions are given up" });
}

#[test]
fn a_member_that_was_thrown_out_loses_all_and_joins_as_a_new_one() {
    let now = Instant::now();
    for (refusal, id) in [(Refusal::UnknownMember, ""), (Refusal::OldGeneration, "me")] {
        let mut member = member(true, now, &[0]);
        member.next(now);
        member.refused(now, refusal).unwrap();
        assert_eq!(member.next(now), Action::Lose(all(&[0])));
        assert!(matches!(member.next(now), Action::Join { owned, .. } if owned.is_empty()));
        assert_eq!((&**member.member_id(), member.generation()), (id, -1));
    }
}

/// A coordinator that did not hear of what came after gives a static member its place again, in the generation that it had.
#[test]
fn a_member_that_has_given_up_partitions_joins_until_another_generation_has_begun() {
    let now = Instant::now();
    let mut member = member(true, now, &[0, 1]);
    member.next(now);
    member.refused(now, Refusal::Rebalance).unwrap();
    in_generation(&mut member, now, 2, &[0]);
    assert_eq!(member.next(now), Action::Release(all(&[1])));
    assert_eq!(member.next(now), Action::Begin(Vec::new()));
    member.released();
    assert!(matches!(member.next(now), Action::Join { .. }));
    member.refused(now, Refusal::UnknownMember).unwrap();
    assert_eq!(member.next(now), Action::Lose(all(&[0])));

    in_generation(&mut member, now, 2, &[0]);
    assert_eq!(member.next(now), Action::Begin(all(&[0])));
    let Action::Wait(Some(until)) = member.next(now) else { panic!("it is to join, after a while") };
    let reason = "partitions were given up, and nobody has got them";
    assert_eq!(member.next(until), Action::Join { owned: all(&[0]), reason });
    member.refused(until, Refusal::UnknownMember).unwrap();
    assert_eq!(member.next(until), Action::Lose(all(&[0])));
    in_generation(&mut member, until, 2, &[0]);
    assert_eq!(member.next(until), Action::Begin(all(&[0])));
    let Action::Wait(Some(until)) = member.next(until) else { panic!("it is to join, still") };

    in_generation(&mut member, until, 3, &[0]);
    assert_eq!(member.next(until), Action::Begin(Vec::new()));
    assert!(member.is_stable());
    member.refused(until, Refusal::UnknownMember).unwrap();
    assert_eq!(member.next(until), Action::Lose(all(&[0])));
    in_generation(&mut member, until, 3, &[0]);
    assert!(member.is_stable(), "nothing was given up in this one");
}

#[test]
fn a_member_whose_user_is_away_leaves_until_he_polls() {
    let now = Instant::now();
    let mut member = member(false, now, &[0]);
    member.next(now);
    member.overdue();
    assert_eq!(member.next(now), Action::Lose(all(&[0])));
    let Action::Leave { member_id, .. } = member.next(now) else { panic!() };
    assert_eq!(&*member_id, "me");
    assert_eq!(member.next(now + INTERVAL), Action::Wait(None), "neither heartbeats nor joins");
    member.polled();
    assert!(matches!(member.next(now), Action::Join { .. }));
    assert_eq!(&**member.member_id(), "", "as another, whether its leaving was answered or not");
    member.named(Arc::from("other"));
    member.left();
    assert_eq!(&**member.member_id(), "other");
}

#[test]
fn no_commit_is_sent_between_joining_and_syncing() {
    let now = Instant::now();
    let mut member = member(true, now, &[0]);
    assert!(member.may_commit());
    member.refused(now, Refusal::Rebalance).unwrap();
    while !matches!(member.next(now), Action::Join { .. }) {}
    assert!(member.may_commit() && member.is_joining(), "under the generation that ends");
    member.joined(now, joined(false));
    assert!(!member.may_commit());
    member.next(now);
    assert!(!member.may_commit());
    member.synced(now, [at(0)].into());
    assert!(member.may_commit());
}

#[test]
fn what_fails_for_good_ends_it() {
    let now = Instant::now();
    let mut member = member(true, now, &[0]);
    member.next(now);
    let fenced = ErrorCode::FENCED_INSTANCE_ID;
    assert_eq!(member.refused(now, Refusal::Fatal(fenced)), Err(fenced));
    assert_eq!(member.next(now), Action::Lose(all(&[0])));
    assert!(member.is_gone());
    assert_eq!(member.next(now + INTERVAL), Action::Wait(None));
}

#[test]
fn failures_are_repeated_after_a_back_off() {
    let now = Instant::now();
    let mut member = Membership::new(rules(false), now);
    member.next(now);
    member.lost(now);
    assert_eq!(member.next(now), Action::FindCoordinator);
    let Action::Wait(Some(until)) = member.next(now) else { panic!() };
    assert!(until > now && until <= now + Duration::from_millis(120));
    assert!(matches!(member.next(until), Action::Join { .. }));
}

/// What may happen to a member, in any order.
#[derive(Debug, Clone)]
enum Happens {
    Named,
    Joined(bool),
    Shared,
    Synced(Vec<i32>),
    Beat,
    Refused(u8),
    Lost,
    Released,
    Rejoin,
    Overdue,
    Polled,
    Left,
    Later(u16),
}

fn happens() -> impl Strategy<Value = Happens> {
    prop_oneof![
        Just(Happens::Named),
        any::<bool>().prop_map(Happens::Joined),
        Just(Happens::Shared),
        proptest::collection::vec(0..6i32, 0..6).prop_map(Happens::Synced),
        Just(Happens::Beat),
        (0..6u8).prop_map(Happens::Refused),
        Just(Happens::Lost),
        Just(Happens::Released),
        Just(Happens::Rejoin),
        Just(Happens::Overdue),
        Just(Happens::Polled),
        Just(Happens::Left),
        (0..5000u16).prop_map(Happens::Later),
    ]
}

proptest! {
    /// Whatever happens: no partition is begun twice without having gone in between, none is released or lost that was not
    /// begun, it joins owning nothing (eager) or what it tells (cooperative), and it never asks for two things at once.
    #[test]
    fn what_a_user_is_told_adds_up(cooperative: bool, events in proptest::collection::vec(happens(), 1..120)) {
        let mut now = Instant::now();
        let mut member = Membership::new(rules(cooperative), now);
        let mut held = BTreeSet::new();
        let mut releasing: Option<Vec<TopicPartition>> = None;
        let mut conversing = false;
        for event in events {
            loop {
                match member.next(now) {
                    Action::Wait(until) => {
                        prop_assert!(until.is_none_or(|until| until > now));
                        break;
                    }
                    Action::Begin(partitions) => {
                        for at in partitions {
                            prop_assert!(held.insert(at.clone()), "{at} begun twice");
                        }
                    }
                    Action::Release(partitions) => {
                        prop_assert!(partitions.iter().all(|at| held.contains(at)), "{partitions:?} of {held:?}");
                        prop_assert!(releasing.is_none());
                        releasing = Some(partitions);
                    }
                    Action::Lose(partitions) => {
                        for at in partitions {
                            held.remove(&at);
                        }
                        prop_assert!(held.is_empty(), "left: {held:?}");
                        releasing = None;
                    }
                    Action::Join { owned, .. } => {
                        let owned: BTreeSet<_> = owned.into_iter().collect();
                        prop_assert_eq!(&owned, &held);
                        prop_assert!(cooperative || held.is_empty());
                        prop_assert!(releasing.is_none());
                        conversing = true;
                    }
                    Action::Sync { .. } => conversing = true,
                    Action::Heartbeat => prop_assert!(member.is_member()),
                    Action::Leave { .. } => prop_assert!(held.is_empty()),
                    Action::FindCoordinator => {}
                }
            }
            match event {
                Happens::Named => member.named(Arc::from("me")),
                Happens::Joined(leads) if conversing => {
                    member.joined(now, joined(leads));
                    conversing = false;
                }
                Happens::Shared => member.assigned_all(Vec::new()),
                Happens::Synced(partitions) => member.synced(now, partitions.into_iter().map(at).collect()),
                Happens::Beat => member.heartbeat_answered(now),
                Happens::Refused(which) => {
                    let refusals = [
                        Refusal::Retry,
                        Refusal::OtherCoordinator,
                        Refusal::Rebalance,
                        Refusal::OldGeneration,
                        Refusal::UnknownMember,
                        Refusal::Rebalance,
                    ];
                    member.refused(now, refusals[usize::from(which)]).unwrap();
                }
                Happens::Lost => member.lost(now),
                Happens::Released => {
                    if let Some(partitions) = releasing.take() {
                        held.retain(|at| !partitions.contains(at));
                        member.released();
                    }
                }
                Happens::Rejoin => member.rejoin("a test"),
                Happens::Overdue => member.overdue(),
                Happens::Polled => member.polled(),
                Happens::Left => member.left(),
                Happens::Later(millis) => now += Duration::from_millis(millis.into()),
                Happens::Joined(_) => {}
            }
        }
    }
}
