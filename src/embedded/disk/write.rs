use std::{
    collections::{BTreeMap, VecDeque},
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    DataError, Kept,
    append::AppendFile,
    entry::{Entry, Id, PartitionEntry, TopicEntry},
    error::sync_dir,
    journal,
    read::{self, JOURNAL, TOPICS, partition_dir},
    segments::Segments,
};
use crate::embedded::{
    config::Configs,
    group::{Committed, Group},
    state::State,
    topic::Topic,
};

/// The journal is written anew when it is this many bytes longer than it was then.
const JOURNAL_GROWTH: u64 = 16 << 20;
/// As many files of records are open at once: an operating system allows a process about 1,000.
const MAX_OPEN: usize = 200;

/// A data directory, which this process has for itself. Knows what is written there, and writes what differs.
#[derive(Debug)]
pub(crate) struct Disk {
    dir: PathBuf,
    journal: AppendFile,
    /// The journal's length when it was last written anew.
    compacted: u64,
    /// As the journal has them, by name.
    topics: BTreeMap<Arc<str>, TopicEntry>,
    /// Topics made and the last producer id, likewise.
    numbers: (u64, i64),
    configs: Configs,
    /// Where logs start, likewise; 0 where there is none.
    starts: BTreeMap<(Id, usize), i64>,
    segments: BTreeMap<(Id, usize), Segments>,
    /// Committed offsets by group, likewise.
    offsets: BTreeMap<Arc<str>, Offsets>,
    /// Partitions with an open file, the one that was opened first in front.
    open: VecDeque<(Id, usize)>,
    /// The last attempt to write failed.
    is_failing: bool,
    /// Held as long as the directory is used.
    _lock: File,
}

