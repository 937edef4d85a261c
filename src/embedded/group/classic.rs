use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use tokio::time::Instant;

use super::{
    answer::{Joined, Synced},
    member::Member,
    offsets::Offsets,
    rebalance::JoinTimer,
};
use crate::{embedded::waiting::Waiting, wire::ErrorCode};

/// The protocol type of consumers.
pub(crate) const CONSUMER: &str = "consumer";

/// When something happens, and where answers go.
#[derive(Debug)]
pub(crate) struct Turn<'a> {
    pub(crate) now: Instant,
    pub(crate) waiting: &'a mut Waiting,
}

/// What a group is about. Kafka's `Dead` is a group that is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GroupState {
    /// No members; it may have offsets.
    Empty,
    /// Members are waited for.
    PreparingRebalance,
    /// The leader's assignment is waited for.
    CompletingRebalance,
    Stable,
}

impl fmt::Display for GroupState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// A group of the classic protocol: `ClassicGroup` of Kafka.
#[derive(Debug)]
pub(crate) struct Group {
    pub(super) state: GroupState,
    /// The state before this one.
    pub(super) previous: GroupState,
    pub(super) generation: i32,
    pub(super) protocol_type: Option<Arc<str>>,
    /// That the members voted for, of this generation.
    pub(super) protocol: Option<Arc<str>>,
    pub(super) leader: Option<String>,
    pub(super) members: BTreeMap<String, Member>,
    /// Member ids, by instance id.
    pub(super) static_members: BTreeMap<String, String>,
    /// Ids that were given out and have not come back to join (KIP-394), and until when they may.
    pub(super) pending_join: BTreeMap<String, Instant>,
    /// Members of this generation that have not asked for their assignment.
    pub(super) pending_sync: BTreeSet<String>,
    /// In the initial rebalance, since it was looked at last.
    pub(super) new_member_added: bool,
    /// Topics of all members; `None` if it is not known.
    pub(super) subscribed: Option<BTreeSet<String>>,
    pub(super) join_timer: Option<JoinTimer>,
    pub(super) sync_deadline: Option<Instant>,
    /// As `group.initial.rebalance.delay.ms`.
    pub(super) initial_delay: Duration,
    /// When the last member went.
    pub(super) empty_since: Option<Instant>,
    pub(super) stored: Stored,
    pub(crate) offsets: Offsets,
}

/// What a coordinator writes down of a group, and the next one starts from.
#[derive(Debug, Default)]
pub(super) struct Stored {
    generation: i32,
    protocol_type: Option<Arc<str>>,
    protocol: Option<Arc<str>>,
    leader: Option<String>,
    members: BTreeMap<String, Member>,
}

impl Group {
    pub(crate) fn new(initial_delay: Duration) -> Self {
        Group {
            state: GroupState::Empty,
            previous: GroupState::Empty,
            generation: 0,
            protocol_type: None,
            protocol: None,
            leader: None,
            members: BTreeMap::new(),
            static_members: BTreeMap::new(),
            pending_join: BTreeMap::new(),
            pending_sync: BTreeSet::new(),
            new_member_added: false,
            subscribed: None,
            join_timer: None,
            sync_deadline: None,
            initial_delay,
            empty_since: None,
            stored: Stored::default(),
            offsets: Offsets::default(),
        }
    }

    pub(crate) fn state(&self) -> GroupState {
        self.state
    }

    pub(crate) fn protocol_type(&self) -> &str {
        self.protocol_type.as_deref().unwrap_or_default()
    }

    pub(crate) fn protocol(&self) -> &str {
        self.protocol.as_deref().unwrap_or_default()
    }

    pub(crate) fn members(&self) -> impl Iterator<Item = &Member> {
        self.members.values()
    }

    /// Whether this member may ask: it is one, and no other has taken its instance id.
    pub(super) fn check_member(&self, member: &str, instance: Option<&str>) -> Result<(), ErrorCode> {
        if let Some(instance) = instance {
            match self.static_members.get(instance) {
                None => return Err(ErrorCode::UNKNOWN_MEMBER_ID),
                Some(id) if id != member => return Err(ErrorCode::FENCED_INSTANCE_ID),
                Some(_) => {}
            }
        }
        if self.members.contains_key(member) { Ok(()) } else { Err(ErrorCode::UNKNOWN_MEMBER_ID) }
    }

