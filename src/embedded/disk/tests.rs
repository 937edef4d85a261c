//! A state, written to a directory and read again.

use std::{
    fs,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use tokio::time::Instant;

use super::Disk;
use crate::{
    batch::{Appended, Batch, BatchBuilder, Compression, RecordSet},
    embedded::{group::Committed, sequences::Arrival, settings::Settings, state::State, topic::Partition},
    model::TimestampType,
    wire::ErrorCode,
};

const PRODUCER: i64 = 7;

/// A directory that is there until it is dropped.
struct Scratch(PathBuf);

impl std::ops::Deref for Scratch {
    type Target = PathBuf;
    fn deref(&self) -> &PathBuf {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A directory, and a state that is kept there.
struct Broker {
    dir: Scratch,
    state: State,
    disk: Disk,
}

impl Broker {
    fn new() -> Broker {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let dir = std::env::temp_dir().join(format!("milena-disk-{}-{number}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        Broker::open(Scratch(dir), Settings { brokers: 3, ..Settings::default() })
    }

    fn open(dir: Scratch, settings: Settings) -> Broker {
        let (mut disk, kept) = Disk::open(&dir).unwrap();
        let mut state = State::new(settings, kept, Instant::now());
        state.note_changes();
        disk.begin(&mut state).unwrap();
        Broker { dir, state, disk }
    }

    fn restart(self) -> Broker {
        let Broker { dir, state, disk } = self;
        drop(disk);
        Broker::open(dir, state.settings)
    }

    fn keep(&mut self) {
        assert!(self.disk.keep(&mut self.state));
    }

    fn topic(&mut self, name: &str) {
        let settings = [("cleanup.policy".to_owned(), "compact".to_owned())].into();
        self.state.create_topic(Arc::from(name), 2, 2, settings);
        self.keep();
    }

    fn append(&mut self, name: &str, sequence: i32) {
        let partition = self.state.topics.partition_mut(name, 1).unwrap();
        let (base_offset, leader_epoch) = (partition.log.end(), partition.leader_epoch);
        let (timestamp_type, max_timestamp) = (TimestampType::CreateTime, 1);
        let as_of = Appended { base_offset, leader_epoch, timestamp_type, max_timestamp };
        let batch = batch(sequence).appended(as_of);
        partition.sequences.written(&batch, base_offset);
        self.state.bytes += batch.size_in_bytes();
        partition.log.append(batch);
        self.keep();
    }

    fn partition(&self, name: &str) -> &Partition {
        self.state.topics.partition(name, 1).unwrap()
    }

    fn offsets(&self, name: &str) -> Vec<i64> {
        self.partition(name).log.batches_from(0).map(Batch::base_offset).collect()
    }
}

/// Two records of a producer, from this sequence number on.
fn batch(sequence: i32) -> Batch {
    let mut builder = BatchBuilder::new(Vec::new());
    for _ in 0..2 {
        builder.append(1, None, Some(b"value"), &[]);
    }
    let mut sealed = builder.seal(Compression::None).unwrap();
    sealed.stamp(PRODUCER, 0, sequence, false);
    RecordSet::new(bytes::Bytes::copy_from_slice(sealed.bytes())).next().unwrap().unwrap()
}

#[test]
fn a_topic_is_as_it_was() {
    let mut broker = Broker::new();
    broker.topic("a");
    (0..4).for_each(|n| broker.append("a", 2 * n));
    let (id, replicas) = (broker.state.topics.get("a").unwrap().id, broker.partition("a").replicas.clone());
    broker.state.set_running(replicas[0], false);
    broker.keep();
    let leader_epoch = broker.partition("a").leader_epoch;
    broker.state.topics.partition_mut("a", 1).unwrap().log.delete_before(3);
    broker.keep();
    let producer_id = broker.state.new_producer_id();
    broker.keep();
    let mut broker = broker.restart();
    let topic = broker.state.topics.get("a").unwrap();
    assert_eq!((topic.id, topic.setting("cleanup.policy"), topic.partitions.len()), (id, "compact", 2));
    let partition = broker.partition("a");
    assert_eq!((partition.replicas.clone(), partition.log.start(), partition.log.end()), (replicas, 3, 8));
    assert_eq!(partition.leader_epoch, leader_epoch + 1, "the brokers were away");
    assert_eq!(broker.offsets("a"), [2, 4, 6]);
    assert_eq!(broker.state.bytes, broker.partition("a").log.bytes());
    assert!(broker.state.new_producer_id() > producer_id);
    // All of it is gone, and offsets go on.
    broker.state.topics.partition_mut("a", 1).unwrap().log.delete_before(8);
    broker.keep();
    let mut broker = broker.restart();
    assert_eq!((broker.partition("a").log.start(), broker.partition("a").log.end()), (8, 8));
    broker.append("a", 8);
    assert_eq!(broker.restart().offsets("a"), [8]);
}

#[test]
fn a_batch_sent_again_after_a_restart_is_known() {
    let mut broker = Broker::new();
    broker.topic("a");
    (0..7).for_each(|n| broker.append("a", 2 * n));
    let broker = broker.restart();
    let sequences = &broker.partition("a").sequences;
    assert_eq!(sequences.check(&batch(12)), Ok(Arrival::Duplicate { offset: 12, timestamp: 1 }));
    assert_eq!(sequences.check(&batch(4)), Ok(Arrival::Duplicate { offset: 4, timestamp: 1 }));
    assert_eq!(sequences.check(&batch(14)), Ok(Arrival::New));
    assert_eq!(sequences.check(&batch(16)), Err(ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER));
}

#[test]
fn a_topic_made_anew_has_nothing_of_the_old_one() {
    let mut broker = Broker::new();
    broker.topic("a");
    broker.append("a", 0);
    let old = broker.state.topics.get("a").unwrap().id;
    broker.state.delete_topic("a");
    broker.keep();
    assert_eq!(fs::read_dir(broker.dir.join("topics")).unwrap().count(), 0);
    let mut broker = broker.restart();
    assert!(broker.state.topics.get("a").is_none());
    broker.topic("a");
    let new = broker.state.topics.get("a").unwrap().id;
    assert_ne!(new, old);
    let broker = broker.restart();
    assert_eq!((broker.offsets("a"), broker.state.topics.get("a").unwrap().id), (vec![], new));
    assert_eq!(broker.partition("a").sequences.check(&batch(2)), Ok(Arrival::New));
}

#[test]
fn records_that_were_lost_stay_lost() {
    let mut broker = Broker::new();
    broker.topic("a");
    (0..4).for_each(|n| broker.append("a", 2 * n));
    // Cut off and written anew before anything is kept.
    broker.state.topics.partition_mut("a", 1).unwrap().log.truncate(3);
    broker.append("a", 20);
    assert_eq!(broker.offsets("a"), [0, 2]);
    let broker = broker.restart();
    let sequences: Vec<i32> = broker.partition("a").log.batches_from(0).map(Batch::base_sequence).collect();
    assert_eq!((broker.offsets("a"), sequences), (vec![0, 2], vec![0, 20]));
}

#[test]
fn what_groups_committed_is_kept_until_it_is_deleted() {
    let mut broker = Broker::new();
    let (committed_ms, expires_ms) = (1_795_600_000_000, Some(1_795_700_000_000));
    let committed = |offset| Committed { offset, leader_epoch: 3, metadata: "m".to_owned(), committed_ms, expires_ms };
    let delay = std::time::Duration::ZERO;
    let group = broker.state.groups.get_or_create("g", delay);
    group.offsets.commit("a", 0, committed(5));
    group.offsets.commit("a", 1, committed(6));
    group.offsets.commit("b", 1, committed(7));
    broker.state.groups.get_or_create("h", delay).offsets.commit("a", 0, committed(8));
    broker.keep();
    let mut broker = broker.restart();
    assert_eq!(broker.state.groups.get("g").unwrap().offsets.get("b", 1), Some(&committed(7)));
    broker.state.groups.get_mut("g").unwrap().offsets.commit("a", 0, committed(9));
    broker.state.groups.get_mut("g").unwrap().offsets.remove("a", 1);
    broker.state.groups.remove("h");
    broker.keep();
    let broker = broker.restart();
    let offsets = &broker.state.groups.get("g").unwrap().offsets;
    assert_eq!((offsets.get("a", 0), offsets.get("a", 1)), (Some(&committed(9)), None));
    assert!(broker.state.groups.get("h").is_none());
}

#[test]
fn a_smaller_cluster_leads_what_the_larger_one_had() {
    let mut broker = Broker::new();
    broker.topic("a");
    broker.append("a", 0);
    let Broker { dir, disk, .. } = broker;
    drop(disk);
    let broker = Broker::open(dir, Settings::default());
    for partition in &broker.state.topics.get("a").unwrap().partitions {
        assert_eq!((&*partition.replicas, partition.leader), (&[1][..], 1));
    }
    assert_eq!(broker.offsets("a"), [0]);
}

#[test]
fn a_directory_without_its_journal_is_let_alone() {
    let mut broker = Broker::new();
    broker.topic("a");
    broker.append("a", 0);
    let Broker { dir, disk, .. } = broker;
    drop(disk);
    fs::remove_file(dir.join("journal")).unwrap();
    let error = Disk::open(&dir).unwrap_err().to_string();
    assert!(error.starts_with(&dir.join("journal").display().to_string()), "{error}");
    assert_eq!(fs::read_dir(dir.join("topics")).unwrap().count(), 1);
}
