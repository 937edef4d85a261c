//! Which partitions moved between which members, so that two members never exchange partitions of one topic.

use std::collections::{BTreeSet, HashMap};

use super::super::roster::{Member, Partition, Roster, Topic};

#[derive(Default)]
pub(super) struct Moves {
    /// From whom each moved partition came first, and who has it.
    by_partition: HashMap<Partition, (Member, Member), foldhash::fast::RandomState>,
    by_pair: HashMap<(Topic, Member, Member), BTreeSet<Partition>, foldhash::fast::RandomState>,
}

impl Moves {
    /// A partition of the topic of `partition` that came to its owner from `to`, and goes back in its stead.
    pub(super) fn reverse(
        &self,
        roster: &Roster<'_>,
        partition: Partition,
        owner: Member,
        to: Member,
    ) -> Option<Partition> {
        let from = self.by_partition.get(&partition).map_or(owner, |(from, _)| *from);
        self.by_pair.get(&(roster.topic_of(partition), to, from))?.last().copied()
    }

    pub(super) fn add(&mut self, roster: &Roster<'_>, partition: Partition, from: Member, to: Member) {
        let topic = roster.topic_of(partition);
        let mut origin = from;
        if let Some((first, last)) = self.by_partition.remove(&partition) {
            origin = first;
            if let Some(moved) = self.by_pair.get_mut(&(topic, first, last)) {
                moved.remove(&partition);
            }
        }
        if origin != to {
            self.by_partition.insert(partition, (origin, to));
            self.by_pair.entry((topic, origin, to)).or_default().insert(partition);
        }
    }
}
