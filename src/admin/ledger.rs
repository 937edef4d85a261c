use std::{fmt, sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{AdminError, ConfigResource};
use crate::{cluster::ClusterError, model::TopicPartition, wire::ErrorCode};

/// What one part of a request is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Subject {
    Resource(ConfigResource),
    Partition(TopicPartition),
    /// What a group has committed of a partition.
    Offset {
        group: Arc<str>,
        partition: TopicPartition,
    },
}

impl Subject {
    /// Its name on the wire, within what it is a part of.
    fn name(&self) -> Arc<str> {
        match self {
            Subject::Resource(resource) => resource.name(),
            Subject::Partition(partition) | Subject::Offset { partition, .. } => {
                Arc::from(partition.partition.to_string())
            }
        }
    }

    pub(super) fn topic(&self) -> Option<&Arc<str>> {
        match self {
            Subject::Resource(ConfigResource::Topic(name)) => Some(name),
            Subject::Partition(partition) | Subject::Offset { partition, .. } => Some(&partition.topic),
            Subject::Resource(_) => None,
        }
    }

    pub(super) fn group(&self) -> Option<&Arc<str>> {
        match self {
            Subject::Resource(ConfigResource::Group(group)) | Subject::Offset { group, .. } => Some(group),
            Subject::Resource(_) | Subject::Partition(_) => None,
        }
    }

    pub(super) fn of_group(group: &Arc<str>) -> Subject {
        Subject::Resource(ConfigResource::Group(Arc::clone(group)))
    }
}

impl From<&Arc<str>> for Subject {
    fn from(topic: &Arc<str>) -> Self {
        Subject::Resource(ConfigResource::Topic(Arc::clone(topic)))
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Subject::Resource(resource) => resource.fmt(f),
            Subject::Partition(partition) => write!(f, "partition {partition}"),
            Subject::Offset { group, partition } => write!(f, "group {group:?}, partition {partition}"),
        }
    }
}

/// What a broker answered in place of a result.
#[derive(Debug, Clone)]
pub(super) struct Refusal {
    pub(super) code: ErrorCode,
    pub(super) message: Option<Arc<str>>,
}

impl Refusal {
    /// From an answer's two fields; an empty message counts as none.
    pub(super) fn check(code: i16, message: Option<&str>) -> Result<(), Refusal> {
        let message = message.filter(|text| !text.is_empty()).map(Arc::from);
        ErrorCode::new(code).check().map_err(|code| Refusal { code, message })
    }

    /// The answer does not name what was asked for.
    pub(super) fn left_out() -> Refusal {
        Refusal { code: ErrorCode::UNKNOWN_SERVER_ERROR, message: Some(Arc::from("the answer leaves it out")) }
    }
}

/// The things that were asked for at once, and which of them are still open. Pure: it is told what happened.
///
/// A thing is open until it has a result, or a refusal that no retry changes. That something may have been done only ever
/// becomes more certain: a lost answer is remembered, and told with whatever error comes after it.
#[derive(Debug)]
pub(super) struct Ledger<T> {
    api: &'static str,
    /// Whether what is asked for changes something.
    changes: bool,
    /// How long a subject that a broker does not know is asked for again: that broker may only not have heard of it yet.
    patience: Duration,
    began: Instant,
    /// A refusal that, after a lost answer, says that what was asked for has been done; and the result then.
    done_already: Option<(ErrorCode, T)>,
    entries: Vec<Entry<T>>,
}

#[derive(Debug)]
struct Entry<T> {
    subject: Subject,
    result: Option<Result<T, AdminError>>,
    /// What stood in the way last.
    last: Option<ClusterError>,
    /// A request that may change something for it is on its way.
    in_flight: bool,
    possibly_applied: bool,
}

impl<T: Clone> Ledger<T> {
    /// Of questions.
    pub(super) fn asking(api: &'static str, subjects: Vec<Subject>, patience: Duration) -> Self {
        Self::new(api, subjects, false, patience, Instant::now())
    }

    /// Of changes, asked of somebody who knows what there is: what is unknown there does not exist.
    pub(super) fn changing(api: &'static str, subjects: Vec<Subject>) -> Self {
        Self::new(api, subjects, true, Duration::ZERO, Instant::now())
    }

