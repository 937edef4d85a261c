//! A proxy before each node of the cluster under test, on the ports that the nodes tell their clients.

use std::net::SocketAddr;

use super::{
    in_process::InProcess,
    lock::Lock,
    proxy::{Direction, Fault, FaultGuard, Filter, Proxy},
    site::Site,
};

/// What the nodes listen on, and what they say that they listen on.
const LISTENER: u16 = 7;
const ADVERTISED: u16 = 8;

/// One proxy a node. A client that starts at [`ProxiedCluster::bootstrap`] never meets a node but through its proxy.
///
/// The ports of a real cluster are fixed, so only one test has it at a time. It comes from [`super::Broker::proxied`] or
/// [`super::ClusterControl::proxied`]: locks are always taken in this order, nodes before ports.
#[derive(Debug)]
pub struct ProxiedCluster {
    // Dropped in this order: the ports are free again before the next test may have them.
    proxies: Vec<Proxy>,
    bootstrap: String,
    /// Of a real cluster, whose ports are fixed.
    _ports: Option<Lock>,
}

impl ProxiedCluster {
    pub(super) fn start(site: Site) -> ProxiedCluster {
        let ports = Lock::alone(&format!("ports-{}", site.base_port));
        let start = |node| {
            let address = |listener| format!("127.0.0.1:{}", site.port(node, listener));
            Proxy::start(&address(ADVERTISED), &address(LISTENER)).expect("a proxy's port is free")
        };
        let proxies = (1..=site.nodes).map(start).collect();
        ProxiedCluster { proxies, bootstrap: site.servers(ADVERTISED), _ports: Some(ports) }
    }

    pub(super) fn before_embedded(embedded: &InProcess) -> ProxiedCluster {
        let start = |(id, upstream): (i32, &SocketAddr)| {
            let proxy = Proxy::start("127.0.0.1:0", &upstream.to_string()).expect("a free port");
            embedded.embedded().advertise_proxy(id, proxy.address());
            proxy
        };
        let proxies = (1..).zip(embedded.behind_proxies()).map(start).collect::<Vec<_>>();
        let bootstrap = proxies.iter().map(Proxy::bootstrap).collect::<Vec<_>>().join(",");
        ProxiedCluster { proxies, bootstrap, _ports: None }
    }

    /// All proxies, as for `bootstrap.servers`.
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// The proxy before a node; nodes are numbered from 1.
    pub fn node(&self, node: u16) -> &Proxy {
        &self.proxies[usize::from(node) - 1]
    }

    pub fn proxies(&self) -> &[Proxy] {
        &self.proxies
    }

    /// The same fault on every proxy, each counting for itself.
    #[must_use = "dropping the guards removes the fault"]
    pub fn on_each(&self, filter: Filter, fault: impl Fn() -> Fault) -> Vec<FaultGuard> {
        self.proxies.iter().map(|proxy| proxy.on(filter, fault())).collect()
    }

    /// Nothing passes in either direction, on old connections and new ones, until the guards are dropped.
    #[must_use = "dropping the guards removes the fault"]
    pub fn freeze(&self) -> Vec<FaultGuard> {
        self.on_each(Filter::any(), || Fault::Stall(Direction::Both))
    }

    /// Requests of one API that the clients sent, over all nodes.
    pub fn requests(&self, api: i16) -> u64 {
        self.proxies.iter().map(|proxy| proxy.counts().requests(api)).sum()
    }

    /// Answers of one API that reached the clients, over all nodes.
    pub fn answers(&self, api: i16) -> u64 {
        self.proxies.iter().map(|proxy| proxy.counts().answers(api)).sum()
    }

    /// Removes every fault.
    pub fn clear(&self) {
        self.proxies.iter().for_each(Proxy::clear);
    }

    /// Closes every connection; new ones are accepted.
    pub fn cut_all(&self) {
        self.proxies.iter().for_each(Proxy::cut_all);
    }
}
