//! The command line. Data on stdout, everything else on stderr; exit 0 done, 1 failed, 2 wrong usage.

mod args;
mod bench;
mod broker;
mod consume;
mod consume_group;
mod format;
mod groups;
mod output;
mod produce;
mod stop;
mod topics;

use std::{error::Error, io, process::ExitCode};

use milena::{ConfigError, ConnectError, ConsumeError, EmbeddedError, Kafka, Properties};
use tokio::runtime::{Builder, Runtime};

use args::{Arguments, Bench, Command};

fn main() -> ExitCode {
    let arguments = Arguments::read();
    // What the library warns of, such as brokers that do not answer, so that an outage does not look like a hang.
    tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_max_level(tracing::Level::WARN)
        .with_target(false)
        .without_time()
        .init();
    let ended = match runtime_for(&arguments.command) {
        Ok(runtime) => runtime.block_on(run(arguments)),
        Err(error) => Err(error.into()),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads has enough, as `head`.
        Err(error) if error.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe) => {
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("milena: {error}");
            ExitCode::from(if is_usage(&*error) { 2 } else { 1 })
        }
    }
}

fn runtime_for(command: &Command) -> io::Result<Runtime> {
    let mut builder = Builder::new_multi_thread();
    if matches!(command, Command::Broker(_)) {
        // Memory that one thread gave back, allocators keep for that thread: with more of them the broker would hold twice the
        // records that it may, and it would be no faster.
        builder.worker_threads(1);
    }
    builder.enable_all().build()
}

/// Whether a setting, a pattern, a topic or an address is wrong, in place of what was to be done with it.
fn is_usage(error: &(dyn Error + 'static)) -> bool {
    error.is::<ConfigError>()
        || matches!(error.downcast_ref(), Some(ConnectError::Config(_)))
        || matches!(error.downcast_ref(), Some(ConsumeError::Config(_) | ConsumeError::Pattern { .. }))
        || match error.downcast_ref() {
            Some(EmbeddedError::Topic(_)) => true,
            // No address, in place of one that is not free.
            Some(EmbeddedError::Listen { source, .. }) => source.kind() == io::ErrorKind::InvalidInput,
            _ => false,
        }
}

async fn run(arguments: Arguments) -> Result<(), Box<dyn Error>> {
    let command = match arguments.command {
        Command::Broker(options) => return broker::run(options).await,
        command => command,
    };
    let mut properties = Properties::from_iter([("bootstrap.servers", "localhost:9092")]);
    if let Some(file) = &arguments.config {
        properties.extend(Properties::from_file(file)?);
    }
    if let Some(brokers) = arguments.brokers {
        properties.set("bootstrap.servers", brokers);
    }
    properties.extend(Properties::from_iter(arguments.settings));
    let kafka = Kafka::with_properties(properties).await?;
    match command {
        Command::Broker(_) => unreachable!("it needs no cluster, and has returned above"),
        Command::Topics(command) => topics::run(&kafka, command, arguments.json).await,
        Command::Groups(command) => groups::run(&kafka, command, arguments.json).await,
        Command::Produce(options) => produce::run(&kafka, options).await,
        Command::Consume(options) => consume::run(&kafka, options, arguments.json).await,
        Command::Bench(Bench::Produce(options)) => bench::produce(&kafka, options, arguments.json).await,
        Command::Bench(Bench::Consume(options)) => bench::consume(&kafka, options, arguments.json).await,
    }
}
