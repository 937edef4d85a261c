use std::{collections::BTreeSet, sync::Arc};

/// What of the state may differ from what is written. Whoever may change a thing notes it here; whether it did is found
/// out when it is written. Without a directory nothing is noted.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    is_noted: bool,
    /// Topics with all that is in them.
    pub(crate) topics: BTreeSet<Arc<str>>,
    /// Partitions, of topics that may be unchanged otherwise.
    pub(crate) partitions: BTreeSet<(Arc<str>, usize)>,
}

impl Changes {
    /// From now on.
    pub(crate) fn note(&mut self) {
        self.is_noted = true;
    }

    pub(crate) fn topic(&mut self, name: &Arc<str>) {
        if self.is_noted {
            self.topics.insert(Arc::clone(name));
        }
    }

    pub(crate) fn partition(&mut self, name: &Arc<str>, index: usize) {
        if self.is_noted {
            self.partitions.insert((Arc::clone(name), index));
        }
    }
}
