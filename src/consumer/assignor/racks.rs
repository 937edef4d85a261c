//! Which members are near to which partitions: in the rack of one of its replicas (KIP-881).

use std::collections::{BTreeSet, HashMap};

use super::{
    GroupTopics,
    roster::{Member, Partition, Roster},
};

/// A rack's number.
pub(super) type Rack = usize;

/// The racks of a group of which at least one member has one.
pub(super) struct Racks {
    count: usize,
    members: Vec<Option<Rack>>,
    /// For each partition the racks of its replicas, in order, each once.
    partitions: Vec<Vec<Rack>>,
}

impl Racks {
    /// None if no member has a rack.
    pub(super) fn new(roster: &Roster<'_>, topics: &GroupTopics) -> Option<Self> {
        let mut numbers = HashMap::<&str, Rack, foldhash::fast::RandomState>::default();
        let mut number = |name| {
            let next = numbers.len();
            *numbers.entry(name).or_insert(next)
        };
        // an empty one is none, as Java reads it
        let named = roster.members.iter().map(|member| member.rack.as_deref().filter(|rack| !rack.is_empty()));
        let members = named.map(|rack| rack.map(&mut number)).collect::<Vec<_>>();
        if members.iter().all(Option::is_none) {
            return None;
        }
        let mut partitions = Vec::with_capacity(roster.partition_count());
        for (topic, name) in roster.topics.iter().enumerate() {
            for partition in 0..roster.partitions(topic).len() {
                let mut racks = topics.racks(name, partition).iter().map(|rack| number(rack)).collect::<Vec<_>>();
                racks.sort_unstable();
                racks.dedup();
                partitions.push(racks);
            }
        }
        Some(Racks { count: numbers.len(), members, partitions })
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    pub(super) fn of_member(&self, member: Member) -> Option<Rack> {
        self.members[member]
    }

    pub(super) fn of_partition(&self, partition: Partition) -> &[Rack] {
        &self.partitions[partition]
    }

    /// Whether `member` has no rack or is near to `partition`.
    pub(super) fn fit(&self, member: Member, partition: Partition) -> bool {
        self.members[member].is_none_or(|rack| self.partitions[partition].contains(&rack))
    }

    /// Whether it makes a difference who of `members` gets which of `partitions`: some are near to some, and not all
    /// partitions are in the same racks.
    pub(super) fn matter(
        &self,
        members: impl IntoIterator<Item = Member>,
        partitions: std::ops::Range<Partition>,
    ) -> bool {
        let partitions = &self.partitions[partitions];
        let all = partitions.iter().flatten().copied().collect::<BTreeSet<_>>();
        members.into_iter().filter_map(|member| self.members[member]).any(|rack| all.contains(&rack))
            && partitions.iter().any(|racks| racks.len() != all.len())
    }
}