impl Disk {
    /// Takes a directory, makes it if it is not there, and reads what it holds.
    pub(crate) fn open(dir: &Path) -> Result<(Disk, Kept), DataError> {
        fs::create_dir_all(dir).map_err(DataError::io(dir))?;
        let lock_path = dir.join("lock");
        let lock = File::options().write(true).create(true).truncate(false).open(&lock_path);
        let lock = lock.map_err(DataError::io(&lock_path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(DataError::InUse { path: dir.to_owned() }),
            Err(TryLockError::Error(source)) => return Err(DataError::io(lock_path)(source)),
        }
        let mut found = read::read(dir)?;
        for at in &found.torn {
            let Some(segments) = found.segments.get_mut(at) else { continue };
            segments.cut_torn().map_err(DataError::io(segments.dir()))?;
        }
        for stray in &found.strays {
            fs::remove_dir_all(stray).map_err(DataError::io(stray))?;
        }
        let disk = Disk {
            dir: dir.to_owned(),
            journal: AppendFile::at(dir.join(JOURNAL), found.journal_end as u64),
            compacted: 0,
            topics: BTreeMap::new(),
            numbers: (0, 0),
            configs: Configs::default(),
            starts: BTreeMap::new(),
            segments: found.segments,
            offsets: BTreeMap::new(),
            open: VecDeque::new(),
            is_failing: false,
            _lock: lock,
        };
        Ok((disk, found.kept))
    }

    /// Writes the journal anew, as of a state that has been read from it, and what has changed since.
    pub(crate) fn begin(&mut self, state: &mut State) -> Result<(), DataError> {
        let journal = self.journal.path().clone();
        self.compact(state).map_err(DataError::io(journal))?;
        // Looks at all of them: files may hold what was dropped as they were read.
        state.topics.iter_mut().for_each(|_| ());
        self.write(state).map_err(DataError::io(&self.dir))
    }

    /// Writes what has changed. False if it cannot: then it is tried again with the next, and until that succeeds the state
    /// is ahead of the directory.
    pub(crate) fn keep(&mut self, state: &mut State) -> bool {
        let written = self.write(state);
        match (&written, self.is_failing) {
            (Err(error), false) => tracing::error!("{}: cannot write: {error}", self.dir.display()),
            (Ok(()), true) => tracing::warn!("{}: can be written again", self.dir.display()),
            _ => {}
        }
        self.is_failing = written.is_err();
        !self.is_failing
    }

    fn write(&mut self, state: &mut State) -> io::Result<()> {
        // Before the topics: an id must not be given twice.
        self.write_numbers(state)?;
        if state.configs != self.configs {
            self.enter(&Entry::Configs(state.configs.clone()))?;
            self.configs = state.configs.clone();
        }
        while let Some(name) = state.topics.changes.first() {
            self.write_topic(state, &name)?;
            state.topics.changes.pop();
        }
        while let Some((name, index)) = state.topics.changed_partitions.first() {
            if let Some(topic) = state.topics.get(&name) {
                let partition = topic.partitions.get(index).map(PartitionEntry::from);
                let written = self.topics.get(&name).and_then(|topic| topic.partitions.get(index));
                match partition.as_ref() == written {
                    true => self.write_partition(topic, index)?,
                    // Another leader.
                    false => self.write_topic(state, &name)?,
                }
            }
            state.topics.changed_partitions.pop();
        }
        while let Some(group) = state.groups.changes.first() {
            self.write_offsets(state, &group)?;
            state.groups.changes.pop();
        }
        if self.journal.length() > self.compacted + JOURNAL_GROWTH {
            // It can go on without.
            if let Err(error) = self.compact(state) {
                tracing::warn!("{}: cannot write the journal anew: {error}", self.dir.display());
                self.compacted = self.journal.length();
            }
        }
        Ok(())
    }

    fn write_numbers(&mut self, state: &State) -> io::Result<()> {
        let numbers = (state.topics.made, state.last_producer_id);
        if numbers != self.numbers {
            self.enter(&numbers_of(state))?;
            self.numbers = numbers;
        }
        Ok(())
    }

    /// A topic that is new, changed or gone, and its partitions.
    fn write_topic(&mut self, state: &State, name: &Arc<str>) -> io::Result<()> {
        let topic = state.topics.get(name);
        let written = self.topics.get(name).map(|entry| entry.id);
        if let Some(id) = written.filter(|id| topic.is_none_or(|topic| Id(topic.id) != *id)) {
            self.enter(&Entry::TopicDeleted { id })?;
            self.topics.remove(name);
            self.forget(id);
        }
        let Some(topic) = topic else { return Ok(()) };
        let entry = TopicEntry::from(topic);
        if self.topics.get(name) != Some(&entry) {
            self.enter(&Entry::Topic(entry.clone()))?;
            self.topics.insert(Arc::clone(name), entry);
        }
        (0..topic.partitions.len()).try_for_each(|index| self.write_partition(topic, index))
    }

    fn write_partition(&mut self, topic: &Topic, index: usize) -> io::Result<()> {
        let Some(partition) = topic.partitions.get(index) else { return Ok(()) };
        let (at, log) = ((Id(topic.id), index), &partition.log);
        let start = log.start();
        // Before the records: where some are missing between those that are written, this says why.
        if self.starts.get(&at).copied().unwrap_or(0) != start {
            self.enter(&Entry::LogStart { id: at.0, partition: index as i32, offset: start })?;
            self.starts.insert(at, start);
        }
        let dir = || partition_dir(&self.dir.join(TOPICS), at.0, index);
        let segments = self.segments.entry(at).or_insert_with(|| Segments::new(dir()));
        if log.cut_to() < segments.end() {
            segments.cut(log.cut_to())?;
        }
        log.cut_is_known();
        let was_open = segments.is_open();
        log.batches_from(segments.end()).try_for_each(|batch| segments.append(batch))?;
        segments.drop_before(start)?;
        if !was_open && segments.is_open() {
            self.open.push_back(at);
        }
        while self.open.len() > MAX_OPEN {
            let oldest = self.open.pop_front().and_then(|at| self.segments.get_mut(&at));
            oldest.into_iter().for_each(Segments::close);
        }
        Ok(())
    }

    /// What a group has committed, if that has changed.
    fn write_offsets(&mut self, state: &mut State, group: &Arc<str>) -> io::Result<()> {
        let now = match state.groups.get(group) {
            Some(group) if group.offsets.is_changed() => offsets_of(group),
            Some(_) => return Ok(()),
            None => Offsets::new(),
        };
        let mut written = self.offsets.remove(group).unwrap_or_default();
        let result = self.write_differences(group, &mut written, &now);
        if !written.is_empty() {
            self.offsets.insert(Arc::clone(group), written);
        }
        result?;
        state.groups.is_written(group);
        Ok(())
    }

    fn write_differences(&mut self, group: &Arc<str>, written: &mut Offsets, now: &Offsets) -> io::Result<()> {
        while let Some((topic, partition)) = written.keys().find(|key| !now.contains_key(*key)).cloned() {
            let entry = Entry::CommitDeleted { group: group.to_string(), topic: topic.to_string(), partition };
            self.enter(&entry)?;
            written.remove(&(topic, partition));
        }
        for (key, committed) in now {
            if written.get(key) != Some(committed) {
                self.enter(&committed_entry(group, key, committed))?;
                written.insert(key.clone(), committed.clone());
            }
        }
        Ok(())
    }

    /// A topic's files go. What cannot be removed now is at the next start.
    fn forget(&mut self, id: Id) {
        self.segments.retain(|(topic, _), _| *topic != id);
        self.starts.retain(|(topic, _), _| *topic != id);
        self.open.retain(|(topic, _)| *topic != id);
        let dir = self.dir.join(TOPICS).join(id.to_string());
        match fs::remove_dir_all(&dir) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => tracing::warn!("{}: {error}", dir.display()),
            _ => {}
        }
    }

