//! The admin client: topics, configs, groups and their offsets, and the deletion of records.
//!
//! Imports: `cluster`, `wire`, `config`, `model`, `time`.
//!
//! In reading order:
//! - `handle`: [`Admin`], what a user holds
//! - `topics`, `new_topic`: creating, growing and deleting topics
//! - `describe`: what topics there are, and who leads and holds their partitions
//! - `configs`, `resource`: what is set on a topic, a broker, a group
//! - `records`: deleting records up to an offset
//! - `group`: [`GroupListing`], [`GroupDescription`]: what is told of groups
//! - `groups`: listing, describing and deleting groups
//! - `group_offsets`: what a group has committed; committing for it, and forgetting
//! - `group_lag`: how far behind the logs' ends a group is
//! - `reset`: [`ResetTo`], moving a group's offsets
//! - `log_offsets`: offsets that the partitions' leaders are asked for
//! - `dry_run`: [`DryRun`], changes that are checked and not made
//! - `exchange`: one request, sent again until each thing that it asks for has its answer
//! - `ledger`: pure: which of the things asked for at once are still open
//! - `spread`: waiting until every broker has heard of a change
//! - `config`, `error`: settings and their defaults; [`AdminError`]

mod config;
mod configs;
mod describe;
mod dry_run;
mod error;
mod exchange;
mod group;
mod group_lag;
mod group_offsets;
mod groups;
mod handle;
mod ledger;
mod log_offsets;
mod new_topic;
mod records;
mod reset;
mod resource;
mod spread;
mod topics;

pub use describe::{PartitionDescription, TopicDescription, TopicListing};
pub use dry_run::DryRun;
pub use error::AdminError;
pub use group::{GroupDescription, GroupListing, GroupState, GroupType, MemberDescription};
pub use group_lag::{GroupLag, PartitionLag};
pub use handle::{Admin, PerPartition, PerTopic};
pub use new_topic::{CreatedTopic, NewTopic};
pub use reset::{OffsetChange, ResetTo};
pub use resource::{ConfigChange, ConfigEntry, ConfigResource, ConfigSource};

pub(crate) use config::{ADMIN_KEYS, AdminConfig};
