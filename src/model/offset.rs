use super::Timestamp;

/// A place in a partition's log, named or exact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OffsetSpec {
    /// The first record that is still there (the log start offset).
    Beginning,
    /// Behind the last record that a consumer may see: the high watermark, or the last stable offset under read committed.
    End,
    /// This offset.
    At(i64),
    /// The first record whose timestamp is this or later; the end, where there is none.
    Timestamp(Timestamp),
}

impl From<i64> for OffsetSpec {
    fn from(offset: i64) -> Self {
        OffsetSpec::At(offset)
    }
}

impl From<Timestamp> for OffsetSpec {
    fn from(timestamp: Timestamp) -> Self {
        OffsetSpec::Timestamp(timestamp)
    }
}

/// Which transactional records a consumer sees (KIP-98).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum IsolationLevel {
    /// All, also those of open and aborted transactions.
    ReadUncommitted,
    /// Those of committed transactions, and those outside any; reading stops at the last stable offset.
    #[default]
    ReadCommitted,
}
