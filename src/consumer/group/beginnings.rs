use std::collections::{BTreeMap, BTreeSet};

use tokio::time::Instant;

use super::{Failure, Refusal, requests::CommittedOffsets};
use crate::{
    consumer::{ConsumeError, table::Start},
    model::{OffsetReset, TopicPartition},
    time::Backoff,
    wire::ErrorCode,
};

/// Partitions of which it is being found out where to begin: at what is committed, or else where the reset policy says.
///
/// Pure. One request is under way at a time, and it is for all of them. What may not be seen is asked for again, less and less
/// often; the user is told once.
#[derive(Debug)]
pub(crate) struct Beginnings {
    reset: OffsetReset,
    /// With what the user was told of each last, if anything.
    open: BTreeMap<TopicPartition, Option<ErrorCode>>,
    /// What he was told last of all of them together.
    told: Option<ErrorCode>,
    under_way: bool,
    not_before: Option<Instant>,
    backoff: Backoff,
}

/// What came of a request.
#[derive(Debug, Default)]
pub(crate) struct Begun {
    pub(crate) starts: Vec<(TopicPartition, Start)>,
    pub(crate) failures: Vec<ConsumeError>,
    /// The coordinator is another, or none.
    pub(crate) is_lost: bool,
}

impl Beginnings {
    pub(crate) fn new(reset: OffsetReset, backoff: Backoff) -> Self {
        Beginnings { reset, open: BTreeMap::new(), told: None, under_way: false, not_before: None, backoff }
    }

    /// Takes partitions that are new. A request that is under way counts no more: the next is for these too.
    pub(crate) fn add(&mut self, partitions: impl IntoIterator<Item = TopicPartition>) {
        self.open.extend(partitions.into_iter().map(|at| (at, None)));
        self.again_at_once();
    }

    /// Forgets all of them, and the request that is under way.
    pub(crate) fn clear(&mut self) {
        self.open.clear();
        self.again_at_once();
    }

    fn again_at_once(&mut self) {
        (self.under_way, self.not_before) = (false, None);
        self.backoff.reset();
    }

    /// The partitions to ask for now, of those that are `owned` still. `Err` is when to look again.
    pub(crate) fn next(
        &mut self,
        now: Instant,
        owned: &BTreeSet<TopicPartition>,
    ) -> Result<Option<Vec<TopicPartition>>, Instant> {
        if self.under_way || self.open.is_empty() {
            return Ok(None);
        }
        if let Some(until) = self.not_before.filter(|t| *t > now) {
            return Err(until);
        }
        self.open.retain(|at, _| owned.contains(at));
        self.under_way = !self.open.is_empty();
        Ok(self.under_way.then(|| self.open.keys().cloned().collect()))
    }

    /// The request was answered, or was not.
    pub(crate) fn answered(
        &mut self,
        now: Instant,
        owned: &BTreeSet<TopicPartition>,
        answer: Result<CommittedOffsets, Failure>,
    ) -> Begun {
        self.under_way = false;
        self.open.retain(|at, _| owned.contains(at));
        let mut begun = Begun::default();
        match answer {
            Ok(found) => self.found(found, &mut begun),
            Err(Failure::Refused(code)) => match Refusal::of(code) {
                Refusal::Fatal(code) => {
                    let is_news = self.told.replace(code) != Some(code);
                    let first = self.open.keys().next().filter(|_| is_news).cloned();
                    begun.failures.extend(first.map(|partition| ConsumeError::Refused { partition, code }));
                }
                Refusal::Retry => {}
                _ => begun.is_lost = true,
            },
            Err(Failure::Lost(_)) => begun.is_lost = true,
        }
        match self.open.is_empty() {
            true => self.again_at_once(),
            false => self.not_before = Some(now + self.backoff.next_wait()),
        }
        begun
    }

    fn found(&mut self, mut found: CommittedOffsets, begun: &mut Begun) {
        self.told = None;
        let reset = self.reset.spec();
        self.open.retain(|at, told| {
            match (found.remove(at), reset) {
                (Some(Ok(Some(committed))), _) => begun.starts.push((at.clone(), Start::Committed(committed))),
                (Some(Ok(None)), Some(spec)) => begun.starts.push((at.clone(), Start::At(spec))),
                (Some(Ok(None)), None) => {
                    begun.failures.push(ConsumeError::NothingCommitted { partition: at.clone() });
                }
                (Some(Err(code)), _) => {
                    if matches!(Refusal::of(code), Refusal::Fatal(_)) && told.replace(code) != Some(code) {
                        begun.failures.push(ConsumeError::Refused { partition: at.clone(), code });
                    }
                    return true;
                }
                // Left out of the answer.
                (None, _) => return true,
            }
            false
        });
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use super::*;
    use crate::{cluster::ClusterError, consumer::group::Committed};

    fn at(partition: i32) -> TopicPartition {
        TopicPartition::new("t", partition)
    }

    fn all(partitions: &[i32]) -> Vec<TopicPartition> {
        partitions.iter().map(|p| at(*p)).collect()
    }

    fn beginnings(partitions: &[i32]) -> (Beginnings, BTreeSet<TopicPartition>) {
        let backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(1));
        let mut beginnings = Beginnings::new(OffsetReset::None, backoff);
        beginnings.add(all(partitions));
        (beginnings, partitions.iter().map(|p| at(*p)).collect())
    }

