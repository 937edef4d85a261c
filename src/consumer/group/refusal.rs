use crate::{cluster::ClusterError, wire::ErrorCode};

/// What a coordinator's refusal means to a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Once more, after a back-off.
    Retry,
    /// Once more, of whoever coordinates now.
    OtherCoordinator,
    /// The group rebalances: join again.
    Rebalance,
    /// The member missed a rebalance (KIP-429): what it owned belongs to others.
    OldGeneration,
    /// The member is thrown out, likewise.
    UnknownMember,
    /// For good.
    Fatal(ErrorCode),
}

impl Refusal {
    pub(crate) fn of(code: ErrorCode) -> Self {
        match code {
            ErrorCode::NOT_COORDINATOR | ErrorCode::COORDINATOR_NOT_AVAILABLE => Refusal::OtherCoordinator,
            ErrorCode::REBALANCE_IN_PROGRESS => Refusal::Rebalance,
            ErrorCode::ILLEGAL_GENERATION => Refusal::OldGeneration,
            ErrorCode::UNKNOWN_MEMBER_ID => Refusal::UnknownMember,
            code if code.is_retriable() => Refusal::Retry,
            code => Refusal::Fatal(code),
        }
    }
}

/// Why a request to the coordinator came to nothing.
#[derive(Debug, Clone)]
pub(crate) enum Failure {
    /// It answered, and refused.
    Refused(ErrorCode),
    /// No answer.
    Lost(ClusterError),
}

impl From<ClusterError> for Failure {
    fn from(error: ClusterError) -> Self {
        Failure::Lost(error)
    }
}

impl From<crate::wire::WireError> for Failure {
    fn from(error: crate::wire::WireError) -> Self {
        Failure::Lost(error.into())
    }
}

impl From<ErrorCode> for Failure {
    fn from(code: ErrorCode) -> Self {
        Failure::Refused(code)
    }
}
