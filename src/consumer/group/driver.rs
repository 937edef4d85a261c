use std::{collections::HashMap, panic::AssertUnwindSafe, sync::Arc};

use futures_util::FutureExt;
use tokio::time::{Instant, sleep_until};

use super::{
    Action, Beginnings, Closing, CommitError, Commits, Failure, Group, Membership, Refusal,
    conversation::{Conversation, Said},
    coordinator::Coordinator,
    leader,
    requests::{self, CommittedOffsets, Identity, JoinAnswer},
    topics::Topics,
    work::{Work, end_of, said},
};
use crate::{
    cluster::{ClusterError, Purpose},
    consumer::{ConsumeError, assignor::ProtocolError, shared::Shared, table::Start},
    model::TopicPartition,
    wire::ErrorCode,
};

/// Keeps one member in its group until the consumer closes. If it panics, as an assignor of the user's may, the user is told.
pub(crate) async fn run(shared: Arc<Shared>, group: Arc<Group>) {
    let keeping = AssertUnwindSafe(keep(Arc::clone(&shared), Arc::clone(&group))).catch_unwind().await;
    if let Err(panic) = keeping {
        let why: Arc<str> = Arc::from(said(&*panic));
        let error = ConsumeError::Failed { why: Arc::clone(&why) };
        shared.retain(|_| false);
        group.desk.refuse(&shared, error, CommitError::Failed { why });
    }
    group.desk.end();
    group.done.send_replace(true);
}

/// Joins, beats, commits, and has partitions begun and given up.
async fn keep(shared: Arc<Shared>, group: Arc<Group>) {
    let mut driver = Driver::new(shared, group);
    loop {
        let now = Instant::now();
        driver.take_news(now);
        let wake = driver.act(now);
        if driver.membership.is_gone() && driver.leaving.is_none() {
            break;
        }
        let (begin, commit) = (driver.fetch_committed(now), driver.send_commits(now));
        let wakes = [wake, begin, commit, driver.topics.list(now), driver.duties(now)];
        driver.wait(wakes.into_iter().flatten().min()).await;
    }
    let why = driver.group.desk.end();
    driver.commits.fail_all(&why);
}

struct Driver {
    shared: Arc<Shared>,
    group: Arc<Group>,
    coordinator: Arc<Coordinator>,
    membership: Membership,
    topics: Topics,
    conversation: Conversation,
    beating: Option<Work<Result<(), Failure>>>,
    commits: Commits,
    committing: Option<Work<Result<HashMap<TopicPartition, ErrorCode>, Failure>>>,
    /// The generation under which it does.
    committing_under: i32,
    beginnings: Beginnings,
    beginning: Option<Work<Result<CommittedOffsets, Failure>>>,
    leaving: Option<Work<Result<(), Failure>>>,
    /// The user has given up partitions; they are released once what he had of them is committed.
    releasing: bool,
    closing: Option<Instant>,
    auto_commit_at: Option<Instant>,
    /// The user's comings and goings, as seen last, and since when they are so.
    polls: (u64, Instant),
}

