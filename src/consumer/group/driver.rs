use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    future::Future,
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use tokio::time::{Instant, sleep_until};

use super::{
    Action, Closing, CommitError, Commits, Committed, Failure, Group, Membership, Refusal,
    coordinator::Coordinator,
    leader,
    requests::{self, Identity, JoinAnswer, JoinAsk},
};
use crate::{
    cluster::{ClusterError, Purpose},
    consumer::{
        ConsumeError,
        assignor::{self, Assignor, JoiningMember},
        shared::{Shared, Start},
    },
    model::TopicPartition,
    watched::Watcher,
    wire::ErrorCode,
};

type Work<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Time for the coordinator's answer beyond what the group may take.
const ANSWER_SLACK: Duration = Duration::from_secs(5);

/// Keeps one member in its group until the consumer closes: joins, beats, commits, and has partitions begun and given up.
pub(crate) async fn run(shared: Arc<Shared>, group: Arc<Group>) {
    let mut driver = Driver::new(shared, group);
    while !driver.membership.is_gone() || driver.leaving.is_some() {
        let now = Instant::now();
        driver.take_news(now);
        let wake = driver.act(now);
        if driver.membership.is_gone() && driver.leaving.is_none() {
            // Static, or never a member: there is nobody to tell, and no answer to wait for.
            break;
        }
        let wake = driver.send_commits(now).into_iter().chain(wake).chain(driver.duties(now)).min();
        driver.wait(wake).await;
    }
    driver.commits.fail_all(&CommitError::Closed);
    driver.group.desk.end();
    driver.group.done.send_replace(true);
}

struct Driver {
    shared: Arc<Shared>,
    group: Arc<Group>,
    coordinator: Arc<Coordinator>,
    membership: Membership,
    commits: Commits,
    /// What the subscription comes to now.
    topics: BTreeSet<Arc<str>>,
    /// As it was told in the last JoinGroup.
    told_topics: BTreeSet<Arc<str>>,
    /// As leader: the topics and their partitions that the last assignment was made of.
    assigned_of: leader::PartitionCounts,
    /// The name of the assignor that the group has chosen.
    protocol: String,
    last_assignment: Option<(Vec<TopicPartition>, i32)>,
    conversation: Option<Work<Conversation>>,
    /// What `assigned_of` is to be, of a leader that need not assign.
    watching: Option<Work<Result<leader::PartitionCounts, ClusterError>>>,
    beating: Option<Work<Result<(), Failure>>>,
    committing: Option<Work<Result<HashMap<TopicPartition, ErrorCode>, Failure>>>,
    /// The generation under which it does.
    committing_under: i32,
    beginning: Option<Work<Begun>>,
    /// Partitions of which it is not known yet where to begin.
    to_begin: BTreeSet<TopicPartition>,
    leaving: Option<Work<Result<(), Failure>>>,
    listing: Option<Work<Result<BTreeSet<Arc<str>>, ClusterError>>>,
    list_topics_at: Instant,
    /// The user has given up partitions; they are released once what he had of them is committed.
    releasing: bool,
    closing: Option<Instant>,
    auto_commit_at: Option<Instant>,
    /// The user's comings and goings, as seen last, and since when they are so.
    polls: (u64, Instant),
    picture: Watcher<Arc<crate::cluster::Snapshot>>,
}

enum Conversation {
    Join(Result<JoinAnswer, Failure>),
    Lead(Result<leader::Shares, ClusterError>),
    Sync(Result<Bytes, Failure>),
}

/// What is committed of partitions that begin.
struct Begun {
    partitions: Vec<TopicPartition>,
    found: Result<HashMap<TopicPartition, Result<Option<Committed>, ErrorCode>>, Failure>,
}

impl Driver {
    fn new(shared: Arc<Shared>, group: Arc<Group>) -> Self {
        let now = Instant::now();
        let client = shared.cluster.config();
        let commits = Commits::new(client.retry_backoff, client.retry_backoff_max);
        let picture = shared.cluster.watch();
        Driver {
            coordinator: Arc::new(Coordinator::new(Arc::clone(&shared.cluster), Arc::clone(&group.id))),
            membership: Membership::new(group.rules(client), now),
            commits,
            topics: BTreeSet::new(),
            told_topics: BTreeSet::new(),
            assigned_of: BTreeMap::new(),
            protocol: String::new(),
            last_assignment: None,
            conversation: None,
            watching: None,
            beating: None,
            committing: None,
            committing_under: -1,
            beginning: None,
            to_begin: BTreeSet::new(),
            leaving: None,
            listing: None,
            list_topics_at: now,
            releasing: false,
            closing: None,
            auto_commit_at: group.config.auto_commit.map(|interval| now + interval),
            polls: (group.desk.polls(), now),
            picture,
            shared,
            group,
        }
    }

