use std::{collections::BTreeSet, sync::Arc};

use regex::Regex;

use crate::cluster::Snapshot;

/// The topics that a member wants.
#[derive(Debug, Clone)]
pub(crate) enum Subscription {
    /// By name, whether they exist or not.
    Topics(BTreeSet<Arc<str>>),
    /// All that there are, and come to be, whose whole name matches. Never Kafka's own.
    Pattern(Regex),
}

impl Subscription {
    /// From a pattern that a topic's whole name has to match.
    pub(crate) fn pattern(pattern: &str) -> Result<Self, String> {
        Regex::new(&format!("^(?:{pattern})$")).map(Subscription::Pattern).map_err(|error| error.to_string())
    }

    /// The topics as they are now; `picture` is one of all topics where the subscription is a pattern.
    pub(crate) fn topics(&self, picture: &Snapshot) -> BTreeSet<Arc<str>> {
        match self {
            Subscription::Topics(topics) => topics.clone(),
            Subscription::Pattern(pattern) => {
                let matching = picture.topics.values().filter(|t| !t.internal && pattern.is_match(&t.name));
                matching.map(|topic| Arc::clone(&topic.name)).collect()
            }
        }
    }

    pub(crate) fn is_pattern(&self) -> bool {
        matches!(self, Subscription::Pattern(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_whole_names() {
        let Ok(Subscription::Pattern(pattern)) = Subscription::pattern("orders|stock-.*") else { panic!() };
        assert!(pattern.is_match("orders") && pattern.is_match("stock-1"));
        assert!(!pattern.is_match("orders-2") && !pattern.is_match("my-orders"));
        assert!(Subscription::pattern("orders(").unwrap_err().contains("unclosed group"));
    }
}