    pub(super) fn check_generation(
        &self,
        member: &str,
        instance: Option<&str>,
        generation: i32,
    ) -> Result<(), ErrorCode> {
        self.check_member(member, instance)?;
        if generation == self.generation { Ok(()) } else { Err(ErrorCode::ILLEGAL_GENERATION) }
    }

    pub(crate) fn heartbeat(
        &mut self,
        now: Instant,
        member: &str,
        instance: Option<&str>,
        generation: i32,
    ) -> Result<(), ErrorCode> {
        self.check_generation(member, instance, generation)?;
        self.renew_session(member, now);
        if self.state == GroupState::PreparingRebalance { Err(ErrorCode::REBALANCE_IN_PROGRESS) } else { Ok(()) }
    }

    /// Whether offsets may be committed; a member's session goes on then.
    pub(crate) fn check_commit(
        &mut self,
        now: Instant,
        member: &str,
        instance: Option<&str>,
        generation: i32,
    ) -> Result<(), ErrorCode> {
        let is_empty = self.state == GroupState::Empty;
        if generation < 0 && is_empty {
            // An admin, or a consumer that is in no group.
            return Ok(());
        }
        if generation >= 0 || !member.is_empty() || instance.is_some() {
            self.check_generation(member, instance, generation)?;
        } else if !is_empty {
            return Err(ErrorCode::UNKNOWN_MEMBER_ID);
        }
        if self.state == GroupState::CompletingRebalance {
            return Err(ErrorCode::REBALANCE_IN_PROGRESS);
        }
        self.renew_session(member, now);
        Ok(())
    }

    /// Whether offsets may be deleted, of topics that it does not read.
    pub(crate) fn check_offset_delete(&self) -> Result<(), ErrorCode> {
        let may = self.state == GroupState::Empty || self.protocol_type() == CONSUMER;
        if may { Ok(()) } else { Err(ErrorCode::NON_EMPTY_GROUP) }
    }

    pub(crate) fn is_subscribed_to(&self, topic: &str) -> bool {
        match &self.subscribed {
            Some(topics) => topics.contains(topic),
            None => self.protocol_type() == CONSUMER,
        }
    }

    /// Members leave; `members` are ids (empty for "by instance id") and instance ids. Each has its answer.
    pub(crate) fn leave(&mut self, turn: &mut Turn, members: &[(&str, Option<&str>)]) -> Vec<Result<(), ErrorCode>> {
        let answers: Vec<_> = members.iter().map(|(id, instance)| self.leave_one(turn, id, *instance)).collect();
        if answers.iter().any(Result::is_ok) {
            match self.state {
                GroupState::Stable | GroupState::CompletingRebalance => self.prepare_rebalance(turn),
                GroupState::PreparingRebalance => self.maybe_complete_join(turn),
                GroupState::Empty => {}
            }
        }
        answers
    }

    fn leave_one(&mut self, turn: &mut Turn, id: &str, instance: Option<&str>) -> Result<(), ErrorCode> {
        let id = match (id, instance) {
            ("", Some(instance)) => self.static_members.get(instance).ok_or(ErrorCode::UNKNOWN_MEMBER_ID)?.clone(),
            ("", None) => return Err(ErrorCode::UNKNOWN_MEMBER_ID),
            (id, _) if self.pending_join.contains_key(id) => id.to_owned(),
            (id, instance) => {
                self.check_member(id, instance)?;
                id.to_owned()
            }
        };
        self.dismiss(turn, &id);
        Ok(())
    }

    /// Ends a member's session at once. Whether there was such a member.
    pub(crate) fn expire(&mut self, turn: &mut Turn, member: &str) -> bool {
        let is_member = self.members.contains_key(member);
        let is_there = is_member || self.pending_join.contains_key(member);
        if is_there {
            self.dismiss(turn, member);
            match self.state {
                // One that never joined is missed by nobody.
                GroupState::Stable | GroupState::CompletingRebalance if is_member => self.prepare_rebalance(turn),
                GroupState::PreparingRebalance if self.have_all_joined() => self.complete_join(turn),
                _ => {}
            }
        }
        is_there
    }

