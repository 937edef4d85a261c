use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use parking_lot::Mutex;
use tokio::sync::{Notify, oneshot};

use super::{CommitError, Committed, Rebalance};
use crate::{
    consumer::{ConsumeError, shared::Shared},
    model::TopicPartition,
};

pub(crate) type Offsets = Vec<(TopicPartition, Committed)>;

/// What is to be committed, and who hears of its end; nobody, where it commits by itself.
type AskedCommit = (Offsets, Option<oneshot::Sender<Result<(), CommitError>>>);

/// Between the user's task and the member's: what each has for the other.
///
/// The user's task comes by when it asks for the next record after something has changed; the member's never waits for it but to
/// have partitions given up.
#[derive(Debug)]
pub(crate) struct Desk {
    papers: Mutex<Papers>,
    /// Wakes the member's task.
    pub(crate) news: Notify,
    /// Odd while the user's task is in the consumer, even while it is out with what it was handed.
    polls: AtomicU64,
    /// The member id, as the coordinator last gave it, and the generation.
    pub(crate) identity: Mutex<(Arc<str>, i32)>,
}

#[derive(Debug, Default)]
struct Papers {
    /// Partitions that the user is to give up, and whether he has been told.
    release: Option<(Vec<TopicPartition>, bool)>,
    /// What he has given up, with the offsets behind what he had of it.
    released: Option<Offsets>,
    events: VecDeque<Rebalance>,
    /// Partitions that he has lost since he was here last.
    lost: Vec<TopicPartition>,
    errors: VecDeque<ConsumeError>,
    /// It is time for an automatic commit: the user's task is to say where it is.
    commit_due: bool,
    /// In the order in which the user's task came to them, whoever asks: none may be followed by what is older.
    commits: Vec<AskedCommit>,
    rejoin: bool,
    closing: Option<Closing>,
    /// The member was refused for good: what the user is told each time, once there is nothing else to tell, and what becomes
    /// of his commits.
    refused: Option<(ConsumeError, CommitError)>,
    /// The member's task has ended: nobody takes anything from here.
    ended: bool,
}

/// How the consumer ends.
#[derive(Debug)]
pub(crate) enum Closing {
    /// `close` was called: what there is to commit automatically.
    Closed(Offsets),
    /// It was dropped: nobody can say how far the user came.
    Dropped,
}

/// What the member's task finds on the desk.
#[derive(Debug, Default)]
pub(crate) struct ForMember {
    pub(crate) released: Option<Offsets>,
    pub(crate) commits: Vec<AskedCommit>,
    pub(crate) rejoin: bool,
    pub(crate) closing: Option<Closing>,
}

/// What the user's task finds there.
#[derive(Debug)]
pub(crate) enum ForUser {
    Event(Rebalance),
    Failed(ConsumeError),
    Nothing,
}

/// More are not kept for a user who does not ask for them.
const MAX_EVENTS: usize = 1000;
const MAX_ERRORS: usize = 1000;

impl Desk {
    pub(crate) fn new() -> Self {
        Desk {
            papers: Mutex::default(),
            news: Notify::new(),
            polls: AtomicU64::new(0),
            identity: Mutex::new((Arc::from(""), -1)),
        }
    }

    /// The user's task is in the consumer.
    #[inline]
    pub(crate) fn enter(&self) {
        let polls = self.polls.load(Ordering::Relaxed);
        if polls & 1 == 0 {
            self.polls.store(polls + 1, Ordering::Relaxed);
        }
    }

    /// The user's task goes, with a record or without.
    #[inline]
    pub(crate) fn exit(&self) {
        let polls = self.polls.load(Ordering::Relaxed);
        if polls & 1 == 1 {
            self.polls.store(polls + 1, Ordering::Relaxed);
        }
    }

    /// A number that changes whenever the user's task comes or goes; odd while it is in.
    pub(crate) fn polls(&self) -> u64 {
        self.polls.load(Ordering::Relaxed)
    }

    /// The user's task comes by. `positions` are the offsets behind all that it was handed, of the partitions asked for.
    /// Without `with_events` it is not told of rebalances: coming back is enough to give partitions up.
    pub(crate) fn attend(
        &self,
        shared: &Shared,
        with_events: bool,
        positions: impl Fn(Option<&[TopicPartition]>) -> Offsets,
    ) -> ForUser {
        let mut papers = self.papers.lock();
        papers.lost.clear();
        if let Some(error) = papers.errors.pop_front() {
            // The member's task may wait for the user to come back, and for nothing else.
            self.news.notify_one();
            return ForUser::Failed(error);
        }
        if !with_events {
            papers.events.clear();
        }
        if let Some(event) = papers.events.pop_front() {
            return ForUser::Event(event);
        }
        if let Some((partitions, told)) = &mut papers.release {
            if with_events && !std::mem::replace(told, true) {
                return ForUser::Event(Rebalance::Revoked(partitions.clone()));
            }
            let given_up = positions(Some(partitions));
            shared.retain(|at| !partitions.contains(at));
            papers.release = None;
            papers.released = Some(given_up);
            self.news.notify_one();
        }
        if std::mem::take(&mut papers.commit_due) {
            // What was handed out and come back after.
            papers.commits.push((positions(None), None));
            self.news.notify_one();
        }
        match &papers.refused {
            Some((error, _)) => ForUser::Failed(error.clone()),
            None => ForUser::Nothing,
        }
    }

