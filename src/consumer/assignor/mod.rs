//! Assignors: how the members of a classic consumer group share its partitions.
//!
//! The coordinator chooses one member as the leader and sends it what every member subscribed to. The leader's
//! [`Assignor`] decides, whatever client the others run: so the names, the metadata and the results are those of the Java
//! client. All of this is pure; `group` membership drives it. Imports: `wire`, `model`.
//!
//! | name | type | partitions move |
//! |---|---|---|
//! | `range` | [`RangeAssignor`] | all, at every rebalance |
//! | `roundrobin` | [`RoundRobinAssignor`] | all, at every rebalance |
//! | `sticky` | [`StickyAssignor`] (KIP-54) | all are revoked, most come back |
//! | `cooperative-sticky` | [`CooperativeStickyAssignor`] (KIP-429) | only those that change their owner |
//!
//! In reading order:
//! - `group`: what an assignor is told: [`GroupMember`], [`GroupTopics`], [`JoiningMember`]
//! - `protocol`: subscriptions and assignments as members exchange them (KIP-429, KIP-792, KIP-881)
//! - `roster`: the group as numbers, which the built-in assignors work on
//! - `racks`: which member is near to which partition (KIP-881)
//! - `range`, `round_robin`, `sticky`: the built-in assignors

#[cfg(test)]
mod fixture;
mod group;
#[cfg(test)]
mod properties;
mod protocol;
mod racks;
mod range;
mod roster;
mod round_robin;
mod sticky;

pub use group::{GroupMember, GroupTopics, JoiningMember};
pub use range::RangeAssignor;
pub use round_robin::RoundRobinAssignor;
pub use sticky::{CooperativeStickyAssignor, StickyAssignor};

pub(crate) use protocol::{Assignment, ProtocolError, Subscription};

use bytes::Bytes;

use crate::model::TopicPartition;

/// Shares the partitions of a classic consumer group among its members, for the member that the coordinator made leader.
///
/// Every member of a group must offer an assignor of the same name, and the coordinator takes one that all offer. The
/// built-in ones agree with those of the Java client; an assignor of one's own must run, in some form, in every client of
/// the group that may become leader.
///
/// None of these methods may block: they are called from the task that keeps the member in its group.
pub trait Assignor: std::fmt::Debug + Send + Sync + 'static {
    /// The name in the group protocol, the same in all clients.
    fn name(&self) -> &str;

    /// When members give up partitions. A member that offers several assignors is cooperative only if all of them are: one that
    /// offers both kinds gives up all that it has before each join, so that a group can go over from one kind to the other.
    fn rebalance_protocol(&self) -> RebalanceProtocol {
        RebalanceProtocol::Eager
    }

    /// What this member tells the leader's assignor besides its subscription. Called before each join.
    fn user_data(&self, member: &JoiningMember<'_>) -> Option<Bytes> {
        let _ = member;
        None
    }

    /// The partitions of each member, in the order of `members`. Called on the leader, once a rebalance.
    ///
    /// A partition may have one owner or none. Under [`RebalanceProtocol::Cooperative`] no member may get a partition
    /// that another still owns: it is left out, its owner revokes it and joins again, and then it is given away.
    fn assign(&self, topics: &GroupTopics, members: &[GroupMember]) -> Vec<Vec<TopicPartition>>;

    /// Called on every member when it got its share, with what a leader's assignor may have sent along. Without effect
    /// on the share.
    fn on_assignment(&self, assigned: &[TopicPartition], user_data: Option<&Bytes>, generation: i32) {
        let _ = (assigned, user_data, generation);
    }
}

/// When members give up their partitions in a rebalance (KIP-429).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RebalanceProtocol {
    /// All of them, before they join. Nobody reads until the rebalance is over.
    Eager,
    /// Those that go to another member, after the first of two rebalances. What stays is read meanwhile.
    Cooperative,
}
