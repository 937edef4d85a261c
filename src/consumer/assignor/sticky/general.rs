//! The shares if members subscribe to different topics: no member has two more than another that could take one of them.

use super::{
    super::{
        racks::Racks,
        roster::{Member, Owners, Partition, Roster},
    },
    Claims,
    loads::Loads,
    moves::Moves,
};

/// Who owns partitions keeps them at first, if it still subscribes and, with racks, is near. What is left goes to who has
/// the fewest. Then partitions move, one at a time, from members that have at least two more than another that may take
/// them, until there are none: each move but a limited number makes the sum of the squares of the sizes smaller, so this
/// ends.
pub(super) fn share(roster: &Roster<'_>, racks: Option<&Racks>, claims: &Claims) -> Owners {
    let keeps = |member: Member, partition: Partition| {
        roster.is_subscribed(member, roster.topic_of(partition))
            && racks.is_none_or(|racks| racks.fit(member, partition))
    };
    let owner = |partition| claims.owner(partition).filter(|member| keeps(*member, partition));
    let owners = (0..roster.partition_count()).map(owner).collect::<Owners>();
    let mut sizes = vec![0; roster.members.len()];
    owners.iter().flatten().for_each(|member| sizes[*member] += 1);

    // those that the fewest may take come first, while these still have room
    let mut topics = (0..roster.topics.len()).collect::<Vec<_>>();
    topics.sort_by_key(|topic| roster.subscribers[*topic].len());
    let all = topics.iter().flat_map(|topic| roster.partitions(*topic)).collect::<Vec<_>>();
    let free = all.iter().copied().filter(|partition| owners[*partition].is_none()).collect::<Vec<_>>();
    let loses = |partition: &Partition| claims.owner(*partition).is_some_and(|member| !keeps(member, *partition));
    let is_revoking = all.iter().any(loses);

    let mut balance = Balance {
        roster,
        claims,
        loads: Loads::new(roster, racks, sizes),
        moves: Moves::default(),
        detours: all.len(),
        owners,
    };
    if let Some(racks) = racks {
        for partition in &free {
            balance.give(*partition, |loads, topic| loads.least_near(topic, *partition, racks));
        }
    }
    for partition in &free {
        balance.give(*partition, Loads::least);
    }
    // what had no owner moves first, since nobody misses it; unless members lose partitions anyway
    if !is_revoking {
        balance.even_out(&free);
    }
    balance.even_out(&all);
    balance.owners
}

struct Balance<'a> {
    roster: &'a Roster<'a>,
    claims: &'a Claims,
    loads: Loads,
    moves: Moves,
    owners: Owners,
    /// How many moves may yet be made that even nothing out. Java makes any number, and may so go round forever.
    detours: usize,
}

impl Balance<'_> {
    /// To whom `choose` says, unless it has an owner already.
    fn give(&mut self, partition: Partition, choose: impl Fn(&Loads, usize) -> Option<(usize, Member)>) {
        if self.owners[partition].is_none()
            && let Some((_, member)) = choose(&self.loads, self.roster.topic_of(partition))
        {
            self.owners[partition] = Some(member);
            self.loads.grow(member);
        }
    }

    fn even_out(&mut self, partitions: &[Partition]) {
        loop {
            let mut has_moved = false;
            // who has the fewest of a topic's members changes only with a move
            let mut least = None;
            for partition in partitions {
                let topic = self.roster.topic_of(*partition);
                let (size, member) = match least {
                    Some((of, least)) if of == topic => least,
                    _ => match self.loads.least(topic) {
                        Some(found) => least.insert((topic, found)).1,
                        None => continue,
                    },
                };
                let Some(owner) = self.owners[*partition] else { continue };
                if self.loads.of(owner) > size + 1 {
                    let previous = self.claims.outdated_owner(*partition);
                    let previous = previous.filter(|previous| {
                        self.roster.is_subscribed(*previous, topic)
                            && self.loads.of(owner) > self.loads.of(*previous) + 1
                    });
                    self.move_one(*partition, owner, previous.unwrap_or(member));
                    (has_moved, least) = (true, None);
                }
            }
            if !has_moved {
                return;
            }
        }
    }

    /// Moves `partition`, or another in its stead that came from `to`.
    fn move_one(&mut self, partition: Partition, owner: Member, to: Member) {
        let reverse = self.moves.reverse(self.roster, partition, owner, to);
        let reverse = reverse.and_then(|reverse| Some((reverse, self.owners[reverse]?)));
        let (partition, from) = reverse.filter(|(_, from)| self.may_leave(*from, to)).unwrap_or((partition, owner));
        self.moves.add(self.roster, partition, from, to);
        self.owners[partition] = Some(to);
        self.loads.shrink(from);
        self.loads.grow(to);
    }
    /// Whether a partition may move between these: if that evens them out, or as one of a limited number of detours.
    fn may_leave(&mut self, from: Member, to: Member) -> bool {
        let is_even_after = self.loads.of(from) > self.loads.of(to) + 1;
        if !is_even_after && self.detours > 0 {
            self.detours -= 1;
            return true;
        }
        is_even_after
    }
}
