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
/// have none (KIP-881), as long as the shares are even. Partitions that need not move do so only if that brings more near.
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
    let owners = if roster.members.is_empty() {
        Vec::new()
    } else if all_alike(&roster.members) {
        constrained::share(roster, racks.as_ref(), claims)
    } else {
        general::share(roster, racks.as_ref(), claims)
    };
    // Java moves them even so: members without partitions near to them pass them round at every rebalance, and under the
    // cooperative protocol each time is the cause of the next
    if let Some(racks) = racks
        && let Some(settled) = settled(roster, claims)
        && near(&racks, &settled) >= near(&racks, &owners)
    {
        return settled;
    }
    owners
}

/// How many partitions are near to their owners.
fn near(racks: &Racks, owners: &Owners) -> usize {
    let fits = |(partition, owner): (usize, &Option<usize>)| owner.is_some_and(|member| racks.fit(member, partition));
    owners.iter().enumerate().filter(|it| fits(*it)).count()
}

/// The owners that there are, if each partition has one, who subscribes to it, and shares are even already.
fn settled(roster: &Roster<'_>, claims: &Claims) -> Option<Owners> {
    let mut owners = Vec::with_capacity(roster.partition_count());
    let mut sizes = vec![0; roster.members.len()];
    for partition in 0..roster.partition_count() {
        let owner = claims.owner(partition)?;
        roster.is_subscribed(owner, roster.topic_of(partition)).then(|| sizes[owner] += 1)?;
        owners.push(Some(owner));
    }
    let is_even = |(topic, subscribers): (usize, &Vec<usize>)| {
        let least = subscribers.iter().map(|member| sizes[*member]).min().unwrap_or(0);
        owners[roster.partitions(topic)].iter().flatten().all(|owner| sizes[*owner] <= least + 1)
    };
    roster.subscribers.iter().enumerate().all(is_even).then_some(owners)
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
