use std::{convert::Infallible, fmt, str::FromStr, sync::Arc};

use crate::{model::TopicPartition, wire::Address};

/// A group in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct GroupListing {
    /// Its name, `group.id`.
    pub id: Arc<str>,
    /// What its members are: `consumer` for consumers, `connect` and others; empty where it only keeps offsets.
    pub protocol_type: Arc<str>,
    /// `None` from brokers before 2.6.
    pub state: Option<GroupState>,
    /// `None` from brokers before 3.8.
    pub group_type: Option<GroupType>,
}

/// A classic group and its members.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct GroupDescription {
    /// Its name, `group.id`.
    pub id: Arc<str>,
    /// Whether it has members, and whether they have their partitions.
    pub state: GroupState,
    /// What its members are: `consumer` for consumers, `connect` and others; empty where it only keeps offsets.
    pub protocol_type: Arc<str>,
    /// What its members have agreed on: for consumers the assignor's name. Empty while they have not.
    pub protocol: Arc<str>,
    /// The broker id of its coordinator.
    pub coordinator: i32,
    /// Where its coordinator is.
    pub coordinator_address: Address,
    /// By id.
    pub members: Vec<MemberDescription>,
}

impl GroupDescription {
    /// The member that reads a partition.
    pub fn owner(&self, partition: &TopicPartition) -> Option<&MemberDescription> {
        self.members.iter().find(|member| member.assignment.as_ref().is_some_and(|all| all.contains(partition)))
    }
}

/// A member of a classic group.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemberDescription {
    /// The id that the coordinator gave it.
    pub id: Arc<str>,
    /// Its `group.instance.id` (KIP-345). `None` also from brokers before 2.4.
    pub instance_id: Option<Arc<str>>,
    /// Its `client.id`.
    pub client_id: Arc<str>,
    /// The address that it joined from, as the coordinator sees it.
    pub host: Arc<str>,
    /// The partitions that it was given, in order. `None` where the group is none of consumers, or its leader wrote what
    /// cannot be read.
    pub assignment: Option<Vec<TopicPartition>>,
}

/// Names of the protocol as an enum: known ones, and any other.
macro_rules! named {
    ($(#[$docs:meta])* $type:ident { $($(#[$doc:meta])* $variant:ident $name:literal,)* }) => {
        $(#[$docs])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $type {
            $($(#[$doc])* $variant,)*
            /// One that this crate does not know.
            Other(Arc<str>),
        }

        impl $type {
            /// Its name in the protocol.
            pub fn as_str(&self) -> &str {
                match self {
                    $($type::$variant => $name,)*
                    $type::Other(name) => name,
                }
            }
        }

        impl From<&str> for $type {
            /// Upper and lower case are the same.
            fn from(name: &str) -> Self {
                match name {
                    $(name if name.eq_ignore_ascii_case($name) => $type::$variant,)*
                    name => $type::Other(Arc::from(name)),
                }
            }
        }

        impl FromStr for $type {
            type Err = Infallible;

            fn from_str(name: &str) -> Result<Self, Infallible> {
                Ok(name.into())
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}

named! {
    /// What a group is doing.
    GroupState {
        /// It has no member, and keeps offsets.
        Empty "Empty",
        /// Its members are joining.
        PreparingRebalance "PreparingRebalance",
        /// Its members have joined, and wait for their partitions.
        CompletingRebalance "CompletingRebalance",
        /// Its members have their partitions.
        Stable "Stable",
        /// It is going, or is not there.
        Dead "Dead",
        /// The coordinator is sharing out the partitions (KIP-848).
        Assigning "Assigning",
        /// Members are coming to what they were given (KIP-848).
        Reconciling "Reconciling",
    }
}

named! {
    /// Which protocol a group's members speak with its coordinator.
    GroupType {
        /// That of JoinGroup and SyncGroup.
        Classic "classic",
        /// The consumer protocol of KIP-848.
        Consumer "consumer",
        /// A share group (KIP-932).
        Share "share",
        /// A streams group (KIP-1071).
        Streams "streams",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_protocols_and_unknown_ones_are_kept() {
        assert_eq!(GroupState::from("preparingrebalance"), GroupState::PreparingRebalance);
        assert_eq!(GroupState::Stable.to_string(), "Stable");
        assert_eq!(GroupType::from("Classic"), GroupType::Classic);
        assert_eq!(GroupState::from("Dreaming").as_str(), "Dreaming");
    }
}
