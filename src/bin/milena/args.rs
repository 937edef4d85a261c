use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::topics::Topics;

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

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List, describe, create, delete and alter topics
    #[command(subcommand)]
    Topics(Topics),
    /// Send a record for each line
    Produce(Produce),
    /// Measure how fast records are sent and acknowledged
    Bench(Bench),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Bench {
    /// The topic
    pub(crate) topic: String,
    /// How many records
    #[arg(short = 'n', value_name = "COUNT", default_value_t = 1_000_000, value_parser = at_least_one)]
    pub(crate) count: usize,
    /// Bytes of each record's value
    #[arg(long, value_name = "BYTES", default_value_t = 100)]
    pub(crate) size: usize,
    /// Give each record a key of its own, 8 bytes
    #[arg(long)]
    pub(crate) key: bool,
}

fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|n| *n > 0).ok_or_else(|| "a whole number from 1 is allowed".to_owned())
}

#[derive(Debug, clap::Args)]
pub(crate) struct Produce {
    /// The topic
    pub(crate) topic: String,
    /// Splits the key off each line
    #[arg(short, value_name = "SEPARATOR")]
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

pub(crate) fn setting(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}
