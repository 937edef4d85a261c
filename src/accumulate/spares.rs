use parking_lot::Mutex;

/// Buffers of batches that are done, to be filled again: memory that is already mapped costs a third of new memory.
///
/// It keeps up to a limit of bytes; what is above goes back to the allocator.
#[derive(Debug)]
pub(crate) struct Spares {
    limit: usize,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    buffers: Vec<Vec<u8>>,
    bytes: usize,
}

/// Smaller ones are as quickly made anew.
const WORTH_KEEPING: usize = 16 << 10;

impl Spares {
    pub(crate) fn new(limit: usize) -> Self {
        Spares { limit, kept: Mutex::default() }
    }

    /// A buffer for about `expected` bytes. A large one is given only to a batch that will fill it: memory is accounted for
    /// by records, not by what their buffers could hold.
    pub(crate) fn take(&self, expected: usize) -> Vec<u8> {
        if expected < WORTH_KEEPING {
            return Vec::with_capacity(expected);
        }
        let mut kept = self.kept.lock();
        let fits = kept.buffers.iter().rposition(|buffer| buffer.capacity() / 2 <= expected);
        match fits {
            Some(at) => {
                let buffer = kept.buffers.swap_remove(at);
                kept.bytes -= buffer.capacity();
                buffer
            }
            None => Vec::with_capacity(expected),
        }
    }

    pub(crate) fn give(&self, buffer: Vec<u8>) {
        let capacity = buffer.capacity();
        let mut kept = self.kept.lock();
        if capacity >= WORTH_KEEPING && kept.bytes + capacity <= self.limit {
            kept.bytes += capacity;
            kept.buffers.push(buffer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_back_what_fits_and_keeps_no_more_than_its_limit() {
        let spares = Spares::new(250_000);
        (0..3).for_each(|_| spares.give(Vec::with_capacity(100_000)));
        spares.give(Vec::with_capacity(100));
        assert!(spares.take(20_000).capacity() < 100_000, "too large for so little");
        assert!(spares.take(60_000).capacity() >= 100_000);
        assert!(spares.take(100_000).capacity() >= 100_000);
        assert_eq!(spares.kept.lock().bytes, 0);
        assert!((60_000..100_000).contains(&spares.take(60_000).capacity()), "a new one");
    }
}
