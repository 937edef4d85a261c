use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{
    classic::{CONSUMER, Group, GroupState},
    groups::Groups,
    offsets::Committed,
};

/// As `offsets.retention.check.interval.ms`.
pub(crate) const CHECK_INTERVAL: Duration = Duration::from_secs(600);
/// As `offsets.retention.minutes`: seven days.
const RETENTION: Duration = Duration::from_secs(7 * 24 * 60 * 60);

impl Group {
    /// Offsets go that nobody has wanted for long, as Kafka's `OffsetExpirationCondition` has it: those of a group without members
    /// some time after the last of them has gone, those that a group does not read any more some time after they were committed,
    /// and so those of consumers that are in no group. Whether the group itself is not wanted any more.
    fn expire_offsets(&mut self, now: Instant, now_ms: i64) -> bool {
        let since = |moment: Instant| now.saturating_duration_since(moment);
        let since_commit =
            |it: &Committed| Duration::from_millis(u64::try_from(now_ms - it.committed_ms).unwrap_or_default());
        let is_empty = self.state == GroupState::Empty;
        let age = |it: &Committed| match self.protocol_type.as_deref() {
            None => Some(since_commit(it)),
            Some(_) if is_empty => Some(self.empty_since.map_or_else(|| since_commit(it), since)),
            Some(CONSUMER) if self.state == GroupState::Stable && self.subscribed.is_some() => Some(since_commit(it)),
            Some(_) => None,
        };
        let is_over = |it: &Committed| match (it.expires_ms, age(it)) {
            (_, None) => false,
            (Some(expires), Some(_)) => now_ms >= expires,
            (None, Some(age)) => age >= RETENTION,
        };
        let unread = self.offsets.iter().filter(|(topic, _)| !self.is_subscribed_to(topic));
        let each = unread.flat_map(|(topic, partitions)| {
            partitions.iter().filter(|(_, it)| is_over(it)).map(|(partition, _)| (Arc::clone(topic), *partition))
        });
        let over: Vec<(Arc<str>, i32)> = each.collect();
        for (topic, partition) in over {
            self.offsets.remove(&topic, partition);
        }
        is_empty && self.pending_join.is_empty() && self.offsets.iter().next().is_none()
    }
}

impl Groups {
    /// As Kafka's coordinators do from time to time: offsets go that nobody wants, and groups of which nothing is left then.
    pub(crate) fn expire(&mut self, now: Instant, now_ms: i64) {
        let ids: Vec<Arc<str>> = self.iter().map(|(id, _)| Arc::clone(id)).collect();
        for id in ids {
            if self.get_mut(&id).is_some_and(|group| group.expire_offsets(now, now_ms)) {
                tracing::debug!("group {id}: nothing is left of it");
                self.remove(&id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    fn at(days: u32) -> i64 {
        (days * DAY).as_millis() as i64
    }

    /// One that has committed offsets of `a` and `b` on the first day.
    fn group(state: GroupState, protocol_type: Option<&str>, subscribed: &[&str]) -> Group {
        let mut group = Group::new(Duration::ZERO);
        group.state = state;
        group.protocol_type = protocol_type.map(Arc::from);
        group.subscribed = protocol_type.map(|_| subscribed.iter().map(ToString::to_string).collect());
        for topic in ["a", "b"] {
            let committed = Committed {
                offset: 1,
                leader_epoch: -1,
                metadata: String::new(),
                committed_ms: at(1),
                expires_ms: None,
            };
            group.offsets.commit(topic, 0, committed);
        }
        group
    }

    fn left(group: &Group) -> Vec<&str> {
        group.offsets.iter().map(|(topic, _)| &**topic).collect()
    }

    #[test]
    fn offsets_of_a_group_without_members_go_seven_days_after_the_last_of_them() {
        let start = Instant::now();
        let mut group = group(GroupState::Empty, Some(CONSUMER), &[]);
        group.empty_since = Some(start + 3 * DAY);
        assert!(!group.expire_offsets(start + 9 * DAY, at(9)));
        assert_eq!(left(&group), ["a", "b"]);
        assert!(group.expire_offsets(start + 10 * DAY, at(10)), "nothing is left of it");
        assert!(left(&group).is_empty());
    }

    #[test]
    fn a_group_with_members_loses_those_of_topics_that_it_does_not_read() {
        let start = Instant::now();
        for state in [GroupState::PreparingRebalance, GroupState::CompletingRebalance] {
            let mut group = group(state, Some(CONSUMER), &["a"]);
            assert!(!group.expire_offsets(start + 99 * DAY, at(99)));
            assert_eq!(left(&group), ["a", "b"]);
        }
        let mut group = group(GroupState::Stable, Some(CONSUMER), &["a"]);
        assert!(!group.expire_offsets(start + 7 * DAY, at(7)));
        assert_eq!(left(&group), ["a", "b"]);
        assert!(!group.expire_offsets(start + 8 * DAY, at(8)));
        assert_eq!(left(&group), ["a"]);
    }

    #[test]
    fn one_that_is_no_group_loses_them_seven_days_after_their_commit_or_when_it_said() {
        let start = Instant::now();
        let mut group = group(GroupState::Empty, None, &[]);
        let soon = Committed { expires_ms: Some(at(2)), ..group.offsets.get("a", 0).unwrap().clone() };
        group.offsets.commit("a", 0, soon);
        assert!(!group.expire_offsets(start + 2 * DAY, at(2)));
        assert_eq!(left(&group), ["b"]);
        assert!(group.expire_offsets(start + 8 * DAY, at(8)));
    }
}
