use std::{collections::BTreeSet, sync::Arc};

use tokio::time::Instant;

use super::{
    Subscription,
    leader::PartitionCounts,
    work::{Work, end_of},
};
use crate::{
    cluster::{Cluster, ClusterError, Snapshot},
    watched::Watcher,
    wire::ErrorCode,
};

/// The topics that a member reads, and those that it shares out as the group's leader: whether they are still what they were in
/// the last rebalance.
pub(super) struct Topics {
    cluster: Arc<Cluster>,
    group: Arc<str>,
    /// None for a consumer that is told what to read.
    subscription: Option<Subscription>,
    /// What it comes to now.
    known: BTreeSet<Arc<str>>,
    /// As it was told in the last JoinGroup.
    told: BTreeSet<Arc<str>>,
    /// As leader: the topics and their partitions that the group's assignment was made of.
    assigned_of: PartitionCounts,
    listing: Option<Work<Result<BTreeSet<Arc<str>>, ClusterError>>>,
    list_at: Instant,
    /// What `assigned_of` is to be, of a leader that need not assign.
    finding: Option<Work<Result<PartitionCounts, ClusterError>>>,
    picture: Watcher<Arc<Snapshot>>,
    /// Something may have changed since it was looked at last.
    has_news: bool,
}

impl Topics {
    pub(super) fn new(
        cluster: Arc<Cluster>,
        group: Arc<str>,
        subscription: Option<Subscription>,
        now: Instant,
    ) -> Self {
        Topics {
            picture: cluster.watch(),
            cluster,
            group,
            subscription,
            known: BTreeSet::new(),
            told: BTreeSet::new(),
            assigned_of: PartitionCounts::new(),
            listing: None,
            list_at: now,
            finding: None,
            has_news: false,
        }
    }

    /// Whether nothing is known to subscribe to yet.
    pub(super) fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// What JoinGroup tells.
    pub(super) fn tell(&mut self) -> Vec<Arc<str>> {
        self.told = self.known.clone();
        self.has_news = true;
        self.known.iter().cloned().collect()
    }

    /// JoinGroup was answered: what the assignment will be made of is not known yet.
    pub(super) fn joined(&mut self) {
        self.assigned_of.clear();
        self.finding = None;
    }

    /// What the assignment is made of, of the leader that made it.
    pub(super) fn assigned(&mut self, topics: PartitionCounts) {
        self.assigned_of = topics;
        self.has_news = true;
    }

    /// What the assignment was made of is being found out.
    pub(super) fn find(&mut self, finding: Work<Result<PartitionCounts, ClusterError>>) {
        self.finding = Some(finding);
    }

    /// Why the group's partitions are to be shared anew, if they are; told once.
    pub(super) fn news(&mut self) -> Option<&'static str> {
        if !std::mem::take(&mut self.has_news) {
            return None;
        }
        if self.known != self.told {
            return Some("the topics subscribed to have changed");
        }
        let picture = self.cluster.snapshot();
        let is_other =
            |(topic, count): (&Arc<str>, &usize)| picture.topic(topic).map_or(0, |t| t.partitions.len()) != *count;
        self.assigned_of.iter().any(is_other).then_some("the partitions of the group's topics have changed")
    }

    /// Finds out what the subscription comes to, when it is time; when it is next.
    pub(super) fn list(&mut self, now: Instant) -> Option<Instant> {
        let subscription = self.subscription.as_ref().filter(|_| self.listing.is_none())?;
        if self.list_at > now {
            return Some(self.list_at);
        }
        self.listing = Some(Box::pin(list(Arc::clone(&self.cluster), subscription.clone())));
        None
    }

    /// Waits until there may be news.
    pub(super) async fn changed(&mut self) {
        tokio::select! {
            biased;
            listed = end_of(&mut self.listing) => self.listed(Instant::now(), listed),
            found = end_of(&mut self.finding) => match found {
                Ok(topics) => self.assigned_of = topics,
                Err(error) => tracing::debug!("group {}: its topics are not known: {error}", self.group),
            },
            _ = self.picture.changed() => {}
        }
        self.has_news = true;
    }

    fn listed(&mut self, now: Instant, listed: Result<BTreeSet<Arc<str>>, ClusterError>) {
        let client = self.cluster.config();
        match listed {
            Ok(topics) => {
                let picture = self.cluster.snapshot();
                let is_missing = |topic: &Arc<str>| picture.topic(topic).is_none_or(|t| t.partitions.is_empty());
                // A topic that is not there yet is looked for more often.
                let soon = topics.is_empty() || topics.iter().any(is_missing);
                let wait = if soon { client.retry_backoff_max } else { client.metadata_max_age };
                self.list_at = now + wait.min(client.metadata_max_age);
                self.known = topics;
            }
            Err(error) => {
                tracing::debug!("group {}: its topics are not known: {error}", self.group);
                self.list_at = now + client.retry_backoff_max;
            }
        }
    }
}

async fn list(cluster: Arc<Cluster>, subscription: Subscription) -> Result<BTreeSet<Arc<str>>, ClusterError> {
    if subscription.is_pattern() {
        let topics = subscription.topics(&cluster.all_topics().await?);
        let news = topics.iter().filter(|topic| cluster.include(topic)).count();
        if news > 0 {
            cluster.refresh().await?;
        }
        return Ok(topics);
    }
    let topics = subscription.topics(&cluster.snapshot());
    for topic in &topics {
        cluster.include(topic);
    }
    let is_missing = |topic: &Arc<str>| cluster.snapshot().topic(topic).is_none_or(|t| t.error != ErrorCode::NONE);
    if topics.iter().any(is_missing) {
        cluster.refresh().await?;
    }
    Ok(topics)
}
