use tokio::time::Instant;

use super::classic::Turn;
use crate::{embedded::state::State, wire::ErrorCode};

/// Where groups are coordinated, and what a control handle may do to them.
impl State {
    /// The broker that a group asks; −1 if none runs.
    pub(crate) fn coordinator_of(&self, group: &str) -> i32 {
        self.coordinators.of(group)
    }

    /// Whether `broker` may answer for the group.
    pub(crate) fn check_coordinator(&self, broker: i32, group: &str) -> Result<(), ErrorCode> {
        if self.coordinator_of(group) == broker { Ok(()) } else { Err(ErrorCode::NOT_COORDINATOR) }
    }

    /// After brokers came or went. Groups that have another coordinator then start from what was stored of them.
    pub(crate) fn elect_coordinators(&mut self) {
        let before: Vec<_> = self.groups.iter().map(|(id, _)| (id.clone(), self.coordinators.of(id))).collect();
        let (brokers, coordinators) = (&self.brokers, &mut self.coordinators);
        coordinators.elect(|id| brokers.get(&id).is_some_and(|broker| broker.is_running));
        let moved = before.into_iter().filter(|(id, broker)| self.coordinators.of(id) != *broker);
        let moved: Vec<_> = moved.map(|(id, _)| id).collect();
        moved.into_iter().for_each(|id| self.groups.has_moved(id));
    }

    /// Makes a broker, which runs, the coordinator of a group. Whether it could be done.
    pub(crate) fn move_coordinator(&mut self, group: &str, broker: i32) -> bool {
        let may = self.is_running(broker);
        if may && self.coordinator_of(group) != broker {
            self.coordinators.set(group, broker);
            self.groups.has_moved(group.into());
        }
        may
    }

    /// Ends a member's session at once. Whether there was such a member.
    pub(crate) fn expire_member(&mut self, now: Instant, group: &str, member: &str) -> bool {
        let turn = &mut Turn { now, waiting: &mut self.waiting };
        self.groups.get_mut(group).is_some_and(|group| group.expire(turn, member))
    }

    /// The members of a group: their ids, and their instance ids if they are static.
    pub(crate) fn members_of(&self, group: &str) -> Vec<(String, Option<String>)> {
        let members = self.groups.get(group).into_iter().flat_map(|group| group.members());
        members.map(|member| (member.id.clone(), member.instance.clone())).collect()
    }
}
