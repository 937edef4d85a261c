use std::sync::Arc;

use bytes::Bytes;

use crate::wire::ErrorCode;

/// What a member that joins is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Joined {
    pub(crate) error: ErrorCode,
    /// −1 with an error.
    pub(crate) generation: i32,
    pub(crate) protocol_type: Option<Arc<str>>,
    pub(crate) protocol: Option<Arc<str>>,
    pub(crate) leader: String,
    /// The leader need not assign again (KIP-814).
    pub(crate) skip_assignment: bool,
    pub(crate) member_id: String,
    /// For the leader: everyone.
    pub(crate) members: Vec<JoinedMember>,
}

/// A member, as the leader gets to know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct JoinedMember {
    pub(crate) id: String,
    pub(crate) instance: Option<String>,
    /// What it said with the protocol that was chosen.
    pub(crate) metadata: Bytes,
}

/// What a member that asks for its assignment is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Synced {
    pub(crate) error: ErrorCode,
    pub(crate) protocol_type: Option<Arc<str>>,
    pub(crate) protocol: Option<Arc<str>>,
    pub(crate) assignment: Bytes,
}

impl Joined {
    pub(crate) fn refused(member_id: impl Into<String>, error: ErrorCode) -> Self {
        Joined {
            error,
            generation: -1,
            protocol_type: None,
            protocol: None,
            leader: String::new(),
            skip_assignment: false,
            member_id: member_id.into(),
            members: Vec::new(),
        }
    }
}

impl Synced {
    pub(crate) fn refused(error: ErrorCode) -> Self {
        Synced { error, protocol_type: None, protocol: None, assignment: Bytes::new() }
    }
}
