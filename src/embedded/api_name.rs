use std::fmt;

/// The table: the protocol's names and numbers.
macro_rules! api_names {
    ($($name:ident = $key:literal,)*) => {
        /// An API of Kafka's protocol, by the name that the protocol has for it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        #[allow(missing_docs, reason = "each is what Kafka's protocol calls so")]
        pub enum Api {
            $($name = $key,)*
        }

        const ALL: &[Api] = &[$(Api::$name,)*];
    };
}

api_names! {
    Produce = 0,
    Fetch = 1,
    ListOffsets = 2,
    Metadata = 3,
    OffsetCommit = 8,
    OffsetFetch = 9,
    FindCoordinator = 10,
    JoinGroup = 11,
    Heartbeat = 12,
    LeaveGroup = 13,
    SyncGroup = 14,
    DescribeGroups = 15,
    ListGroups = 16,
    SaslHandshake = 17,
    ApiVersions = 18,
    CreateTopics = 19,
    DeleteTopics = 20,
    DeleteRecords = 21,
    InitProducerId = 22,
    OffsetForLeaderEpoch = 23,
    DescribeConfigs = 32,
    DescribeLogDirs = 35,
    SaslAuthenticate = 36,
    CreatePartitions = 37,
    DeleteGroups = 42,
    ElectLeaders = 43,
    IncrementalAlterConfigs = 44,
    OffsetDelete = 47,
    DescribeCluster = 60,
    DescribeProducers = 61,
    ListConfigResources = 74,
    DescribeTopicPartitions = 75,
}

impl Api {
    /// The protocol's number for it.
    pub fn key(self) -> i16 {
        self as i16
    }

    /// The one with this number, if it is one of these.
    pub(crate) fn of_key(key: i16) -> Option<Api> {
        ALL.iter().copied().find(|api| api.key() == key)
    }
}

impl fmt::Display for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embedded::api::OFFERED;

    #[test]
    fn whatever_is_offered_has_its_name_here() {
        for offered in OFFERED {
            assert_eq!(Api::of_key(offered.key).map(|api| api.to_string()).as_deref(), Some(offered.name));
        }
    }
}
