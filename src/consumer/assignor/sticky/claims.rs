//! Which partitions have an owner, from what members claim to own.

use std::borrow::Cow;

use super::super::{
    GroupMember,
    roster::{Member, Partition, Roster},
};
use crate::model::TopicPartition;

/// Of two members that claim a partition the one of the later generation owns it: the other missed a rebalance. If both
/// are of the same, neither does (KIP-792).
pub(super) struct Claims {
    /// For each partition the claim of the latest generation.
    latest: Vec<Option<Claim>>,
    /// For each partition the latest claim of a member that missed the latest generation.
    outdated: Vec<Option<Claim>>,
}

#[derive(Clone, Copy)]
struct Claim {
    member: Member,
    generation: i32,
    /// Whether another member claims the same in the same generation.
    is_contested: bool,
}

/// The generation of members that tell none.
const NO_GENERATION: i32 = -1;

impl Claims {
    /// `claim` says what a member claims to own, and since which generation. Partitions that do not exist, or whose topic
    /// nobody subscribed to, are left out.
    pub(super) fn new<'a>(
        roster: &Roster<'a>,
        claim: impl Fn(&'a GroupMember) -> (Cow<'a, [TopicPartition]>, Option<i32>),
    ) -> Self {
        let claimed = roster.members.iter().map(|member| claim(member)).collect::<Vec<_>>();
        let generation = |told: &Option<i32>| told.unwrap_or(NO_GENERATION);
        let latest_generation = claimed.iter().map(|(_, told)| generation(told)).max().unwrap_or(NO_GENERATION);
        let none = vec![None; roster.partition_count()];
        let mut claims = Claims { latest: none.clone(), outdated: none };
        for (member, (partitions, told)) in claimed.iter().enumerate() {
            let claim = Claim { member, generation: generation(told), is_contested: false };
            for partition in partitions.iter().filter_map(|partition| roster.find(partition)) {
                merge(&mut claims.latest[partition], claim);
                if claim.generation < latest_generation {
                    merge(&mut claims.outdated[partition], claim);
                }
            }
        }
        claims
    }

    pub(super) fn is_claimed(&self, partition: Partition) -> bool {
        self.latest[partition].is_some()
    }

    /// None if nobody claims it, or two do and neither has the better right.
    pub(super) fn owner(&self, partition: Partition) -> Option<Member> {
        self.latest[partition].filter(|claim| !claim.is_contested).map(|claim| claim.member)
    }

    /// Who had it last, of those that missed the latest generation. The first by member id if several did.
    pub(super) fn outdated_owner(&self, partition: Partition) -> Option<Member> {
        self.outdated[partition].map(|claim| claim.member)
    }
}

fn merge(slot: &mut Option<Claim>, claim: Claim) {
    match slot {
        Some(known) if known.member == claim.member || known.generation > claim.generation => {}
        Some(known) if known.generation == claim.generation => known.is_contested = true,
        _ => *slot = Some(claim),
    }
}
