use std::path::PathBuf;

use clap::{CommandFactory, Parser, Subcommand, error::ErrorKind};
use milena::OffsetSpec;

use crate::{groups::Groups, topics::Topics};

/// A Kafka client on the command line.
#[derive(Debug, Parser)]
#[command(name = "milena", version)]
pub(crate) struct Arguments {
    /// Brokers to start from, HOST:PORT, separated by commas [default: localhost:9092]
    #[arg(long, env = "KAFKA_BOOTSTRAP_SERVERS", value_name = "HOST:PORT,…")]
    pub(crate) brokers: Option<String>,
    /// A .properties file with Kafka's own setting names
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// One setting, as linger.ms=10; wins over the file
    #[arg(short = 'X', value_name = "KEY=VALUE", value_parser = setting)]
    pub(crate) settings: Vec<(String, String)>,
    /// JSON on stdout: one document, or one on each line
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

impl Arguments {
    /// What was written; ends the program where that is no usage.
    pub(crate) fn read() -> Arguments {
        let arguments = Arguments::parse();
        if let Command::Consume(Consume {
            group: Some(_),
            from: Some(OffsetSpec::At(_) | OffsetSpec::Timestamp(_)),
            ..
        }) = &arguments.command
        {
            let why = "a group goes on at what it has committed; --from may be beginning or end, for where that is \
                       nothing; see `groups reset`";
            Arguments::command().error(ErrorKind::ValueValidation, why).exit();
        }
        arguments
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List, describe, create, delete and alter topics
    #[command(subcommand)]
    Topics(Topics),
    /// List, describe, reset and delete consumer groups, and tell how far behind they are
    #[command(subcommand)]
    Groups(Groups),
    /// Send a record for each line
    Produce(Produce),
    /// Print records
    Consume(Consume),
    /// Measure throughput, latency and CPU
    #[command(subcommand)]
    Bench(Bench),
    /// Be a broker, for development and tests: in memory or in a directory, for clients on this machine
    Broker(Broker),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Broker {
    /// Where to listen; further brokers take the ports behind it, port 0 is any that is free
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:9092")]
    pub(crate) listen: String,
    /// How many brokers
    #[arg(long = "brokers", id = "broker_count", value_name = "N", default_value_t = 1,
          value_parser = clap::value_parser!(u16).range(1..=100))]
    pub(crate) count: u16,
    /// A topic that is there from the start
    #[arg(long = "topic", value_name = "NAME:PARTITIONS", value_parser = topic)]
    pub(crate) topics: Vec<(String, u32)>,
    /// Keep topics, records and committed offsets here over a restart [default: in memory only]. What is acknowledged has
    /// been written to the operating system and survives kill -9; it is synced to the device on a clean stop, so that a
    /// power cut may lose the last
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Someone who may connect, by SASL (PLAIN or SCRAM); without this, anyone may
    #[arg(long = "user", value_name = "NAME:PASSWORD", value_parser = user)]
    pub(crate) users: Vec<(String, String)>,
}

/// `alice:secret` as a name and a password.
fn user(text: &str) -> Result<(String, String), String> {
    let parts = text.split_once(':').filter(|(name, password)| !name.is_empty() && !password.is_empty());
    let parts = parts.map(|(name, password)| (name.to_owned(), password.to_owned()));
    parts.ok_or_else(|| "NAME:PASSWORD is allowed, as in alice:secret".to_owned())
}

/// `orders:6` as a name and a count.
fn topic(text: &str) -> Result<(String, u32), String> {
    let parts = text.rsplit_once(':').and_then(|(name, count)| Some((name.to_owned(), count.parse().ok()?)));
    parts.filter(|(_, count)| *count > 0).ok_or_else(|| "NAME:PARTITIONS is allowed, as in orders:6".to_owned())
}

#[derive(Debug, Subcommand)]
pub(crate) enum Bench {
    /// How fast records are sent and acknowledged
    Produce(BenchProduce),
    /// How fast records are read, from the beginning
    Consume(BenchConsume),
}

#[derive(Debug, clap::Args)]
pub(crate) struct BenchConsume {
    /// The topic
    pub(crate) topic: String,
    /// Stop after so many records [default: at the topic's end]
    #[arg(short = 'n', value_name = "COUNT", value_parser = at_least_one)]
    pub(crate) count: Option<usize>,
    /// Take each record for itself, in place of whole batches
    #[arg(long)]
    pub(crate) single: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct BenchProduce {
    /// The topic
    pub(crate) topic: String,
    /// How many records
    #[arg(short = 'n', value_name = "COUNT", default_value_t = 1_000_000, value_parser = at_least_one)]
    pub(crate) count: usize,
    /// Bytes of each record's value
    #[arg(long, value_name = "BYTES", default_value_t = 100, value_parser = record_size)]
    pub(crate) size: usize,
    /// Give each record a key of its own, 8 bytes
    #[arg(long)]
    pub(crate) key: bool,
}

fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|n| *n > 0).ok_or_else(|| "a whole number from 1 is allowed".to_owned())
}

