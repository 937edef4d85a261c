use std::{collections::BTreeMap, sync::Arc};

/// An offset that a group has committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Committed {
    pub(crate) offset: i64,
    /// −1 if the client did not say.
    pub(crate) leader_epoch: i32,
    pub(crate) metadata: String,
    /// The time of day, in milliseconds.
    pub(crate) committed_ms: i64,
    /// Until when it is to be kept at most, if the client said so, as it could once.
    pub(crate) expires_ms: Option<i64>,
}

/// What a group has committed, by topic and partition.
#[derive(Debug)]
pub(crate) struct Offsets {
    by_topic: BTreeMap<Arc<str>, BTreeMap<i32, Committed>>,
    /// For the directory: something was changed since it was looked at.
    is_changed: bool,
}

impl Default for Offsets {
    fn default() -> Self {
        // A group of this name may have been before.
        Offsets { by_topic: BTreeMap::new(), is_changed: true }
    }
}

impl Offsets {
    pub(crate) fn commit(&mut self, topic: &str, partition: i32, committed: Committed) {
        self.is_changed = true;
        match self.by_topic.get_mut(topic) {
            Some(partitions) => partitions.insert(partition, committed),
            None => self.by_topic.entry(Arc::from(topic)).or_default().insert(partition, committed),
        };
    }

    pub(crate) fn get(&self, topic: &str, partition: i32) -> Option<&Committed> {
        self.by_topic.get(topic)?.get(&partition)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &BTreeMap<i32, Committed>)> {
        self.by_topic.iter()
    }

    pub(crate) fn is_changed(&self) -> bool {
        self.is_changed
    }

    pub(crate) fn is_written(&mut self) {
        self.is_changed = false;
    }

    pub(crate) fn remove(&mut self, topic: &str, partition: i32) {
        self.is_changed = true;
        if let Some(partitions) = self.by_topic.get_mut(topic) {
            partitions.remove(&partition);
            if partitions.is_empty() {
                self.by_topic.remove(topic);
            }
        }
    }

    pub(crate) fn forget_topic(&mut self, topic: &str) {
        self.is_changed |= self.by_topic.remove(topic).is_some();
    }
}
