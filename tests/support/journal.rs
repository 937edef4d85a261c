//! What happens to the members of a group, in the order in which it happened, whatever client and process they are of.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    io::Write as _,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use milena::TopicPartition;
use parking_lot::Mutex;

pub type Partitions = BTreeSet<TopicPartition>;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Happening {
    /// A record was handed to the user.
    Record {
        at: TopicPartition,
        offset: i64,
        number: u32,
    },
    /// The coordinator has said that this is committed.
    Committed {
        at: TopicPartition,
        offset: i64,
    },
    Assigned(Partitions),
    Revoked(Partitions),
    Lost(Partitions),
    Failed(String),
    /// It closes, or is killed.
    Gone,
}

/// Shared by all members of a test. Clones are the same journal.
#[derive(Debug, Clone, Default)]
pub struct Journal {
    entries: Arc<Mutex<Vec<Entry>>>,
    prints: bool,
}

#[derive(Debug, Clone)]
pub struct Entry {
    /// Microseconds; taken by the member itself, before whoever waits for it may go on.
    pub at: u64,
    pub member: String,
    pub what: Happening,
}

/// Now, as [`Entry::at`] has it.
pub fn micros() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros() as u64)
}

impl Happening {
    /// Its name and its fields, parted by tabs.
    fn line(&self) -> String {
        let names = |partitions: &Partitions| {
            let each = partitions.iter().map(|at| format!("{}:{}", at.topic, at.partition));
            each.collect::<Vec<_>>().join(",")
        };
        match self {
            Happening::Record { at, offset, number } => {
                format!("record\t{}\t{}\t{offset}\t{number}", at.topic, at.partition)
            }
            Happening::Committed { at, offset } => format!("committed\t{}\t{}\t{offset}", at.topic, at.partition),
            Happening::Assigned(partitions) => format!("assigned\t{}", names(partitions)),
            Happening::Revoked(partitions) => format!("revoked\t{}", names(partitions)),
            Happening::Lost(partitions) => format!("lost\t{}", names(partitions)),
            Happening::Failed(error) => format!("failed\t{}", error.replace(['\t', '\n'], " ")),
            Happening::Gone => "gone".to_owned(),
        }
    }

    /// Reads `MICROSECONDS\tNAME\tFIELD...`.
    pub fn parse(line: &str) -> Option<(u64, Happening)> {
        let fields: Vec<&str> = line.split('\t').collect();
        let names = |text: &str| {
            let each = text.split(',').filter(|name| !name.is_empty());
            each.map(|name| name.rsplit_once(':').expect("TOPIC:PARTITION")).map(|(topic, n)| at(topic, n)).collect()
        };
        let what = match fields[1..] {
            ["record", topic, partition, offset, number] => Happening::Record {
                at: at(topic, partition),
                offset: offset.parse().expect("an offset"),
                number: number.parse().expect("a number"),
            },
            ["committed", topic, partition, offset] => {
                Happening::Committed { at: at(topic, partition), offset: offset.parse().expect("an offset") }
            }
            ["assigned", partitions] => Happening::Assigned(names(partitions)),
            ["revoked", partitions] => Happening::Revoked(names(partitions)),
            ["lost", partitions] => Happening::Lost(names(partitions)),
            ["failed", why] => Happening::Failed(why.to_owned()),
            ["gone"] => Happening::Gone,
            _ => return None,
        };
        Some((fields[0].parse().ok()?, what))
    }
}

fn at(topic: &str, partition: &str) -> TopicPartition {
    TopicPartition::new(topic, partition.parse().expect("a partition"))
}

impl Journal {
    pub fn new() -> Journal {
        Journal::default()
    }

    /// One that is printed too, a line for each entry that [`Happening::parse`] understands.
    pub fn printing() -> Journal {
        Journal { prints: true, ..Journal::default() }
    }

    pub fn write(&self, member: &str, what: Happening) {
        self.write_at(micros(), member, what);
    }

    pub fn write_at(&self, at: u64, member: &str, what: Happening) {
        if self.prints {
            // On a line of its own, whatever else is printed.
            let mut out = std::io::stdout().lock();
            let printed = write!(out, "\n{at}\t{}\n", what.line()).and_then(|()| out.flush());
            printed.expect("somebody reads");
        }
        self.entries.lock().push(Entry { at, member: member.to_owned(), what });
    }

