use std::{collections::HashSet, sync::Arc, time::Duration};

use futures_util::{StreamExt, stream};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::Admin;
use crate::{
    cluster::{ClusterError, Purpose, Snapshot},
    time::{Backoff, Deadline},
    wire::messages::{MetadataRequest, message, metadata_request::MetadataRequestTopic},
};

/// A broker that does not answer within this time is not waited for: clients get no stale answer from it either.
const PATIENCE: Duration = Duration::from_secs(2);
/// How many brokers are asked at once.
const AT_ONCE: usize = 16;
/// The picture that says which brokers there are is renewed when it is older.
const PICTURE_AGE: Duration = Duration::from_secs(1);

impl Admin {
    /// Waits until the metadata of every broker that answers show what `shown` looks for, or the deadline passes.
    ///
    /// The controller answers as soon as a change is in its log; brokers learn of it some milliseconds later, and a client
    /// asks any of them.
    pub(super) async fn seen_everywhere(
        &self,
        topics: Vec<Arc<str>>,
        deadline: Deadline,
        shown: impl Fn(&Snapshot) -> bool,
    ) {
        if !topics.is_empty() && timeout_at(deadline.instant(), self.rounds(&topics, shown)).await.is_err() {
            tracing::warn!("not every broker shows the change of {topics:?} within {:?}", self.config.api_timeout);
        }
    }

    async fn rounds(&self, topics: &[Arc<str>], shown: impl Fn(&Snapshot) -> bool) {
        let mut seen = HashSet::new();
        let mut backoff = Backoff::new(Duration::from_millis(5), Duration::from_millis(200));
        loop {
            if self.cluster.snapshot().taken.elapsed() > PICTURE_AGE {
                // One that fails leaves the old picture, which may do.
                let _ = self.cluster.refresh().await;
            }
            let picture = self.cluster.snapshot();
            let unseen: Vec<i32> = picture.brokers.keys().filter(|id| !seen.contains(*id)).copied().collect();
            let ask = |id| async move { (id, timeout(PATIENCE, self.picture_of(id, topics)).await) };
            let mut answers = stream::iter(unseen).map(ask).buffer_unordered(AT_ONCE);
            let mut waiting = false;
            while let Some((id, answer)) = answers.next().await {
                match answer {
                    Ok(Ok(picture)) if shown(&picture) => drop(seen.insert(id)),
                    Ok(Ok(_)) => waiting = true,
                    Ok(Err(_)) | Err(_) => {}
                }
            }
            if !waiting && !seen.is_empty() {
                return;
            }
            sleep(backoff.next_wait()).await;
        }
    }

    /// What one broker shows of the topics.
    async fn picture_of(&self, broker: i32, topics: &[Arc<str>]) -> Result<Snapshot, ClusterError> {
        let connection = self.cluster.connection(broker, Purpose::Control).await?;
        let named = topics.iter().map(|name| message!(MetadataRequestTopic { name: Some((&**name).into()) }));
        let request = message!(MetadataRequest { topics: Some(named.collect()), allow_auto_topic_creation: false });
        let answer = connection.call(request, PATIENCE).await?;
        let now = Instant::now();
        Ok(Snapshot::empty(now).next(&answer, false, now))
    }
}