    /// Takes a member out, and tells it if it waits to join.
    fn dismiss(&mut self, turn: &mut Turn, id: &str) {
        if let Some(ticket) = self.members.get_mut(id).and_then(|member| member.joining.take()) {
            turn.waiting.answer(ticket, Joined::refused("", ErrorCode::UNKNOWN_MEMBER_ID));
        }
        self.remove(turn, id);
    }

    pub(super) fn remove(&mut self, turn: &mut Turn, id: &str) {
        if let Some(member) = self.members.remove(id) {
            if let Some(ticket) = member.syncing {
                // Kafka leaves it without an answer. One is kinder, and the client would ask again with the same end.
                turn.waiting.answer(ticket, Synced::refused(ErrorCode::UNKNOWN_MEMBER_ID));
            }
            if let Some(instance) = &member.instance {
                self.static_members.remove(instance);
            }
        }
        if self.leader.as_deref() == Some(id) {
            self.leader = self.members.keys().next().cloned();
        }
        self.pending_join.remove(id);
        self.pending_sync.remove(id);
    }

    pub(super) fn renew_session(&mut self, member: &str, now: Instant) {
        if let Some(member) = self.members.get_mut(member) {
            member.renew_session(now);
        }
    }

    pub(super) fn enter(&mut self, state: GroupState) {
        self.previous = self.state;
        self.state = state;
    }

    /// Does what has fallen due.
    pub(crate) fn settle(&mut self, turn: &mut Turn) {
        let now = turn.now;
        let is_due = |at: &Option<Instant>| at.is_some_and(|at| at <= now);
        let lapsed = self.pending_join.iter().filter(|(_, until)| **until <= now).map(|(id, _)| id.clone());
        let mut lapsed: Vec<String> = lapsed.collect();
        for member in self.members.values_mut().filter(|member| is_due(&member.deadline)) {
            member.deadline = None;
            if !member.is_excused() {
                lapsed.push(member.id.clone());
            }
        }
        for id in lapsed {
            tracing::debug!("group member {id}: its session has ended");
            self.expire(turn, &id);
        }
        if is_due(&self.sync_deadline) {
            self.sync_deadline = None;
            self.expire_pending_sync(turn);
        }
        self.settle_join(turn);
    }

    /// When [`settle`](Group::settle) has something to do.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        let sessions = self.members.values().filter_map(|member| member.deadline);
        let pending = self.pending_join.values().copied();
        let join = self.join_timer.as_ref().map(JoinTimer::at);
        sessions.chain(pending).chain(join).chain(self.sync_deadline).min()
    }

    /// Writes down what the next coordinator would know.
    pub(super) fn store(&mut self) {
        let mut members = self.members.clone();
        for member in members.values_mut() {
            (member.joining, member.syncing, member.is_new) = (None, None, false);
        }
        self.stored = Stored {
            generation: self.generation,
            protocol_type: self.protocol_type.clone(),
            protocol: self.protocol.clone(),
            leader: self.leader.clone(),
            members,
        };
    }

    /// Another coordinator takes over: those that wait are told, and all but what was written down is lost.
    pub(crate) fn reload(&mut self, turn: &mut Turn) {
        for member in self.members.values_mut() {
            if let Some(ticket) = member.joining.take() {
                turn.waiting.answer(ticket, Joined::refused(member.id.clone(), ErrorCode::NOT_COORDINATOR));
            }
            if let Some(ticket) = member.syncing.take() {
                turn.waiting.answer(ticket, Synced::refused(ErrorCode::NOT_COORDINATOR));
            }
        }
        let Stored { generation, protocol_type, protocol, leader, members } = std::mem::take(&mut self.stored);
        let state = if members.is_empty() { GroupState::Empty } else { GroupState::Stable };
        let static_members = members.values().filter_map(|member| Some((member.instance.clone()?, member.id.clone())));
        *self = Group {
            state,
            generation,
            protocol_type,
            protocol,
            leader,
            static_members: static_members.collect(),
            members,
            offsets: std::mem::take(&mut self.offsets),
            empty_since: self.empty_since,
            ..Group::new(self.initial_delay)
        };
        self.members.values_mut().for_each(|member| member.renew_session(turn.now));
        self.subscribed = self.subscriptions();
        self.store();
    }

    pub(super) fn assignment_of(&self, member: &str) -> Bytes {
        self.members.get(member).map(|member| member.assignment.clone()).unwrap_or_default()
    }
}