    /// All of it, in order.
    pub fn entries(&self) -> Vec<Entry> {
        let mut entries = self.entries.lock().clone();
        entries.sort_by_key(|entry| entry.at);
        entries
    }

    /// What has become of one member.
    pub fn of(&self, member: &str) -> Vec<Happening> {
        self.entries().into_iter().filter(|entry| entry.member == member).map(|entry| entry.what).collect()
    }

    /// What each member owns now; those that own nothing are left out.
    pub fn owned(&self) -> BTreeMap<String, Partitions> {
        let mut owned: BTreeMap<String, Partitions> = BTreeMap::new();
        for Entry { member, what, .. } in self.entries() {
            let of_member = owned.entry(member).or_default();
            match what {
                Happening::Assigned(partitions) => of_member.extend(partitions),
                Happening::Revoked(gone) | Happening::Lost(gone) => of_member.retain(|at| !gone.contains(at)),
                Happening::Gone => of_member.clear(),
                _ => {}
            }
        }
        owned.retain(|_, partitions| !partitions.is_empty());
        owned
    }

    /// How many partitions one member owns now.
    pub fn owns(&self, member: &str) -> usize {
        self.owned().get(member).map_or(0, BTreeSet::len)
    }

    /// Whether these members, and no others, own `count` partitions now, each partition owned once; else what they own.
    pub fn shared_by(&self, members: &[&str], count: usize) -> Result<(), String> {
        let owned = self.owned();
        let all: Vec<&TopicPartition> = owned.values().flatten().collect();
        let once = all.iter().collect::<HashSet<_>>().len() == count && all.len() == count;
        let by = owned.keys().map(String::as_str).collect::<BTreeSet<_>>() == members.iter().copied().collect();
        if once && by { Ok(()) } else { Err(format!("{owned:?}")) }
    }

    /// What has become of some members beside records and commits, a line each.
    fn rebalances(&self, members: &[&str]) -> String {
        let of_members = |entry: &Entry| members.contains(&&*entry.member);
        let matters = |what: &Happening| !matches!(what, Happening::Record { .. } | Happening::Committed { .. });
        let entries = self.entries().into_iter().filter(|entry| of_members(entry) && matters(&entry.what));
        entries.map(|Entry { at, member, what }| format!("\n{at} {member}: {}", what.line())).collect()
    }

    /// Asserts that no partition ever had two owners.
    pub fn assert_one_owner(&self) {
        let mut owner: BTreeMap<TopicPartition, String> = BTreeMap::new();
        for Entry { member, what, .. } in self.entries() {
            match what {
                Happening::Assigned(partitions) => {
                    for at in partitions {
                        if let Some(other) = owner.insert(at.clone(), member.clone()) {
                            let history = self.rebalances(&[&member, &other]);
                            panic!("{member} is assigned {at}, which {other} owns; {history}");
                        }
                    }
                }
                Happening::Revoked(gone) | Happening::Lost(gone) => {
                    owner.retain(|at, of| *of != member || !gone.contains(at));
                }
                Happening::Gone => owner.retain(|_, of| *of != member),
                _ => {}
            }
        }
    }

    /// Asserts that nobody was handed a record before an offset that had been committed, nor one of a partition that he did
    /// not own; and that a member was handed each partition's records in order.
    pub fn assert_nothing_again(&self) {
        let mut committed: BTreeMap<TopicPartition, i64> = BTreeMap::new();
        let mut last: BTreeMap<(String, TopicPartition), i64> = BTreeMap::new();
        let mut owned: BTreeMap<String, Partitions> = BTreeMap::new();
        for Entry { member, what, .. } in self.entries() {
            let of_member = owned.entry(member.clone()).or_default();
            match what {
                Happening::Record { at, offset, number } => {
                    let from = committed.get(&at).copied().unwrap_or(0);
                    assert!(offset >= from, "{member} was handed {at}:{offset} ({number}) again: {from} is committed");
                    assert!(of_member.contains(&at), "{member} was handed {at}:{offset} and does not own it");
                    if let Some(before) = last.insert((member.clone(), at.clone()), offset) {
                        assert!(before < offset, "{member} was handed {at}:{offset} after {before}");
                    }
                }
                Happening::Committed { at, offset } => {
                    let before = committed.insert(at.clone(), offset).unwrap_or(0);
                    assert!(before <= offset, "{member} committed {at}:{offset} after {before}");
                }
                Happening::Assigned(partitions) => {
                    // Whoever has it anew goes on at the commit.
                    last.retain(|(of, at), _| *of != member || !partitions.contains(at));
                    of_member.extend(partitions);
                }
                Happening::Revoked(gone) | Happening::Lost(gone) => of_member.retain(|at| !gone.contains(at)),
                _ => {}
            }
        }
    }

