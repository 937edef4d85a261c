//! What clients may do, as bits by the numbers of Kafka's `AclOperation`: nothing is forbidden.

/// Where it was not asked for.
pub(super) const UNKNOWN: i32 = i32::MIN;
/// Read, Write, Create, Delete, Alter, Describe, DescribeConfigs, AlterConfigs.
pub(super) const ALL_ON_TOPICS: i32 = 1 << 3 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 7 | 1 << 8 | 1 << 10 | 1 << 11;
/// Create, Alter, Describe, ClusterAction, DescribeConfigs, AlterConfigs, IdempotentWrite.
pub(super) const ALL_ON_THE_CLUSTER: i32 = 1 << 5 | 1 << 7 | 1 << 8 | 1 << 9 | 1 << 10 | 1 << 11 | 1 << 12;