    fn found(results: &[(i32, Result<Option<i64>, ErrorCode>)]) -> Result<CommittedOffsets, Failure> {
        let committed = |offset: &i64| Committed { offset: *offset, leader_epoch: -1, metadata: Arc::from("") };
        let each = results.iter().map(|(p, r)| (at(*p), r.map(|offset| offset.as_ref().map(committed))));
        Ok(each.collect())
    }

    fn begins(begun: &Begun) -> Vec<i32> {
        begun.starts.iter().map(|(at, _)| at.partition).collect()
    }

    #[test]
    fn what_may_not_be_seen_is_told_once_and_asked_for_less_and_less_often() {
        let (mut beginnings, owned) = beginnings(&[0, 1]);
        let mut now = Instant::now();
        let (mut told, mut last) = (0, Duration::ZERO);
        for round in 0..20 {
            assert_eq!(beginnings.next(now, &owned), Ok(Some(all(&[0, 1]))));
            assert_eq!(beginnings.next(now, &owned), Ok(None), "one is under way");
            let begun = beginnings.answered(now, &owned, Err(ErrorCode::GROUP_AUTHORIZATION_FAILED.into()));
            assert!(begun.starts.is_empty() && !begun.is_lost);
            told += begun.failures.len();
            let until = beginnings.next(now, &owned).unwrap_err();
            if round < 3 {
                assert!(until - now > last, "the wait grows");
            }
            (last, now) = (until - now, until);
        }
        assert_eq!(told, 1);
        assert!(last >= Duration::from_millis(800));
        beginnings.next(now, &owned).unwrap();
        let begun = beginnings.answered(now, &owned, found(&[(0, Ok(Some(5))), (1, Ok(Some(6)))]));
        assert_eq!((begins(&begun), begun.failures.len()), (vec![0, 1], 0));
        assert_eq!(beginnings.next(now, &owned), Ok(None));
    }

    #[test]
    fn one_partition_that_may_not_be_seen_holds_up_no_other() {
        let (mut beginnings, owned) = beginnings(&[0, 1, 2, 3]);
        let now = Instant::now();
        let later = now + Duration::from_secs(2);
        let secret = Err(ErrorCode::TOPIC_AUTHORIZATION_FAILED);
        let unstable = Err(ErrorCode::UNSTABLE_OFFSET_COMMIT);
        beginnings.next(now, &owned).unwrap();
        let answer = found(&[(0, secret), (1, Ok(Some(5))), (2, unstable), (3, Ok(None))]);
        let begun = beginnings.answered(now, &owned, answer);
        assert_eq!(begins(&begun), [1]);
        let [ConsumeError::Refused { partition, .. }, ConsumeError::NothingCommitted { partition: other }] =
            &begun.failures[..]
        else {
            panic!("{begun:?}")
        };
        assert_eq!((partition, other), (&at(0), &at(3)));
        assert_eq!(beginnings.next(later, &owned), Ok(Some(all(&[0, 2]))));
        let begun = beginnings.answered(later, &owned, found(&[(0, secret), (2, Ok(Some(1)))]));
        assert_eq!((begins(&begun), begun.failures.len()), (vec![2], 0), "it was told");
        beginnings.next(later + Duration::from_secs(2), &owned).unwrap();
        let begun = beginnings.answered(later, &owned, found(&[(0, Ok(Some(9)))]));
        assert_eq!(begins(&begun), [0], "once it may be seen");
    }

    #[test]
    fn partitions_that_come_are_asked_for_at_once_and_those_that_go_no_more() {
        let (mut beginnings, mut owned) = beginnings(&[0, 1]);
        let now = Instant::now();
        beginnings.next(now, &owned).unwrap();
        let lost = ClusterError::UnknownBroker { id: 1 };
        assert!(beginnings.answered(now, &owned, Err(lost.into())).is_lost);
        assert!(beginnings.next(now, &owned).is_err());
        owned.remove(&at(0));
        owned.insert(at(2));
        beginnings.add([at(2)]);
        assert_eq!(beginnings.next(now, &owned), Ok(Some(all(&[1, 2]))));
        owned.remove(&at(1));
        let begun = beginnings.answered(now, &owned, found(&[(1, Ok(Some(1))), (2, Ok(Some(2)))]));
        assert_eq!(begins(&begun), [2]);
        beginnings.add([at(2)]);
        beginnings.clear();
        assert_eq!(beginnings.next(now, &owned), Ok(None));
    }
}
