//! What the members of the group were handed, what they have done with it, and what is committed: looked at as it happens.

use std::{collections::BTreeMap, sync::Arc};

use milena::{Embedded, TopicPartition};
use parking_lot::Mutex;

use super::{journal::Journal, log::Logs, schedule::Schedule};

pub const GROUP: &str = "readers";

/// All members'. Clones are the same.
#[derive(Debug, Clone)]
pub struct Handed {
    embedded: Embedded,
    journal: Journal,
    is_gentle: bool,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Debug, Default)]
struct Seen {
    /// How often each record was handed out.
    times: BTreeMap<(TopicPartition, i64), u32>,
    /// The offset behind all that members are done with.
    done: BTreeMap<TopicPartition, i64>,
    /// As it was seen last.
    committed: BTreeMap<TopicPartition, i64>,
    /// Who owns which partition as far as he knows, which others may know better, and the offset behind all that he is done with.
    owned: BTreeMap<(TopicPartition, usize), i64>,
}

impl Handed {
    pub fn new(embedded: Embedded, journal: Journal, schedule: &Schedule) -> Handed {
        Handed { embedded, journal, is_gentle: schedule.is_gentle, seen: Arc::default() }
    }

    pub fn is_gentle(&self) -> bool {
        self.is_gentle
    }

    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    pub fn record(&self, at: &TopicPartition, offset: i64) {
        self.look_at_commits();
        *self.seen.lock().times.entry((at.clone(), offset)).or_default() += 1;
    }

    /// The member is done with it, and about to say so.
    pub fn done(&self, member: usize, at: &TopicPartition, offset: i64) {
        self.look_at_commits();
        let mut seen = self.seen.lock();
        let behind = seen.done.entry(at.clone()).or_default();
        *behind = (*behind).max(offset + 1);
        if let Some(progress) = seen.owned.get_mut(&(at.clone(), member)) {
            *progress = offset + 1;
        }
    }

    /// Nothing is committed before a member is done with it; and nothing that is committed is taken back, where no commit was
    /// held up on its way.
    pub fn look_at_commits(&self) {
        let committed = self.embedded.committed(GROUP);
        let mut seen = self.seen.lock();
        for (at, offset) in &committed {
            let done = seen.done.get(at).copied().unwrap_or(0);
            if *offset > done {
                self.journal.violation(format_args!("{at}:{offset} is committed, and members are done up to {done}"));
            }
            let before = seen.committed.get(at).copied().unwrap_or(0);
            if *offset < before && self.is_gentle {
                self.journal.violation(format_args!("{at}:{offset} is committed, after {before}"));
            }
        }
        seen.committed = committed;
    }

    pub fn assigned(&self, member: usize, partitions: &[TopicPartition]) {
        let mut seen = self.seen.lock();
        for at in partitions {
            let other = seen.owned.keys().find(|(owned, other)| owned == at && *other != member);
            if let Some((_, other)) = other.filter(|_| self.is_gentle) {
                self.journal.violation(format_args!("member {member} is assigned {at}, which member {other} owns"));
            }
            seen.owned.insert((at.clone(), member), -1);
        }
    }

    /// The member owns these no more. With `None` it owns nothing.
    pub fn gone(&self, member: usize, partitions: Option<&[TopicPartition]>) {
        let is_gone = |at: &TopicPartition| partitions.is_none_or(|partitions| partitions.contains(at));
        self.seen.lock().owned.retain(|(at, owner), _| *owner != member || !is_gone(at));
    }

    /// Whether every partition has an owner that is done with all that there is.
    pub fn is_all_done(&self, logs: &Logs) -> bool {
        self.look_at_commits();
        let seen = self.seen.lock();
        let mut left = logs.iter().filter_map(|(at, log)| Some((at, log.keys().next_back()? + 1)));
        left.all(|(at, end)| {
            let mut progress = seen.owned.iter().filter(|((owned, _), _)| owned == at).map(|(_, progress)| *progress);
            progress.any(|progress| progress == end || seen.committed.get(at) == Some(&end))
        })
    }

    /// The records of the log that nobody was handed yet.
    pub fn missing(&self, logs: &Logs) -> Vec<String> {
        let seen = self.seen.lock();
        let all = logs.iter().flat_map(|(at, log)| log.keys().map(move |offset| (at.clone(), *offset)));
        all.filter(|record| !seen.times.contains_key(record)).map(|(at, offset)| format!("{at}:{offset}")).collect()
    }

    /// In the end: each record was handed out once where no member failed, and all that there is has been committed.
    pub fn check(&self, logs: &Logs) {
        self.look_at_commits();
        let seen = self.seen.lock();
        for ((at, offset), times) in &seen.times {
            if self.is_gentle && *times > 1 {
                self.journal
                    .violation(format_args!("{at}:{offset} was handed out {times} times, and no member failed"));
            }
            if !logs.get(at).is_some_and(|log| log.contains_key(offset)) {
                self.journal.violation(format_args!("{at}:{offset} was handed out, and is not in the log"));
            }
        }
        for (at, log) in logs {
            let end = log.keys().next_back().map_or(0, |last| last + 1);
            let committed = seen.committed.get(at).copied().unwrap_or(0);
            if committed != end {
                self.journal
                    .violation(format_args!("{at}: all members are closed, and {committed} of {end} is committed"));
            }
        }
    }
}
