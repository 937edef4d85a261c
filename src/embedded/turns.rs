use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use crate::model::TopicId;

/// How a fetch names a topic: by id since version 13.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum TopicKey {
    Name(Arc<str>),
    Id(TopicId),
}

/// One partition as a client fetches it.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub(crate) topic: TopicKey,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) max_bytes: i32,
    /// −1 where the client does not know.
    pub(crate) leader_epoch: i32,
    /// Of the last record that it has; −1 where it does not know.
    pub(crate) last_epoch: i32,
    /// High watermark and log start, as this session's client was told last.
    pub(crate) told: Option<(i64, i64)>,
}

/// Partitions as a client fetches them, each once, in the order in which they are read.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    by_turn: BTreeMap<u64, Wanted>,
    turns: HashMap<(TopicKey, i32), u64, foldhash::fast::RandomState>,
    last: u64,
    /// What they take, about.
    pub(super) bytes: usize,
}

impl Turns {
    /// A partition is fetched from now on, or otherwise than before: then what its client was told stays known.
    pub(super) fn set(&mut self, wanted: Wanted) {
        let key = wanted.key();
        match self.turns.get(&key).and_then(|turn| self.by_turn.get_mut(turn)) {
            Some(known) => *known = Wanted { told: known.told, ..wanted },
            None => {
                self.last += 1;
                self.bytes += bytes_of(&wanted.topic);
                self.turns.insert(key, self.last);
                self.by_turn.insert(self.last, wanted);
            }
        }
    }

    pub(super) fn remove(&mut self, key: &(TopicKey, i32)) -> Option<Wanted> {
        let turn = self.turns.remove(key)?;
        self.bytes -= bytes_of(&key.0);
        self.by_turn.remove(&turn)
    }

    /// What the client is being told of one. One that had records goes behind the others.
    pub(super) fn told(&mut self, key: &(TopicKey, i32), told: Option<(i64, i64)>, had_records: bool) {
        if had_records {
            if let Some(wanted) = self.remove(key) {
                self.set(Wanted { told, ..wanted });
            }
        } else if let Some(wanted) = self.turns.get(key).and_then(|turn| self.by_turn.get_mut(turn)) {
            wanted.told = told;
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Wanted> {
        self.by_turn.values()
    }
}

/// As on Kafka: of a partition that is named twice the last counts.
impl FromIterator<Wanted> for Turns {
    fn from_iter<I: IntoIterator<Item = Wanted>>(wanted: I) -> Self {
        let mut turns = Turns::default();
        wanted.into_iter().for_each(|wanted| turns.set(wanted));
        turns
    }
}

impl Wanted {
    fn key(&self) -> (TopicKey, i32) {
        (self.topic.clone(), self.partition)
    }
}

fn bytes_of(topic: &TopicKey) -> usize {
    let name = match topic {
        TopicKey::Name(name) => name.len(),
        TopicKey::Id(_) => 0,
    };
    2 * size_of::<Wanted>() + name
}
