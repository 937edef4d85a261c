use std::{
    collections::{BTreeMap, HashMap},
    io,
    path::Path,
    sync::Arc,
};

use bytes::BytesMut;
use parking_lot::Mutex;
use tokio::{
    sync::{Notify, oneshot},
    time::{Instant, sleep_until},
};

use super::{
    api::{self, Reply},
    caller::Caller,
    disk::{self, DataError, Disk, Kept},
    settings::Settings,
    state::State,
    waiting::{Answer, Ticket},
};
use crate::{
    watched::{Watched, Watcher},
    wire::{
        ErrorCode,
        messages::{DeleteGroupsRequest, InitProducerIdRequest, OffsetCommitRequest, OffsetDeleteRequest},
        serve::{Request, Served},
    },
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
    /// Where it is kept over a restart.
    disk: Option<Disk>,
    waiters: HashMap<Ticket, oneshot::Sender<Answer>>,
    /// The directory has been let go of: nothing more is served.
    is_closed: bool,
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
    /// In memory only.
    pub(crate) fn new(settings: Settings) -> Arc<Host> {
        Self::over(State::new(settings, Kept::default(), Instant::now()), None)
    }

    /// Kept in a directory, and as it was kept there.
    pub(crate) fn kept_in(dir: &Path, settings: Settings) -> Result<Arc<Host>, DataError> {
        let (mut disk, kept) = Disk::open(dir)?;
        let mut state = State::new(settings, kept, Instant::now());
        state.note_changes();
        state.keep_within_retention();
        disk.begin(&mut state)?;
        Ok(Self::over(state, Some(disk)))
    }

    fn over(state: State, disk: Option<Disk>) -> Arc<Host> {
        let lives = state.brokers.keys().map(|id| (*id, Watched::new(true))).collect();
        let inner = Inner { state, disk, waiters: HashMap::new(), is_closed: false, wake: None };
        Arc::new(Host { inner: Mutex::new(inner), sooner: Arc::default(), lives })
    }

    /// Whether a broker runs, and when that changes.
    pub(crate) fn life(&self, broker: i32) -> Option<Watcher<bool>> {
        self.lives.get(&broker).map(Watched::watch)
    }

    /// Serves a request. `Err` if it cannot be read.
    pub(crate) fn serve(self: &Arc<Self>, caller: &Caller, request: &Request) -> Result<Response, String> {
        let mut inner = self.inner.lock();
        if inner.is_closed {
            return Err("the broker has gone".to_owned());
        }
        inner.state.drop_expired(caller.now);
        let is_write = disk::is_write(request);
        if is_write && !inner.keep() {
            return refused(request);
        }
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
        let is_kept = self.settle(&mut inner, caller.now);
        // What is pending takes the lock when it is dropped.
        drop(inner);
        match response {
            Ok(_) if is_write && !is_kept => refused(request),
            response => response,
        }
    }

    /// Looks at the state, or changes it.
    pub(crate) fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut inner = self.inner.lock();
        let now = Instant::now();
        inner.state.drop_expired(now);
        let result = change(&mut inner.state);
        self.settle(&mut inner, now);
        result
    }

    /// Stops or starts a broker.
    pub(crate) fn set_running(&self, broker: i32, is_running: bool) {
        self.with(|state| state.set_running(broker, is_running));
        if let Some(life) = self.lives.get(&broker) {
            life.replace_with(|_| is_running);
        }
    }

    /// Lets the cluster end: its brokers stop, and the directory is synced and let go of.
    pub(crate) fn close(&self) -> io::Result<()> {
        self.lives.keys().for_each(|broker| self.set_running(*broker, false));
        let mut inner = self.inner.lock();
        inner.is_closed = true;
        let disk = inner.disk.take();
        drop(inner);
        disk.map_or(Ok(()), |mut disk| disk.sync())
    }

    /// False if what has changed could not be written.
    fn settle(&self, inner: &mut Inner, now: Instant) -> bool {
        api::settle(&mut inner.state, now);
        // Before any answer goes out.
        let is_kept = inner.keep();
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
        is_kept
    }
}

impl Inner {
    fn keep(&mut self) -> bool {
        self.disk.as_mut().is_none_or(|disk| disk.keep(&mut self.state))
    }
}

/// What was asked cannot be written to disk.
fn refused(request: &Request) -> Result<Response, String> {
    // Who wants no acknowledgement is told by the end of the connection, as Kafka does.
    if !request.wants_answer() {
        return Err("what was produced cannot be written to disk".to_owned());
    }
    const INIT_PRODUCER_ID: i16 = <InitProducerIdRequest as Served>::KEY;
    const COMMIT: i16 = <OffsetCommitRequest as Served>::KEY;
    const OFFSET_DELETE: i16 = <OffsetDeleteRequest as Served>::KEY;
    const DELETE_GROUPS: i16 = <DeleteGroupsRequest as Served>::KEY;
    // Codes that make clients try again, as Kafka's coordinators put it.
    let code = match request.api_key {
        INIT_PRODUCER_ID => ErrorCode::COORDINATOR_LOAD_IN_PROGRESS,
        COMMIT | OFFSET_DELETE | DELETE_GROUPS => ErrorCode::NOT_COORDINATOR,
        _ => ErrorCode::KAFKA_STORAGE_ERROR,
    };
    api::refuse(request, code).map(Response::Send)
}

/// The clock's task ends with it.
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