    pub(crate) fn commit(&self, offsets: Offsets, tell: oneshot::Sender<Result<(), CommitError>>) {
        let mut papers = self.papers.lock();
        if papers.ended || papers.refused.is_some() {
            return drop(tell.send(Err(papers.why_ended())));
        }
        // Of before they were lost, though they may be this member's again by now: others may have come further.
        let (lost, offsets): (Offsets, Offsets) = offsets.into_iter().partition(|(at, _)| papers.lost.contains(at));
        let tell = match lost.into_iter().next() {
            None => Some(tell),
            Some((partition, _)) => {
                drop(tell.send(Err(CommitError::NotOwned { partition })));
                None
            }
        };
        papers.commits.push((offsets, tell));
        self.news.notify_one();
    }

    /// The member's task ends. Why nothing is committed any more.
    pub(crate) fn end(&self) -> CommitError {
        let mut papers = self.papers.lock();
        papers.ended = true;
        papers.fail_commits()
    }

    /// Why what the user was handed cannot be committed, which he cannot know yet: it was lost since he was here last.
    pub(crate) fn lost(&self) -> Option<CommitError> {
        let papers = self.papers.lock();
        let refused = papers.refused.as_ref().map(|(_, commit)| commit.clone());
        refused.or_else(|| papers.lost.first().map(|at| CommitError::NotOwned { partition: at.clone() }))
    }

    pub(crate) fn rejoin(&self) {
        self.papers.lock().rejoin = true;
        self.news.notify_one();
    }

    pub(crate) fn close(&self, closing: Closing) {
        self.papers.lock().closing.get_or_insert(closing);
        self.news.notify_one();
    }

    /// For the member's task: all that lies here for it.
    pub(crate) fn take(&self) -> ForMember {
        let mut papers = self.papers.lock();
        ForMember {
            released: papers.released.take(),
            commits: std::mem::take(&mut papers.commits),
            rejoin: std::mem::take(&mut papers.rejoin),
            closing: papers.closing.take(),
        }
    }

    /// The user is to give these up.
    pub(crate) fn ask_release(&self, shared: &Shared, partitions: Vec<TopicPartition>) {
        self.papers.lock().release = Some((partitions, false));
        shared.attention();
    }

    /// The user has lost these, and whatever was to be given up.
    pub(crate) fn lose(&self, shared: &Shared, partitions: Vec<TopicPartition>) {
        let mut papers = self.papers.lock();
        shared.retain(|at| !partitions.contains(at));
        (papers.release, papers.released) = (None, None);
        papers.lost.extend_from_slice(&partitions);
        papers.tell(Rebalance::Lost(partitions));
        drop(papers);
        shared.attention();
    }

    pub(crate) fn assigned(&self, shared: &Shared, partitions: Vec<TopicPartition>) {
        self.papers.lock().tell(Rebalance::Assigned(partitions));
        shared.attention();
    }

    pub(crate) fn fail(&self, shared: &Shared, error: ConsumeError) {
        let mut papers = self.papers.lock();
        if papers.errors.len() == MAX_ERRORS {
            papers.errors.pop_front();
        }
        papers.errors.push_back(error);
        drop(papers);
        shared.attention();
    }

    /// The member is refused for good.
    pub(crate) fn refuse(&self, shared: &Shared, error: ConsumeError, commit: CommitError) {
        let mut papers = self.papers.lock();
        papers.refused = Some((error, commit));
        papers.fail_commits();
        drop(papers);
        shared.attention();
    }

    pub(crate) fn commit_is_due(&self, shared: &Shared) {
        self.papers.lock().commit_due = true;
        shared.attention();
    }
}

impl Papers {
    fn why_ended(&self) -> CommitError {
        self.refused.as_ref().map_or(CommitError::Closed, |(_, commit)| commit.clone())
    }

    fn fail_commits(&mut self) -> CommitError {
        let why = self.why_ended();
        self.commits.drain(..).filter_map(|(_, tell)| tell).for_each(|tell| drop(tell.send(Err(why.clone()))));
        why
    }

    fn tell(&mut self, event: Rebalance) {
        if self.events.len() == MAX_EVENTS {
            self.events.pop_front();
        }
        self.events.push_back(event);
    }
}
