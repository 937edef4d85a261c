use std::{collections::BTreeMap, sync::Arc};

/// As `offsets.topic.num.partitions`: Kafka keeps groups in the partitions of a topic, whose leaders coordinate them.
const SLOTS: usize = 50;

/// Which broker coordinates a group.
#[derive(Debug)]
pub(crate) struct Coordinators {
    brokers: Vec<i32>,
    /// For each slot its broker; −1 if none runs.
    slots: Vec<i32>,
    /// Groups that were moved elsewhere.
    moved: BTreeMap<Arc<str>, i32>,
}

impl Coordinators {
    /// All of these brokers run.
    pub(crate) fn new(brokers: Vec<i32>) -> Self {
        let slots = (0..SLOTS).map(|slot| brokers[slot % brokers.len()]).collect();
        Coordinators { brokers, slots, moved: BTreeMap::new() }
    }

    /// −1 if no broker runs.
    pub(crate) fn of(&self, group: &str) -> i32 {
        self.moved.get(group).copied().unwrap_or_else(|| self.slots[slot_of(group)])
    }

    pub(crate) fn set(&mut self, group: &str, broker: i32) {
        self.moved.insert(Arc::from(group), broker);
    }

    /// Brokers came or went: a coordinator stays where it is while that broker runs.
    pub(crate) fn elect(&mut self, is_running: impl Fn(i32) -> bool) {
        self.moved.retain(|_, broker| is_running(*broker));
        for (slot, broker) in self.slots.iter_mut().enumerate() {
            if !is_running(*broker) {
                let after = (0..self.brokers.len()).map(|n| self.brokers[(slot + n) % self.brokers.len()]);
                *broker = after.into_iter().find(|id| is_running(*id)).unwrap_or(-1);
            }
        }
    }
}

/// As Kafka finds it, by Java's hash of the group's name.
fn slot_of(group: &str) -> usize {
    let hash = group.encode_utf16().fold(0_i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)));
    // Java's Utils.abs: the sign is dropped.
    (hash & i32::MAX) as usize % SLOTS
}