    /// The next offset to be handed out of each partition, whoever was handed the ones before.
    pub fn handed_out(&self) -> BTreeMap<TopicPartition, i64> {
        let mut handed: BTreeMap<TopicPartition, i64> = BTreeMap::new();
        for Entry { what, .. } in self.entries.lock().iter() {
            if let Happening::Record { at, offset, .. } = what {
                let next = handed.entry(at.clone()).or_default();
                *next = (*next).max(offset + 1);
            }
        }
        handed
    }

    /// The newest offset that was committed of each partition.
    pub fn committed(&self) -> BTreeMap<TopicPartition, i64> {
        let commit = |entry: Entry| match entry.what {
            Happening::Committed { at, offset } => Some((at, offset)),
            _ => None,
        };
        self.entries().into_iter().filter_map(commit).collect()
    }

    /// Asserts that nothing was committed before it was handed out.
    pub fn assert_only_what_was_handed_out_is_committed(&self) {
        let mut handed: BTreeMap<TopicPartition, i64> = BTreeMap::new();
        for Entry { member, what, .. } in self.entries() {
            match what {
                Happening::Record { at, offset, .. } => {
                    let behind = handed.entry(at).or_default();
                    *behind = (*behind).max(offset + 1);
                }
                Happening::Committed { at, offset } => {
                    let behind = handed.get(&at).copied().unwrap_or(0);
                    assert!(
                        offset <= behind,
                        "{member} committed {at}:{offset}, and {behind} was next to be handed out"
                    );
                }
                _ => {}
            }
        }
    }

    /// How often each number was handed out.
    pub fn numbers(&self) -> BTreeMap<u32, usize> {
        let mut numbers = BTreeMap::new();
        for Entry { what, .. } in self.entries.lock().iter() {
            if let Happening::Record { number, .. } = what {
                *numbers.entry(*number).or_default() += 1;
            }
        }
        numbers
    }

    /// Whether all numbers before `count` were handed out.
    pub fn has_all(&self, count: u32) -> Result<(), String> {
        let seen = self.numbers().range(..count).count();
        if seen == count as usize { Ok(()) } else { Err(format!("{seen} of {count} were handed out")) }
    }

    /// Asserts that no number was handed out more than once.
    #[track_caller]
    pub fn assert_nothing_twice(&self) {
        let twice = self.twice();
        assert!(twice.is_empty(), "handed out more than once: {twice:?}; failures: {:?}", self.failures());
    }

    /// Who failed, and how.
    pub fn failures(&self) -> Vec<(String, String)> {
        let failure = |entry: Entry| match entry.what {
            Happening::Failed(error) => Some((entry.member, error)),
            _ => None,
        };
        self.entries().into_iter().filter_map(failure).collect()
    }

    /// Asserts that nothing failed, and that no member was thrown out: then records may come again, and partitions have two
    /// owners until it learns of it.
    #[track_caller]
    pub fn assert_calm(&self) {
        let is_trouble = |entry: &Entry| matches!(entry.what, Happening::Failed(_) | Happening::Lost(_));
        let troubled: BTreeSet<String> = self.entries().into_iter().filter(is_trouble).map(|it| it.member).collect();
        let members: Vec<&str> = troubled.iter().map(String::as_str).collect();
        assert!(members.is_empty(), "not calm:{}", self.rebalances(&members));
    }

    /// The numbers that were handed out more than once.
    pub fn twice(&self) -> Vec<u32> {
        self.numbers().into_iter().filter(|(_, times)| *times > 1).map(|(number, _)| number).collect()
    }
}