    fn identity(&self) -> Identity {
        Identity {
            group: Arc::clone(&self.group.id),
            instance: self.group.config.instance.clone(),
            member_id: Arc::clone(self.membership.member_id()),
            generation: self.membership.generation(),
        }
    }

    /// What the user's task has left on the desk.
    fn take_news(&mut self, now: Instant) {
        let news = self.group.desk.take();
        let owned = self.membership.owned();
        let is_own = |at: &TopicPartition| self.group.subscription.is_none() || owned.contains(at);
        for (offsets, tell) in news.commits {
            match offsets.iter().find(|(at, _)| !is_own(at)) {
                None => self.commits.push(offsets, Some(tell)),
                Some((at, _)) => {
                    let partition = at.clone();
                    drop(tell.send(Err(CommitError::NotOwned { partition })));
                    self.commits.push(offsets.into_iter().filter(|(at, _)| is_own(at)).collect(), None);
                }
            }
        }
        if let Some(consumed) = news.consumed {
            self.commits.push_new(consumed.into_iter().filter(|(at, _)| is_own(at)).collect());
        }
        if let Some(released) = news.released {
            if self.group.config.auto_commit.is_some() {
                self.commits.push_new(released);
            }
            self.releasing = true;
        }
        match news.closing {
            Some(Closing::Closed(offsets)) if self.group.config.auto_commit.is_some() => {
                self.commits.push_new(offsets.into_iter().filter(|(at, _)| is_own(at)).collect());
                self.closing = Some(now + self.group.config.close_timeout);
            }
            Some(Closing::Closed(_)) => self.closing = Some(now + self.group.config.close_timeout),
            Some(Closing::Dropped) => self.closing = Some(now),
            None => {}
        }
        if news.rejoin {
            self.membership.rejoin("the user asks for it");
        }
        let polls = self.group.desk.polls();
        if polls != self.polls.0 {
            self.polls = (polls, now);
            self.membership.polled();
        }
    }

    /// Does what the membership says, until it has to wait; until when.
    fn act(&mut self, now: Instant) -> Option<Instant> {
        if self.releasing && self.commits.is_empty() {
            self.releasing = false;
            self.membership.released();
        }
        if let Some(until) = self.closing {
            let can_commit = self.membership.is_member() || self.group.subscription.is_none();
            let is_over = self.commits.is_empty() || until <= now || !can_commit;
            if is_over && self.leaving.is_none() {
                self.membership.close();
                (self.conversation, self.beating, self.beginning) = (None, None, None);
            }
        }
        if self.topics.is_empty() && !self.membership.is_member() && self.closing.is_none() {
            // Nothing is known to subscribe to yet.
            return None;
        }
        loop {
            match self.membership.next(now) {
                Action::Wait(until) => return until,
                Action::Release(partitions) => self.group.desk.ask_release(&self.shared, partitions),
                Action::Lose(partitions) => {
                    self.lose(partitions);
                }
                Action::Begin(partitions) => self.begin(partitions),
                Action::Join { owned, reason } => self.join(&owned, reason),
                Action::Sync { assignments } => self.sync(assignments),
                Action::Heartbeat => self.beat(),
                Action::Leave { member_id, reason } => self.leave(member_id, reason),
                Action::FindCoordinator => self.coordinator.forget(),
            }
        }
    }

    fn lose(&mut self, partitions: Vec<TopicPartition>) {
        (self.beginning, self.releasing) = (None, false);
        self.to_begin.clear();
        self.commits.lose(|at| partitions.contains(at));
        self.group.desk.lose(&self.shared, partitions);
    }