impl Driver {
    fn new(shared: Arc<Shared>, group: Arc<Group>) -> Self {
        let now = Instant::now();
        let client = shared.cluster.config();
        let beside = group.subscription.is_none().then(|| Arc::clone(&group.id));
        let commits = Commits::new(shared.cluster.backoff(), client.unknown_topic_patience, beside);
        let (cluster, subscription) = (Arc::clone(&shared.cluster), group.subscription.clone());
        let coordinator = Arc::new(Coordinator::new(Arc::clone(&cluster), Arc::clone(&group.id)));
        Driver {
            membership: Membership::new(group.rules(client), now),
            topics: Topics::new(Arc::clone(&cluster), Arc::clone(&group.id), subscription, now),
            conversation: Conversation::new(cluster, Arc::clone(&group), Arc::clone(&coordinator)),
            coordinator,
            beating: None,
            commits,
            committing: None,
            committing_under: -1,
            beginnings: Beginnings::new(shared.config.reset, shared.cluster.backoff()),
            beginning: None,
            leaving: None,
            releasing: false,
            closing: None,
            auto_commit_at: group.config.auto_commit.map(|interval| now + interval),
            polls: (group.desk.polls(), now),
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
            let Some(tell) = tell else {
                self.commits.push_new(offsets.into_iter().filter(|(at, _)| is_own(at)).collect());
                continue;
            };
            match offsets.iter().find(|(at, _)| !is_own(at)) {
                None => self.commits.push(offsets, Some(tell)),
                Some((at, _)) => {
                    let partition = at.clone();
                    drop(tell.send(Err(CommitError::NotOwned { partition })));
                    self.commits.push(offsets.into_iter().filter(|(at, _)| is_own(at)).collect(), None);
                }
            }
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
            // Also when `close` is waited for no more: what it has begun goes on.
            Some(Closing::Dropped) => drop(self.closing.get_or_insert(now)),
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
        if self.releasing && !self.commits.holds(|at| self.membership.is_releasing(at)) {
            self.releasing = false;
            self.membership.released();
        }
        if let Some(until) = self.closing {
            let can_commit = self.membership.is_member() || self.group.subscription.is_none();
            let is_over = self.commits.is_empty() || until <= now || !can_commit;
            if is_over && self.leaving.is_none() {
                self.membership.close();
                self.conversation.stop();
                (self.beating, self.beginning) = (None, None);
            }
        }
        let is_told = self.group.subscription.is_none();
        if is_told || self.topics.is_empty() && !self.membership.is_member() && self.closing.is_none() {
            return None;
        }
        if self.membership.is_stable()
            && let Some(reason) = self.topics.news()
        {
            self.membership.rejoin(reason);
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
        self.beginnings.clear();
        self.commits.lose(|at| partitions.contains(at));
        self.group.desk.lose(&self.shared, partitions);
    }

    fn join(&mut self, owned: &[TopicPartition], reason: &'static str) {
        self.beating = None;
        let (who, topics) = (self.identity(), self.topics.tell());
        if let Err(error) = self.conversation.join(who, &topics, owned, reason) {
            self.unspeakable(error);
        }
    }

    fn sync(&mut self, assignments: Vec<(Arc<str>, Vec<TopicPartition>)>) {
        if let Err(error) = self.conversation.sync(self.identity(), assignments) {
            self.unspeakable(error);
        }
    }

    /// What is to be told does not fit into a request.
    fn unspeakable(&mut self, error: ProtocolError) {
        tracing::error!("group {}: {error}", self.group.id);
        self.failed(Instant::now(), Failure::Refused(ErrorCode::INVALID_REQUEST));
    }

    fn beat(&mut self) {
        let who = self.identity();
        let limit = self.shared.cluster.config().request_timeout.min(self.group.config.session_timeout / 3);
        let beat = move |connection| requests::heartbeat(connection, who, limit);
        self.beating = Some(self.coordinator.ask(Purpose::Coordinate, beat));
    }

    fn leave(&mut self, member_id: Arc<str>, reason: &'static str) {
        self.conversation.stop();
        self.beating = None;
        let who = Identity { member_id, ..self.identity() };
        let limit = self.group.config.leave_timeout;
        let leave = move |connection| requests::leave(connection, who, reason, limit);
        let left = self.coordinator.ask(Purpose::Coordinate, leave);
        self.leaving = Some(Box::pin(async move { tokio::time::timeout(limit, left).await.unwrap_or(Ok(())) }));
    }

    /// Finds out where to begin with partitions that are new.
    fn begin(&mut self, partitions: Vec<TopicPartition>) {
        self.shared.reserve(&partitions);
        if !partitions.is_empty() {
            self.beginning = None;
            self.beginnings.add(partitions.iter().cloned());
        }
        self.group.desk.assigned(&self.shared, partitions);
    }

    /// Asks what is committed of partitions that are to begin; when to look again.
    fn fetch_committed(&mut self, now: Instant) -> Option<Instant> {
        match self.beginnings.next(now, self.membership.owned()) {
            Ok(None) => None,
            Err(until) => Some(until),
            Ok(Some(partitions)) => {
                let (group, limit) = (Arc::clone(&self.group.id), self.shared.cluster.config().request_timeout);
                let fetch = move |connection| requests::fetch_committed(connection, group, partitions, limit);
                self.beginning = Some(self.coordinator.ask(Purpose::Coordinate, fetch));
                None
            }
        }
    }

    fn begun(&mut self, answer: Result<CommittedOffsets, Failure>) {
        let begun = self.beginnings.answered(Instant::now(), self.membership.owned(), answer);
        if begun.is_lost {
            self.coordinator.forget();
        }
        for (at, start) in &begun.starts {
            if let Start::Committed(committed) = start {
                self.commits.know(at.clone(), committed.offset);
            }
        }
        self.shared.begin(begun.starts);
        begun.failures.into_iter().for_each(|failure| self.group.desk.fail(&self.shared, failure));
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
                let (who, limit) = (self.identity(), self.shared.cluster.config().request_timeout);
                self.committing_under = who.generation;
                let commit = move |connection| requests::commit(connection, who, offsets, limit);
                self.committing = Some(self.coordinator.ask(Purpose::Coordinate, commit));
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
            self.conversation.stop();
            self.beating = None;
            let overdue = ConsumeError::PollOverdue { after: config.max_poll_interval };
            self.group.desk.fail(&self.shared, overdue);
            return Some(now);
        }
        let closing = self.closing.filter(|at| *at > now);
        [self.auto_commit_at, is_out.then_some(overdue_at), closing].into_iter().flatten().min()
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
            said = self.conversation.said() => self.conversed(said),
            beat = end_of(&mut self.beating) => {
                let now = Instant::now();
                match beat {
                    Ok(()) => self.membership.heartbeat_answered(now),
                    Err(failure) => self.failed(now, failure),
                }
            }
            committed = end_of(&mut self.committing) => self.committed(committed),
            begun = end_of(&mut self.beginning) => self.begun(begun),
            left = end_of(&mut self.leaving) => {
                if let Err(failure) = left {
                    tracing::debug!("group {}: leaving: {failure:?}", self.group.id);
                }
                self.membership.left();
            }
            () = self.topics.changed() => {}
            () = self.group.desk.news.notified() => {}
            () = waking => {}
        }
        *self.group.desk.identity.lock() = (Arc::clone(self.membership.member_id()), self.membership.generation());
    }

