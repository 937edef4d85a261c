//! The shares if all members subscribe to the same topics: all are as large as one another, up to one partition.

use std::collections::{BTreeSet, VecDeque};

use super::{
    super::{
        racks::Racks,
        roster::{Member, Owners, Partition, Roster},
    },
    Claims,
};

/// Who owns partitions keeps them up to its share; what is left goes in turn to those with less. With racks, owned
/// partitions that are not near are given up, and what is left goes to members near to it first.
pub(super) fn share(roster: &Roster<'_>, racks: Option<&Racks>, claims: &Claims) -> Owners {
    let mut shares = Shares::new(roster);
    shares.keep_owned(racks, claims);
    let mut free = (0..roster.partition_count()).filter(|p| shares.owners[*p].is_none()).collect::<Vec<_>>();
    if let Some(racks) = racks {
        let mut near = vec![0; racks.count()];
        (0..roster.members.len()).filter_map(|member| racks.of_member(member)).for_each(|rack| near[rack] += 1);
        // those that few are near to first, while those few still have room
        free.sort_by_key(|partition| racks.of_partition(*partition).iter().map(|rack| near[*rack]).sum::<usize>());
        shares.give_to_near(racks, &mut free);
    }
    shares.give_in_turn(&free);
    shares.owners
}

struct Shares<'a> {
    roster: &'a Roster<'a>,
    owners: Owners,
    /// How many each member has.
    sizes: Vec<usize>,
    /// The smaller share.
    quota: usize,
    /// How many members may still get one more than that.
    more: usize,
    /// Who has less than the smaller share, in order.
    below: BTreeSet<Member>,
    /// Who has the smaller share, in the order in which they may get one more. Nobody counts once `more` is 0.
    even: VecDeque<Member>,
}

impl<'a> Shares<'a> {
    fn new(roster: &'a Roster<'a>) -> Self {
        let (partitions, members) = (roster.partition_count(), roster.members.len());
        Shares {
            roster,
            owners: vec![None; partitions],
            sizes: vec![0; members],
            quota: partitions / members,
            more: partitions % members,
            below: BTreeSet::new(),
            even: VecDeque::new(),
        }
    }

    fn give(&mut self, partition: Partition, member: Member) {
        self.owners[partition] = Some(member);
        self.sizes[member] += 1;
    }

    fn keep_owned(&mut self, racks: Option<&Racks>, claims: &Claims) {
        let mut owned = vec![Vec::new(); self.sizes.len()];
        for partition in 0..self.owners.len() {
            if let Some(member) = claims.owner(partition)
                && racks.is_none_or(|racks| racks.fit(member, partition))
            {
                owned[member].push(partition);
            }
        }
        for (member, mut owned) in owned.into_iter().enumerate() {
            // who must give some up keeps the low numbers of each topic, rather than all of the first topics
            owned.sort_by_key(|partition| self.roster.number_of(*partition));
            let size = if owned.len() > self.quota && self.more > 0 {
                self.more -= 1;
                self.quota + 1
            } else {
                self.quota
            };
            owned.into_iter().take(size).for_each(|partition| self.give(partition, member));
            if self.sizes[member] < self.quota {
                self.below.insert(member);
            } else if self.sizes[member] == self.quota {
                self.even.push_back(member);
            }
        }
    }

    /// Gives what has somebody with room near to it, and leaves the rest in `free`.
    fn give_to_near(&mut self, racks: &Racks, free: &mut Vec<Partition>) {
        let mut below = vec![BTreeSet::new(); racks.count()];
        for member in &self.below {
            racks.of_member(*member).into_iter().for_each(|rack| _ = below[rack].insert(*member));
        }
        // with their places, since who is first in its rack may not be first
        let mut even = vec![VecDeque::new(); racks.count()];
        let mut places = self.even.iter().map(|member| Some(*member)).collect::<Vec<_>>();
        for (place, member) in self.even.iter().enumerate() {
            racks.of_member(*member).into_iter().for_each(|rack| even[rack].push_back(place));
        }
        let mut turn = 0;
        free.retain(|partition| {
            let near = racks.of_partition(*partition).iter().copied();
            let after = near.clone().filter_map(|rack| below[rack].range(turn..).next().copied()).min();
            let first = || near.clone().filter_map(|rack| below[rack].first().copied()).min();
            if let Some(member) = after.or_else(first) {
                self.give(*partition, member);
                turn = member + 1;
                if self.sizes[member] == self.quota {
                    self.below.remove(&member);
                    if let Some(rack) = racks.of_member(member) {
                        below[rack].remove(&member);
                        even[rack].push_back(places.len());
                    }
                    places.push(Some(member));
                }
                return false;
            }
            if self.more == 0 {
                return true;
            }
            let Some(rack) = near.filter(|rack| !even[*rack].is_empty()).min_by_key(|rack| even[*rack][0]) else {
                return true;
            };
            let Some(member) = even[rack].pop_front().and_then(|place| places[place].take()) else { return true };
            self.give(*partition, member);
            self.more -= 1;
            false
        });
        self.even = places.into_iter().flatten().collect();
    }

    fn give_in_turn(&mut self, free: &[Partition]) {
        let mut below = std::mem::take(&mut self.below).into_iter().collect::<VecDeque<_>>();
        for partition in free {
            // sizes add up to all partitions, so there is always one of them
            let Some(member) = below.pop_front().or_else(|| self.even.pop_front()) else { return };
            self.give(*partition, member);
            match self.sizes[member].cmp(&self.quota) {
                std::cmp::Ordering::Less => below.push_back(member),
                std::cmp::Ordering::Equal => self.even.push_back(member),
                std::cmp::Ordering::Greater => {}
            }
        }
    }
}
