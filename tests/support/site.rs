//! The cluster that `tests/kafka/kafka.sh` started in `MILENA_TEST_KAFKA_DIR`: its nodes, its ports, and the script itself.

use std::{
    env,
    fs::{self, File},
    path::PathBuf,
    process::{Command, Stdio},
};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/kafka/kafka.sh");

/// Under CI, or where a broker is required, nothing may be skipped.
pub fn required() -> bool {
    env::var("CI").is_ok_and(|ci| ci == "true") || env::var("MILENA_TEST_REQUIRE_BROKER").is_ok_and(|it| it == "1")
}

/// Says loudly that the calling test does not run.
///
/// # Panics
/// Where nothing may be skipped.
pub fn not_run(why: &str) {
    assert!(!required(), "{why}, and nothing may be skipped here");
    eprintln!("THIS TEST DID NOT RUN: {why}");
}

/// `kafka.sh`, with the environment of the cluster under test.
pub fn script() -> Command {
    let mut command = Command::new(SCRIPT);
    if let Ok(dir) = env::var("MILENA_TEST_KAFKA_DIR") {
        command.env("KAFKA_DIR", dir);
    }
    command
}

/// Where the nodes are. Ports as laid out in the head of `kafka.sh`.
#[derive(Debug, Clone)]
pub struct Site {
    pub nodes: u16,
    pub base_port: u16,
}

impl Site {
    /// None if `MILENA_TEST_KAFKA_DIR` names no cluster of `kafka.sh`.
    ///
    /// # Panics
    /// If it names another cluster than `bootstrap`: faults would hit one, and the test's clients use the other.
    pub fn of_environment(bootstrap: &str) -> Option<Site> {
        let dir = PathBuf::from(env::var_os("MILENA_TEST_KAFKA_DIR")?);
        let properties = fs::read_to_string(dir.join("node1.properties")).ok()?;
        let voters = properties.lines().find_map(|line| line.strip_prefix("controller.quorum.voters="))?;
        let first: u16 = voters.split(',').next()?.rsplit(':').next()?.parse().ok()?;
        let site = Site { nodes: u16::try_from(voters.split(',').count()).ok()?, base_port: first - 13 };
        let ours = (1..=site.nodes).any(|node| bootstrap.contains(&format!(":{}", site.port(node, 2))));
        assert!(ours, "MILENA_TEST_BROKERS={bootstrap} is not the cluster in MILENA_TEST_KAFKA_DIR={}", dir.display());
        Some(site)
    }

    pub fn port(&self, node: u16, listener: u16) -> u16 {
        self.base_port + 10 * node + listener
    }

    /// `host:port` of each node's `listener`, with commas.
    pub fn servers(&self, listener: u16) -> String {
        let each = (1..=self.nodes).map(|node| format!("localhost:{}", self.port(node, listener)));
        each.collect::<Vec<_>>().join(",")
    }

    /// Runs `kafka.sh COMMAND NODE`; what it printed on stderr if it failed.
    pub fn signal(&self, command: &str, node: u16) -> Result<(), String> {
        self.run(&[command, &node.to_string()])
    }

    /// Starts all nodes that do not run.
    pub fn up(&self) -> Result<(), String> {
        self.run(&["up"])
    }

    fn run(&self, args: &[&str]) -> Result<(), String> {
        // `start` writes the node's configuration anew, so it must know these two.
        let (nodes, base) = (self.nodes.to_string(), self.base_port.to_string());
        let log = tempfile();
        let status = script()
            .args(args)
            .envs([("NODES", nodes), ("BASE_PORT", base)])
            // A pipe would stay open in the node and be waited for.
            .stdout(Stdio::null())
            .stderr(File::create(&log).map_err(|error| error.to_string())?)
            .status();
        let said = fs::read_to_string(&log).unwrap_or_default();
        let _ = fs::remove_file(&log);
        match status {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(format!("kafka.sh {}: {status}: {said}", args.join(" "))),
            Err(error) => Err(format!("{SCRIPT}: {error}")),
        }
    }
}

fn tempfile() -> PathBuf {
    env::temp_dir().join(super::topics::unique("milena-test-kafka-sh"))
}
