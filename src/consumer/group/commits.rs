use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use tokio::{sync::oneshot, time::Instant};

use super::{CommitError, Committed, Failure, Refusal};
use crate::{model::TopicPartition, time::Backoff, wire::ErrorCode};

/// Offsets to be committed, in the order in which they were asked for.
///
/// One request is under way at a time, and what comes meanwhile goes into the next, the latest offset of each partition: so an
/// older commit never overtakes a newer one. An entry stays until it is committed, refused for good, replaced by a newer one,
/// or its partition is lost.
#[derive(Debug)]
pub(crate) struct Commits {
    /// The group, if these commits are of no member of it.
    beside: Option<Arc<str>>,
    waiting: BTreeMap<TopicPartition, Entry>,
    sent: BTreeMap<TopicPartition, Entry>,
    /// A request is under way, even if all that it asks for has been lost meanwhile.
    under_way: bool,
    askers: Vec<Asker>,
    number: u64,
    not_before: Option<Instant>,
    backoff: Backoff,
    /// What the coordinator has, as far as this member knows.
    known: HashMap<TopicPartition, i64>,
    /// Partitions that the coordinator does not know, and since when it says so.
    strange: HashMap<TopicPartition, Instant>,
    /// It may not have heard of a new topic yet; a topic that it does not know for longer than this is gone.
    patience: Duration,
}

#[derive(Debug, Clone)]
struct Entry {
    number: u64,
    committed: Committed,
}

/// Somebody who waits for the end of what he has asked for.
#[derive(Debug)]
struct Asker {
    left: HashMap<TopicPartition, u64>,
    tell: oneshot::Sender<Result<(), CommitError>>,
}

impl Commits {
    /// With the group as `beside` they are of a consumer that is no member of it: while it has members it takes none.
    pub(crate) fn new(backoff: Backoff, patience: Duration, beside: Option<Arc<str>>) -> Self {
        Commits {
            beside,
            waiting: BTreeMap::new(),
            sent: BTreeMap::new(),
            under_way: false,
            askers: Vec::new(),
            number: 0,
            not_before: None,
            backoff,
            known: HashMap::new(),
            strange: HashMap::new(),
            patience,
        }
    }

    /// Takes offsets to be committed; `tell` hears when the last of them has come to its end.
    pub(crate) fn push(
        &mut self,
        offsets: Vec<(TopicPartition, Committed)>,
        tell: Option<oneshot::Sender<Result<(), CommitError>>>,
    ) {
        self.number += 1;
        let number = self.number;
        let mut left = HashMap::new();
        for (at, committed) in offsets {
            left.insert(at.clone(), number);
            self.waiting.insert(at, Entry { number, committed });
        }
        // Many may be made that nobody waits for, and for long: only what is to be committed is kept of them.
        match tell.filter(|tell| !tell.is_closed()) {
            Some(tell) if left.is_empty() => drop(tell.send(Ok(()))),
            Some(tell) => self.askers.push(Asker { left, tell }),
            None => {}
        }
    }

    /// As [`push`](Commits::push) for nobody, without what is committed already.
    pub(crate) fn push_new(&mut self, offsets: Vec<(TopicPartition, Committed)>) {
        let is_new = |(at, committed): &(TopicPartition, Committed)| match self.waiting.get(at).or(self.sent.get(at)) {
            Some(entry) => entry.committed.offset != committed.offset,
            None => self.known.get(at) != Some(&committed.offset),
        };
        let new: Vec<_> = offsets.into_iter().filter(is_new).collect();
        if !new.is_empty() {
            self.push(new, None);
        }
    }

    /// What the coordinator has of these partitions, as it told.
    pub(crate) fn know(&mut self, at: TopicPartition, offset: i64) {
        self.known.insert(at, offset);
    }

