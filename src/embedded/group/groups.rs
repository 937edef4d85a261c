use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tokio::time::Instant;

use super::classic::{Group, Turn};
use crate::embedded::waiting::Waiting;

/// All groups of the cluster, by name.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    by_id: BTreeMap<Arc<str>, Group>,
    /// When something falls due in one of them.
    wake: Option<Instant>,
    /// `wake` may be wrong.
    is_touched: bool,
    /// Groups that have another coordinator now.
    moved: Vec<Arc<str>>,
}

impl Groups {
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &Group)> {
        self.by_id.iter()
    }

    pub(crate) fn get(&self, id: &str) -> Option<&Group> {
        self.by_id.get(id)
    }

    pub(crate) fn get_mut(&mut self, id: &str) -> Option<&mut Group> {
        self.is_touched = true;
        self.by_id.get_mut(id)
    }

    /// The group, which comes to be if it is not there.
    pub(crate) fn get_or_create(&mut self, id: &str, initial_delay: Duration) -> &mut Group {
        self.is_touched = true;
        self.by_id.entry(Arc::from(id)).or_insert_with(|| Group::new(initial_delay))
    }

    pub(crate) fn remove(&mut self, id: &str) -> Option<Group> {
        self.is_touched = true;
        self.by_id.remove(id)
    }

    /// A topic has been deleted: so are the offsets that were committed in it.
    pub(crate) fn forget_topic(&mut self, topic: &str) {
        self.by_id.values_mut().for_each(|group| group.offsets.forget_topic(topic));
    }

    /// The group has another coordinator, which knows what the last one has stored.
    pub(crate) fn has_moved(&mut self, id: Arc<str>) {
        self.is_touched = true;
        self.moved.push(id);
    }

    /// Does what has fallen due in the groups.
    pub(crate) fn settle(&mut self, now: Instant, waiting: &mut Waiting) {
        if !self.is_touched && self.wake.is_none_or(|wake| wake > now) {
            return;
        }
        for id in std::mem::take(&mut self.moved) {
            if let Some(group) = self.by_id.get_mut(&id) {
                group.reload(&mut Turn { now, waiting });
            }
        }
        for group in self.by_id.values_mut() {
            group.settle(&mut Turn { now, waiting });
        }
        self.is_touched = false;
        self.wake = self.by_id.values().filter_map(Group::next_deadline).min();
    }

    /// Right after [`settle`](Groups::settle).
    pub(crate) fn next_wake(&self) -> Option<Instant> {
        self.wake
    }
}