    fn join(&mut self, owned: &[TopicPartition], reason: &'static str) {
        self.beating = None;
        self.told_topics = self.topics.clone();
        let topics: Vec<Arc<str>> = self.topics.iter().cloned().collect();
        let last = self.last_assignment.as_ref();
        let member = JoiningMember {
            topics: &topics,
            last_assignment: last.map(|(partitions, _)| &partitions[..]),
            generation: last.map_or(-1, |(_, generation)| *generation),
        };
        let rack = self.shared.cluster.config().rack.clone();
        let generation = self.membership.generation();
        let protocols = self.group.config.assignors.iter().map(|assignor| {
            let told = assignor::Subscription {
                topics: topics.clone(),
                user_data: assignor.user_data(&member),
                owned: owned.to_vec(),
                generation: (generation >= 0).then_some(generation),
                rack: rack.clone(),
            };
            told.encode().map(|told| (assignor.name().to_owned(), told))
        });
        let protocols = match protocols.collect::<Result<Vec<_>, _>>() {
            Ok(protocols) => protocols,
            Err(error) => {
                tracing::error!("group {}: {error}", self.group.id);
                return self.failed(Instant::now(), Failure::Refused(ErrorCode::INVALID_REQUEST));
            }
        };
        let config = &self.group.config;
        let ask = JoinAsk {
            session_timeout: config.session_timeout,
            rebalance_timeout: config.max_poll_interval,
            protocols,
            reason,
        };
        let limit = self.rebalance_limit();
        let (coordinator, who) = (Arc::clone(&self.coordinator), self.identity());
        self.conversation = Some(Box::pin(async move {
            let asked = async {
                let connection = coordinator.connection(Purpose::Join).await?;
                requests::join(&connection, &who, ask, limit).await
            };
            Conversation::Join(asked.await)
        }));
    }

    fn rebalance_limit(&self) -> Duration {
        (self.group.config.max_poll_interval + ANSWER_SLACK).max(self.shared.cluster.config().request_timeout)
    }

    fn lead(&mut self, protocol: &str, members: Vec<(Arc<str>, Option<Arc<str>>, Bytes)>) {
        let assignor = self.group.config.assignors.iter().find(|assignor| assignor.name() == protocol);
        let assignor: Option<Arc<dyn Assignor>> = assignor.cloned();
        let shared = Arc::clone(&self.shared);
        self.conversation =
            Some(Box::pin(async move { Conversation::Lead(leader::share(&shared.cluster, assignor, members).await) }));
    }

    fn sync(&mut self, assignments: Vec<(Arc<str>, Vec<TopicPartition>)>) {
        let (coordinator, who, limit) = (Arc::clone(&self.coordinator), self.identity(), self.rebalance_limit());
        let protocol = self.protocol.clone();
        let encoded = assignments.into_iter().map(|(member, partitions)| {
            assignor::Assignment { partitions, user_data: None }.encode().map(|assignment| (member, assignment))
        });
        let encoded = match encoded.collect::<Result<Vec<_>, _>>() {
            Ok(encoded) => encoded,
            Err(error) => {
                tracing::error!("group {}: {error}", self.group.id);
                return self.failed(Instant::now(), Failure::Refused(ErrorCode::INVALID_REQUEST));
            }
        };
        self.conversation = Some(Box::pin(async move {
            let asked = async {
                let connection = coordinator.connection(Purpose::Join).await?;
                requests::sync(&connection, &who, &protocol, encoded, limit).await
            };
            Conversation::Sync(asked.await)
        }));
    }

    fn beat(&mut self) {
        let (coordinator, who) = (Arc::clone(&self.coordinator), self.identity());
        let limit = self.shared.cluster.config().request_timeout.min(self.group.config.session_timeout / 3);
        self.beating = Some(Box::pin(async move {
            let connection = coordinator.connection(Purpose::Coordinate).await?;
            requests::heartbeat(&connection, &who, limit).await
        }));
    }

    fn leave(&mut self, member_id: Arc<str>, reason: &'static str) {
        (self.conversation, self.beating) = (None, None);
        let (coordinator, who) = (Arc::clone(&self.coordinator), Identity { member_id, ..self.identity() });
        let limit = self.group.config.leave_timeout;
        self.leaving = Some(Box::pin(async move {
            let left = async {
                let connection = coordinator.connection(Purpose::Coordinate).await?;
                requests::leave(&connection, &who, reason, limit).await
            };
            tokio::time::timeout(limit, left).await.unwrap_or(Ok(()))
        }));
    }

    /// Finds out where to begin with partitions that are new.
    fn begin(&mut self, partitions: Vec<TopicPartition>) {
        self.shared.reserve(&partitions);
        self.to_begin.extend(partitions.iter().cloned());
        let is_none = partitions.is_empty();
        self.group.desk.assigned(&self.shared, partitions);
        if !is_none {
            self.fetch_committed(Duration::ZERO);
        }
    }