    /// The next request, if nothing is under way. `Err` is when to look again.
    pub(crate) fn next(&mut self, now: Instant) -> Result<Option<Vec<(TopicPartition, Committed)>>, Instant> {
        if self.under_way || self.waiting.is_empty() {
            return Ok(None);
        }
        if let Some(until) = self.not_before.filter(|t| *t > now) {
            return Err(until);
        }
        self.under_way = true;
        self.sent = std::mem::take(&mut self.waiting);
        Ok(Some(self.sent.iter().map(|(at, entry)| (at.clone(), entry.committed.clone())).collect()))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.sent.is_empty()
    }

    /// Whether something is to be committed, or is being so, of such a partition.
    pub(crate) fn holds(&self, is_such: impl Fn(&TopicPartition) -> bool) -> bool {
        self.waiting.keys().chain(self.sent.keys()).any(is_such)
    }

    /// The request was answered. What it means for the member, if it means anything: the worst that a partition was told.
    pub(crate) fn answered(
        &mut self,
        now: Instant,
        answer: Result<HashMap<TopicPartition, ErrorCode>, Failure>,
    ) -> Option<Refusal> {
        self.under_way = false;
        let sent = std::mem::take(&mut self.sent);
        let mut of_member = None;
        let mut again = BTreeMap::new();
        for (at, entry) in sent {
            let refusal = match &answer {
                // A partition that the answer leaves out is asked for once more.
                Ok(codes) => match codes.get(&at).copied().map(ErrorCode::check) {
                    Some(Ok(())) => {
                        self.strange.remove(&at);
                        self.known.insert(at.clone(), entry.committed.offset);
                        self.resolve(&at, entry.number, None);
                        continue;
                    }
                    Some(Err(code)) if self.is_gone(now, &at, code) => Refusal::Fatal(code),
                    Some(Err(code)) => Refusal::of(code),
                    None => Refusal::Retry,
                },
                Err(Failure::Refused(code)) => Refusal::of(*code),
                Err(Failure::Lost(error)) if error.is_retriable() => Refusal::OtherCoordinator,
                Err(Failure::Lost(error)) => {
                    let failure = CommitError::Cluster(error.clone());
                    self.resolve(&at, entry.number, Some(failure));
                    continue;
                }
            };
            match (refusal, &self.beside) {
                (Refusal::Rebalance | Refusal::OldGeneration | Refusal::UnknownMember, Some(group)) => {
                    let failure = CommitError::ActiveMembers { group: Arc::clone(group) };
                    self.resolve(&at, entry.number, Some(failure));
                }
                (Refusal::Fatal(code), beside) => {
                    let failure = CommitError::Refused { partition: at.clone(), code };
                    if code == ErrorCode::FENCED_INSTANCE_ID && beside.is_none() {
                        of_member = Some(refusal);
                    }
                    self.resolve(&at, entry.number, Some(failure));
                }
                (refusal, _) => {
                    if !matches!(refusal, Refusal::Retry) {
                        of_member = Some(refusal);
                    }
                    again.insert(at, entry);
                }
            }
        }
        if again.is_empty() {
            self.backoff.reset();
            self.not_before = None;
        } else {
            self.not_before = Some(now + self.backoff.next_wait());
        }
        // What was asked for meanwhile is newer.
        for (at, entry) in again {
            self.waiting.entry(at).or_insert(entry);
        }
        of_member
    }

    fn is_gone(&mut self, now: Instant, at: &TopicPartition, code: ErrorCode) -> bool {
        code == ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
            && now - *self.strange.entry(at.clone()).or_insert(now) >= self.patience
    }

    /// These partitions are this member's no more: what there is to commit of them, no one may.
    pub(crate) fn lose(&mut self, is_lost: impl Fn(&TopicPartition) -> bool) {
        let lost: Vec<(TopicPartition, u64)> = self
            .waiting
            .iter()
            .chain(&self.sent)
            .filter(|(at, _)| is_lost(at))
            .map(|(at, entry)| (at.clone(), entry.number))
            .collect();
        for (at, number) in lost {
            self.waiting.remove(&at);
            self.sent.remove(&at);
            self.resolve(&at, number, Some(CommitError::NotOwned { partition: at.clone() }));
        }
        self.known.retain(|at, _| !is_lost(at));
        self.strange.retain(|at, _| !is_lost(at));
    }

