//! The embedded broker, as three nodes within the test's process, reached over TCP as any cluster is.
//!
//! It lives on threads of its own: it answers while a test blocks its runtime, and when that has ended.

use std::{net::SocketAddr, sync::mpsc, thread, time::Duration};

use milena::{ConfigChange, ConfigResource, Embedded};
use tokio::sync::oneshot;

pub const NODES: u16 = 3;

/// A running cluster, which ends when dropped.
#[derive(Debug)]
pub struct InProcess {
    embedded: Embedded,
    /// Where each node listens for those who come through a proxy.
    behind_proxies: Vec<SocketAddr>,
    _stop: oneshot::Sender<()>,
}

impl InProcess {
    /// A new cluster with the settings of `tests/kafka/kafka.sh`, as far as tests go by them.
    pub fn start() -> InProcess {
        let (tell, told) = mpsc::channel();
        let (stop, stopped) = oneshot::channel();
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
            let runtime = runtime.expect("a runtime");
            runtime.block_on(async {
                let builder = Embedded::builder().brokers(NODES).listen("127.0.0.1:0").auto_create_topics(false);
                let builder = builder.default_partitions(3).min_session_timeout(Duration::from_secs(1));
                let embedded = builder.start().await.expect("free ports");
                let admin = embedded.kafka().await.expect("it answers").admin();
                let two = ConfigChange::set("min.insync.replicas", "2");
                admin.alter_configs(&ConfigResource::BrokerDefaults, [two]).await.expect("a setting");
                let mut behind_proxies = Vec::new();
                for id in 1..=NODES {
                    behind_proxies.push(embedded.listen_for_proxy(id.into()).await.expect("a free port"));
                }
                tell.send((embedded, behind_proxies)).expect("it is waited for");
                // An error is the end too.
                let _ = stopped.await;
            });
            runtime.shutdown_background();
        });
        let (embedded, behind_proxies) = told.recv().expect("the broker starts");
        InProcess { embedded, behind_proxies, _stop: stop }
    }

    pub fn embedded(&self) -> &Embedded {
        &self.embedded
    }

    /// As for `bootstrap.servers`.
    pub fn bootstrap(&self) -> String {
        self.embedded.bootstrap_servers()
    }

    pub fn behind_proxies(&self) -> &[SocketAddr] {
        &self.behind_proxies
    }
}
