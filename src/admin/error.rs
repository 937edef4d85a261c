use std::{sync::Arc, time::Duration};

use super::{GroupState, GroupType, ledger::Subject};
use crate::{
    cluster::ClusterError,
    model::TopicPartition,
    wire::{ErrorCode, WireError},
};

/// Why an admin's request was not fulfilled.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum AdminError {
    /// A topic of this name is there already.
    #[error("topic {topic:?} exists already{}", if *.possibly_ours { "; it may be the one that was asked for" } else { "" })]
    AlreadyExists {
        /// Its name.
        topic: Arc<str>,
        /// Whether this very call may have made it: the answer to an earlier attempt was lost.
        possibly_ours: bool,
    },
    /// The group has active members, so that its offsets are theirs to commit, and it cannot be deleted.
    #[error("group {group:?} has active members")]
    ActiveMembers {
        /// The group.
        group: Arc<str>,
    },
    /// The group is of a kind that the classic protocol does not describe, as those of KIP-848.
    #[error("group {group:?} is of type {group_type}: only classic groups can be described")]
    NotClassic {
        /// The group.
        group: Arc<str>,
        /// What it is.
        group_type: GroupType,
        /// Its state, where the broker tells it.
        state: Option<GroupState>,
    },
    /// An offset cannot be shifted where none is committed.
    #[error("group {group:?} has committed nothing for {partition}")]
    NothingCommitted {
        /// The group.
        group: Arc<str>,
        /// Where.
        partition: TopicPartition,
    },
    /// The topic, partition, group, broker or other resource does not exist, or may not be seen.
    #[error("there is no {subject}")]
    Unknown {
        /// What was asked for, as `topic "t"`.
        subject: Arc<str>,
    },
    /// This client may not do that.
    #[error("{subject}: not authorised: {}", told(.code, .message))]
    NotAuthorised {
        /// What was asked for, as `topic "t"`.
        subject: Arc<str>,
        /// The broker's code.
        code: ErrorCode,
        /// The broker's own words, where it sent any.
        message: Option<Arc<str>>,
    },
    /// The broker cannot do that, or not in a version that this client speaks.
    #[error("{subject}: not supported by the broker: {why}")]
    Unsupported {
        /// What was asked for, as `topic "t"`.
        subject: Arc<str>,
        /// What is missing.
        why: Arc<str>,
    },
    /// The broker refused for another reason: a bad name, an unknown setting, too many replicas, a policy.
    #[error("{subject}: refused: {}", told(.code, .message))]
    Refused {
        /// What was asked for, as `topic "t"`.
        subject: Arc<str>,
        /// The broker's code.
        code: ErrorCode,
        /// The broker's own words, where it sent any.
        message: Option<Arc<str>>,
        /// Whether it may have been done all the same: the answer to an earlier attempt was lost.
        possibly_applied: bool,
    },
    /// `default.api.timeout.ms` passed.
    #[error("{subject}: not done within {after:?}{}{}", because(.last), if *.possibly_applied { "; it may have been done all the same" } else { "" })]
    OutOfTime {
        /// What was asked for, as `topic "t"`.
        subject: Arc<str>,
        /// The time that was given.
        after: Duration,
        /// What went wrong last, if anything was tried.
        last: Option<Arc<str>>,
        /// Whether it may have been done all the same; if not, it certainly was not.
        possibly_applied: bool,
    },
    /// The cluster could not be asked.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
}

impl AdminError {
    /// Whether what was asked for may have been done in spite of the error.
    pub fn is_possibly_applied(&self) -> bool {
        match self {
            AdminError::AlreadyExists { possibly_ours, .. } => *possibly_ours,
            AdminError::Refused { possibly_applied, .. } | AdminError::OutOfTime { possibly_applied, .. } => {
                *possibly_applied
            }
            AdminError::Cluster(ClusterError::Wire(error)) => error.may_have_been_applied(),
            _ => false,
        }
    }