    /// Ends every wait: nothing more is committed.
    pub(crate) fn fail_all(&mut self, error: &CommitError) {
        self.waiting.clear();
        self.sent.clear();
        for asker in self.askers.drain(..) {
            let _ = asker.tell.send(Err(error.clone()));
        }
    }

    /// Entries of this partition up to `number` have come to their end.
    fn resolve(&mut self, at: &TopicPartition, number: u64, failure: Option<CommitError>) {
        let mut still = Vec::new();
        if let Some(failure) = failure.as_ref().filter(|_| !self.askers.iter().any(|asker| asker.left.contains_key(at)))
        {
            tracing::warn!("a commit that nobody waits for failed: {failure}");
        }
        for mut asker in self.askers.drain(..) {
            if asker.left.get(at).is_some_and(|asked| *asked <= number) {
                asker.left.remove(at);
                if let Some(failure) = &failure {
                    let _ = asker.tell.send(Err(failure.clone()));
                    continue;
                }
                if asker.left.is_empty() {
                    let _ = asker.tell.send(Ok(()));
                    continue;
                }
            }
            still.push(asker);
        }
        self.askers = still;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(partition: i32) -> TopicPartition {
        TopicPartition::new("t", partition)
    }

    fn offset(offset: i64) -> Committed {
        Committed { offset, leader_epoch: -1, metadata: Arc::from("") }
    }

    fn commits() -> Commits {
        beside(None)
    }

    fn beside(group: Option<&str>) -> Commits {
        let backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(1));
        Commits::new(backoff, Duration::from_secs(1), group.map(Arc::from))
    }

    fn ask(commits: &mut Commits, offsets: &[(i32, i64)]) -> oneshot::Receiver<Result<(), CommitError>> {
        let (tell, heard) = oneshot::channel();
        commits.push(offsets.iter().map(|(p, o)| (at(*p), offset(*o))).collect(), Some(tell));
        heard
    }

    fn next(commits: &mut Commits, now: Instant) -> Vec<(i32, i64)> {
        let sent = commits.next(now).unwrap().unwrap_or_default();
        sent.iter().map(|(at, committed)| (at.partition, committed.offset)).collect()
    }

    fn codes(codes: &[(i32, ErrorCode)]) -> Result<HashMap<TopicPartition, ErrorCode>, Failure> {
        Ok(codes.iter().map(|(p, code)| (at(*p), *code)).collect())
    }

    #[test]
    fn one_request_at_a_time_and_the_newest_offset_wins() {
        let (mut commits, now) = (commits(), Instant::now());
        let mut first = ask(&mut commits, &[(0, 5), (1, 7)]);
        assert_eq!(next(&mut commits, now), [(0, 5), (1, 7)]);
        let mut second = ask(&mut commits, &[(0, 6)]);
        let mut third = ask(&mut commits, &[(0, 8)]);
        assert_eq!(next(&mut commits, now), [], "one is under way");
        assert_eq!(commits.answered(now, codes(&[(0, ErrorCode::NONE), (1, ErrorCode::NONE)])), None);
        assert!(first.try_recv().unwrap().is_ok());
        assert_eq!(next(&mut commits, now), [(0, 8)]);
        commits.answered(now, codes(&[(0, ErrorCode::NONE)]));
        assert!(second.try_recv().unwrap().is_ok() && third.try_recv().unwrap().is_ok());
        assert!(commits.is_empty());
    }

    #[test]
    fn what_was_refused_for_now_never_replaces_what_is_newer() {
        let (mut commits, now) = (commits(), Instant::now());
        let mut first = ask(&mut commits, &[(0, 5)]);
        next(&mut commits, now);
        ask(&mut commits, &[(0, 9)]);
        let refusal = commits.answered(now, codes(&[(0, ErrorCode::REBALANCE_IN_PROGRESS)]));
        assert_eq!(refusal, Some(Refusal::Rebalance));
        assert!(commits.next(now).is_err(), "after a back-off");
        assert_eq!(next(&mut commits, now + Duration::from_secs(1)), [(0, 9)]);
        commits.answered(now, codes(&[(0, ErrorCode::NONE)]));
        assert!(first.try_recv().unwrap().is_ok(), "a newer offset is committed, so it is too");
    }

