use std::{future::Future, sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::time::Instant;

use super::{
    Admin, AdminError,
    ledger::{Ledger, Refusal},
};
use crate::{
    cluster::{ClusterError, CoordinatorKind, Purpose},
    time::Deadline,
    wire::{Address, Api, Connection},
};

/// Who is to take a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    Controller,
    Broker(i32),
    /// Whoever coordinates this group, found anew for each round: it may have moved.
    Coordinator(Arc<str>),
    Any,
}

/// What a request's body depends on beside what is asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms {
    pub(super) version: i16,
    /// How long the broker may take, in ms.
    pub(super) timeout_ms: i32,
}

/// One part of an answer: the name that it is for, and what came of it.
pub(super) type Part<T> = (String, Result<T, Refusal>);

impl Admin {
    pub(super) fn deadline(&self) -> Deadline {
        Deadline::after(Instant::now(), self.config.api_timeout)
    }

    /// Sends what `request` makes of the ledger's open entries, again and again until none is open or the deadline passes.
    pub(super) async fn exchange<R: Api, T: Clone>(
        &self,
        target: Target,
        ledger: Ledger<T>,
        deadline: Deadline,
        request: impl Fn(&[usize], Terms) -> R,
        read: impl Fn(R::Answer) -> Vec<Part<T>>,
    ) -> Vec<Result<T, AdminError>> {
        let ledger = Mutex::new(ledger);
        let (book, request, read, target) = (&ledger, &request, &read, &target);
        self.settle(book, deadline, |open| async move {
            let connection = self.connect(target).await?;
            let answer = self.call(&connection, book, &open, deadline, |terms| request(&open, terms)).await?;
            let now = Instant::now();
            let parts = read(answer);
            let mut ledger = book.lock();
            for index in open {
                let name = ledger.name(index);
                let part = parts.iter().find(|(part, _)| **part == *name);
                let result = part.map_or_else(|| Err(Refusal::left_out()), |(_, result)| result.clone());
                ledger.answered(index, result, now);
            }
            Ok(())
        })
        .await;
        ledger.into_inner().close(self.config.api_timeout)
    }

    /// Does a round for what is open in the ledger, again and again until nothing is or the deadline passes. When a round
    /// fails as a whole that is the answer for all that it was for.
    pub(super) async fn settle<T: Clone, F>(
        &self,
        ledger: &Mutex<Ledger<T>>,
        deadline: Deadline,
        round: impl Fn(Vec<usize>) -> F,
    ) where
        F: Future<Output = Result<(), ClusterError>>,
    {
        let attempt = || async {
            let open = ledger.lock().open();
            let done = round(open.clone()).await;
            let mut ledger = ledger.lock();
            if let Err(error) = done {
                ledger.failed(&open, &error, Instant::now());
            }
            ledger.settled()
        };
        // What stood in the way stands in the ledger.
        let _ = self.cluster.retrying(deadline, attempt).await;
    }

    /// One call that may change something for the entries `indexes`. The broker is given a tenth less time than its answer is
    /// waited for, so that its own word of being late comes before the connection is given up.
    pub(super) async fn call<R: Api, T: Clone>(
        &self,
        connection: &Arc<Connection>,
        ledger: &Mutex<Ledger<T>>,
        indexes: &[usize],
        deadline: Deadline,
        request: impl FnOnce(Terms) -> R,
    ) -> Result<R::Answer, ClusterError> {
        let limit = self.call_limit(deadline);
        let timeout_ms = i32::try_from((limit - limit / 10).as_millis()).unwrap_or(i32::MAX);
        let request = request(Terms { version: connection.version::<R>()?, timeout_ms });
        ledger.lock().sent(indexes);
        Ok(connection.call(request, limit).await?)
    }

    /// The broker that coordinates a group: its id and address.
    pub(super) async fn coordinator(&self, group: &str) -> Result<(i32, Address), ClusterError> {
        let limit = self.cluster.config().request_timeout;
        self.cluster.find_coordinator(CoordinatorKind::Group, group, limit).await
    }

    fn call_limit(&self, deadline: Deadline) -> Duration {
        self.cluster.config().request_timeout.min(deadline.left(Instant::now()))
    }

    pub(super) async fn connect(&self, target: &Target) -> Result<Arc<Connection>, ClusterError> {
        match target {
            Target::Controller => self.cluster.controller().await,
            Target::Any => self.cluster.any_connection().await,
            Target::Broker(id) => {
                if !self.cluster.snapshot().brokers.contains_key(id) {
                    self.cluster.refresh().await?;
                }
                self.cluster.connection(*id, Purpose::Control).await
            }
            Target::Coordinator(group) => {
                let address = self.coordinator(group).await?.1;
                self.cluster.connection_to(&address, Purpose::Control).await
            }
        }
    }
}