    fn conversed(&mut self, said: Said) {
        let now = Instant::now();
        match said {
            Said::Join(Ok(JoinAnswer::Named(member_id))) => self.membership.named(member_id),
            Said::Join(Ok(JoinAnswer::Joined { joined, protocol, members })) => {
                self.topics.joined();
                self.conversation.joined(protocol);
                self.membership.joined(now, joined);
                if self.membership.is_leading() {
                    self.conversation.lead(members);
                } else if !members.is_empty() {
                    let (cluster, coordinator) = (Arc::clone(&self.shared.cluster), Arc::clone(&self.coordinator));
                    self.topics.find(Box::pin(leader::found(
                        cluster,
                        coordinator,
                        Arc::clone(&self.group.id),
                        members,
                    )));
                }
            }
            Said::Lead(Ok(shares)) => {
                self.topics.assigned(shares.topics);
                self.membership.assigned_all(shares.members);
            }
            Said::Lead(Err(error)) => {
                tracing::debug!("group {}: the assignment could not be made: {error}", self.group.id);
                self.failed(now, Failure::Refused(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS));
            }
            Said::Sync(Ok(assignment)) => match self.conversation.synced(assignment, self.membership.generation()) {
                Ok(assigned) => self.membership.synced(now, assigned),
                Err(why) => {
                    tracing::warn!("group {}: the leader's assignment cannot be read: {why}", self.group.id);
                    self.failed(now, Failure::Refused(ErrorCode::REBALANCE_IN_PROGRESS));
                }
            },
            Said::Join(Err(failure)) | Said::Sync(Err(failure)) => self.failed(now, failure),
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
                let _ = self.membership.refused(now, Refusal::Fatal(ErrorCode::UNSUPPORTED_VERSION));
                return self.ended(now, ConsumeError::Cluster(error.clone()), CommitError::Cluster(error));
            }
        };
        if let Err(code) = refused {
            self.refused_for_good(now, code);
        }
    }

    fn refused_for_good(&mut self, now: Instant, code: ErrorCode) {
        let group = || Arc::clone(&self.group.id);
        let (error, commit) =
            (ConsumeError::Group { group: group(), code }, CommitError::Group { group: group(), code });
        self.ended(now, error, commit);
    }

    /// The membership is over, and so is the task: the last that it does for the user.
    fn ended(&mut self, now: Instant, error: ConsumeError, commit: CommitError) {
        // Before the partitions are lost, which would be all that these commits are told.
        self.commits.fail_all(&commit);
        loop {
            match self.membership.next(now) {
                Action::Lose(partitions) => self.lose(partitions),
                Action::Wait(_) => break,
                _ => {}
            }
        }
        // Told when there is nothing left to read.
        self.group.desk.refuse(&self.shared, error, commit);
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
                self.conversation.stop();
            }
            Some(Refusal::Retry) | None => {}
        }
    }
}
