//! A TCP proxy that reads Kafka's frames, so that a test can break exactly one request or answer.
//!
//! ```ignore
//! let proxy = Proxy::start("127.0.0.1:0", "localhost:9092")?;
//! let fault = proxy.on(Filter::api(0).nth(1), Fault::CutBeforeAnswer);   // until dropped
//! // … a client works against proxy.address() …
//! fault.until_fired(1, DEADLINE).await;
//! assert_eq!(proxy.counts().requests(0), 2);
//! ```
//!
//! It runs on a thread of its own: it works while the test blocks, and its ports are free when it has been dropped.
//!
//! - `rule`: which frames, and what happens to them
//! - `connection`: one connection's frames, both ways
//! - `counts`: what passed

mod connection;
mod counts;
mod rule;

use std::{
    io,
    net::{SocketAddr, TcpListener as StdListener},
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{
    net::TcpListener,
    sync::{oneshot, watch},
    time::timeout,
};

pub use counts::{Counts, Traffic};
pub use rule::{Direction, Fault, Filter};
use rule::{Phase, Rule, Rules};

/// One listening port and the address behind it.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    upstream: String,
    rules: Rules,
    counts: Mutex<Counts>,
    /// How often every connection was told to close.
    cuts: watch::Sender<u64>,
}

impl Proxy {
    /// Listens at once; connects to `upstream` once for each connection, when it comes.
    ///
    /// # Errors
    /// If it cannot listen at `listen`, such as `127.0.0.1:0`.
    pub fn start(listen: &str, upstream: &str) -> io::Result<Proxy> {
        let listener = StdListener::bind(listen)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            upstream: upstream.to_owned(),
            rules: Rules::default(),
            counts: Mutex::default(),
            cuts: watch::Sender::new(0),
        });
        let (stop, stopped) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let on_thread = shared.clone();
        let run = move || {
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener).expect("a listener");
                tokio::select! {
                    () = accept(listener, on_thread) => {}
                    _ = stopped => {}
                }
            });
            // The runtime goes with its tasks, and these with their sockets.
        };
        let thread = thread::Builder::new().name(format!("proxy {address}")).spawn(run)?;
        Ok(Proxy { address, shared, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it listens, as for `bootstrap.servers`.
    pub fn bootstrap(&self) -> String {
        self.address.to_string()
    }

    /// From now on `fault` happens to what `filter` lets through, until the guard is dropped. Where several faults meet
    /// on one frame, the eldest happens; all of them count the frame.
    pub fn on(&self, filter: Filter, fault: Fault) -> FaultGuard {
        FaultGuard { rule: Some(self.shared.rules.add(filter, fault)), shared: self.shared.clone() }
    }

    /// Nothing passes in either direction, on old connections and new ones, until the guard is dropped.
    pub fn freeze(&self) -> FaultGuard {
        self.on(Filter::any(), Fault::Stall(Direction::Both))
    }

    /// Removes every fault. What was stalled goes on.
    pub fn clear(&self) {
        self.shared.rules.clear();
    }

    /// Closes every connection; new ones are accepted.
    pub fn cut_all(&self) {
        self.shared.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// What has passed so far.
    pub fn counts(&self) -> Counts {
        self.shared.counts.lock().clone()
    }

    /// From now on everything is counted from zero, save the open connections.
    pub fn reset_counts(&self) {
        let mut counts = self.shared.counts.lock();
        *counts = Counts { open: counts.open, ..Counts::default() };
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.rules.clear();
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    for connection in 1.. {
        let Ok((client, _)) = listener.accept().await else { return };
        shared.counts.lock().connections += 1;
        if shared.rules.choose(Phase::Connect, None, connection).is_some() {
            continue;
        }
        tokio::spawn(connection::serve(client, connection, shared.clone()));
    }
}

/// Removes its fault when dropped; what the fault stalled goes on then.
#[derive(Debug)]
#[must_use = "dropping the guard removes the fault"]
pub struct FaultGuard {
    rule: Option<Arc<Rule>>,
    shared: Arc<Shared>,
}

impl FaultGuard {
    /// How often the fault has happened.
    pub fn fired(&self) -> u64 {
        self.rule.as_ref().map_or(0, |rule| *rule.fired.borrow())
    }

    /// Waits until the fault has happened `times` times.
    ///
    /// # Panics
    /// If it has not within `deadline`.
    pub async fn until_fired(&self, times: u64, deadline: Duration) {
        let rule = self.rule.as_ref().expect("a rule until dropped");
        let mut fired = rule.fired.subscribe();
        let enough = timeout(deadline, fired.wait_for(|fired| *fired >= times)).await;
        assert!(enough.is_ok(), "{rule:?} happened {} times within {deadline:?}, not {times}", self.fired());
    }

    /// Leaves the fault until [`Proxy::clear`] or the proxy's end.
    pub fn keep(mut self) {
        self.rule = None;
    }
}

impl Drop for FaultGuard {
    fn drop(&mut self) {
        if let Some(rule) = &self.rule {
            self.shared.rules.remove(rule);
        }
    }
}