    /// In place of the request that is under way, if one is: it is for all that are to begin.
    fn fetch_committed(&mut self, after: Duration) {
        let owned = self.membership.owned();
        self.to_begin.retain(|at| owned.contains(at));
        let partitions: Vec<_> = self.to_begin.iter().cloned().collect();
        let (coordinator, who) = (Arc::clone(&self.coordinator), self.identity());
        let limit = self.shared.cluster.config().request_timeout;
        self.beginning = Some(Box::pin(async move {
            tokio::time::sleep(after).await;
            let asked = async {
                let connection = coordinator.connection(Purpose::Coordinate).await?;
                requests::fetch_committed(&connection, &who, &partitions, limit).await
            };
            let found = asked.await;
            Begun { partitions, found }
        }));
    }

    fn begun(&mut self, begun: Begun) {
        let (reset, owned) = (self.shared.config.reset, self.membership.owned());
        let mut starts = Vec::new();
        let mut nowhere = Vec::new();
        match begun.found {
            Ok(mut found) => {
                for at in begun.partitions.into_iter().filter(|at| owned.contains(at)) {
                    match found.remove(&at) {
                        Some(Ok(Some(committed))) => {
                            self.commits.know(at.clone(), committed.offset);
                            starts.push((at, Start::Committed(committed)));
                        }
                        Some(Ok(None)) => match reset.spec() {
                            Some(spec) => starts.push((at, Start::At(spec))),
                            None => nowhere.push((at.clone(), ConsumeError::NothingCommitted { partition: at })),
                        },
                        Some(Err(code)) if Refusal::of(code) == Refusal::Fatal(code) => {
                            nowhere.push((at.clone(), ConsumeError::Refused { partition: at, code }));
                        }
                        // To be asked once more.
                        Some(Err(_)) | None => {}
                    }
                }
            }
            Err(Failure::Refused(code)) if matches!(Refusal::of(code), Refusal::Fatal(_)) => {
                let refused = |at: &TopicPartition| ConsumeError::Refused { partition: at.clone(), code };
                let first = begun.partitions.first().map(refused);
                first.into_iter().for_each(|failure| self.group.desk.fail(&self.shared, failure));
            }
            Err(Failure::Refused(code)) if Refusal::of(code) == Refusal::Retry => {}
            Err(_) => self.coordinator.forget(),
        }
        for at in starts.iter().map(|(at, _)| at).chain(nowhere.iter().map(|(at, _)| at)) {
            self.to_begin.remove(at);
        }
        self.shared.begin(starts);
        nowhere.into_iter().for_each(|(_, failure)| self.group.desk.fail(&self.shared, failure));
        if !self.to_begin.is_empty() {
            self.fetch_committed(self.shared.cluster.config().retry_backoff);
        }
    }

    /// Commits what waits for it, while there is a generation to commit it under; when to look again.
    fn send_commits(&mut self, now: Instant) -> Option<Instant> {
        if self.committing.is_some() || !self.membership.may_commit() && self.group.subscription.is_some() {
            return None;
        }
        match self.commits.next(now) {
            Ok(None) => None,
            Err(until) => Some(until),
            Ok(Some(offsets)) => {
                let (coordinator, who) = (Arc::clone(&self.coordinator), self.identity());
                let limit = self.shared.cluster.config().request_timeout;
                self.committing_under = who.generation;
                self.committing = Some(Box::pin(async move {
                    let connection = coordinator.connection(Purpose::Coordinate).await?;
                    requests::commit(&connection, &who, &offsets, limit).await
                }));
                None
            }
        }
    }

    /// What falls due by the clock; when the next does.
    fn duties(&mut self, now: Instant) -> Option<Instant> {
        let config = &self.group.config;
        if let Some(at) = self.auto_commit_at.filter(|at| *at <= now) {
            if self.membership.is_member() || self.group.subscription.is_none() {
                self.group.desk.commit_is_due(&self.shared);
            }
            self.auto_commit_at = config.auto_commit.map(|interval| at.max(now) + interval);
        }
        let (polls, since) = self.polls;
        let overdue_at = since + config.max_poll_interval;
        let is_out = polls & 1 == 0 && self.membership.is_member();
        if is_out && overdue_at <= now {
            tracing::warn!(
                "group {}: no poll within max.poll.interval.ms, {:?}: the member leaves until the next",
                self.group.id,
                config.max_poll_interval
            );
            self.membership.overdue();
            (self.conversation, self.beating) = (None, None);
            let overdue = ConsumeError::PollOverdue { after: config.max_poll_interval };
            self.group.desk.fail(&self.shared, overdue);
            return Some(now);
        }
        if self.listing.is_none() && self.list_topics_at <= now {
            self.list_topics();
        }
        let listing = self.listing.is_none().then_some(self.list_topics_at);
        let closing = self.closing.filter(|at| *at > now);
        [self.auto_commit_at, is_out.then_some(overdue_at), listing, closing].into_iter().flatten().min()
    }

