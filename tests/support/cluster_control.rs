//! Killing, pausing and starting the nodes of the cluster under test.
//!
//! A test begins with `let mut control = support::cluster_control();`, or with `real_cluster_control` if it has to do with
//! processes, and has the cluster for itself until it drops it; then every node runs again and all replicas are in sync before
//! the next test begins.

use std::{
    collections::BTreeSet,
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};

use milena::Kafka;

use super::{
    broker::{real_brokers, try_kafka_tool},
    in_process::{self, InProcess},
    lock::Lock,
    proxied_cluster::ProxiedCluster,
    site::{Site, not_run},
    topics::new_topic,
    wait::eventually,
};

const TOPICS: &str = "org.apache.kafka.tools.TopicCommand";

/// The nodes of the cluster under test, and the right to harm them.
#[derive(Debug)]
pub struct ClusterControl {
    nodes: Nodes,
    harmed: BTreeSet<u16>,
}

#[derive(Debug)]
enum Nodes {
    Embedded(InProcess),
    Kafka { site: Site, _alone: Lock },
}

/// The cluster that `kafka.sh` started in `MILENA_TEST_KAFKA_DIR`, once no other test uses it; or else a new one of the embedded
/// broker. None, said loudly, if `MILENA_TEST_BROKERS` names another.
///
/// # Panics
/// If it names another, where `CI=true` or `MILENA_TEST_REQUIRE_BROKER=1`.
pub fn cluster_control() -> Option<ClusterControl> {
    match real_brokers() {
        Some(bootstrap) => of_site(&bootstrap),
        None => Some(ClusterControl { nodes: Nodes::Embedded(InProcess::start()), harmed: BTreeSet::new() }),
    }
}

/// As [`cluster_control`], for a test that needs processes; see [`super::real_kafka_only`].
pub fn real_cluster_control(why: &str) -> Option<ClusterControl> {
    let Some(bootstrap) = real_brokers() else {
        not_run(&format!("it is for real Kafka only ({why}), and MILENA_TEST_BROKERS names none"));
        return None;
    };
    of_site(&bootstrap)
}

fn of_site(bootstrap: &str) -> Option<ClusterControl> {
    let Some(site) = Site::of_environment(bootstrap) else {
        not_run("MILENA_TEST_KAFKA_DIR names no cluster started by tests/kafka/kafka.sh");
        return None;
    };
    Some(ClusterControl { nodes: Nodes::Kafka { site, _alone: Lock::alone("nodes") }, harmed: BTreeSet::new() })
}

impl ClusterControl {
    /// All nodes, as for `bootstrap.servers`.
    pub fn bootstrap(&self) -> String {
        match &self.nodes {
            Nodes::Embedded(embedded) => embedded.bootstrap(),
            Nodes::Kafka { site, .. } => site.servers(2),
        }
    }

    /// Whether it is Kafka's own.
    pub fn is_real(&self) -> bool {
        matches!(self.nodes, Nodes::Kafka { .. })
    }

    /// Nodes have the numbers 1 to this one.
    pub fn nodes(&self) -> u16 {
        match &self.nodes {
            Nodes::Embedded(_) => in_process::NODES,
            Nodes::Kafka { site, .. } => site.nodes,
        }
    }

    /// As by `kill -9`; returns when the process is gone, or the embedded broker takes no connections.
    pub fn kill(&mut self, node: u16) {
        match &self.nodes {
            Nodes::Embedded(embedded) => embedded.embedded().stop_broker(node.into()),
            Nodes::Kafka { .. } => self.signal("kill", node),
        }
    }

    /// An orderly end, leaders handed over; returns when the process is gone.
    pub fn stop(&mut self, node: u16) {
        match &self.nodes {
            Nodes::Embedded(_) => self.kill(node),
            Nodes::Kafka { .. } => self.signal("stop", node),
        }
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
        match &self.nodes {
            Nodes::Embedded(embedded) => {
                embedded.embedded().start_broker(node.into());
                let address = embedded.bootstrap().split(',').nth(usize::from(node) - 1).expect("a node").to_owned();
                let end = Instant::now() + Duration::from_secs(20);
                while let Err(error) = TcpStream::connect(&address) {
                    assert!(Instant::now() < end, "node {node} does not listen: {error}");
                    thread::sleep(Duration::from_millis(2));
                }
            }
            Nodes::Kafka { .. } => self.signal("start", node),
        }
    }

    /// Starts every node that does not run, side by side: one alone would wait for a quorum. Returns when all take part.
    pub fn start_all(&mut self) {
        match &self.nodes {
            Nodes::Embedded(_) => (1..=in_process::NODES).for_each(|node| self.start(node)),
            Nodes::Kafka { site, .. } => site.up().unwrap_or_else(|error| panic!("{error}")),
        }
    }

    fn signal(&mut self, command: &str, node: u16) {
        let Nodes::Kafka { site, .. } = &self.nodes else { panic!("an embedded broker is no process to {command}") };
        assert!((1..=site.nodes).contains(&node), "there is no node {node}");
        self.harmed.insert(node);
        if let Err(error) = site.signal(command, node) {
            panic!("{error}");
        }
    }

    /// Waits until all replicas of all partitions are in sync.
    pub async fn in_sync(&self, deadline: Duration) {
        if !self.is_real() {
            return;
        }
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
        new_topic(&self.bootstrap(), prefix, partitions as i32).await
    }

    /// A proxy before each node.
    pub fn proxied(&self) -> ProxiedCluster {
        match &self.nodes {
            Nodes::Embedded(embedded) => ProxiedCluster::before_embedded(embedded),
            Nodes::Kafka { site, .. } => ProxiedCluster::start(site.clone()),
        }
    }
}

impl Drop for ClusterControl {
    fn drop(&mut self) {
        // Also after a failed test, and never a panic: the next test needs a whole cluster.
        let Nodes::Kafka { site, .. } = &self.nodes else { return };
        let harmed = std::mem::take(&mut self.harmed);
        let resumed = harmed.iter().map(|node| site.signal("resume", *node));
        for error in resumed.chain([site.up()]).filter_map(Result::err) {
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
