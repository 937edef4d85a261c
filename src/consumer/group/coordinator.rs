use std::{future::Future, sync::Arc, time::Duration};

use parking_lot::Mutex;

use super::{Failure, work::Work};
use crate::{
    cluster::{Cluster, CoordinatorKind, Purpose},
    wire::{Address, Connection},
};

/// The broker that coordinates the group, as far as it is known.
#[derive(Debug)]
pub(super) struct Coordinator {
    cluster: Arc<Cluster>,
    group: Arc<str>,
    limit: Duration,
    known: Mutex<Option<Address>>,
    /// Held while it is asked for, so that all who want it share the answer.
    finding: tokio::sync::Mutex<()>,
}

impl Coordinator {
    pub(super) fn new(cluster: Arc<Cluster>, group: Arc<str>) -> Self {
        let limit = cluster.config().request_timeout;
        Coordinator { cluster, group, limit, known: Mutex::new(None), finding: Default::default() }
    }

    /// Sends a request once there is a connection to it.
    pub(super) fn ask<T, F>(
        self: &Arc<Self>,
        purpose: Purpose,
        request: impl FnOnce(Arc<Connection>) -> F + Send + 'static,
    ) -> Work<Result<T, Failure>>
    where
        F: Future<Output = Result<T, Failure>> + Send + 'static,
    {
        let coordinator = Arc::clone(self);
        Box::pin(async move { request(coordinator.connection(purpose).await?).await })
    }

    async fn connection(&self, purpose: Purpose) -> Result<Arc<Connection>, Failure> {
        let known = self.known.lock().clone();
        let address = match known {
            Some(address) => address,
            None => self.find().await?,
        };
        Ok(self.cluster.connection_to(&address, purpose).await?)
    }

    /// It is another, or none: the next who wants it asks anew.
    pub(super) fn forget(&self) {
        self.known.lock().take();
    }

    async fn find(&self) -> Result<Address, Failure> {
        let _one_at_a_time = self.finding.lock().await;
        let known = self.known.lock().clone();
        if let Some(address) = known {
            return Ok(address);
        }
        let (_, address) = self.cluster.find_coordinator(CoordinatorKind::Group, &self.group, self.limit).await?;
        *self.known.lock() = Some(address.clone());
        Ok(address)
    }
}