    #[test]
    fn of_a_commit_that_nobody_waits_for_only_the_offset_is_kept() {
        let (mut commits, now) = (commits(), Instant::now());
        for n in 0..100 {
            let (tell, heard) = oneshot::channel();
            drop(heard);
            commits.push(vec![(at(0), offset(n + 1))], Some(tell));
        }
        assert!(commits.askers.is_empty());
        assert_eq!(next(&mut commits, now), [(0, 100)]);
    }

    #[test]
    fn a_partition_that_was_lost_is_an_error_that_says_so() {
        let (mut commits, now) = (commits(), Instant::now());
        let mut both = ask(&mut commits, &[(0, 5), (1, 5)]);
        let mut other = ask(&mut commits, &[(2, 5)]);
        commits.lose(|at| at.partition == 1);
        assert!(matches!(both.try_recv().unwrap(), Err(CommitError::NotOwned { partition }) if partition == at(1)));
        assert!(other.try_recv().is_err());
        assert_eq!(next(&mut commits, now), [(0, 5), (2, 5)]);
    }

    #[test]
    fn a_consumer_beside_the_members_is_refused_in_plain_words_and_at_once() {
        let now = Instant::now();
        for code in [ErrorCode::UNKNOWN_MEMBER_ID, ErrorCode::ILLEGAL_GENERATION, ErrorCode::REBALANCE_IN_PROGRESS] {
            let mut commits = beside(Some("g"));
            let mut heard = ask(&mut commits, &[(0, 5), (1, 5)]);
            next(&mut commits, now);
            assert_eq!(commits.answered(now, codes(&[(0, code), (1, code)])), None);
            let error = heard.try_recv().expect("it has ended").unwrap_err();
            assert!(matches!(&error, CommitError::ActiveMembers { group } if &**group == "g"), "{error}");
            assert!(commits.is_empty(), "nothing goes once more");
        }
        let mut commits = beside(Some("g"));
        let mut heard = ask(&mut commits, &[(0, 5)]);
        next(&mut commits, now);
        assert_eq!(commits.answered(now, codes(&[(0, ErrorCode::FENCED_INSTANCE_ID)])), None, "it is no member");
        assert!(heard.try_recv().unwrap().is_err());
    }

    #[test]
    fn a_topic_that_is_gone_is_given_up_after_a_while() {
        let (mut commits, now) = (commits(), Instant::now());
        let mut heard = ask(&mut commits, &[(0, 5), (1, 5)]);
        let unknown = |commits: &mut Commits, now| {
            next(commits, now);
            commits.answered(now, codes(&[(0, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION), (1, ErrorCode::NONE)]))
        };
        assert_eq!(unknown(&mut commits, now), None);
        assert!(!commits.is_empty(), "it may be new");
        assert_eq!(unknown(&mut commits, now + Duration::from_secs(1)), None, "it means nothing for the member");
        assert!(commits.is_empty());
        let error = heard.try_recv().expect("it has ended").unwrap_err();
        assert!(matches!(&error, CommitError::Refused { partition, .. } if *partition == at(0)), "{error}");
    }

    #[test]
    fn what_is_committed_already_is_not_committed_again_by_itself() {
        let (mut commits, now) = (commits(), Instant::now());
        commits.know(at(0), 5);
        commits.push_new(vec![(at(0), offset(5)), (at(1), offset(3))]);
        assert_eq!(next(&mut commits, now), [(1, 3)]);
        commits.push_new(vec![(at(1), offset(3))]);
        commits.answered(now, codes(&[(1, ErrorCode::NONE)]));
        assert_eq!(next(&mut commits, now), []);
        ask(&mut commits, &[(1, 3)]);
        assert_eq!(next(&mut commits, now), [(1, 3)], "but it is when somebody asks for it");
    }
}
