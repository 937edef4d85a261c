//! The command line. Data on stdout, everything else on stderr; exit 0 done, 1 failed, 2 wrong usage.

mod args;
mod bench;
mod consume;
mod format;
mod produce;

use std::process::ExitCode;

use clap::Parser;
use milena::{Kafka, Properties};

use args::{Arguments, Bench, Command};

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("milena: {error}");
            ExitCode::from(1)
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), Box<dyn std::error::Error>> {
    let mut properties = Properties::from_iter([("bootstrap.servers", "localhost:9092")]);
    if let Some(file) = &arguments.config {
        properties.extend(Properties::from_file(file)?);
    }
    if let Some(brokers) = arguments.brokers {
        properties.set("bootstrap.servers", brokers);
    }
    properties.extend(Properties::from_iter(arguments.settings));
    let kafka = Kafka::with_properties(properties).await?;
    match arguments.command {
        Command::Produce(options) => produce::run(&kafka, options).await,
        Command::Consume(options) => consume::run(&kafka, options).await,
        Command::Bench(Bench::Produce(options)) => bench::produce(&kafka, options).await,
        Command::Bench(Bench::Consume(options)) => bench::consume(&kafka, options).await,
    }
}