    /// Finds out what the subscription comes to.
    fn list_topics(&mut self) {
        let Some(subscription) = self.group.subscription.clone() else {
            self.list_topics_at = Instant::now() + Duration::from_secs(86_400);
            return;
        };
        let shared = Arc::clone(&self.shared);
        self.listing = Some(Box::pin(async move {
            let cluster = &shared.cluster;
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
            let is_missing =
                |topic: &Arc<str>| cluster.snapshot().topic(topic).is_none_or(|t| t.error != ErrorCode::NONE);
            if topics.iter().any(is_missing) {
                cluster.refresh().await?;
            }
            Ok(topics)
        }));
    }

    fn listed(&mut self, now: Instant, listed: Result<BTreeSet<Arc<str>>, ClusterError>) {
        let client = self.shared.cluster.config();
        match listed {
            Ok(topics) => {
                let picture = self.shared.cluster.snapshot();
                let is_missing = |topic: &Arc<str>| picture.topic(topic).is_none_or(|t| t.partitions.is_empty());
                // A topic that is not there yet is looked for more often.
                let soon = topics.is_empty() || topics.iter().any(is_missing);
                let wait = if soon { client.retry_backoff_max } else { client.metadata_max_age };
                self.list_topics_at = now + wait.min(client.metadata_max_age);
                self.topics = topics;
                if self.topics != self.told_topics && self.membership.is_member() {
                    self.membership.rejoin("the topics subscribed to have changed");
                }
                self.see_partitions();
            }
            Err(error) => {
                tracing::debug!("group {}: its topics are not known: {error}", self.group.id);
                self.list_topics_at = now + client.retry_backoff_max;
            }
        }
    }

    /// As leader: shares anew when topics have grown, come or gone.
    fn see_partitions(&mut self) {
        if !self.membership.is_stable() || self.assigned_of.is_empty() {
            return;
        }
        let picture = self.shared.cluster.snapshot();
        let is_other =
            |(topic, count): (&Arc<str>, &usize)| picture.topic(topic).map_or(0, |t| t.partitions.len()) != *count;
        if self.assigned_of.iter().any(is_other) {
            self.membership.rejoin("the partitions of the group's topics have changed");
        }
    }

