//! `range`: topic by topic, consecutive partitions.

use std::collections::{BTreeMap, VecDeque};

use super::{
    Assignor, GroupMember, GroupTopics,
    racks::Racks,
    roster::{Member, Owners, Roster, Topic},
};
use crate::model::TopicPartition;

/// Each topic's partitions, in order, are cut into one range for each member that subscribed to it; the first members'
/// ranges are longer by one where the division leaves a rest. Static members come first, in order of their instance ids
/// (KIP-345).
///
/// So topics with equally many partitions and the same members are co-partitioned: who gets partition 3 of one gets it
/// of the others. And with many topics of few partitions the first members get more than the others.
///
/// Where racks are known and matter, members first get partitions that have a replica in their rack (KIP-881), then what
/// is left; neither the shares' sizes nor co-partitioning suffer.
#[derive(Debug, Clone, Copy, Default)]
pub struct RangeAssignor;

impl Assignor for RangeAssignor {
    fn name(&self) -> &str {
        "range"
    }

    fn assign(&self, topics: &GroupTopics, members: &[GroupMember]) -> Vec<Vec<TopicPartition>> {
        let roster = Roster::static_first(topics, members);
        let mut owners = vec![None; roster.partition_count()];
        let mut quotas = (0..roster.topics.len())
            .map(|topic| Quota::new(roster.partitions(topic).len(), roster.subscribers[topic].len()))
            .collect::<Vec<_>>();
        if let Some(racks) = Racks::new(&roster, topics) {
            let near = Near { roster: &roster, racks: &racks };
            near.assign(&mut quotas, &mut owners);
        }
        for (topic, quota) in quotas.iter_mut().enumerate() {
            let mut free = roster.partitions(topic);
            for (place, member) in roster.subscribers[topic].iter().enumerate() {
                for _ in 0..quota.left(place) {
                    let Some(partition) = free.find(|partition| owners[*partition].is_none()) else { break };
                    owners[partition] = Some(*member);
                    quota.take(place);
                }
            }
        }
        roster.assignment(topics, &owners)
    }
}

/// How many of a topic's partitions its members may still take. A member goes by its place among the subscribers.
#[derive(Clone)]
struct Quota {
    /// What each may take.
    each: usize,
    /// How many may still take one more than that.
    more: usize,
    taken: Vec<usize>,
}

impl Quota {
    fn new(partitions: usize, members: usize) -> Self {
        Quota { each: partitions / members, more: partitions % members, taken: vec![0; members] }
    }

    /// Never grows.
    fn left(&self, place: usize) -> usize {
        (self.each + usize::from(self.more > 0)).saturating_sub(self.taken[place])
    }

    fn take(&mut self, place: usize) {
        self.taken[place] += 1;
        if self.taken[place] > self.each {
            self.more -= 1;
        }
    }
}

/// The first pass where racks matter: only partitions that are near.
struct Near<'a> {
    roster: &'a Roster<'a>,
    racks: &'a Racks,
}

impl Near<'_> {
    fn assign(&self, quotas: &mut [Quota], owners: &mut Owners) {
        let matter = |topic: Topic| {
            self.racks.matter(self.roster.subscribers[topic].iter().copied(), self.roster.partitions(topic))
        };
        let matters = (0..quotas.len()).map(matter).collect::<Vec<_>>();
        if !matters.contains(&true) {
            return;
        }
        let mut alike = BTreeMap::<(&[Member], usize), Vec<Topic>>::new();
        for (topic, subscribers) in self.roster.subscribers.iter().enumerate() {
            alike.entry((subscribers, self.roster.partitions(topic).len())).or_default().push(topic);
        }
        for ((subscribers, partitions), topics) in alike {
            match *topics {
                [topic] if matters[topic] => self.assign_topic(topic, &mut quotas[topic], owners),
                [_] => {}
                _ if subscribers.iter().all(|member| self.racks.of_member(*member).is_none()) => {}
                _ => {
                    let mut quota = quotas[topics[0]].clone();
                    self.assign_co_partitioned(subscribers, partitions, &topics, &mut quota, owners);
                    topics.iter().for_each(|topic| quotas[*topic] = quota.clone());
                }
            }
        }
    }

    /// Each member in order takes the first free partitions that are near to it.
    fn assign_topic(&self, topic: Topic, quota: &mut Quota, owners: &mut Owners) {
        let mut near = vec![Vec::new(); self.racks.count()];
        for partition in self.roster.partitions(topic) {
            self.racks.of_partition(partition).iter().for_each(|rack| near[*rack].push(partition));
        }
        let mut near = near.into_iter().map(Vec::into_iter).collect::<Vec<_>>();
        let mut all = self.roster.partitions(topic);
        for (place, member) in self.roster.subscribers[topic].iter().enumerate() {
            while quota.left(place) > 0 {
                let is_free = |partition: &usize| owners[*partition].is_none();
                let next = match self.racks.of_member(*member) {
                    Some(rack) => near[rack].find(is_free),
                    None => all.find(is_free),
                };
                let Some(partition) = next else { break };
                owners[partition] = Some(*member);
                quota.take(place);
            }
        }
    }

    /// Each number in order goes, in all topics, to the first member that is near in all of them.
    fn assign_co_partitioned(
        &self,
        subscribers: &[Member],
        partitions: usize,
        topics: &[Topic],
        quota: &mut Quota,
        owners: &mut Owners,
    ) {
        let mut waiting = vec![VecDeque::new(); self.racks.count()];
        let mut everywhere = VecDeque::new();
        for (place, member) in subscribers.iter().enumerate() {
            self.racks.of_member(*member).map_or(&mut everywhere, |rack| &mut waiting[rack]).push_back(place);
        }
        // a quota never grows, so who has none left is not asked again
        let first = |queue: &mut VecDeque<usize>, quota: &Quota| {
            while queue.front().is_some_and(|place| quota.left(*place) == 0) {
                queue.pop_front();
            }
            queue.front().copied()
        };
        for number in 0..partitions {
            let racks = |topic: Topic| self.racks.of_partition(self.roster.partitions(topic).start + number);
            let (head, tail) = (racks(topics[0]), &topics[1..]);
            let common = head.iter().filter(|rack| tail.iter().all(|topic| racks(*topic).contains(rack)));
            let near = common.filter_map(|rack| first(&mut waiting[*rack], quota)).min();
            let Some(place) = near.into_iter().chain(first(&mut everywhere, quota)).min() else { continue };
            quota.take(place);
            for topic in topics {
                owners[self.roster.partitions(*topic).start + number] = Some(subscribers[place]);
            }
        }
    }
}

#[cfg(test)]
mod tests;