    /// Of changes, asked of brokers that may not have heard of everything yet.
    pub(super) fn changing_with(api: &'static str, subjects: Vec<Subject>, patience: Duration) -> Self {
        Self::new(api, subjects, true, patience, Instant::now())
    }

    fn new(api: &'static str, subjects: Vec<Subject>, changes: bool, patience: Duration, began: Instant) -> Self {
        let entry = |subject| Entry { subject, result: None, last: None, in_flight: false, possibly_applied: false };
        let entries = subjects.into_iter().map(entry).collect();
        Ledger { api, changes, patience, began, done_already: None, entries }
    }

    /// From now on `code` after a lost answer counts as success, with this result.
    pub(super) fn done_already(mut self, code: ErrorCode, result: T) -> Self {
        self.done_already = Some((code, result));
        self
    }

    /// The indexes of what has no result yet.
    pub(super) fn open(&self) -> Vec<usize> {
        (0..self.entries.len()).filter(|index| self.entries[*index].result.is_none()).collect()
    }

    /// A request for these is being written.
    pub(super) fn sent(&mut self, indexes: &[usize]) {
        for index in indexes {
            self.entries[*index].in_flight = self.changes;
        }
    }

    /// The answer for one of them.
    pub(super) fn answered(&mut self, index: usize, answer: Result<T, Refusal>, now: Instant) {
        let patient = self.is_patient(now);
        let entry = &mut self.entries[index];
        entry.in_flight = false;
        match answer {
            Ok(value) => entry.result = Some(Ok(value)),
            Err(Refusal { code, message }) => {
                // The broker has taken it, and was not done in time.
                entry.possibly_applied |= code == ErrorCode::REQUEST_TIMED_OUT;
                if let Some((done, result)) = self.done_already.as_ref().filter(|_| entry.possibly_applied)
                    && *done == code
                {
                    entry.result = Some(Ok(result.clone()));
                    return;
                }
                let unknown = code == ErrorCode::UNKNOWN_TOPIC_OR_PARTITION || code == ErrorCode::UNKNOWN_TOPIC_ID;
                if code.is_retriable() && (patient || !unknown) {
                    let message = message.as_deref().map(str::to_owned);
                    entry.last = Some(ClusterError::Refused { api: self.api, code, message });
                } else {
                    let error = AdminError::refused(&entry.subject, code, message, entry.possibly_applied);
                    entry.result = Some(Err(error));
                }
            }
        }
    }

    /// No answer for these.
    pub(super) fn failed(&mut self, indexes: &[usize], error: &ClusterError, now: Instant) {
        let unknown = matches!(error, ClusterError::UnknownBroker { .. });
        let again = error.is_retriable() && (self.is_patient(now) || !unknown);
        let lost = matches!(error, ClusterError::Wire(error) if error.may_have_been_applied());
        for index in indexes {
            let entry = &mut self.entries[*index];
            entry.possibly_applied |= lost && entry.in_flight;
            entry.in_flight = false;
            match again {
                true => entry.last = Some(error.clone()),
                false => entry.result = Some(Err(AdminError::failed(&entry.subject, error.clone()))),
            }
        }
    }

    /// `Ok` when nothing is open, else why the first open one is.
    pub(super) fn settled(&self) -> Result<(), ClusterError> {
        match self.entries.iter().find(|entry| entry.result.is_none()) {
            None => Ok(()),
            Some(entry) => Err(entry.last.clone().unwrap_or_else(|| self.not_asked())),
        }
    }

    /// The results, in the order of the subjects; what is still open ran out of the time given.
    pub(super) fn close(self, after: Duration) -> Vec<Result<T, AdminError>> {
        let ended = self.entries.into_iter().map(|entry| {
            entry.result.unwrap_or_else(|| {
                Err(AdminError::OutOfTime {
                    subject: Arc::from(entry.subject.to_string()),
                    after,
                    last: entry.last.map(|error| Arc::from(error.to_string())),
                    possibly_applied: entry.possibly_applied || entry.in_flight,
                })
            })
        });
        ended.collect()
    }

    /// The name under which the entry stands in requests and answers.
    pub(super) fn name(&self, index: usize) -> Arc<str> {
        self.entries[index].subject.name()
    }

