//! Which cluster a test runs on: the embedded broker, a new one for each test, or the real Kafka that `MILENA_TEST_BROKERS`
//! names. A test begins with `let broker = support::broker();`.
//!
//! What needs more than a broker (Kafka's tools and Java's client, processes to be killed) is for real Kafka alone; a test of
//! it begins with `let Some(broker) = support::real_kafka_only("why") else { return };`.

use std::{
    env,
    io::Write,
    process::{Output, Stdio},
};

use milena::Embedded;

use super::{
    in_process::InProcess,
    lock::Lock,
    proxied_cluster::ProxiedCluster,
    site::{self, Site, not_run},
    topics::{new_topic, new_topic_with},
};

/// The cluster under test. While a test holds one that is real, no other test kills its nodes
/// (see [`super::cluster_control`]; do not hold both).
#[derive(Debug)]
pub struct Broker {
    bootstrap: String,
    which: Which,
}

#[derive(Debug)]
enum Which {
    Embedded(InProcess),
    Kafka { _calm: Lock },
}

/// The cluster named in `MILENA_TEST_BROKERS`, or else a new one of the embedded broker.
pub fn broker() -> Broker {
    real_broker().unwrap_or_else(|| {
        let embedded = InProcess::start();
        Broker { bootstrap: embedded.bootstrap(), which: Which::Embedded(embedded) }
    })
}

/// The cluster named in `MILENA_TEST_BROKERS`. Without any it says loudly that the test did not run, and why it cannot run on the
/// embedded broker.
///
/// # Panics
/// Without any, where `CI=true` or `MILENA_TEST_REQUIRE_BROKER=1`.
pub fn real_kafka_only(why: &str) -> Option<Broker> {
    let broker = real_broker();
    if broker.is_none() {
        not_run(&format!("it is for real Kafka only ({why}), and MILENA_TEST_BROKERS names none"));
    }
    broker
}

fn real_broker() -> Option<Broker> {
    let bootstrap = real_brokers()?;
    Some(Broker { bootstrap, which: Which::Kafka { _calm: Lock::shared("nodes") } })
}

/// What `MILENA_TEST_BROKERS` names: nothing keeps other tests from killing nodes meanwhile.
pub(super) fn real_brokers() -> Option<String> {
    env::var("MILENA_TEST_BROKERS").ok().filter(|servers| !servers.trim().is_empty())
}

impl Broker {
    /// As for `bootstrap.servers`.
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// Whether it is Kafka's own.
    pub fn is_real(&self) -> bool {
        matches!(self.which, Which::Kafka { .. })
    }

    /// The embedded broker, if this is one.
    pub fn embedded(&self) -> Option<&Embedded> {
        match &self.which {
            Which::Embedded(embedded) => Some(embedded.embedded()),
            Which::Kafka { .. } => None,
        }
    }

    /// A new topic with a name of its own, which every node knows.
    pub async fn topic(&self, prefix: &str, partitions: u32) -> String {
        new_topic(&self.bootstrap, prefix, partitions as i32).await
    }

    /// As [`Broker::topic`], with settings such as `segment.bytes=1000000`.
    pub async fn topic_with(&self, prefix: &str, partitions: u32, settings: &[&str]) -> String {
        new_topic_with(&self.bootstrap, prefix, partitions as i32, settings).await
    }

    /// Runs one of Kafka's tools against this cluster: `--bootstrap-server` goes before `args`. What it prints.
    /// The runtime goes on meanwhile. None on the embedded broker: its tests need no Java.
    pub async fn tool(&self, class: &str, args: &[&str], stdin: &str) -> Option<String> {
        if self.is_real() { Some(tool_at(&self.bootstrap, class, args, stdin).await) } else { None }
    }

    /// A proxy before each node. None (loudly) if this cluster has no listeners for proxies.
    pub fn proxied(&self) -> Option<ProxiedCluster> {
        match &self.which {
            Which::Embedded(embedded) => Some(ProxiedCluster::before_embedded(embedded)),
            Which::Kafka { .. } => {
                let site = Site::of_environment(&self.bootstrap);
                if site.is_none() {
                    not_run("MILENA_TEST_KAFKA_DIR names no cluster started by tests/kafka/kafka.sh");
                }
                site.map(ProxiedCluster::start)
            }
        }
    }
}

/// Runs one of Kafka's tools with `--bootstrap-server servers` before `args`, off the runtime's threads.
pub async fn tool_at(servers: &str, class: &str, args: &[&str], stdin: &str) -> String {
    let (class, stdin) = (class.to_owned(), stdin.to_owned());
    let args = ["--bootstrap-server", servers].iter().chain(args).map(|arg| (*arg).to_owned()).collect::<Vec<_>>();
    let run = move || kafka_tool_with(&class, &args.iter().map(String::as_str).collect::<Vec<_>>(), &stdin);
    match tokio::task::spawn_blocking(run).await {
        Ok(printed) => printed,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

/// Runs one of Kafka's own tools and blocks the thread; what it prints.
///
/// # Panics
/// If the tool fails, with what it said.
pub fn kafka_tool(class: &str, args: &[&str]) -> String {
    kafka_tool_with(class, args, "")
}

/// As [`kafka_tool`], with `stdin` as its input.
pub fn kafka_tool_with(class: &str, args: &[&str], stdin: &str) -> String {
    let output = try_kafka_tool(class, args, stdin);
    assert!(output.status.success(), "{class}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("the tool prints text")
}

/// As [`kafka_tool_with`], for a tool that may fail.
pub fn try_kafka_tool(class: &str, args: &[&str], stdin: &str) -> Output {
    let mut command = site::script();
    command.arg("run").arg(class).args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut tool = command.spawn().expect("kafka.sh runs");
    let mut input = tool.stdin.take().expect("a pipe");
    std::thread::scope(|scope| {
        // Beside the reading: with both pipes full neither side would go on. A tool may also end without reading it all.
        scope.spawn(move || input.write_all(stdin.as_bytes()));
        tool.wait_with_output().expect("the tool ends")
    })
}
