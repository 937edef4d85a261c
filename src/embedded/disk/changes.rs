use std::collections::BTreeSet;

/// Things that may differ from what is written. Whoever may change one adds it here; whether it did is found out when it is
/// written. Without a directory nothing is noted.
#[derive(Debug)]
pub(crate) struct Changes<T> {
    is_noted: bool,
    things: BTreeSet<T>,
}

impl<T> Default for Changes<T> {
    fn default() -> Self {
        Changes { is_noted: false, things: BTreeSet::new() }
    }
}

impl<T: Ord + Clone> Changes<T> {
    /// From now on.
    pub(crate) fn note(&mut self) {
        self.is_noted = true;
    }

    pub(crate) fn add(&mut self, thing: impl FnOnce() -> T) {
        if self.is_noted {
            self.things.insert(thing());
        }
    }

    /// It stays until [`pop`](Changes::pop).
    pub(crate) fn first(&self) -> Option<T> {
        self.things.first().cloned()
    }

    /// The first one has been written.
    pub(crate) fn pop(&mut self) {
        self.things.pop_first();
    }
}