    fn is_patient(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.began) < self.patience
    }

    /// Nothing has been said of it in this round: it waits for the next.
    fn not_asked(&self) -> ClusterError {
        ClusterError::Refused { api: self.api, code: ErrorCode::REQUEST_TIMED_OUT, message: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Address, WireError};

    const PATIENCE: Duration = Duration::from_secs(1);

    fn ledger(topics: &[&str], now: Instant) -> Ledger<i32> {
        let subjects = topics.iter().map(|name| Subject::from(&Arc::from(*name))).collect();
        Ledger::new("CreateTopics", subjects, true, PATIENCE, now)
    }

    fn refusal(code: ErrorCode) -> Result<i32, Refusal> {
        Err(Refusal { code, message: None })
    }

    fn lost() -> ClusterError {
        WireError::Lost { api: "CreateTopics", address: Address::new("a", 1), why: "gone".to_owned() }.into()
    }

    #[test]
    fn each_part_has_its_own_end() {
        let now = Instant::now();
        let mut ledger = ledger(&["a", "b", "c"], now);
        ledger.sent(&[0, 1, 2]);
        ledger.answered(0, Ok(7), now);
        ledger.answered(1, refusal(ErrorCode::INVALID_CONFIG), now);
        ledger.answered(2, refusal(ErrorCode::NOT_CONTROLLER), now);
        assert_eq!(ledger.open(), [2]);
        let why = ledger.settled().unwrap_err();
        assert!(matches!(why, ClusterError::Refused { code: ErrorCode::NOT_CONTROLLER, .. }), "{why}");

        let results = ledger.close(PATIENCE);
        assert!(matches!(results[0], Ok(7)));
        assert!(matches!(&results[1], Err(AdminError::Refused { possibly_applied: false, .. })));
        let late = results[2].as_ref().unwrap_err();
        assert!(matches!(late, AdminError::OutOfTime { possibly_applied: false, .. }), "{late}");
        assert!(late.to_string().contains("topic \"c\"") && late.to_string().contains("NOT_CONTROLLER"), "{late}");
    }

    #[test]
    fn a_lost_answer_is_told_with_the_error_that_comes_after_it() {
        let now = Instant::now();
        let mut ledger = ledger(&["a", "b"], now);
        ledger.sent(&[0]);
        ledger.failed(&[0, 1], &lost(), now);
        ledger.answered(0, refusal(ErrorCode::TOPIC_ALREADY_EXISTS), now);
        ledger.answered(1, refusal(ErrorCode::TOPIC_ALREADY_EXISTS), now);
        let results = ledger.close(PATIENCE);
        assert!(matches!(results[0], Err(AdminError::AlreadyExists { possibly_ours: true, .. })));
        assert!(matches!(results[1], Err(AdminError::AlreadyExists { possibly_ours: false, .. })));
    }

    #[test]
    fn what_is_done_already_is_no_error_after_a_lost_answer() {
        let now = Instant::now();
        for (was_lost, ok) in [(true, true), (false, false)] {
            let mut ledger = ledger(&["a"], now).done_already(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, 5);
            if was_lost {
                ledger.sent(&[0]);
                ledger.failed(&[0], &lost(), now);
            }
            ledger.answered(0, refusal(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION), now + PATIENCE);
            assert_eq!(ledger.close(PATIENCE)[0].is_ok(), ok);
        }
    }

    #[test]
    fn what_was_under_way_at_the_end_may_have_been_done() {
        let mut ledger = ledger(&["a"], Instant::now());
        ledger.sent(&[0]);
        assert!(ledger.close(PATIENCE)[0].as_ref().unwrap_err().is_possibly_applied());
    }

    #[test]
    fn the_unknown_is_asked_for_again_for_a_while() {
        let now = Instant::now();
        let mut ledger = ledger(&["a"], now);
        ledger.answered(0, refusal(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION), now);
        assert_eq!(ledger.open(), [0]);
        ledger.answered(0, refusal(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION), now + PATIENCE);
        assert!(matches!(ledger.close(PATIENCE)[0], Err(AdminError::Unknown { .. })));
    }
}