/// No record can be larger: its batch is counted with 32 bits.
fn record_size(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|n| *n <= 1 << 30).ok_or_else(|| "a whole number up to 1073741824 is allowed".to_owned())
}

#[derive(Debug, clap::Args)]
pub(crate) struct Produce {
    /// The topic
    pub(crate) topic: String,
    /// Splits the key off each line
    #[arg(short, value_name = "SEPARATOR", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub(crate) key: Option<String>,
    /// A header for every record
    #[arg(short = 'H', value_name = "NAME=VALUE", value_parser = setting)]
    pub(crate) headers: Vec<(String, String)>,
    /// The partition, in place of the partitioner's choice
    #[arg(short, long)]
    pub(crate) partition: Option<i32>,
    /// Read lines from here in place of stdin
    #[arg(long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Consume {
    /// The topics
    #[arg(required = true)]
    pub(crate) topics: Vec<String>,
    /// As a member of this group: its members share the partitions, and what was printed is committed
    #[arg(short, long)]
    pub(crate) group: Option<String>,
    /// TOPICS are regular expressions for whole names; topics that come to match later are read too
    #[arg(long, requires = "group")]
    pub(crate) pattern: bool,
    /// Where to start: beginning, end, an offset, or a time as 2026-11-24T12:00:00Z or @MILLISECONDS [default: end]. In a
    /// group: beginning or end, where it has committed nothing yet
    #[arg(long, value_parser = place)]
    pub(crate) from: Option<OffsetSpec>,
    /// Only this partition
    #[arg(short, long, conflicts_with = "group")]
    pub(crate) partition: Option<i32>,
    /// Stop after so many records
    #[arg(short = 'n', value_name = "COUNT")]
    pub(crate) count: Option<u64>,
    /// Stop at the end
    #[arg(short = 'e')]
    pub(crate) exit_at_end: bool,
    /// %t topic, %p partition, %o offset, %k key, %s value, %T timestamp, %h headers, %K and %S lengths, %% and \n \t \r \xHH
    #[arg(short, long, default_value = "%s\\n", value_parser = crate::format::Format::parse)]
    pub(crate) format: crate::format::Format,
}

/// `beginning`, `end`, an offset, `@` and milliseconds, or a time in UTC.
pub(crate) fn place(text: &str) -> Result<OffsetSpec, String> {
    match text {
        "beginning" => Ok(OffsetSpec::Beginning),
        "end" => Ok(OffsetSpec::End),
        _ => {
            let offset = text.parse().ok().filter(|offset: &i64| *offset >= 0).map(OffsetSpec::At);
            let time = || crate::format::time(text).map(OffsetSpec::Timestamp);
            let known = offset.or_else(time);
            known
                .ok_or_else(|| "beginning, end, an offset, @MILLISECONDS or 2026-11-24T12:00:00Z is allowed".to_owned())
        }
    }
}

pub(crate) fn setting(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}
