//! The admin client: topics, configs, and the deletion of records.
//!
//! Imports: `cluster`, `wire`, `config`, `model`, `time`.
//!
//! In reading order:
//! - `handle`: [`Admin`], what a user holds
//! - `topics`, `new_topic`: creating, growing and deleting topics
//! - `describe`: what topics there are, and who leads and holds their partitions
//! - `configs`, `resource`: what is set on a topic, a broker, a group
//! - `records`: deleting records up to an offset
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
mod handle;
mod ledger;
mod new_topic;
mod records;
mod resource;
mod spread;
mod topics;

pub use describe::{PartitionDescription, TopicDescription, TopicListing};
pub use dry_run::DryRun;
pub use error::AdminError;
pub use handle::{Admin, PerTopic};
pub use new_topic::{CreatedTopic, NewTopic};
pub use resource::{ConfigChange, ConfigEntry, ConfigResource, ConfigSource};

pub(crate) use config::{ADMIN_KEYS, AdminConfig};
