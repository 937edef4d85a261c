use std::{
    collections::{BTreeSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use tokio::time::Instant;

use super::Refusal;
use crate::{model::TopicPartition, time::Backoff, wire::ErrorCode};

/// What one member goes by.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    pub(crate) heartbeat_interval: Duration,
    pub(crate) retry_backoff: Duration,
    pub(crate) retry_backoff_max: Duration,
    /// With a `group.instance.id` (KIP-345): a member that goes away keeps its place until its session ends.
    pub(crate) is_static: bool,
    /// Every assignor offered is cooperative (KIP-429): partitions are given up one by one, after an assignment, in place of all
    /// of them before each.
    pub(crate) cooperative: bool,
}

/// A member of a classic group, from joining to leaving: what it has been told, what it owns, and what comes next.
///
/// Pure: it takes `now` and what has happened, and says what to do. The invariants:
/// - A request of JoinGroup or SyncGroup is never under way beside another of them.
/// - What it owns is given up only after the user has come back ([`Action::Release`]), or when the group has given it to others
///   already ([`Action::Lose`]).
/// - It asks to join only while it owns nothing that others may be given: eager, nothing at all; cooperative, what it tells the
///   others that it owns.
#[derive(Debug)]
pub(crate) struct Membership {
    rules: Rules,
    state: State,
    /// Empty until the coordinator has given one (KIP-394).
    member_id: Arc<str>,
    /// −1 outside any.
    generation: i32,
    owned: BTreeSet<TopicPartition>,
    /// The generation in which it gave partitions up: they are handed on in the next, which it has to ask for.
    gave_up_in: Option<i32>,
    heartbeat: Heartbeat,
    /// For the broker's log (KIP-800).
    reason: &'static str,
    not_before: Option<Instant>,
    backoff: Backoff,
    /// Actions that wait for nothing.
    ready: VecDeque<Action>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    /// To join, at once or after a back-off.
    Joinless,
    /// The user is to give these up; then it joins.
    Releasing(BTreeSet<TopicPartition>),
    Joining,
    /// It leads, and the assignment is being made.
    Leading,
    ToSync(Vec<(Arc<str>, Vec<TopicPartition>)>),
    Syncing,
    Stable,
    /// Left until the user polls again.
    Idle,
    Leaving,
    /// Gone, or refused for good.
    Gone,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Heartbeat {
    Due(Instant),
    OnItsWay,
}

/// What to do now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Action {
    /// Have the user give these up, then say [`Membership::released`].
    Release(Vec<TopicPartition>),
    /// The user has lost these: others may have them by now.
    Lose(Vec<TopicPartition>),
    /// The user reads these from now on.
    Begin(Vec<TopicPartition>),
    Join {
        owned: Vec<TopicPartition>,
        reason: &'static str,
    },
    Sync {
        assignments: Vec<(Arc<str>, Vec<TopicPartition>)>,
    },
    Heartbeat,
    Leave {
        member_id: Arc<str>,
        reason: &'static str,
    },
    /// The coordinator is another, or none: find it before the next request.
    FindCoordinator,
    /// Nothing before this time, or before something happens.
    Wait(Option<Instant>),
}

/// What the coordinator answered to JoinGroup.
#[derive(Debug, Clone)]
pub(crate) struct Joined {
    pub(crate) member_id: Arc<str>,
    pub(crate) generation: i32,
    pub(crate) leads: bool,
}

impl Membership {
    pub(crate) fn new(rules: Rules, now: Instant) -> Self {
        let backoff = Backoff::new(rules.retry_backoff, rules.retry_backoff_max);
        Membership {
            rules,
            state: State::Joinless,
            member_id: Arc::from(""),
            generation: -1,
            owned: BTreeSet::new(),
            gave_up_in: None,
            heartbeat: Heartbeat::Due(now),
            reason: "the consumer starts",
            not_before: None,
            backoff,
            ready: VecDeque::new(),
        }
    }

    pub(crate) fn member_id(&self) -> &Arc<str> {
        &self.member_id
    }

    pub(crate) fn generation(&self) -> i32 {
        self.generation
    }

    pub(crate) fn owned(&self) -> &BTreeSet<TopicPartition> {
        &self.owned
    }

    /// Whether commits are its own to make: it has joined and has not been thrown out.
    pub(crate) fn is_member(&self) -> bool {
        self.generation >= 0
    }

    /// Not between JoinGroup and SyncGroup: then the coordinator refuses commits.
    pub(crate) fn may_commit(&self) -> bool {
        self.is_member() && !matches!(self.state, State::Leading | State::ToSync(_) | State::Syncing)
    }

    /// JoinGroup is under way, or was and its answer did not come: the next generation may have begun already.
    pub(crate) fn is_joining(&self) -> bool {
        matches!(self.state, State::Joining | State::Joinless)
    }

    pub(crate) fn is_stable(&self) -> bool {
        self.state == State::Stable
    }

    /// Whether the user is to give this up, and has not done so.
    pub(crate) fn is_releasing(&self, at: &TopicPartition) -> bool {
        matches!(&self.state, State::Releasing(partitions) if partitions.contains(at))
    }

    pub(crate) fn is_gone(&self) -> bool {
        self.state == State::Gone
    }

    /// What to do now. Each action is told once.
    pub(crate) fn next(&mut self, now: Instant) -> Action {
        if let Some(action) = self.ready.pop_front() {
            return action;
        }
        let heartbeat = match self.heartbeat {
            Heartbeat::Due(at) if self.beats() && at <= now => {
                self.heartbeat = Heartbeat::OnItsWay;
                return Action::Heartbeat;
            }
            Heartbeat::Due(at) if self.beats() => Some(at),
            _ => None,
        };
        if let Some(until) = self.not_before.filter(|t| *t > now) {
            return Action::Wait(Some(heartbeat.map_or(until, |at| at.min(until))));
        }
        match &mut self.state {
            State::Joinless if !self.rules.cooperative && !self.owned.is_empty() => {
                self.state = State::Releasing(self.owned.clone());
                Action::Release(self.owned.iter().cloned().collect())
            }
            State::Joinless => {
                self.state = State::Joining;
                Action::Join { owned: self.owned.iter().cloned().collect(), reason: self.reason }
            }
            State::ToSync(assignments) => {
                let assignments = std::mem::take(assignments);
                self.state = State::Syncing;
                Action::Sync { assignments }
            }
            _ => Action::Wait(heartbeat),
        }
    }

    /// While JoinGroup is under way the coordinator counts on it, and not on heartbeats.
    fn beats(&self) -> bool {
        self.generation >= 0 && !matches!(self.state, State::Joining | State::Idle | State::Leaving | State::Gone)
    }

    /// The user has given up what [`Action::Release`] named, and what there was to commit of it has been committed.
    pub(crate) fn released(&mut self) {
        if let State::Releasing(partitions) = &self.state {
            self.owned = self.owned.difference(partitions).cloned().collect();
            self.state = State::Joinless;
        }
    }

    /// Joins again: the subscription or the topics have changed, or the user asks for it. While it joins already it has no
    /// effect: what it tells the others is written when it joins.
    pub(crate) fn rejoin(&mut self, reason: &'static str) {
        if matches!(self.state, State::Stable | State::Leading | State::ToSync(_)) {
            self.reason = reason;
            self.state = State::Joinless;
        }
    }

    /// JoinGroup was answered.
    pub(crate) fn joined(&mut self, now: Instant, joined: Joined) {
        if self.state != State::Joining {
            return;
        }
        (self.member_id, self.generation) = (joined.member_id, joined.generation);
        self.heartbeat = Heartbeat::Due(now + self.rules.heartbeat_interval);
        self.state = if joined.leads { State::Leading } else { State::ToSync(Vec::new()) };
        self.recovered();
    }

    /// KIP-394: the coordinator wants the member to join by the id that it gives.
    pub(crate) fn named(&mut self, member_id: Arc<str>) {
        if self.state == State::Joining {
            self.member_id = member_id;
            self.reason = "the coordinator has given a member id";
            self.state = State::Joinless;
        }
    }

    /// The leader's assignment is made: for each member its partitions.
    pub(crate) fn assigned_all(&mut self, assignments: Vec<(Arc<str>, Vec<TopicPartition>)>) {
        if self.state == State::Leading {
            self.state = State::ToSync(assignments);
        }
    }

    pub(crate) fn is_leading(&self) -> bool {
        self.state == State::Leading
    }

    /// SyncGroup was answered: what is its own from now on.
    pub(crate) fn synced(&mut self, now: Instant, assigned: BTreeSet<TopicPartition>) {
        if self.state != State::Syncing {
            return;
        }
        self.recovered();
        self.heartbeat = Heartbeat::Due(now + self.rules.heartbeat_interval);
        self.state = State::Stable;
        let added: Vec<_> = assigned.difference(&self.owned).cloned().collect();
        let revoked: BTreeSet<_> = self.owned.difference(&assigned).cloned().collect();
        self.owned.extend(added.iter().cloned());
        if !revoked.is_empty() {
            self.gave_up_in = Some(self.generation);
            self.reason = "revoked partitions are given up";
            self.ready.push_back(Action::Release(revoked.iter().cloned().collect()));
            self.state = State::Releasing(revoked);
        } else if self.gave_up_in == Some(self.generation) {
            // It was thrown out since, and a coordinator that never heard of that gave it its place again (KIP-345). It will
            // not start another generation by itself.
            self.reason = "partitions were given up, and nobody has got them";
            self.not_before = Some(now + self.rules.retry_backoff);
            self.state = State::Joinless;
        } else {
            self.gave_up_in = None;
        }
        self.ready.push_back(Action::Begin(added));
    }

    /// A heartbeat was answered.
    pub(crate) fn heartbeat_answered(&mut self, now: Instant) {
        self.heartbeat = Heartbeat::Due(now + self.rules.heartbeat_interval);
        if self.state == State::Stable {
            self.recovered();
        }
    }

    /// A request came to nothing: no connection, no answer.
    pub(crate) fn lost(&mut self, now: Instant) {
        self.ready.push_back(Action::FindCoordinator);
        self.again(now);
    }

    /// The coordinator refused JoinGroup, SyncGroup or Heartbeat. `Err` if that is for good.
    pub(crate) fn refused(&mut self, now: Instant, refusal: Refusal) -> Result<(), ErrorCode> {
        match refusal {
            Refusal::Retry => self.again(now),
            Refusal::OtherCoordinator => self.lost(now),
            Refusal::Rebalance => {
                self.heartbeat = Heartbeat::Due(now + self.rules.heartbeat_interval);
                match self.state {
                    State::Stable | State::Leading | State::ToSync(_) | State::Syncing => {
                        self.reason = "the group rebalances";
                        self.state = State::Joinless;
                    }
                    State::Joining => self.again(now),
                    _ => {}
                }
            }
            // JoinGroup was counted, and its answer did not come: the next one tells what has become of the group.
            Refusal::OldGeneration if self.state == State::Joinless => {
                self.heartbeat = Heartbeat::Due(now + self.rules.heartbeat_interval);
            }
            Refusal::OldGeneration => self.thrown_out(now, "the generation is over"),
            Refusal::UnknownMember => {
                self.member_id = Arc::from("");
                self.thrown_out(now, "the coordinator knows the member no more");
            }
            Refusal::Fatal(code) => {
                self.lose_all();
                self.generation = -1;
                self.state = State::Gone;
                return Err(code);
            }
        }
        Ok(())
    }

    /// Once more, after a back-off.
    fn again(&mut self, now: Instant) {
        let wait = self.backoff.next_wait();
        if self.heartbeat == Heartbeat::OnItsWay {
            self.heartbeat = Heartbeat::Due(now + wait.min(self.rules.heartbeat_interval));
        }
        if matches!(self.state, State::Joining | State::Leading | State::Syncing) {
            self.not_before = Some(now + wait);
            self.state = State::Joinless;
        }
    }

    fn thrown_out(&mut self, now: Instant, reason: &'static str) {
        self.generation = -1;
        self.heartbeat = Heartbeat::Due(now + self.rules.heartbeat_interval);
        self.lose_all();
        if !matches!(self.state, State::Idle | State::Leaving | State::Gone) {
            self.reason = reason;
            self.state = State::Joinless;
        }
    }

    fn lose_all(&mut self) {
        // A release that waits for the user is void: there is nothing left to give up.
        self.ready.retain(|action| !matches!(action, Action::Release(_) | Action::Begin(_)));
        let lost: Vec<_> = std::mem::take(&mut self.owned).into_iter().collect();
        if !lost.is_empty() {
            self.ready.push_back(Action::Lose(lost));
        }
    }

    /// The user has not come back within max.poll.interval.ms: it leaves, so that others get its partitions. A static member
    /// only stops its heartbeats (KIP-345): its place is kept for the length of a session.
    pub(crate) fn overdue(&mut self) {
        if matches!(self.state, State::Idle | State::Leaving | State::Gone) {
            return;
        }
        self.lose_all();
        self.state = State::Idle;
        if self.rules.is_static {
            self.generation = -1;
        } else {
            self.leave_quietly("the user has not polled within max.poll.interval.ms");
        }
    }

    /// The user polls again.
    pub(crate) fn polled(&mut self) {
        if self.state == State::Idle {
            self.reason = "the user polls again";
            self.state = State::Joinless;
        }
    }

    fn leave_quietly(&mut self, reason: &'static str) {
        // It may join again before this is answered, as another.
        let member_id = std::mem::replace(&mut self.member_id, Arc::from(""));
        if !member_id.is_empty() {
            self.ready.push_back(Action::Leave { member_id, reason });
        }
        self.generation = -1;
    }

    /// The consumer closes: it leaves, unless it is static.
    pub(crate) fn close(&mut self) {
        if matches!(self.state, State::Gone | State::Leaving) {
            return;
        }
        self.ready.clear();
        self.owned.clear();
        if self.rules.is_static || self.member_id.is_empty() {
            self.generation = -1;
            self.state = State::Gone;
        } else {
            self.state = State::Leaving;
            self.leave_quietly("the consumer closes");
        }
    }

    /// LeaveGroup was answered, or will not be.
    pub(crate) fn left(&mut self) {
        if self.state == State::Leaving {
            self.state = State::Gone;
        }
    }

    fn recovered(&mut self) {
        self.backoff.reset();
        self.not_before = None;
    }
}

#[cfg(test)]
mod tests;
