use std::fmt;

/// An error code of the Kafka protocol: what a broker answers in place of, or beside, a result.
///
/// Source: the table "Error Codes" of the protocol guide; which codes are retriable, and which say that
/// the client's metadata is stale, is as the Java client has it (`RetriableException`, `InvalidMetadataException`).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ErrorCode(i16);

/// What a client does about an error code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// Asking again, later, may succeed.
    Retry,
    /// Asking again may succeed once the metadata have been refreshed.
    RefreshAndRetry,
    /// Asking again gives the same answer.
    Fail,
}

impl ErrorCode {
    /// From the number on the wire. Unknown numbers are kept.
    pub const fn new(code: i16) -> Self {
        ErrorCode(code)
    }

    /// The number on the wire.
    pub const fn code(self) -> i16 {
        self.0
    }

    /// `Ok` for `NONE`, else the code as an error.
    pub fn check(self) -> Result<(), ErrorCode> {
        if self == ErrorCode::NONE { Ok(()) } else { Err(self) }
    }

    /// Whether asking again may succeed.
    pub fn is_retriable(self) -> bool {
        self.remedy() != Remedy::Fail
    }

    /// Whether the client's picture of the cluster is stale.
    pub fn is_stale_metadata(self) -> bool {
        self.remedy() == Remedy::RefreshAndRetry
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "error code {}", self.0),
        }
    }
}

impl fmt::Debug for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self} ({})", self.0)
    }
}

impl std::error::Error for ErrorCode {}

macro_rules! codes {
    ($($code:literal $name:ident $remedy:ident)*) => {
        #[allow(missing_docs, reason = "the names are the protocol's own")]
        impl ErrorCode {
            $(pub const $name: ErrorCode = ErrorCode($code);)*

            /// The protocol's name for the code, where this crate knows it.
            pub fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($code => Some(stringify!($name)),)*
                    _ => None,
                }
            }

            /// What to do about it. A code that this crate does not know is not retried.
            pub fn remedy(self) -> Remedy {
                match self.0 {
                    $($code => Remedy::$remedy,)*
                    _ => Remedy::Fail,
                }
            }
        }
    };
}

