//! How many partitions each member has, and who has the fewest of those that may take a partition.

use std::collections::{BTreeSet, HashMap};

use super::super::{
    racks::{Rack, Racks},
    roster::{Member, Partition, Roster, Topic},
};

/// Members with the same subscription in the same rack are one class: a partition is for all of a class or for none, so
/// only the classes' first members need to be compared.
pub(super) struct Loads {
    sizes: Vec<usize>,
    class_of: Vec<usize>,
    classes: Vec<Class>,
    /// For each topic the classes that subscribe to it.
    by_topic: Vec<Vec<usize>>,
}

struct Class {
    rack: Option<Rack>,
    /// By size, then in order.
    members: BTreeSet<(usize, Member)>,
    /// The first of `members`, which is looked at much more often than it changes.
    first: (usize, Member),
}

impl Loads {
    pub(super) fn new(roster: &Roster<'_>, racks: Option<&Racks>, sizes: Vec<usize>) -> Self {
        let mut numbers = HashMap::<(&[Topic], Option<Rack>), usize, foldhash::fast::RandomState>::default();
        let mut loads =
            Loads { class_of: Vec::new(), classes: Vec::new(), by_topic: vec![Vec::new(); roster.topics.len()], sizes };
        for (member, topics) in roster.subscriptions.iter().enumerate() {
            let rack = racks.and_then(|racks| racks.of_member(member));
            let entry = (loads.sizes[member], member);
            let class = *numbers.entry((topics, rack)).or_insert_with(|| {
                let class = loads.classes.len();
                topics.iter().for_each(|topic| loads.by_topic[*topic].push(class));
                loads.classes.push(Class { rack, members: BTreeSet::new(), first: entry });
                class
            });
            loads.class_of.push(class);
            let class = &mut loads.classes[class];
            class.members.insert(entry);
            class.first = class.first.min(entry);
        }
        loads
    }

    pub(super) fn of(&self, member: Member) -> usize {
        self.sizes[member]
    }

    /// Who has the fewest of the subscribers of `topic`, the first of them if several, and how many it has.
    pub(super) fn least(&self, topic: Topic) -> Option<(usize, Member)> {
        self.by_topic[topic].iter().map(|class| self.classes[*class].first).min()
    }

    /// The same, of those that are near to `partition` or have no rack.
    pub(super) fn least_near(&self, topic: Topic, partition: Partition, racks: &Racks) -> Option<(usize, Member)> {
        let near = racks.of_partition(partition);
        let classes = self.by_topic[topic].iter().map(|class| &self.classes[*class]);
        classes.filter(|class| class.rack.is_none_or(|rack| near.contains(&rack))).map(|class| class.first).min()
    }

    pub(super) fn grow(&mut self, member: Member) {
        self.resize(member, self.sizes[member] + 1);
    }

    pub(super) fn shrink(&mut self, member: Member) {
        self.resize(member, self.sizes[member] - 1);
    }

    fn resize(&mut self, member: Member, size: usize) {
        let class = &mut self.classes[self.class_of[member]];
        class.members.remove(&(self.sizes[member], member));
        class.members.insert((size, member));
        class.first = class.members.first().copied().unwrap_or(class.first);
        self.sizes[member] = size;
    }
}
