use std::time::Duration;

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

/// What a consumer does when there is no offset to go on from: none is known, or the one known is no longer in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OffsetReset {
    /// Go on at the log's first record.
    Earliest,
    /// Go on behind the log's last record.
    Latest,
    /// Go on at the first record that is this old or younger (KIP-1106).
    ByDuration(Duration),
    /// Fail.
    None,
}

impl OffsetReset {
    /// Where to go on; `None` where that is an error.
    pub(crate) fn spec(self) -> Option<OffsetSpec> {
        match self {
            OffsetReset::Earliest => Some(OffsetSpec::Beginning),
            OffsetReset::Latest => Some(OffsetSpec::End),
            OffsetReset::ByDuration(age) => {
                let age = i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
                let then = Timestamp::now().as_millis().saturating_sub(age).max(0);
                Some(OffsetSpec::Timestamp(Timestamp::from_millis(then)))
            }
            OffsetReset::None => None,
        }
    }
}
