use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use bytes::BytesMut;
use parking_lot::Mutex;
use tokio::{
    sync::{Notify, oneshot},
    time::{Instant, sleep_until},
};

use super::{
    api::{self, Answer, Caller, Reply},
    settings::Settings,
    state::State,
    waiting::Ticket,
};
use crate::{
    watched::{Watched, Watcher},
    wire::serve::Request,
};

/// Keeps the state, and what waits for it: connections that wait for answers, and the clock.
#[derive(Debug)]
pub(crate) struct Host {
    inner: Mutex<Inner>,
    /// The time to look again has come nearer, or the host is gone.
    sooner: Arc<Notify>,
    /// For each broker whether it runs: its listener and its connections end when it does not.
    lives: BTreeMap<i32, Watched<bool>>,
}

#[derive(Debug)]
struct Inner {
    state: State,
    waiters: HashMap<Ticket, oneshot::Sender<Answer>>,
    /// When the clock's task looks again.
    wake: Option<Instant>,
}

/// What a connection does about a request.
#[derive(Debug)]
pub(crate) enum Response {
    Send(BytesMut),
    Await(Pending),
    Nothing,
}

/// An answer that is waited for. Dropped, it is not waited for any longer.
#[derive(Debug)]
pub(crate) struct Pending {
    host: Arc<Host>,
    ticket: Ticket,
    answer: oneshot::Receiver<Answer>,
}

impl Pending {
    /// `None` if the broker has gone.
    pub(crate) async fn answer(mut self) -> Option<Answer> {
        (&mut self.answer).await.ok()
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        let mut inner = self.host.inner.lock();
        inner.waiters.remove(&self.ticket);
        inner.state.waiting.withdraw(self.ticket);
    }
}

impl Host {
    pub(crate) fn new(settings: Settings) -> Arc<Host> {
        let state = State::new(settings, Instant::now());
        let lives = state.brokers.keys().map(|id| (*id, Watched::new(true))).collect();
        let inner = Inner { state, waiters: HashMap::new(), wake: None };
        Arc::new(Host { inner: Mutex::new(inner), sooner: Arc::default(), lives })
    }

    /// Whether a broker runs, and when that changes.
    pub(crate) fn life(&self, broker: i32) -> Option<Watcher<bool>> {
        self.lives.get(&broker).map(Watched::watch)
    }

    /// Serves a request. `Err` if it cannot be read.
    pub(crate) fn serve(self: &Arc<Self>, caller: &Caller, request: &Request) -> Result<Response, String> {
        let mut inner = self.inner.lock();
        let reply = api::serve(&mut inner.state, caller, request);
        let response = reply.map(|reply| match reply {
            Reply::Frame(frame) => Response::Send(frame),
            Reply::Nothing => Response::Nothing,
            Reply::Later(ticket) => {
                let (tell, answer) = oneshot::channel();
                inner.waiters.insert(ticket, tell);
                Response::Await(Pending { host: Arc::clone(self), ticket, answer })
            }
        });
        self.settle(&mut inner, caller.now);
        response
    }

    /// Looks at the state, or changes it.
    pub(crate) fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut inner = self.inner.lock();
        let result = change(&mut inner.state);
        self.settle(&mut inner, Instant::now());
        result
    }

    /// Stops or starts a broker.
    pub(crate) fn set_running(&self, broker: i32, is_running: bool) {
        self.with(|state| state.set_running(broker, is_running));
        if let Some(life) = self.lives.get(&broker) {
            life.replace_with(|_| is_running);
        }
    }

    fn settle(&self, inner: &mut Inner, now: Instant) {
        inner.state.settle(now);
        for (ticket, answer) in inner.state.waiting.take_ready() {
            if let Some(waiter) = inner.waiters.remove(&ticket) {
                // One that has gone meanwhile needs none.
                let _ = waiter.send(answer);
            }
        }
        let wake = inner.state.next_wake();
        if wake.is_some_and(|at| inner.wake.is_none_or(|planned| at < planned)) {
            self.sooner.notify_one();
        }
        inner.wake = wake;
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.sooner.notify_one();
    }
}

/// Lets the state do what falls due by the clock, until the host is gone.
pub(crate) async fn keep_time(host: std::sync::Weak<Host>) {
    loop {
        // It must not live on because of this task.
        let Some(strong) = host.upgrade() else { return };
        let (wake, sooner) = (strong.inner.lock().wake, Arc::clone(&strong.sooner));
        drop(strong);
        let waking = async {
            match wake {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = sooner.notified() => {}
            () = waking => drop(host.upgrade().map(|host| host.with(|_| ()))),
        }
    }
}
