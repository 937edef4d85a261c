use std::str::FromStr;

use clap::{Args, Subcommand};
use milena::{GroupState, OffsetReset, OffsetSpec, ResetTo};

use crate::args::place;

#[derive(Debug, Subcommand)]
pub(crate) enum Groups {
    /// The groups that there are, a line each
    List(List),
    /// A group's state, its coordinator, its members and what they read
    Describe(Describe),
    /// How far behind the topics' ends a group is, and who reads what
    Lag(Lag),
    /// Move what a group without active members has committed
    Reset(Reset),
    /// Delete groups without active members, with all that they have committed
    Delete(Delete),
}

#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only groups in this state, as Stable or Empty; may be given several times
    #[arg(long = "state", value_name = "STATE", value_parser = state)]
    pub(crate) states: Vec<GroupState>,
}

#[derive(Debug, Args)]
pub(crate) struct Describe {
    /// The groups
    #[arg(required = true, value_name = "GROUP")]
    pub(crate) groups: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Lag {
    /// The group
    pub(crate) group: String,
}

#[derive(Debug, Args)]
pub(crate) struct Reset {
    /// The group
    pub(crate) group: String,
    /// The topics, each with all its partitions or with some, as orders:0,3
    #[arg(required = true, value_name = "TOPIC[:PARTITION,…]")]
    pub(crate) topics: Vec<Part>,
    /// Where to: beginning, end, an offset, a time as 2026-11-24T12:00:00Z or @MILLISECONDS, -PT1H (an hour ago), +N or -N
    /// (so many records forward or back from what is committed)
    #[arg(long, value_name = "PLACE", value_parser = target, allow_hyphen_values = true)]
    pub(crate) to: ResetTo,
    /// Print what would change, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Delete {
    /// The groups
    #[arg(required = true, value_name = "GROUP")]
    pub(crate) groups: Vec<String>,
    /// Done if there is no such group
    #[arg(long)]
    pub(crate) if_exists: bool,
}

/// A topic, or some of its partitions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) topic: String,
    /// All where empty.
    pub(crate) partitions: Vec<i32>,
}

impl FromStr for Part {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // A topic's name has no colon.
        let Some((topic, numbers)) = text.split_once(':') else {
            return Ok(Part { topic: text.to_owned(), partitions: Vec::new() });
        };
        let number = |text: &str| text.parse().ok().filter(|number: &i32| *number >= 0);
        let partitions: Option<Vec<i32>> = numbers.split(',').map(number).collect();
        let partitions = partitions.ok_or("write TOPIC, or TOPIC:PARTITION,PARTITION")?;
        Ok(Part { topic: topic.to_owned(), partitions })
    }
}

fn state(text: &str) -> Result<GroupState, String> {
    match GroupState::from(text) {
        GroupState::Other(_) => Err("Empty, PreparingRebalance, CompletingRebalance, Stable, Dead, Assigning or \
                                     Reconciling is allowed"
            .to_owned()),
        state => Ok(state),
    }
}

fn target(text: &str) -> Result<ResetTo, String> {
    let allowed = || {
        "beginning, end, an offset, @MILLISECONDS, 2026-11-24T12:00:00Z, -PT1H (a duration ago), +N or -N is allowed"
            .to_owned()
    };
    if let Some(age) = text.strip_prefix('-').filter(|rest| rest.starts_with(['P', 'p'])) {
        return match format!("by_duration:{age}").parse() {
            Ok(OffsetReset::ByDuration(age)) => Ok(ResetTo::Age(age)),
            _ => Err(allowed()),
        };
    }
    if text.starts_with(['+', '-']) {
        return text.parse().map(ResetTo::Shift).map_err(|_| allowed());
    }
    match place(text).map_err(|_| allowed())? {
        OffsetSpec::Beginning => Ok(ResetTo::Beginning),
        OffsetSpec::End => Ok(ResetTo::End),
        OffsetSpec::At(offset) => Ok(ResetTo::Offset(offset)),
        OffsetSpec::Timestamp(time) => Ok(ResetTo::Timestamp(time)),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use milena::Timestamp;

    use super::*;

    #[test]
    fn a_target_is_a_place_an_age_or_a_shift() {
        for (text, expected) in [
            ("beginning", ResetTo::Beginning),
            ("end", ResetTo::End),
            ("17", ResetTo::Offset(17)),
            ("@1500", ResetTo::Timestamp(Timestamp::from_millis(1500))),
            ("1970-01-01T00:00:01Z", ResetTo::Timestamp(Timestamp::from_millis(1000))),
            ("-PT1H30M", ResetTo::Age(Duration::from_secs(5400))),
            ("-p1d", ResetTo::Age(Duration::from_secs(86_400))),
            ("+5", ResetTo::Shift(5)),
            ("-5", ResetTo::Shift(-5)),
        ] {
            assert_eq!(target(text), Ok(expected), "{text}");
        }
        for bad in ["", "soon", "-", "+", "--5", "-P", "-PT", "PT1H", "+PT1H", "@-1", "1.5"] {
            assert!(target(bad).unwrap_err().contains("beginning, end"), "{bad}");
        }
    }

    #[test]
    fn a_part_is_a_topic_or_some_of_its_partitions() {
        let part = |topic: &str, partitions: &[i32]| Part { topic: topic.to_owned(), partitions: partitions.to_vec() };
        assert_eq!("orders".parse(), Ok(part("orders", &[])));
        assert_eq!("orders:0,3".parse(), Ok(part("orders", &[0, 3])));
        for bad in ["orders:", "orders:a", "orders:1,", "orders:-1"] {
            bad.parse::<Part>().unwrap_err();
        }
    }
}
