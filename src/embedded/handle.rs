use std::{io, net::SocketAddr, sync::Arc};

use tokio::net::TcpListener;

use super::{
    builder::EmbeddedBuilder,
    caller::Door,
    host::{self, Host},
    listen::{self, Within},
    settings::Settings,
};
use crate::wire::{Address, Dial};

/// A Kafka cluster within this process, for development and tests.
///
/// It speaks Kafka's protocol as the brokers of Kafka 4.3 do, to clients within the process, and on TCP to any Kafka client.
/// It keeps records in memory, up to a limit, and drops the oldest then. `retention.bytes` and `retention.ms` of topics are honoured
/// batch by batch; topics may have `cleanup.policy=compact`, but nothing is compacted. It ends when the last handle on it is dropped: this, and
/// those that [`kafka`](Embedded::kafka) gives.
#[derive(Debug, Clone)]
pub struct Embedded {
    pub(super) host: Arc<Host>,
}

impl Embedded {
    /// One broker, reached within this process only.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn start() -> Embedded {
        Embedded::on(Settings::default())
    }

    /// As many brokers, reached within this process only.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn brokers(count: u16) -> Embedded {
        Embedded::on(Settings { brokers: count.max(1), ..Settings::default() })
    }

    /// To be configured and started.
    pub fn builder() -> EmbeddedBuilder {
        EmbeddedBuilder::default()
    }

    pub(super) fn on(settings: Settings) -> Embedded {
        Embedded::over(Host::new(settings))
    }

    pub(super) fn over(host: Arc<Host>) -> Embedded {
        tokio::spawn(host::keep_time(Arc::downgrade(&host)));
        Embedded { host }
    }

    /// `bootstrap.servers` for clients of any kind; empty if it does not listen on TCP.
    pub fn bootstrap_servers(&self) -> String {
        let servers = self.host.with(|state| {
            let brokers = state.brokers.values().filter_map(|broker| broker.tcp.as_ref());
            brokers.map(Address::to_string).collect::<Vec<_>>()
        });
        servers.join(",")
    }

    /// Where its brokers are within this process.
    pub(crate) fn memory_servers(&self) -> Vec<Address> {
        self.host.with(|state| state.brokers.values().map(|broker| broker.memory.clone()).collect())
    }

    /// What reaches them.
    pub(crate) fn dial(&self) -> Arc<dyn Dial> {
        Arc::new(Within(Arc::clone(&self.host)))
    }

    /// The members of a consumer group: the id of each, and its `group.instance.id` if it is a static one.
    pub fn group_members(&self, group: &str) -> Vec<(String, Option<String>)> {
        self.host.with(|state| state.members_of(group))
    }

    /// Ends the cluster, whoever else has a handle on it: its brokers stop, and its data directory, if it has one, is synced to
    /// the device and free for another.
    ///
    /// # Errors
    /// When the directory cannot be synced: what was written last may be lost in a power cut.
    pub fn close(self) -> io::Result<()> {
        self.host.close()
    }

    /// Another free port on which a broker listens: to clients that come here it is to be found, as they are told, where
    /// [`advertise_proxy`](Embedded::advertise_proxy) says. For the tests of this crate, which put a proxy between.
    ///
    /// # Errors
    /// When it cannot listen.
    ///
    /// # Panics
    /// Outside a tokio runtime, and if there is no such broker.
    #[doc(hidden)]
    pub async fn listen_for_proxy(&self, id: i32) -> io::Result<SocketAddr> {
        assert!(self.host.life(id).is_some(), "there is no broker {id}");
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        tokio::spawn(listen::listen(Arc::downgrade(&self.host), id, Door::Proxied, listener, address));
        Ok(address)
    }

    /// Where the proxy before a broker listens.
    #[doc(hidden)]
    pub fn advertise_proxy(&self, id: i32, proxy: SocketAddr) {
        self.host.with(|state| {
            if let Some(broker) = state.brokers.get_mut(&id) {
                broker.proxied = Some(Address::new(proxy.ip().to_string(), proxy.port()));
            }
        });
    }

    /// Stops a broker: its connections end, new ones are refused, and other replicas lead its partitions.
    pub fn stop_broker(&self, id: i32) {
        self.host.set_running(id, false);
    }

    /// Whether a broker runs; none that is not there does.
    pub fn is_running(&self, id: i32) -> bool {
        self.host.with(|state| state.is_running(id))
    }

    /// Starts a broker that was stopped.
    pub fn start_broker(&self, id: i32) {
        self.host.set_running(id, true);
    }
}