codes! {
    -1 UNKNOWN_SERVER_ERROR Fail
    0 NONE Fail
    1 OFFSET_OUT_OF_RANGE Fail
    2 CORRUPT_MESSAGE Retry
    3 UNKNOWN_TOPIC_OR_PARTITION RefreshAndRetry
    4 INVALID_FETCH_SIZE Fail
    5 LEADER_NOT_AVAILABLE RefreshAndRetry
    6 NOT_LEADER_OR_FOLLOWER RefreshAndRetry
    7 REQUEST_TIMED_OUT Retry
    8 BROKER_NOT_AVAILABLE Fail
    9 REPLICA_NOT_AVAILABLE RefreshAndRetry
    10 MESSAGE_TOO_LARGE Fail
    11 STALE_CONTROLLER_EPOCH Fail
    12 OFFSET_METADATA_TOO_LARGE Fail
    13 NETWORK_EXCEPTION RefreshAndRetry
    14 COORDINATOR_LOAD_IN_PROGRESS Retry
    15 COORDINATOR_NOT_AVAILABLE Retry
    16 NOT_COORDINATOR Retry
    17 INVALID_TOPIC_EXCEPTION Fail
    18 RECORD_LIST_TOO_LARGE Fail
    19 NOT_ENOUGH_REPLICAS Retry
    20 NOT_ENOUGH_REPLICAS_AFTER_APPEND Retry
    21 INVALID_REQUIRED_ACKS Fail
    22 ILLEGAL_GENERATION Fail
    23 INCONSISTENT_GROUP_PROTOCOL Fail
    24 INVALID_GROUP_ID Fail
    25 UNKNOWN_MEMBER_ID Fail
    26 INVALID_SESSION_TIMEOUT Fail
    27 REBALANCE_IN_PROGRESS Fail
    28 INVALID_COMMIT_OFFSET_SIZE Fail
    29 TOPIC_AUTHORIZATION_FAILED Fail
    30 GROUP_AUTHORIZATION_FAILED Fail
    31 CLUSTER_AUTHORIZATION_FAILED Fail
    32 INVALID_TIMESTAMP Fail
    33 UNSUPPORTED_SASL_MECHANISM Fail
    34 ILLEGAL_SASL_STATE Fail
    35 UNSUPPORTED_VERSION Fail
    36 TOPIC_ALREADY_EXISTS Fail
    37 INVALID_PARTITIONS Fail
    38 INVALID_REPLICATION_FACTOR Fail
    39 INVALID_REPLICA_ASSIGNMENT Fail
    40 INVALID_CONFIG Fail
    41 NOT_CONTROLLER Retry
    42 INVALID_REQUEST Fail
    43 UNSUPPORTED_FOR_MESSAGE_FORMAT Fail
    44 POLICY_VIOLATION Fail
    45 OUT_OF_ORDER_SEQUENCE_NUMBER Fail
    46 DUPLICATE_SEQUENCE_NUMBER Fail
    47 INVALID_PRODUCER_EPOCH Fail
    48 INVALID_TXN_STATE Fail
    49 INVALID_PRODUCER_ID_MAPPING Fail
    50 INVALID_TRANSACTION_TIMEOUT Fail
    51 CONCURRENT_TRANSACTIONS Retry
    52 TRANSACTION_COORDINATOR_FENCED Fail
    53 TRANSACTIONAL_ID_AUTHORIZATION_FAILED Fail
    54 SECURITY_DISABLED Fail
    55 OPERATION_NOT_ATTEMPTED Fail
    56 KAFKA_STORAGE_ERROR RefreshAndRetry
    57 LOG_DIR_NOT_FOUND Fail
    58 SASL_AUTHENTICATION_FAILED Fail
    59 UNKNOWN_PRODUCER_ID Fail
    60 REASSIGNMENT_IN_PROGRESS Fail
    61 DELEGATION_TOKEN_AUTH_DISABLED Fail
    62 DELEGATION_TOKEN_NOT_FOUND Fail
    63 DELEGATION_TOKEN_OWNER_MISMATCH Fail
    64 DELEGATION_TOKEN_REQUEST_NOT_ALLOWED Fail
    65 DELEGATION_TOKEN_AUTHORIZATION_FAILED Fail
    66 DELEGATION_TOKEN_EXPIRED Fail
    67 INVALID_PRINCIPAL_TYPE Fail
    68 NON_EMPTY_GROUP Fail
    69 GROUP_ID_NOT_FOUND Fail
    70 FETCH_SESSION_ID_NOT_FOUND Retry
    71 INVALID_FETCH_SESSION_EPOCH Retry
    72 LISTENER_NOT_FOUND RefreshAndRetry
    73 TOPIC_DELETION_DISABLED Fail
    74 FENCED_LEADER_EPOCH RefreshAndRetry
    75 UNKNOWN_LEADER_EPOCH Retry
    76 UNSUPPORTED_COMPRESSION_TYPE Fail
    77 STALE_BROKER_EPOCH Fail
    78 OFFSET_NOT_AVAILABLE Retry
    79 MEMBER_ID_REQUIRED Fail
    80 PREFERRED_LEADER_NOT_AVAILABLE RefreshAndRetry
    81 GROUP_MAX_SIZE_REACHED Fail
    82 FENCED_INSTANCE_ID Fail
    83 ELIGIBLE_LEADERS_NOT_AVAILABLE RefreshAndRetry
    84 ELECTION_NOT_NEEDED RefreshAndRetry
    85 NO_REASSIGNMENT_IN_PROGRESS Fail
    86 GROUP_SUBSCRIBED_TO_TOPIC Fail
    87 INVALID_RECORD Fail
    88 UNSTABLE_OFFSET_COMMIT Retry
    89 THROTTLING_QUOTA_EXCEEDED Retry
    90 PRODUCER_FENCED Fail
    91 RESOURCE_NOT_FOUND Fail
    92 DUPLICATE_RESOURCE Fail
    93 UNACCEPTABLE_CREDENTIAL Fail
    94 INCONSISTENT_VOTER_SET Fail
    95 INVALID_UPDATE_VERSION Fail
    96 FEATURE_UPDATE_FAILED Fail
    97 PRINCIPAL_DESERIALIZATION_FAILURE Fail
    98 SNAPSHOT_NOT_FOUND Fail
    99 POSITION_OUT_OF_RANGE Fail
    100 UNKNOWN_TOPIC_ID RefreshAndRetry
    101 DUPLICATE_BROKER_REGISTRATION Fail
    102 BROKER_ID_NOT_REGISTERED Fail
    103 INCONSISTENT_TOPIC_ID RefreshAndRetry
    104 INCONSISTENT_CLUSTER_ID Fail
    105 TRANSACTIONAL_ID_NOT_FOUND Fail
    106 FETCH_SESSION_TOPIC_ID_ERROR Retry
    107 INELIGIBLE_REPLICA Fail
    108 NEW_LEADER_ELECTED Fail
    109 OFFSET_MOVED_TO_TIERED_STORAGE Fail
    110 FENCED_MEMBER_EPOCH Fail
    111 UNRELEASED_INSTANCE_ID Fail
    112 UNSUPPORTED_ASSIGNOR Fail
    113 STALE_MEMBER_EPOCH Fail
    114 MISMATCHED_ENDPOINT_TYPE Fail
    115 UNSUPPORTED_ENDPOINT_TYPE Fail
    116 UNKNOWN_CONTROLLER_ID Fail
    117 UNKNOWN_SUBSCRIPTION_ID Fail
    118 TELEMETRY_TOO_LARGE Fail
    119 INVALID_REGISTRATION Fail
    120 TRANSACTION_ABORTABLE Fail
    121 INVALID_RECORD_STATE Fail
    122 SHARE_SESSION_NOT_FOUND Retry
    123 INVALID_SHARE_SESSION_EPOCH Retry
    124 FENCED_STATE_EPOCH Fail
    125 INVALID_VOTER_KEY Fail
    126 DUPLICATE_VOTER Fail
    127 VOTER_NOT_FOUND Fail
    128 INVALID_REGULAR_EXPRESSION Fail
    129 REBOOTSTRAP_REQUIRED Fail
    130 STREAMS_INVALID_TOPOLOGY Fail
    131 STREAMS_INVALID_TOPOLOGY_EPOCH Fail
    132 STREAMS_TOPOLOGY_FENCED Fail
    133 SHARE_SESSION_LIMIT_REACHED Retry
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_remedies() {
        assert_eq!(ErrorCode::new(6), ErrorCode::NOT_LEADER_OR_FOLLOWER);
        assert_eq!(ErrorCode::new(6).remedy(), Remedy::RefreshAndRetry);
        assert_eq!(ErrorCode::NOT_ENOUGH_REPLICAS.remedy(), Remedy::Retry);
        assert_eq!(ErrorCode::MESSAGE_TOO_LARGE.remedy(), Remedy::Fail);
        assert_eq!(ErrorCode::new(9999).to_string(), "error code 9999");
        assert_eq!(ErrorCode::NONE.check(), Ok(()));
    }
}
