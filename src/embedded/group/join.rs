use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{
    answer::Joined,
    classic::{Group, GroupState, Turn},
    member::{self, Member, Protocol},
};
use crate::{embedded::waiting::Ticket, wire::ErrorCode};

/// From this version on a new member is given an id, and joins with it (KIP-394).
const KNOWN_MEMBERS_FROM: i16 = 4;
/// From this version on a leader can be told not to assign (KIP-814).
const SKIPS_ASSIGNMENT_FROM: i16 = 9;
/// As Kafka's: how long a new member may wait for the others.
const NEW_MEMBER_TIMEOUT: Duration = Duration::from_secs(300);

/// A member's wish to join.
#[derive(Debug)]
pub(crate) struct Join {
    /// Of the request.
    pub(crate) version: i16,
    /// Empty for a new member.
    pub(crate) member_id: String,
    pub(crate) instance: Option<String>,
    pub(crate) client_id: String,
    pub(crate) host: String,
    pub(crate) session_timeout: Duration,
    pub(crate) rebalance_timeout: Duration,
    pub(crate) protocol_type: String,
    pub(crate) protocols: Vec<Protocol>,
}

impl Group {
    /// A member joins: its ticket is answered at once, or when the others have joined too.
    pub(crate) fn join(&mut self, turn: &mut Turn, join: Join, ticket: Ticket, random: &mut fastrand::Rng) {
        let joined = if join.member_id.is_empty() {
            self.join_new(turn, join, ticket, random)
        } else {
            self.join_again(turn, join, ticket)
        };
        if let Some(joined) = joined {
            turn.waiting.answer(ticket, joined);
        }
    }

    /// `None` if its ticket has been kept.
    fn join_new(&mut self, turn: &mut Turn, join: Join, ticket: Ticket, random: &mut fastrand::Rng) -> Option<Joined> {
        if !self.supports(&join.protocol_type, &join.protocols) {
            return Some(Joined::refused("", ErrorCode::INCONSISTENT_GROUP_PROTOCOL));
        }
        let id = member::new_id(join.instance.as_ref().unwrap_or(&join.client_id), random);
        if let Some(instance) = &join.instance {
            if let Some(old) = self.static_members.get(instance).cloned() {
                return self.replace_static(turn, join, &old, id, ticket);
            }
        } else if join.version >= KNOWN_MEMBERS_FROM {
            self.pending_join.insert(id.clone(), turn.now + join.session_timeout);
            return Some(Joined::refused(id, ErrorCode::MEMBER_ID_REQUIRED));
        }
        self.add_and_rebalance(turn, join, id, ticket);
        None
    }

    fn join_again(&mut self, turn: &mut Turn, join: Join, ticket: Ticket) -> Option<Joined> {
        let id = join.member_id.clone();
        if !self.supports(&join.protocol_type, &join.protocols) {
            return Some(Joined::refused(id, ErrorCode::INCONSISTENT_GROUP_PROTOCOL));
        }
        if self.pending_join.contains_key(&id) {
            if join.instance.is_some() {
                // An id that was given to a dynamic member; Kafka fails on it without a code of its own.
                return Some(Joined::refused(id, ErrorCode::UNKNOWN_SERVER_ERROR));
            }
            self.add_and_rebalance(turn, join, id, ticket);
            return None;
        }
        if let Err(code) = self.check_member(&id, join.instance.as_deref()) {
            return Some(Joined::refused(id, code));
        }
        let is_same = self.members[&id].protocols == join.protocols;
        let is_leader = self.leader.as_ref() == Some(&id);
        match self.state {
            // Its answer was lost: the same again.
            GroupState::CompletingRebalance if is_same => return Some(self.joined(&id)),
            // The leader joins again to have the partitions assigned anew; the others to hear whose turn it is.
            GroupState::Stable if is_same && !is_leader => return Some(self.joined(&id)),
            GroupState::Empty => return Some(Joined::refused(id, ErrorCode::UNKNOWN_MEMBER_ID)),
            _ => {}
        }
        self.update(turn, &id, join, ticket);
        self.rebalance_or_complete(turn);
        None
    }

