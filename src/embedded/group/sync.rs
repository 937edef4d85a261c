use std::collections::BTreeMap;

use bytes::Bytes;

use super::{
    answer::Synced,
    classic::{Group, GroupState, Turn},
};
use crate::{embedded::waiting::Ticket, wire::ErrorCode};

/// A member's wish for its assignment; the leader's brings those of all.
#[derive(Debug)]
pub(crate) struct Syncing<'a> {
    pub(crate) member_id: &'a str,
    pub(crate) instance: Option<&'a str>,
    pub(crate) generation: i32,
    /// What the client thinks that the group has agreed on, if it says so.
    pub(crate) protocol_type: Option<&'a str>,
    pub(crate) protocol: Option<&'a str>,
    pub(crate) assignments: BTreeMap<&'a str, Bytes>,
}

impl Group {
    /// The ticket is answered at once, or when the leader has said who reads what.
    pub(crate) fn sync(&mut self, turn: &mut Turn, sync: Syncing, ticket: Ticket) {
        let id = sync.member_id;
        let answer = match self.check_sync(&sync) {
            Err(code) => Synced::refused(code),
            Ok(()) => match self.state {
                GroupState::Empty => Synced::refused(ErrorCode::UNKNOWN_MEMBER_ID),
                GroupState::PreparingRebalance => Synced::refused(ErrorCode::REBALANCE_IN_PROGRESS),
                GroupState::Stable => {
                    self.has_synced(id);
                    self.synced(id)
                }
                GroupState::CompletingRebalance => {
                    let last = self.members.get_mut(id).and_then(|member| member.syncing.replace(ticket));
                    if let Some(last) = last {
                        // It has asked again, on another connection: nobody is there to hear this, most likely.
                        turn.waiting.answer(last, Synced::refused(ErrorCode::REBALANCE_IN_PROGRESS));
                    }
                    self.has_synced(id);
                    if self.leader.as_deref() == Some(id) {
                        self.assign(turn, &sync.assignments);
                    }
                    return;
                }
            },
        };
        turn.waiting.answer(ticket, answer);
    }

    fn check_sync(&self, sync: &Syncing) -> Result<(), ErrorCode> {
        self.check_generation(sync.member_id, sync.instance, sync.generation)?;
        let differ = |said: Option<&str>, is: Option<&str>| said.zip(is).is_some_and(|(said, is)| said != is);
        let (protocol_type, protocol) = (self.protocol_type.as_deref(), self.protocol.as_deref());
        if differ(sync.protocol_type, protocol_type) || differ(sync.protocol, protocol) {
            return Err(ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
        }
        Ok(())
    }

    /// A member without an assignment has an empty one.
    fn assign(&mut self, turn: &mut Turn, assignments: &BTreeMap<&str, Bytes>) {
        for member in self.members.values_mut() {
            member.assignment = assignments.get(member.id.as_str()).cloned().unwrap_or_default();
        }
        self.enter(GroupState::Stable);
        self.store();
        for id in self.members.keys().cloned().collect::<Vec<_>>() {
            let synced = self.synced(&id);
            let Some(member) = self.members.get_mut(&id) else { continue };
            if let Some(ticket) = member.syncing.take() {
                turn.waiting.answer(ticket, synced);
                member.renew_session(turn.now);
            }
        }
    }

    fn synced(&self, id: &str) -> Synced {
        Synced {
            error: ErrorCode::NONE,
            protocol_type: self.protocol_type.clone(),
            protocol: self.protocol.clone(),
            assignment: self.assignment_of(id),
        }
    }

    fn has_synced(&mut self, id: &str) {
        self.pending_sync.remove(id);
        if self.pending_sync.is_empty() {
            self.sync_deadline = None;
        }
    }

    /// Members that have not asked for their assignment in time are out.
    pub(super) fn expire_pending_sync(&mut self, turn: &mut Turn) {
        let is_waiting = matches!(self.state, GroupState::CompletingRebalance | GroupState::Stable);
        if !is_waiting || self.pending_sync.is_empty() {
            return;
        }
        for id in std::mem::take(&mut self.pending_sync) {
            tracing::debug!("group member {id}: it has not asked for its assignment");
            self.remove(turn, &id);
        }
        self.prepare_rebalance(turn);
    }
}
