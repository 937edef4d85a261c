use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use crate::embedded::waiting::Ticket;

/// One member of a group.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) id: String,
    /// Its `group.instance.id`, if it is a static member (KIP-345).
    pub(crate) instance: Option<String>,
    pub(crate) client_id: String,
    pub(crate) host: String,
    pub(crate) session_timeout: Duration,
    pub(crate) rebalance_timeout: Duration,
    /// In the order in which it prefers them.
    pub(crate) protocols: Vec<Protocol>,
    pub(crate) assignment: Bytes,
    /// Its JoinGroup that waits for the others.
    pub(super) joining: Option<Ticket>,
    /// Its SyncGroup that waits for the leader.
    pub(super) syncing: Option<Ticket>,
    /// It has not been in a generation yet.
    pub(super) is_new: bool,
    /// When its session ends; `None` once that has been and was forgiven, as it waits for an answer.
    pub(super) deadline: Option<Instant>,
}

/// A protocol that a member supports, and what it says with it to the leader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Protocol {
    pub(crate) name: String,
    pub(crate) metadata: Bytes,
}

impl Member {
    pub(crate) fn supports(&self, protocol: &str) -> bool {
        self.protocols.iter().any(|supported| supported.name == protocol)
    }

    /// Empty for a protocol that it does not support.
    pub(crate) fn metadata(&self, protocol: &str) -> Bytes {
        let supported = self.protocols.iter().find(|supported| supported.name == protocol);
        supported.map(|supported| supported.metadata.clone()).unwrap_or_default()
    }

    pub(super) fn renew_session(&mut self, now: Instant) {
        self.deadline = Some(now + self.session_timeout);
    }

    /// Whether it need not send heartbeats: it waits for an answer. A new member may have gone meanwhile.
    pub(super) fn is_excused(&self) -> bool {
        !self.is_new && (self.joining.is_some() || self.syncing.is_some())
    }
}

/// `prefix-UUID`, as Kafka names members.
pub(super) fn new_id(prefix: &str, random: &mut fastrand::Rng) -> String {
    let uuid = (random.u128(..) & !(0xf << 76) & !(0b11 << 62)) | (0x4 << 76) | (0b10 << 62);
    let hex = format!("{uuid:032x}");
    format!("{prefix}-{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}
