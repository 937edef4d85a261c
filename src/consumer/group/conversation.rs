use std::{collections::BTreeSet, sync::Arc, time::Duration};

use bytes::Bytes;

use super::{
    Failure, Group,
    coordinator::Coordinator,
    leader,
    requests::{self, Identity, JoinAnswer, JoinAsk, ToldMember},
    work::{Work, end_of},
};
use crate::{
    cluster::{Cluster, ClusterError, Purpose},
    consumer::assignor::{self, Assignor, JoiningMember, ProtocolError},
    model::TopicPartition,
};

/// Time for the coordinator's answer beyond what the group may take.
const ANSWER_SLACK: Duration = Duration::from_secs(5);

/// What a member and its coordinator say to each other in a rebalance: JoinGroup, and SyncGroup with the leader's assignment.
pub(super) struct Conversation {
    cluster: Arc<Cluster>,
    group: Arc<Group>,
    coordinator: Arc<Coordinator>,
    /// The name of the assignor that the group has chosen.
    protocol: String,
    last_assignment: Option<(Vec<TopicPartition>, i32)>,
    under_way: Option<Work<Said>>,
}

/// The end of one of its parts.
pub(super) enum Said {
    Join(Result<JoinAnswer, Failure>),
    Lead(Result<leader::Shares, ClusterError>),
    Sync(Result<Bytes, Failure>),
}

impl Conversation {
    pub(super) fn new(cluster: Arc<Cluster>, group: Arc<Group>, coordinator: Arc<Coordinator>) -> Self {
        Conversation { cluster, group, coordinator, protocol: String::new(), last_assignment: None, under_way: None }
    }

    /// Waits for the end of the part that is under way.
    pub(super) async fn said(&mut self) -> Said {
        end_of(&mut self.under_way).await
    }

    /// Nobody waits for an answer any more.
    pub(super) fn stop(&mut self) {
        self.under_way = None;
    }

    pub(super) fn join(
        &mut self,
        who: Identity,
        topics: &[Arc<str>],
        owned: &[TopicPartition],
        reason: &'static str,
    ) -> Result<(), ProtocolError> {
        let last = self.last_assignment.as_ref();
        let member = JoiningMember {
            topics,
            last_assignment: last.map(|(partitions, _)| &partitions[..]),
            generation: last.map_or(-1, |(_, generation)| *generation),
        };
        let config = &self.group.config;
        let protocols = config.assignors.iter().map(|assignor| {
            let told = assignor::Subscription {
                topics: topics.to_vec(),
                user_data: assignor.user_data(&member),
                owned: owned.to_vec(),
                generation: (who.generation >= 0).then_some(who.generation),
                rack: self.cluster.config().rack.clone(),
            };
            told.encode().map(|told| (assignor.name().to_owned(), told))
        });
        let ask = JoinAsk {
            session_timeout: config.session_timeout,
            rebalance_timeout: config.max_poll_interval,
            protocols: protocols.collect::<Result<Vec<_>, _>>()?,
            reason,
        };
        let limit = self.limit();
        let asked = self.coordinator.ask(Purpose::Join, move |connection| requests::join(connection, who, ask, limit));
        self.begin(asked, Said::Join);
        Ok(())
    }

    /// The group has chosen this assignor.
    pub(super) fn joined(&mut self, protocol: String) {
        self.protocol = protocol;
    }

    pub(super) fn lead(&mut self, members: Vec<ToldMember>) {
        let (cluster, assignor) = (Arc::clone(&self.cluster), self.assignor().cloned());
        self.begin(Box::pin(async move { leader::share(&cluster, assignor, members).await }), Said::Lead);
    }

    pub(super) fn sync(
        &mut self,
        who: Identity,
        assignments: Vec<(Arc<str>, Vec<TopicPartition>)>,
    ) -> Result<(), ProtocolError> {
        let encoded = assignments.into_iter().map(|(member, partitions)| {
            assignor::Assignment { partitions, user_data: None }.encode().map(|assignment| (member, assignment))
        });
        let encoded = encoded.collect::<Result<Vec<_>, _>>()?;
        let (protocol, limit) = (self.protocol.clone(), self.limit());
        let sync = move |connection| requests::sync(connection, who, protocol, encoded, limit);
        let asked = self.coordinator.ask(Purpose::Join, sync);
        self.begin(asked, Said::Sync);
        Ok(())
    }

    /// Reads the member's assignment, and has the assignor know of it.
    pub(super) fn synced(&mut self, told: Bytes, generation: i32) -> Result<BTreeSet<TopicPartition>, ProtocolError> {
        let assignor::Assignment { partitions, user_data } = assignor::Assignment::decode(told)?;
        let assigned: BTreeSet<TopicPartition> = partitions.into_iter().collect();
        if let Some(assignor) = self.assignor() {
            let partitions: Vec<_> = assigned.iter().cloned().collect();
            assignor.on_assignment(&partitions, user_data.as_ref(), generation);
            self.last_assignment = Some((partitions, generation));
        }
        Ok(assigned)
    }

    fn begin<T: Send + 'static>(&mut self, work: Work<T>, said: fn(T) -> Said) {
        self.under_way = Some(Box::pin(async move { said(work.await) }));
    }

    fn assignor(&self) -> Option<&Arc<dyn Assignor>> {
        self.group.config.assignors.iter().find(|assignor| assignor.name() == self.protocol)
    }

    /// Both requests are answered when every member has joined.
    fn limit(&self) -> Duration {
        (self.group.config.max_poll_interval + ANSWER_SLACK).max(self.cluster.config().request_timeout)
    }
}