    fn add_and_rebalance(&mut self, turn: &mut Turn, join: Join, id: String, ticket: Ticket) {
        if self.state == GroupState::PreparingRebalance && self.previous == GroupState::Empty {
            self.new_member_added = true;
        }
        self.pending_join.remove(&id);
        if self.members.is_empty() {
            self.protocol_type = Some(Arc::from(join.protocol_type));
        }
        if let Some(instance) = &join.instance {
            self.static_members.insert(instance.clone(), id.clone());
        }
        self.leader.get_or_insert_with(|| id.clone());
        let member = Member {
            id: id.clone(),
            instance: join.instance,
            client_id: join.client_id,
            host: join.host,
            session_timeout: join.session_timeout,
            rebalance_timeout: join.rebalance_timeout,
            protocols: join.protocols,
            assignment: bytes::Bytes::new(),
            joining: Some(ticket),
            syncing: None,
            is_new: true,
            deadline: Some(turn.now + NEW_MEMBER_TIMEOUT),
        };
        self.members.insert(id, member);
        self.rebalance_or_complete(turn);
    }

    fn update(&mut self, turn: &mut Turn, id: &str, join: Join, ticket: Ticket) {
        let Some(member) = self.members.get_mut(id) else { return };
        member.protocols = join.protocols;
        member.rebalance_timeout = join.rebalance_timeout;
        member.session_timeout = join.session_timeout;
        let last = member.joining.replace(ticket);
        if let Some(last) = last {
            // It has asked again, on another connection: nobody is there to hear this, most likely.
            turn.waiting.answer(last, Joined::refused(id, ErrorCode::REBALANCE_IN_PROGRESS));
        }
    }

    /// A static member has come back, under a new id: it takes the place of the old one, which is fenced if it still asks.
    fn replace_static(
        &mut self,
        turn: &mut Turn,
        join: Join,
        old_id: &str,
        id: String,
        ticket: Ticket,
    ) -> Option<Joined> {
        let old_leader = self.leader.clone();
        let version = join.version;
        self.rename_static(turn, old_id, &id);
        self.renew_session(&id, turn.now);
        self.update(turn, &id, join, ticket);
        match self.state {
            GroupState::Stable if self.protocol == self.vote() => {
                // It has the old one's assignment: nobody need rebalance.
                if let Some(member) = self.members.get_mut(&id) {
                    member.joining = None;
                }
                self.store();
                let mut joined = self.joined(&id);
                let is_leader = self.leader.as_ref() == Some(&id);
                if version >= SKIPS_ASSIGNMENT_FROM {
                    joined.skip_assignment = is_leader;
                } else {
                    // It cannot be told to leave the assignment as it is, so it must not know that it leads.
                    joined.leader = old_leader.unwrap_or_default();
                    joined.members = Vec::new();
                }
                return Some(joined);
            }
            GroupState::Stable => self.rebalance_or_complete(turn),
            GroupState::CompletingRebalance => self.prepare_rebalance(turn),
            GroupState::PreparingRebalance | GroupState::Empty => self.maybe_complete_join(turn),
        }
        None
    }

    fn rename_static(&mut self, turn: &mut Turn, old_id: &str, id: &str) {
        let Some(mut member) = self.members.remove(old_id) else { return };
        if let Some(ticket) = member.joining.take() {
            turn.waiting.answer(ticket, Joined::refused(old_id, ErrorCode::FENCED_INSTANCE_ID));
        }
        if let Some(ticket) = member.syncing.take() {
            turn.waiting.answer(ticket, super::answer::Synced::refused(ErrorCode::FENCED_INSTANCE_ID));
        }
        member.id = id.to_owned();
        // Kafka makes a member anew, which has been in no generation but is not treated as one that joins first.
        member.is_new = false;
        if self.leader.as_deref() == Some(old_id) {
            self.leader = Some(id.to_owned());
        }
        if let Some(instance) = &member.instance {
            self.static_members.insert(instance.clone(), id.to_owned());
        }
        self.members.insert(id.to_owned(), member);
    }

    /// Whether a member with these protocols can be in the group: with one of them that all the others support.
    fn supports(&self, protocol_type: &str, protocols: &[Protocol]) -> bool {
        if self.state == GroupState::Empty {
            return !protocol_type.is_empty() && !protocols.is_empty();
        }
        let is_common = |name: &str| self.members.values().all(|member| member.supports(name));
        self.protocol_type() == protocol_type && protocols.iter().any(|protocol| is_common(&protocol.name))
    }
}

/// Milliseconds of a request; none for a negative number.
pub(crate) fn millis(value: i32) -> Duration {
    Duration::from_millis(u64::try_from(value).unwrap_or(0))
}

/// Never at once: what cannot be done now would be tried again and again.
pub(super) fn after(now: Instant, wait: Duration) -> Instant {
    now + wait.max(Duration::from_millis(1))
}
