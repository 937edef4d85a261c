use std::{str::FromStr, sync::Arc, time::Duration};

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

/// An offset that a group commits, or has committed: that of the next record to be read.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct OffsetAndMetadata {
    /// The offset.
    pub offset: i64,
    /// The leader epoch of the record before it (KIP-320); −1 where unknown.
    pub leader_epoch: i32,
    /// Whatever the user wants to keep with it.
    pub metadata: Arc<str>,
}

impl From<i64> for OffsetAndMetadata {
    fn from(offset: i64) -> Self {
        OffsetAndMetadata { offset, leader_epoch: -1, metadata: Arc::from("") }
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

impl FromStr for OffsetReset {
    type Err = String;

    /// `earliest`, `latest`, `none`, or `by_duration:` and an ISO 8601 duration such as `PT1H30M` (KIP-1106).
    fn from_str(text: &str) -> Result<Self, String> {
        let known = match text.to_ascii_lowercase().as_str() {
            "earliest" => Some(OffsetReset::Earliest),
            "latest" => Some(OffsetReset::Latest),
            "none" => Some(OffsetReset::None),
            _ => text.strip_prefix("by_duration:").and_then(iso_duration).map(OffsetReset::ByDuration),
        };
        known.ok_or_else(|| "one of earliest, latest, none, by_duration:PnDTnHnMn.nS is allowed".to_owned())
    }
}

/// `P[nD][T[nH][nM][n[.n]S]]`, as `java.time.Duration` reads it, without signs.
fn iso_duration(text: &str) -> Option<Duration> {
    let text = text.strip_prefix(['P', 'p'])?.to_ascii_uppercase();
    let (days, time) = match text.split_once('T') {
        Some((_, "")) => return None,
        Some((days, time)) => (days, time),
        None => (&*text, ""),
    };
    let mut total = Duration::ZERO;
    let mut seen = false;
    for (mut rest, units) in [(days, &[('D', 86_400.0)][..]), (time, &[('H', 3_600.0), ('M', 60.0), ('S', 1.0)][..])] {
        for (unit, seconds) in units {
            if let Some((number, behind)) = rest.split_once(*unit) {
                let is_plain = number.chars().all(|c| c.is_ascii_digit() || c == '.' && *unit == 'S');
                let number: f64 = number.parse().ok().filter(|_| is_plain)?;
                total = total.checked_add(Duration::try_from_secs_f64(number * seconds).ok()?)?;
                (rest, seen) = (behind, true);
            }
        }
        if !rest.is_empty() {
            return None;
        }
    }
    seen.then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<OffsetReset, String> {
        text.parse()
    }

    #[test]
    fn resets_are_read_as_java_reads_them() {
        assert_eq!(read("Earliest"), Ok(OffsetReset::Earliest));
        let by = |seconds| Ok(OffsetReset::ByDuration(Duration::from_millis(seconds)));
        assert_eq!(read("by_duration:PT1H30M"), by(5_400_000));
        assert_eq!(read("by_duration:P2DT0.5S"), by(2 * 86_400_000 + 500));
        for bad in ["", "soon", "by_duration:", "by_duration:P", "by_duration:PT", "by_duration:PT5", "by_duration:5S"]
        {
            assert!(read(bad).unwrap_err().contains("earliest"), "{bad}");
        }
        assert!(read("by_duration:PT-5S").is_err());
    }
}
