use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use tokio::time::Instant;

use super::{
    answer::{Joined, JoinedMember, Synced},
    classic::{CONSUMER, Group, GroupState, Turn},
    join::after,
    member::Member,
};
use crate::wire::{ErrorCode, consumer_protocol, messages::ConsumerProtocolSubscription};

/// When members are waited for no longer.
#[derive(Debug, Clone, Copy)]
pub(super) enum JoinTimer {
    /// A group's first rebalance: while more members come, it waits a while longer, up to the rebalance timeout.
    Initial {
        at: Instant,
        delay: Duration,
        remaining: Duration,
    },
    Rebalance {
        at: Instant,
    },
}

impl JoinTimer {
    pub(super) fn at(&self) -> Instant {
        match self {
            JoinTimer::Initial { at, .. } | JoinTimer::Rebalance { at } => *at,
        }
    }
}

impl Group {
    pub(super) fn rebalance_or_complete(&mut self, turn: &mut Turn) {
        match self.state {
            GroupState::PreparingRebalance => self.maybe_complete_join(turn),
            _ => self.prepare_rebalance(turn),
        }
    }

    /// All members have to join again.
    pub(super) fn prepare_rebalance(&mut self, turn: &mut Turn) {
        if self.state == GroupState::CompletingRebalance {
            for member in self.members.values_mut() {
                member.assignment = Bytes::new();
                if let Some(ticket) = member.syncing.take() {
                    turn.waiting.answer(ticket, Synced::refused(ErrorCode::REBALANCE_IN_PROGRESS));
                    member.renew_session(turn.now);
                }
            }
        }
        self.pending_sync.clear();
        self.sync_deadline = None;
        let is_initial = self.state == GroupState::Empty;
        self.enter(GroupState::PreparingRebalance);
        if is_initial {
            let delay = self.initial_delay;
            let remaining = self.rebalance_timeout().saturating_sub(delay);
            self.join_timer = Some(JoinTimer::Initial { at: turn.now + delay, delay, remaining });
        } else if self.have_all_joined() {
            self.complete_join(turn);
        } else {
            self.join_timer = Some(JoinTimer::Rebalance { at: after(turn.now, self.rebalance_timeout()) });
        }
    }

    /// The first rebalance ends by the clock alone.
    pub(super) fn maybe_complete_join(&mut self, turn: &mut Turn) {
        let is_rebalancing = self.state == GroupState::PreparingRebalance && self.previous != GroupState::Empty;
        if is_rebalancing && self.have_all_joined() {
            self.complete_join(turn);
        }
    }

    pub(super) fn have_all_joined(&self) -> bool {
        self.pending_join.is_empty() && self.members.values().all(|member| member.joining.is_some())
    }

    pub(super) fn settle_join(&mut self, turn: &mut Turn) {
        let Some(timer) = self.join_timer.filter(|timer| timer.at() <= turn.now) else { return };
        self.join_timer = None;
        match timer {
            JoinTimer::Initial { delay, remaining, .. } if self.new_member_added && !remaining.is_zero() => {
                self.new_member_added = false;
                let next = self.initial_delay.min(remaining);
                let remaining = remaining.saturating_sub(delay);
                let at = after(turn.now, next);
                self.join_timer = Some(JoinTimer::Initial { at, delay: next, remaining });
            }
            _ => self.complete_join(turn),
        }
    }

    /// Those that have joined are the next generation. Dynamic members that have not are out; static ones have until their
    /// session ends.
    pub(super) fn complete_join(&mut self, turn: &mut Turn) {
        self.join_timer = None;
        let late = self.members.values().filter(|member| member.joining.is_none() && member.instance.is_none());
        for id in late.map(|member| member.id.clone()).collect::<Vec<_>>() {
            tracing::debug!("group member {id}: it has not joined within the rebalance timeout");
            self.remove(turn, &id);
        }
        if !self.members.is_empty() && !self.elect_leader() {
            // Nobody is here to lead: static members are waited for once more.
            self.join_timer = Some(JoinTimer::Rebalance { at: after(turn.now, self.rebalance_timeout()) });
            return;
        }
        self.generation += 1;
        self.pending_sync.clear();
        self.protocol = self.vote();
        self.subscribed = self.subscriptions();
        if self.members.is_empty() {
            self.enter(GroupState::Empty);
            self.empty_since = Some(turn.now);
            self.store();
            return;
        }
        self.enter(GroupState::CompletingRebalance);
        for id in self.members.keys().cloned().collect::<Vec<_>>() {
            let joined = self.joined(&id);
            let Some(member) = self.members.get_mut(&id) else { continue };
            if let Some(ticket) = member.joining.take() {
                turn.waiting.answer(ticket, joined);
            }
            member.renew_session(turn.now);
            member.is_new = false;
            self.pending_sync.insert(id);
        }
        self.sync_deadline = Some(after(turn.now, self.rebalance_timeout()));
    }

    /// The leader stays if it has joined; else one that has joined leads. Whether there is one.
    fn elect_leader(&mut self) -> bool {
        let has_joined = |member: &Member| member.joining.is_some();
        let leader = self.leader.as_ref().and_then(|leader| self.members.get(leader));
        if leader.is_some_and(has_joined) {
            return true;
        }
        let next = self.members.values().find(|member| has_joined(member)).map(|member| member.id.clone());
        let is_elected = next.is_some();
        self.leader = next.or(self.leader.take());
        is_elected
    }

    fn rebalance_timeout(&self) -> Duration {
        self.members.values().map(|member| member.rebalance_timeout).max().unwrap_or_default()
    }

    /// The protocol for the members as they are: each votes for the one that it likes best of those that all support.
    pub(super) fn vote(&self) -> Option<Arc<str>> {
        let is_common = |name: &str| self.members.values().all(|member| member.supports(name));
        let mut votes: BTreeMap<&str, usize> = BTreeMap::new();
        for member in self.members.values() {
            let choice = member.protocols.iter().find(|protocol| is_common(&protocol.name));
            if let Some(choice) = choice {
                *votes.entry(&choice.name).or_default() += 1;
            }
        }
        votes.into_iter().max_by_key(|(_, votes)| *votes).map(|(name, _)| Arc::from(name))
    }

    /// What all members read; `None` if it cannot be said.
    pub(super) fn subscriptions(&self) -> Option<BTreeSet<String>> {
        if self.protocol_type() != CONSUMER {
            return None;
        }
        let mut topics = BTreeSet::new();
        for member in self.members.values() {
            let metadata = member.metadata(self.protocol());
            let subscription = consumer_protocol::decode::<ConsumerProtocolSubscription>(metadata).ok()?;
            topics.extend(subscription.topics.iter().map(|topic| topic.as_str().to_owned()));
        }
        Some(topics)
    }

    /// What a member of this generation is told: the leader of everyone.
    pub(super) fn joined(&self, id: &str) -> Joined {
        let is_leader = self.leader.as_deref() == Some(id);
        let members = self.members.values().filter(|_| is_leader).map(|member| JoinedMember {
            id: member.id.clone(),
            instance: member.instance.clone(),
            metadata: member.metadata(self.protocol()),
        });
        Joined {
            error: ErrorCode::NONE,
            generation: self.generation,
            protocol_type: self.protocol_type.clone(),
            protocol: self.protocol.clone(),
            leader: self.leader.clone().unwrap_or_default(),
            skip_assignment: false,
            member_id: id.to_owned(),
            members: members.collect(),
        }
    }
}
