//! `sticky` and `cooperative-sticky`: as even as possible, and who has a partition keeps it as far as that allows.
//!
//! In reading order:
//! - `claims`: which partitions have an owner
//! - `constrained`: the shares if all members subscribe to the same topics
//! - `general`: the shares if not; `loads`, `moves`: what it keeps account of
//! - `user_data`: how members tell what they owned

mod claims;
mod constrained;
mod general;
mod loads;
mod moves;
mod user_data;

use std::borrow::Cow;

use bytes::Bytes;

use super::{
    Assignor, GroupMember, GroupTopics, JoiningMember, RebalanceProtocol,
    racks::Racks,
    roster::{Owners, Roster},
};
use crate::model::TopicPartition;
use claims::Claims;

/// Even shares, and as few partitions as possible change their owner (KIP-54); yet everything is revoked before each
/// rebalance, so that nobody reads during it. [`CooperativeStickyAssignor`] is better, where all members can run it.
///
/// Shares are within one partition of each other if all members subscribe to the same topics. If not, no member has two
/// partitions more than another that could take one of them.
///
/// Where racks are known and matter, members first get partitions that have a replica in their rack, and lose those that
/// have none (KIP-881), as long as the shares are even.
#[derive(Debug, Clone, Copy, Default)]
pub struct StickyAssignor;

impl Assignor for StickyAssignor {
    fn name(&self) -> &str {
        "sticky"
    }

    fn user_data(&self, member: &JoiningMember<'_>) -> Option<Bytes> {
        member.last_assignment.map(|owned| user_data::encode_owned(owned, member.generation))
    }

    fn assign(&self, topics: &GroupTopics, members: &[GroupMember]) -> Vec<Vec<TopicPartition>> {
        let roster = Roster::by_member_id(topics, members);
        let claims = Claims::new(&roster, |member| {
            // the subscription tells of nothing that is owned, since all was revoked
            let (owned, generation) = member.user_data.as_ref().and_then(user_data::decode_owned).unwrap_or_default();
            (Cow::Owned(owned), generation)
        });
        roster.assignment(topics, &share(&roster, topics, &claims))
    }
}

/// Shares as [`StickyAssignor`] does, while members keep their partitions during a rebalance (KIP-429): those that change
/// their owner go to nobody at first; who had them revokes them and joins again, and the second rebalance gives them away.
///
/// All members must offer this assignor before any stops to offer an eager one: add it, restart all, remove the other,
/// restart all.
#[derive(Debug, Clone, Copy, Default)]
pub struct CooperativeStickyAssignor;

impl Assignor for CooperativeStickyAssignor {
    fn name(&self) -> &str {
        "cooperative-sticky"
    }

    fn rebalance_protocol(&self) -> RebalanceProtocol {
        RebalanceProtocol::Cooperative
    }

    fn user_data(&self, member: &JoiningMember<'_>) -> Option<Bytes> {
        Some(user_data::encode_generation(member.generation))
    }

    fn assign(&self, topics: &GroupTopics, members: &[GroupMember]) -> Vec<Vec<TopicPartition>> {
        let roster = Roster::by_member_id(topics, members);
        let claims = Claims::new(&roster, |member| {
            let told = || member.user_data.as_ref().and_then(user_data::decode_generation);
            (Cow::Borrowed(&member.owned), member.generation.or_else(told))
        });
        let mut owners = share(&roster, topics, &claims);
        for (partition, owner) in owners.iter_mut().enumerate() {
            if claims.is_claimed(partition) && claims.owner(partition) != *owner {
                *owner = None;
            }
        }
        roster.assignment(topics, &owners)
    }
}

fn share(roster: &Roster<'_>, topics: &GroupTopics, claims: &Claims) -> Owners {
    let racks =
        Racks::new(roster, topics).filter(|racks| racks.matter(0..roster.members.len(), 0..roster.partition_count()));
    if roster.members.is_empty() {
        Vec::new()
    } else if all_alike(&roster.members) {
        constrained::share(roster, racks.as_ref(), claims)
    } else {
        general::share(roster, racks.as_ref(), claims)
    }
}

/// Whether all subscribed to the same topics; those that do not exist count, as in Java.
fn all_alike(members: &[&GroupMember]) -> bool {
    let topics = |member: &GroupMember| {
        let mut topics = member.topics.clone();
        topics.sort_unstable();
        topics.dedup();
        topics
    };
    let first = topics(members[0]);
    members[1..].iter().all(|member| member.topics == members[0].topics || topics(member) == first)
}

#[cfg(test)]
mod tests;
