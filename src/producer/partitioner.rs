use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicI32, AtomicUsize, Ordering},
    },
};

/// Says which partition a record goes to; see [`ProducerBuilder::partitioner`](crate::ProducerBuilder::partitioner).
///
/// It is asked once a record, on the task that sends it: it should neither block nor take long. A function of the same
/// arguments is one too.
pub trait Partitioner: Send + Sync + 'static {
    /// A number from 0 to before `partitions`, or `None` to leave it to the default (murmur2 of the key; without a key, one
    /// partition after another). A number that the topic does not have is
    /// [`ProduceError::NoPartition`](crate::ProduceError::NoPartition).
    fn partition(&self, topic: &str, key: Option<&[u8]>, value: Option<&[u8]>, partitions: usize) -> Option<i32>;
}

impl<F> Partitioner for F
where
    F: Fn(&str, Option<&[u8]>, Option<&[u8]>, usize) -> Option<i32> + Send + Sync + 'static,
{
    fn partition(&self, topic: &str, key: Option<&[u8]>, value: Option<&[u8]>, partitions: usize) -> Option<i32> {
        self(topic, key, value, partitions)
    }
}

/// The user's partitioner, if there is one.
#[derive(Clone, Default)]
pub(crate) struct Custom(Option<Arc<dyn Partitioner>>);

impl Custom {
    pub(super) fn new(partitioner: impl Partitioner) -> Self {
        Custom(Some(Arc::new(partitioner)))
    }

    pub(super) fn choose(
        &self,
        topic: &str,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        partitions: usize,
    ) -> Option<i32> {
        self.0.as_ref()?.partition(topic, key, value, partitions)
    }
}

impl fmt::Debug for Custom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Custom" } else { "Default" })
    }
}

/// The partition of a key among `count`, where Java's clients put it: murmur2, its sign bit cleared.
pub(super) fn of_key(key: &[u8], count: usize) -> i32 {
    ((murmur2(key) & 0x7fff_ffff) % count as u32) as i32
}

/// MurmurHash2 with Kafka's seed.
fn murmur2(data: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    let mut hash = 0x9747_b28c ^ data.len() as u32;
    let mut chunks = data.chunks_exact(4);
    for chunk in &mut chunks {
        let mut k = u32::from_le_bytes(chunk.try_into().expect("four bytes")).wrapping_mul(M);
        k ^= k >> 24;
        hash = hash.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    let rest = chunks.remainder();
    if !rest.is_empty() {
        for (index, byte) in rest.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * index);
        }
        hash = hash.wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    hash ^ (hash >> 15)
}

/// Where records without a key go: one partition until it has had as many bytes as a batch, then another (KIP-794).
#[derive(Debug)]
pub(super) struct Sticky {
    /// −1 before the first.
    partition: AtomicI32,
    bytes: AtomicUsize,
}

impl Default for Sticky {
    fn default() -> Self {
        Sticky { partition: AtomicI32::new(-1), bytes: AtomicUsize::new(0) }
    }
}

impl Sticky {
    /// The partition for `size` more bytes, one of `count`. `choose` names a new one. Two who come to the end of a partition together may
    /// each choose one, which harms nothing.
    pub(super) fn next(&self, size: usize, enough: usize, count: usize, choose: impl FnOnce() -> i32) -> i32 {
        let partition = self.partition.load(Ordering::Relaxed);
        let is_there = usize::try_from(partition).is_ok_and(|partition| partition < count);
        if is_there && self.bytes.fetch_add(size, Ordering::Relaxed) < enough {
            return partition;
        }
        let partition = choose();
        self.partition.store(partition, Ordering::Relaxed);
        self.bytes.store(size, Ordering::Relaxed);
        partition
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_as_kafka_does() {
        // The values of Kafka's own test of Utils.murmur2.
        for (key, hash) in [
            ("21", -973_932_308),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            ("abc", 479_470_107),
        ] {
            assert_eq!(murmur2(key.as_bytes()) as i32, hash, "{key}");
        }
    }

    #[test]
    fn sticks_until_it_has_enough() {
        let sticky = Sticky::default();
        let mut next = 0;
        let chosen: Vec<i32> = (0..6)
            .map(|_| {
                sticky.next(10, 30, 3, || {
                    next += 1;
                    next
                })
            })
            .collect();
        assert_eq!(chosen, [1, 1, 1, 2, 2, 2]);
        assert_eq!(sticky.next(10, 30, 3, || 0), 0);
        let sticky = Sticky { partition: AtomicI32::new(3), bytes: AtomicUsize::new(0) };
        assert_eq!(sticky.next(10, 30, 3, || 0), 0, "there is no number 3 any more");
    }
}
