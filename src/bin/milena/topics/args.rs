use clap::{ArgGroup, Args, Subcommand, value_parser};

use crate::args::setting;

#[derive(Debug, Subcommand)]
pub(crate) enum Topics {
    /// The topics that there are, a line each
    List(List),
    /// Who leads and holds each partition, and what is set on the topic
    Describe(Describe),
    /// Make a topic
    Create(Create),
    /// Delete topics with all their records
    Delete(Delete),
    /// Add partitions, change settings
    Alter(Alter),
}

#[derive(Debug, Args)]
pub(crate) struct List {
    /// Kafka's own topics too
    #[arg(long)]
    pub(crate) internal: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Describe {
    /// The topics
    #[arg(required = true, value_name = "TOPIC")]
    pub(crate) topics: Vec<String>,
    /// Every setting with its source, not only those set on the topic
    #[arg(long)]
    pub(crate) all: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Create {
    /// Its name
    pub(crate) topic: String,
    /// How many partitions [default: the broker's num.partitions]
    #[arg(long, value_name = "N", value_parser = value_parser!(i32).range(1..))]
    pub(crate) partitions: Option<i32>,
    /// How many replicas of each partition [default: the broker's default.replication.factor]
    #[arg(long, value_name = "N", value_parser = value_parser!(i16).range(1..))]
    pub(crate) replication: Option<i16>,
    /// A setting, as retention.ms=86400000
    #[arg(short = 'c', long = "set", value_name = "KEY=VALUE", value_parser = setting)]
    pub(crate) configs: Vec<(String, String)>,
    /// Done if a topic of this name is there already, whatever it is like
    #[arg(long)]
    pub(crate) if_not_exists: bool,
    /// Let the cluster check it, and do nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Delete {
    /// The topics
    #[arg(required = true, value_name = "TOPIC")]
    pub(crate) topics: Vec<String>,
    /// Done if there is no such topic
    #[arg(long)]
    pub(crate) if_exists: bool,
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("changes").required(true).multiple(true).args(["partitions", "configs", "deleted"]))]
pub(crate) struct Alter {
    /// Its name
    pub(crate) topic: String,
    /// How many partitions it is to have, more than now
    #[arg(long, value_name = "N", value_parser = value_parser!(i32).range(1..))]
    pub(crate) partitions: Option<i32>,
    /// A setting to change, as retention.ms=86400000
    #[arg(short = 'c', long = "set", value_name = "KEY=VALUE", value_parser = setting)]
    pub(crate) configs: Vec<(String, String)>,
    /// A setting to take away, so that the broker's counts
    #[arg(short = 'd', long = "unset", value_name = "KEY")]
    pub(crate) deleted: Vec<String>,
    /// Let the cluster check it, and do nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}
