//! Membership in a classic consumer group (the protocol of JoinGroup, SyncGroup and Heartbeat).
//!
//! Imports: `consumer::{shared, assignor}`, `cluster`, `wire`, `model`, `time`.
//!
//! In reading order:
//! - `membership`: [`Membership`], pure: a member from joining to leaving, what it owns and what comes next
//! - `commits`: [`Commits`], pure: offsets to be committed, in order
//! - `beginnings`: [`Beginnings`], pure: where to begin with partitions that are new
//! - `refusal`: what a coordinator's error codes mean to a member
//! - `subscription`: [`Subscription`], topics by name or by pattern
//! - `event`: [`Rebalance`], what the user is told
//! - `desk`: [`Desk`], between the user's task and the member's
//! - `requests`: the requests, in our own types
//! - `coordinator`: who coordinates the group
//! - `work`: what is under way
//! - `leader`: the leader's assignment
//! - `conversation`: JoinGroup and SyncGroup
//! - `topics`: what the subscription comes to, and what the leader looks after
//! - `committed`: what the group has committed, for whoever asks
//! - `driver`: the member's task
//! - `error`: [`CommitError`]

mod beginnings;
mod commits;
mod committed;
mod conversation;
mod coordinator;
mod desk;
mod driver;
mod error;
mod event;
mod leader;
mod membership;
mod refusal;
mod requests;
mod subscription;
mod topics;
mod work;

pub use error::CommitError;
pub use event::Rebalance;

pub(crate) use beginnings::Beginnings;
pub(crate) use commits::Commits;
pub(crate) use committed::committed;
pub(crate) use desk::{Closing, Desk, ForUser, Offsets};
pub(crate) use driver::run;
pub(crate) use membership::{Action, Joined, Membership, Rules};
pub(crate) use refusal::{Failure, Refusal};
pub(crate) use requests::Committed;
pub(crate) use subscription::Subscription;

use std::sync::Arc;

use tokio::sync::watch;

use super::config::GroupConfig;
use crate::{
    config::ClientConfig,
    consumer::assignor::{Assignor, RebalanceProtocol},
};

/// What the user's task and the member's share about the group.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) id: Arc<str>,
    pub(crate) config: GroupConfig,
    /// None for a consumer that is told what to read, and only commits to the group.
    pub(crate) subscription: Option<Subscription>,
    pub(crate) desk: Desk,
    /// Whether the member's task has ended.
    pub(crate) done: watch::Sender<bool>,
}

impl Group {
    pub(crate) fn new(id: Arc<str>, config: GroupConfig, subscription: Option<Subscription>) -> Self {
        Group { id, config, subscription, desk: Desk::new(), done: watch::Sender::new(false) }
    }

    fn rules(&self, client: &ClientConfig) -> Rules {
        let is_cooperative = |a: &Arc<dyn Assignor>| a.rebalance_protocol() == RebalanceProtocol::Cooperative;
        Rules {
            heartbeat_interval: self.config.heartbeat_interval,
            retry_backoff: client.retry_backoff,
            retry_backoff_max: client.retry_backoff_max,
            is_static: self.config.instance.is_some(),
            cooperative: self.config.assignors.iter().all(is_cooperative),
        }
    }
}