    /// What the broker's code means for `subject`.
    pub(super) fn refused(
        subject: &Subject,
        code: ErrorCode,
        message: Option<Arc<str>>,
        possibly_applied: bool,
    ) -> AdminError {
        let named = || Arc::from(subject.to_string());
        if let Some(group) = subject.group() {
            match code {
                ErrorCode::GROUP_ID_NOT_FOUND => {
                    return AdminError::Unknown { subject: Arc::from(Subject::of_group(group).to_string()) };
                }
                // What a commit from outside meets, a deletion of the group, and one of its offsets.
                ErrorCode::UNKNOWN_MEMBER_ID | ErrorCode::NON_EMPTY_GROUP | ErrorCode::GROUP_SUBSCRIBED_TO_TOPIC => {
                    return AdminError::ActiveMembers { group: Arc::clone(group) };
                }
                _ => {}
            }
        }
        match (code, subject.topic()) {
            (ErrorCode::TOPIC_ALREADY_EXISTS, Some(topic)) => {
                AdminError::AlreadyExists { topic: Arc::clone(topic), possibly_ours: possibly_applied }
            }
            (
                ErrorCode::UNKNOWN_TOPIC_OR_PARTITION | ErrorCode::UNKNOWN_TOPIC_ID | ErrorCode::RESOURCE_NOT_FOUND,
                _,
            ) => match subject {
                Subject::Offset { partition, .. } => {
                    AdminError::Unknown { subject: Arc::from(Subject::Partition(partition.clone()).to_string()) }
                }
                _ => AdminError::Unknown { subject: named() },
            },
            (
                ErrorCode::TOPIC_AUTHORIZATION_FAILED
                | ErrorCode::GROUP_AUTHORIZATION_FAILED
                | ErrorCode::CLUSTER_AUTHORIZATION_FAILED,
                _,
            ) => AdminError::NotAuthorised { subject: named(), code, message },
            (ErrorCode::UNSUPPORTED_VERSION, _) => {
                AdminError::Unsupported { subject: named(), why: Arc::from(told(&code, &message)) }
            }
            _ => AdminError::Refused { subject: named(), code, message, possibly_applied },
        }
    }

    /// What a failure that no retry changes means for `subject`.
    pub(super) fn failed(subject: &Subject, error: ClusterError) -> AdminError {
        let named = || Arc::from(subject.to_string());
        match error {
            ClusterError::Wire(error @ WireError::Unsupported { .. }) => {
                AdminError::Unsupported { subject: named(), why: Arc::from(error.to_string()) }
            }
            ClusterError::UnknownBroker { .. } => AdminError::Unknown { subject: named() },
            ClusterError::Refused { code, message, .. } => {
                AdminError::refused(subject, code, message.map(Arc::from), false)
            }
            error => AdminError::Cluster(error),
        }
    }
}

fn told(code: &ErrorCode, message: &Option<Arc<str>>) -> String {
    match message {
        Some(message) => format!("{code}: {message}"),
        None => code.to_string(),
    }
}

fn because(last: &Option<Arc<str>>) -> String {
    last.as_deref().map(|why| format!(" (last: {why})")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::ConfigResource;

    #[test]
    fn a_code_becomes_what_a_caller_may_tell_apart() {
        let topic = Subject::Resource(ConfigResource::Topic(Arc::from("t")));
        let error = |code| AdminError::refused(&topic, code, Some(Arc::from("why")), false);
        assert!(matches!(error(ErrorCode::TOPIC_ALREADY_EXISTS), AdminError::AlreadyExists { .. }));
        assert!(matches!(error(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION), AdminError::Unknown { .. }));
        assert!(matches!(error(ErrorCode::UNSUPPORTED_VERSION), AdminError::Unsupported { .. }));
        let denied = error(ErrorCode::TOPIC_AUTHORIZATION_FAILED);
        assert!(matches!(denied, AdminError::NotAuthorised { .. }));
        assert_eq!(denied.to_string(), "topic \"t\": not authorised: TOPIC_AUTHORIZATION_FAILED: why");
        assert_eq!(error(ErrorCode::POLICY_VIOLATION).to_string(), "topic \"t\": refused: POLICY_VIOLATION: why");
        let group = Subject::of_group(&Arc::from("g"));
        let error = |code| AdminError::refused(&group, code, None, false).to_string();
        assert_eq!(error(ErrorCode::GROUP_ID_NOT_FOUND), "there is no group \"g\"");
        assert_eq!(error(ErrorCode::NON_EMPTY_GROUP), "group \"g\" has active members");
        let partition = TopicPartition::new("t", 3);
        let offset = Subject::Offset { group: Arc::from("g"), partition };
        let error = |code| AdminError::refused(&offset, code, None, false).to_string();
        assert_eq!(error(ErrorCode::GROUP_ID_NOT_FOUND), "there is no group \"g\"");
        assert_eq!(error(ErrorCode::UNKNOWN_MEMBER_ID), "group \"g\" has active members");
        assert_eq!(error(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION), "there is no partition t-3");
        let missing = WireError::Unsupported { api: "DeleteRecords", broker: None, client: (1, 2) };
        let missing = AdminError::failed(&topic, missing.into());
        assert!(matches!(missing, AdminError::Unsupported { .. }), "{missing}");
    }
}