    /// Waits until something happens, and takes it in.
    async fn wait(&mut self, wake: Option<Instant>) {
        let waking = async {
            match wake {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            done = some(&mut self.conversation) => {
                self.conversation = None;
                self.conversed(done);
            }
            done = some(&mut self.beating) => {
                self.beating = None;
                let now = Instant::now();
                match done {
                    Ok(()) => self.membership.heartbeat_answered(now),
                    Err(failure) => self.failed(now, failure),
                }
            }
            done = some(&mut self.committing) => {
                self.committing = None;
                self.committed(done);
            }
            watched = some(&mut self.watching) => {
                self.watching = None;
                match watched {
                    Ok(topics) => self.assigned_of = topics,
                    Err(error) => tracing::debug!("group {}: its topics are not known: {error}", self.group.id),
                }
            }
            begun = some(&mut self.beginning) => {
                self.beginning = None;
                self.begun(begun);
            }
            left = some(&mut self.leaving) => {
                self.leaving = None;
                if let Err(failure) = left {
                    tracing::debug!("group {}: leaving: {failure:?}", self.group.id);
                }
                self.membership.left();
            }
            listed = some(&mut self.listing) => {
                self.listing = None;
                self.listed(Instant::now(), listed);
            }
            _ = self.picture.changed() => self.see_partitions(),
            () = self.group.desk.news.notified() => {}
            () = waking => {}
        }
        *self.group.desk.identity.lock() = (Arc::clone(self.membership.member_id()), self.membership.generation());
    }

    fn conversed(&mut self, done: Conversation) {
        let now = Instant::now();
        match done {
            Conversation::Join(Ok(JoinAnswer::Named(member_id))) => self.membership.named(member_id),
            Conversation::Join(Ok(JoinAnswer::Joined { joined, protocol, members })) => {
                self.assigned_of.clear();
                self.watching = None;
                self.protocol = protocol.clone();
                self.membership.joined(now, joined);
                if self.membership.is_leading() {
                    self.lead(&protocol, members);
                } else if !members.is_empty() {
                    let shared = Arc::clone(&self.shared);
                    self.watching = Some(Box::pin(async move { leader::watched(&shared.cluster, members).await }));
                }
            }
            Conversation::Lead(Ok(shares)) => {
                self.assigned_of = shares.topics;
                self.membership.assigned_all(shares.members);
            }
            Conversation::Lead(Err(error)) => {
                tracing::debug!("group {}: the assignment could not be made: {error}", self.group.id);
                self.failed(now, Failure::Refused(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS));
            }
            Conversation::Sync(Ok(assignment)) => self.synced(now, assignment),
            Conversation::Join(Err(failure)) | Conversation::Sync(Err(failure)) => self.failed(now, failure),
        }
    }

    fn synced(&mut self, now: Instant, assignment: Bytes) {
        match assignor::Assignment::decode(assignment) {
            Ok(assignor::Assignment { partitions, user_data }) => {
                let assigned: BTreeSet<TopicPartition> = partitions.into_iter().collect();
                let chosen = self.group.config.assignors.iter().find(|assignor| assignor.name() == self.protocol);
                if let Some(assignor) = chosen {
                    let partitions: Vec<_> = assigned.iter().cloned().collect();
                    assignor.on_assignment(&partitions, user_data.as_ref(), self.membership.generation());
                    self.last_assignment = Some((partitions, self.membership.generation()));
                }
                self.membership.synced(now, assigned);
                if self.topics != self.told_topics {
                    self.membership.rejoin("the topics subscribed to have changed");
                }
                // They may have, between the assignment and now.
                self.see_partitions();
            }
            Err(why) => {
                tracing::warn!("group {}: the leader's assignment cannot be read: {why}", self.group.id);
                self.failed(now, Failure::Refused(ErrorCode::REBALANCE_IN_PROGRESS));
            }
        }
    }

    fn failed(&mut self, now: Instant, failure: Failure) {
        let refused = match failure {
            Failure::Refused(code) => self.membership.refused(now, Refusal::of(code)),
            Failure::Lost(error) if error.is_retriable() || matches!(error, ClusterError::Refused { .. }) => {
                match error {
                    ClusterError::Refused { code, .. } if !code.is_retriable() => {
                        self.membership.refused(now, Refusal::Fatal(code))
                    }
                    _ => {
                        self.membership.lost(now);
                        Ok(())
                    }
                }
            }
            Failure::Lost(error) => {
                self.group.desk.fail(&self.shared, ConsumeError::Cluster(error));
                self.membership.refused(now, Refusal::Fatal(ErrorCode::UNSUPPORTED_VERSION))
            }
        };
        if let Err(code) = refused {
            self.refused_for_good(now, code);
        }
    }

    /// The task ends, so this is the last that it does for the user: he is told when there is nothing left to read.
    fn refused_for_good(&mut self, now: Instant, code: ErrorCode) {
        loop {
            match self.membership.next(now) {
                Action::Lose(partitions) => self.lose(partitions),
                Action::Wait(_) => break,
                _ => {}
            }
        }
        let group = Arc::clone(&self.group.id);
        self.group.desk.fail(&self.shared, ConsumeError::Group { group, code });
    }

    fn committed(&mut self, answer: Result<HashMap<TopicPartition, ErrorCode>, Failure>) {
        let now = Instant::now();
        let refusal = self.commits.answered(now, answer);
        // A refusal of a generation that is over, or is just ending, says nothing of the next, under which it goes once more.
        let is_late = self.committing_under != self.membership.generation() || self.membership.is_joining();
        match refusal {
            Some(Refusal::OtherCoordinator) => self.coordinator.forget(),
            Some(Refusal::Rebalance | Refusal::OldGeneration | Refusal::UnknownMember) if is_late => {}
            Some(Refusal::Rebalance) => self.membership.rejoin("the group rebalances"),
            Some(refusal @ (Refusal::OldGeneration | Refusal::UnknownMember | Refusal::Fatal(_))) => {
                // The heartbeat learns it too; here it is known first.
                if let Err(code) = self.membership.refused(now, refusal) {
                    self.refused_for_good(now, code);
                }
                self.conversation = None;
            }
            Some(Refusal::Retry) | None => {}
        }
    }
}

async fn some<T>(work: &mut Option<Work<T>>) -> T {
    match work {
        Some(work) => work.await,
        None => std::future::pending().await,
    }
}
