//! Consumer groups of the classic protocol, as Kafka's group coordinator keeps them. Pure: they take `now`.
//!
//! Imports: `wire` for error codes and the consumer protocol. Source of the rules: Kafka's `ClassicGroup` and
//! `GroupMetadataManager`. Groups of KIP-848 and share groups have their place beside `classic` when they come.
//!
//! In reading order:
//! - `groups`: all groups of the cluster
//! - `classic`: one group: its states, who may ask what of it, and what falls due in it
//! - `member`: one member; `answer`: what members wait for
//! - `join`, `rebalance`, `sync`: how a member comes in, how a generation ends, how the next begins
//! - `offsets`: what a group has committed; `expiry`: for how long
//! - `coordinators`: which broker a group asks; `control`: what the state does about groups

mod answer;
mod classic;
mod control;
mod coordinators;
mod expiry;
mod groups;
mod join;
mod member;
mod offsets;
mod rebalance;
mod sync;
#[cfg(test)]
mod tests;

pub(crate) use answer::{Joined, Synced};
pub(crate) use classic::{Group, GroupState, Turn};
pub(crate) use coordinators::Coordinators;
pub(crate) use expiry::CHECK_INTERVAL;
pub(crate) use groups::Groups;
pub(crate) use join::{Join, millis};
pub(crate) use member::{Member, Protocol};
pub(crate) use offsets::Committed;
pub(crate) use sync::Syncing;
