//! Killing, pausing and starting the nodes of the cluster under test.
//!
//! A test begins with `let Some(mut control) = support::cluster_control() else { return };` and has the cluster for
//! itself until it drops it; then every node runs again and all replicas are in sync before the next test begins.

use std::{
    collections::BTreeSet,
    thread,
    time::{Duration, Instant},
};

use milena::Kafka;

use super::{
    broker::{brokers, tool_at, try_kafka_tool},
    lock::Lock,
    proxied_cluster::ProxiedCluster,
    site::{Site, not_run},
    topics::unique,
    wait::eventually,
};

const TOPICS: &str = "org.apache.kafka.tools.TopicCommand";

/// The nodes of the cluster under test, and the right to harm them.
#[derive(Debug)]
pub struct ClusterControl {
    site: Site,
    harmed: BTreeSet<u16>,
    _alone: Lock,
}

/// The cluster that `kafka.sh` started in `MILENA_TEST_KAFKA_DIR`, once no other test uses it. Without any it says
/// loudly that the test did not run.
///
/// # Panics
/// Without any, where `CI=true` or `MILENA_TEST_REQUIRE_BROKER=1`.
pub fn cluster_control() -> Option<ClusterControl> {
    let bootstrap = brokers()?;
    let Some(site) = Site::of_environment(&bootstrap) else {
        not_run("MILENA_TEST_KAFKA_DIR names no cluster started by tests/kafka/kafka.sh");
        return None;
    };
    Some(ClusterControl { site, harmed: BTreeSet::new(), _alone: Lock::alone("nodes") })
}

impl ClusterControl {
    /// All nodes, as for `bootstrap.servers`.
    pub fn bootstrap(&self) -> String {
        self.site.servers(2)
    }

    /// Nodes have the numbers 1 to this one.
    pub fn nodes(&self) -> u16 {
        self.site.nodes
    }

    /// As by `kill -9`; returns when the process is gone.
    pub fn kill(&mut self, node: u16) {
        self.signal("kill", node);
    }

    /// An orderly end, leaders handed over; returns when the process is gone.
    pub fn stop(&mut self, node: u16) {
        self.signal("stop", node);
    }

    /// The process stands still and keeps its connections open.
    pub fn pause(&mut self, node: u16) {
        self.signal("pause", node);
    }

    /// After [`ClusterControl::pause`].
    pub fn resume(&mut self, node: u16) {
        self.signal("resume", node);
    }

    /// Returns when the node listens; see [`ClusterControl::in_sync`] for more.
    pub fn start(&mut self, node: u16) {
        self.signal("start", node);
    }

    /// Starts every node that does not run, side by side: one alone would wait for a quorum. Returns when all take part.
    pub fn start_all(&mut self) {
        if let Err(error) = self.site.up() {
            panic!("{error}");
        }
    }

    fn signal(&mut self, command: &str, node: u16) {
        assert!((1..=self.site.nodes).contains(&node), "there is no node {node}");
        self.harmed.insert(node);
        if let Err(error) = self.site.signal(command, node) {
            panic!("{error}");
        }
    }

    /// Waits until all replicas of all partitions are in sync.
    pub async fn in_sync(&self, deadline: Duration) {
        let servers = self.bootstrap();
        eventually(deadline, "all replicas are in sync", async || {
            let servers = servers.clone();
            tokio::task::spawn_blocking(move || out_of_sync(&servers)).await.expect("no panic")
        })
        .await;
    }

    /// Waits until the node that leads the partition satisfies `wanted` (`None`: nobody leads), and returns it. Asked by milena:
    /// Kafka's tool waits a minute for a controller that stands still.
    pub async fn leader(
        &self,
        deadline: Duration,
        topic: &str,
        partition: u32,
        wanted: impl Fn(Option<u16>) -> bool,
    ) -> Option<u16> {
        eventually(deadline, "the partition's leader is another", async || {
            let kafka = Kafka::connect(&self.bootstrap()).await.map_err(|error| error.to_string())?;
            let description = kafka.admin().describe_topic(topic).await.map_err(|error| error.to_string())?;
            let partition = description.partitions.get(partition as usize).ok_or("no such partition")?;
            let leader = partition.leader.map(|id| u16::try_from(id).expect("a node's number"));
            if wanted(leader) { Ok(leader) } else { Err(format!("{leader:?}")) }
        })
        .await
    }

    /// The node that coordinates a group, once it satisfies `wanted`: the leader of its partition of Kafka's own topic.
    pub async fn coordinator(&self, deadline: Duration, group: &str, wanted: impl Fn(u16) -> bool) -> u16 {
        // As Java's `String.hashCode`, and the four partitions of kafka.sh.
        let hash = group.bytes().fold(0i32, |hash, byte| hash.wrapping_mul(31).wrapping_add(byte.into()));
        let partition = (hash & 0x7fff_ffff) as u32 % 4;
        let is_wanted = |leader: Option<u16>| leader.is_some_and(&wanted);
        self.leader(deadline, "__consumer_offsets", partition, is_wanted).await.expect("it is somebody")
    }

    /// As [`super::Broker::topic`].
    pub async fn topic(&self, prefix: &str, partitions: u32) -> String {
        let name = unique(prefix);
        self.tool(TOPICS, &["--create", "--topic", &name, "--partitions", &partitions.to_string()], "").await;
        name
    }

    /// As [`super::Broker::tool`].
    pub async fn tool(&self, class: &str, args: &[&str], stdin: &str) -> String {
        tool_at(&self.bootstrap(), class, args, stdin).await
    }

    /// A proxy before each node.
    pub fn proxied(&self) -> ProxiedCluster {
        ProxiedCluster::start(self.site.clone())
    }
}

impl Drop for ClusterControl {
    fn drop(&mut self) {
        // Also after a failed test, and never a panic: the next test needs a whole cluster.
        let harmed = std::mem::take(&mut self.harmed);
        let resumed = harmed.iter().map(|node| self.site.signal("resume", *node));
        for error in resumed.chain([self.site.up()]).filter_map(Result::err) {
            eprintln!("{error}");
        }
        let end = Instant::now() + Duration::from_secs(60);
        while !harmed.is_empty()
            && let Err(partitions) = out_of_sync(&self.bootstrap())
        {
            if Instant::now() > end {
                eprintln!("not in sync after the test: {partitions}");
                break;
            }
            thread::sleep(Duration::from_millis(100));
        }
    }
}

/// The partitions with a replica that is not in sync, as an error.
fn out_of_sync(servers: &str) -> Result<(), String> {
    let output =
        try_kafka_tool(TOPICS, &["--bootstrap-server", servers, "--describe", "--under-replicated-partitions"], "");
    let found = String::from_utf8_lossy(&output.stdout);
    match (output.status.success(), found.trim()) {
        (true, "") => Ok(()),
        (true, partitions) => Err(partitions.to_owned()),
        (false, _) => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}
