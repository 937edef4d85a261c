use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
};

use super::{
    DataError,
    entry::{Entry, Id, TopicEntry},
    journal,
    segments::Segments,
};
use crate::{
    batch::Batch,
    embedded::{config::Configs, group::Committed},
};

pub(super) const JOURNAL: &str = "journal";
pub(super) const TOPICS: &str = "topics";

/// What a directory holds.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    pub(crate) topics_made: u64,
    pub(crate) last_producer_id: i64,
    pub(crate) topics: Vec<KeptTopic>,
    pub(crate) configs: Configs,
    /// By group, topic and partition.
    pub(crate) committed: BTreeMap<(String, String, i32), Committed>,
}

#[derive(Debug)]
pub(crate) struct KeptTopic {
    pub(crate) entry: TopicEntry,
    pub(crate) partitions: Vec<KeptPartition>,
}

#[derive(Debug)]
pub(crate) struct KeptPartition {
    pub(crate) log_start: i64,
    pub(crate) batches: Vec<Batch>,
}

/// What a directory holds, and what is to be done before it is written to.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) kept: Kept,
    pub(super) segments: BTreeMap<(Id, usize), Segments>,
    /// Whose last file is to be cut off.
    pub(super) torn: Vec<(Id, usize)>,
    /// Where the journal's whole entries end.
    pub(super) journal_end: usize,
    /// Directories of topics that have been deleted.
    pub(super) strays: Vec<PathBuf>,
}

/// Reads all of it. Nothing is changed.
pub(super) fn read(dir: &Path) -> Result<Found, DataError> {
    let topics_dir = dir.join(TOPICS);
    let dirs = topic_dirs(&topics_dir)?;
    let path = dir.join(JOURNAL);
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound && dirs.is_empty() => return Ok(Found::default()),
        Err(error) => return Err(DataError::io(path)(error)),
    };
    let read = journal::read(&path, &bytes)?;
    if read.end < bytes.len() {
        let torn = bytes.len() - read.end;
        tracing::warn!("{}: the last {torn} bytes, an entry that was cut off, are dropped", path.display());
    }
    let mut found = Found { journal_end: read.end, ..Found::default() };
    let mut deleted = BTreeSet::new();
    let mut topics: BTreeMap<Id, TopicEntry> = BTreeMap::new();
    let mut starts: BTreeMap<(Id, i32), i64> = BTreeMap::new();
    for entry in read.entries {
        match entry {
            Entry::Numbers { topics_made, last_producer_id } => {
                (found.kept.topics_made, found.kept.last_producer_id) = (topics_made, last_producer_id);
            }
            Entry::Topic(topic) => {
                topics.insert(topic.id, topic);
            }
            Entry::Configs(configs) => found.kept.configs = configs,
            Entry::TopicDeleted { id } => {
                topics.remove(&id);
                deleted.insert(id);
                starts.retain(|(topic, _), _| *topic != id);
            }
            Entry::LogStart { id, partition, offset } => {
                starts.insert((id, partition), offset);
            }
            Entry::Committed { group, topic, partition, offset, leader_epoch, metadata, committed_ms, expires_ms } => {
                let committed = Committed { offset, leader_epoch, metadata, committed_ms, expires_ms };
                found.kept.committed.insert((group, topic, partition), committed);
            }
            Entry::CommitDeleted { group, topic, partition } => {
                found.kept.committed.remove(&(group, topic, partition));
            }
        }
    }
    for (id, path) in dirs.into_iter().filter(|(id, _)| !topics.contains_key(id)) {
        match deleted.contains(&id) {
            true => found.strays.push(path),
            false => tracing::warn!("{}: of a topic that the journal does not know, let alone", path.display()),
        }
    }
    for topic in topics.into_values() {
        let mut partitions = Vec::new();
        for index in 0..topic.partitions.len() {
            let start = starts.get(&(topic.id, index as i32)).copied().unwrap_or(0);
            partitions.push(read_partition(&mut found, &topics_dir, topic.id, index, start)?);
        }
        found.kept.topics.push(KeptTopic { entry: topic, partitions });
    }
    Ok(found)
}

fn read_partition(
    found: &mut Found,
    topics: &Path,
    id: Id,
    index: usize,
    start: i64,
) -> Result<KeptPartition, DataError> {
    let read = Segments::read(partition_dir(topics, id, index), start)?;
    let dir = read.segments.dir().display();
    if read.torn > 0 {
        tracing::warn!("{dir}: the last {} bytes, a batch that was cut off, are dropped", read.torn);
        found.torn.push((id, index));
    }
    // As Kafka does: the entry that says so may be lost in a power cut.
    let mut log_start = start;
    if let Some(first) = read.batches.first().map(Batch::base_offset).filter(|first| *first > start) {
        tracing::warn!("{dir}: no records between offsets {start} and {first}; the log starts at {first}");
        log_start = first;
    }
    let is_kept = |batch: &Batch| batch.last_offset() >= log_start;
    let batches = read.batches.into_iter().filter(is_kept).collect();
    found.segments.insert((id, index), read.segments);
    Ok(KeptPartition { log_start, batches })
}

pub(super) fn partition_dir(topics: &Path, id: Id, index: usize) -> PathBuf {
    topics.join(id.to_string()).join(index.to_string())
}

fn topic_dirs(topics: &Path) -> Result<BTreeSet<(Id, PathBuf)>, DataError> {
    let dirs = match fs::read_dir(topics) {
        Ok(dirs) => dirs,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
        Err(error) => return Err(DataError::io(topics)(error)),
    };
    let mut found = BTreeSet::new();
    for dir in dirs {
        let path = dir.map_err(DataError::io(topics))?.path();
        let id = path.file_name().and_then(|name| name.to_str()).and_then(Id::parse);
        // What has another name is not the broker's, and is let alone.
        found.extend(id.map(|id| (id, path)));
    }
    Ok(found)
}
