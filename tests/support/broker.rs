//! Which cluster a test runs on, and Kafka's own tools on it.
//!
//! A test begins with `let Some(broker) = support::broker() else { return };`.

use std::{
    env,
    io::Write,
    process::{Output, Stdio},
};

use super::{
    lock::Lock,
    proxied_cluster::ProxiedCluster,
    site::{self, Site, not_run},
    topics::unique,
};

/// The cluster under test. While a test holds one, no other test kills its nodes
/// (see [`super::cluster_control`]; do not hold both).
#[derive(Debug)]
pub struct Broker {
    bootstrap: String,
    _calm: Lock,
}

/// The cluster named in `MILENA_TEST_BROKERS`. Without any it says loudly that the test did not run.
///
/// # Panics
/// Without any, where `CI=true` or `MILENA_TEST_REQUIRE_BROKER=1`.
pub fn broker() -> Option<Broker> {
    brokers().map(|bootstrap| Broker { bootstrap, _calm: Lock::shared("nodes") })
}

/// As [`broker`], only the bootstrap servers: nothing keeps other tests from killing nodes meanwhile.
pub fn brokers() -> Option<String> {
    match env::var("MILENA_TEST_BROKERS") {
        Ok(servers) if !servers.trim().is_empty() => Some(servers),
        _ => {
            not_run("MILENA_TEST_BROKERS is not set; start one with tests/kafka/kafka.sh up");
            None
        }
    }
}

impl Broker {
    /// As for `bootstrap.servers`.
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// A new topic with a name of its own.
    pub async fn topic(&self, prefix: &str, partitions: u32) -> String {
        self.topic_with(prefix, partitions, &[]).await
    }

    /// As [`Broker::topic`], with settings such as `segment.bytes=1000000`.
    pub async fn topic_with(&self, prefix: &str, partitions: u32, settings: &[&str]) -> String {
        let name = unique(prefix);
        let mut args = vec!["--create".to_owned(), "--topic".into(), name.clone()];
        args.extend(["--partitions".into(), partitions.to_string()]);
        args.extend(settings.iter().flat_map(|setting| ["--config".to_owned(), (*setting).into()]));
        let args = args.iter().map(String::as_str).collect::<Vec<_>>();
        self.tool("org.apache.kafka.tools.TopicCommand", &args, "").await;
        name
    }

    /// Runs one of Kafka's tools against this cluster: `--bootstrap-server` goes before `args`. What it prints.
    /// The runtime goes on meanwhile.
    pub async fn tool(&self, class: &str, args: &[&str], stdin: &str) -> String {
        tool_at(&self.bootstrap, class, args, stdin).await
    }

    /// A proxy before each node. None (loudly) if this cluster has no listeners for proxies.
    pub fn proxied(&self) -> Option<ProxiedCluster> {
        let site = Site::of_environment(&self.bootstrap);
        if site.is_none() {
            not_run("MILENA_TEST_KAFKA_DIR names no cluster started by tests/kafka/kafka.sh");
        }
        site.map(ProxiedCluster::start)
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

/// A new topic, made by Kafka's own tool.
pub fn create_topic(brokers: &str, name: &str, partitions: u32) {
    let partitions = partitions.to_string();
    let args = ["--bootstrap-server", brokers, "--create", "--topic", name, "--partitions", &partitions];
    kafka_tool("org.apache.kafka.tools.TopicCommand", &args);
}
