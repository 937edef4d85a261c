//! What must be true in the end.

use std::collections::BTreeMap;

use milena::TopicPartition;

use super::{
    journal::Journal,
    log::Logs,
    sent::{Name, Told},
};

/// Every acknowledged record is in the log exactly once, where it was said to be; what was said not to be written is not
/// there; nothing is there twice; and each producer's records are in order in each partition.
pub fn check_log(journal: &Journal, told: &BTreeMap<Name, Told>, logs: &Logs) {
    let mut places: BTreeMap<Name, Vec<(&TopicPartition, i64)>> = BTreeMap::new();
    for (at, log) in logs {
        let mut last: BTreeMap<u32, u32> = BTreeMap::new();
        for ((offset, name), expected) in log.iter().zip(0..) {
            places.entry(*name).or_default().push((at, *offset));
            if *offset != expected {
                return journal.violation(format_args!("{at}: a record at {offset}, {expected} was to be next"));
            }
            let (producer, number) = *name;
            if let Some(before) = last.insert(producer, number).filter(|before| *before >= number) {
                journal.violation(format_args!("{at}:{offset} is {producer}:{number}, behind number {before}"));
            }
        }
    }
    for (name, found) in &places {
        if found.len() > 1 {
            journal.violation(format_args!("{name:?} is in the log {} times: {found:?}", found.len()));
        }
        if !told.contains_key(name) {
            journal.violation(format_args!("{name:?} is in the log, and its producer was told nothing of it"));
        }
    }
    for (name, told) in told {
        let found = places.get(name);
        match (told, found) {
            (Told::Acknowledged { topic, partition, offset }, Some(found)) => {
                let is_there = |(at, is): &(&TopicPartition, i64)| {
                    &*at.topic == topic && at.partition == *partition && (*offset < 0 || offset == is)
                };
                if !found.iter().all(is_there) {
                    journal.violation(format_args!(
                        "{name:?} was acknowledged as {topic}-{partition}:{offset}, and is {found:?}"
                    ));
                }
            }
            (Told::Acknowledged { topic, partition, offset }, None) => {
                journal.violation(format_args!(
                    "{name:?} was acknowledged as {topic}-{partition}:{offset}, and is nowhere"
                ));
            }
            (Told::NotWritten, Some(found)) => {
                journal.violation(format_args!("{name:?} was said not to be written, and is {found:?}"));
            }
            (Told::NotWritten | Told::PossiblyWritten, _) => {}
        }
    }
}