    fn enter(&mut self, entry: &Entry) -> io::Result<()> {
        let mut bytes = Vec::new();
        journal::write(entry, &mut bytes);
        self.journal.append(&bytes)
    }

    /// Writes the journal anew, without what no longer holds, and puts it in the old one's place.
    fn compact(&mut self, state: &State) -> io::Result<()> {
        let mut bytes = journal::HEADER.to_vec();
        journal::write(&numbers_of(state), &mut bytes);
        journal::write(&Entry::Configs(state.configs.clone()), &mut bytes);
        let mut topics = BTreeMap::new();
        let mut starts = BTreeMap::new();
        for topic in state.topics.iter() {
            let entry = TopicEntry::from(topic);
            topics.insert(Arc::clone(&topic.name), entry.clone());
            journal::write(&Entry::Topic(entry), &mut bytes);
            let (id, logs) = (Id(topic.id), topic.partitions.iter().map(|partition| &partition.log));
            for (index, log) in logs.enumerate().filter(|(_, log)| log.start() > 0) {
                starts.insert((id, index), log.start());
                journal::write(&Entry::LogStart { id, partition: index as i32, offset: log.start() }, &mut bytes);
            }
        }
        let mut offsets = BTreeMap::new();
        for (id, group) in state.groups.iter() {
            let committed = offsets_of(group);
            committed.iter().for_each(|(key, offset)| journal::write(&committed_entry(id, key, offset), &mut bytes));
            offsets.insert(Arc::clone(id), committed);
        }
        let new = self.dir.join("journal.new");
        let mut file = AppendFile::at(new.clone(), 0);
        file.cut(0)?;
        file.append(&bytes)?;
        file.sync()?;
        file.close();
        self.journal.close();
        fs::rename(&new, self.journal.path())?;
        self.compacted = bytes.len() as u64;
        self.journal = AppendFile::at(self.dir.join(JOURNAL), self.compacted);
        (self.topics, self.starts, self.offsets) = (topics, starts, offsets);
        (self.numbers, self.configs) = ((state.topics.made, state.last_producer_id), state.configs.clone());
        sync_dir(&self.dir)
    }

    /// Down to the device.
    pub(crate) fn sync(&mut self) -> io::Result<()> {
        self.journal.sync()?;
        for segments in self.segments.values_mut() {
            segments.sync()?;
            sync_if_there(segments.dir())?;
            segments.dir().parent().map_or(Ok(()), sync_if_there)?;
        }
        sync_if_there(&self.dir.join(TOPICS))?;
        sync_dir(&self.dir)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if let Err(error) = self.sync() {
            tracing::error!("{}: cannot sync: {error}", self.dir.display());
        }
    }
}

/// What a group has committed, by topic and partition.
type Offsets = BTreeMap<(Arc<str>, i32), Committed>;

fn offsets_of(group: &Group) -> Offsets {
    let topics = group.offsets.iter();
    let all = topics.flat_map(|(topic, partitions)| partitions.iter().map(move |(index, at)| ((topic, *index), at)));
    all.map(|((topic, index), committed)| ((Arc::clone(topic), index), committed.clone())).collect()
}

fn committed_entry(group: &str, (topic, partition): &(Arc<str>, i32), committed: &Committed) -> Entry {
    Entry::Committed {
        group: group.to_owned(),
        topic: topic.to_string(),
        partition: *partition,
        offset: committed.offset,
        leader_epoch: committed.leader_epoch,
        metadata: committed.metadata.clone(),
        committed_ms: committed.committed_ms,
        expires_ms: committed.expires_ms,
    }
}

fn numbers_of(state: &State) -> Entry {
    Entry::Numbers { topics_made: state.topics.made, last_producer_id: state.last_producer_id }
}

fn sync_if_there(dir: &Path) -> io::Result<()> {
    match sync_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}
