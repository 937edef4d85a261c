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

/// Where records without a key go: one partition until it has had `bytes`, then another (KIP-794).
#[derive(Debug, Default)]
pub(super) struct Sticky {
    partition: Option<i32>,
    bytes: usize,
}

impl Sticky {
    /// The partition for `size` more bytes, one of `count`. `choose` names a new one.
    pub(super) fn next(&mut self, size: usize, enough: usize, count: usize, choose: impl FnOnce() -> i32) -> i32 {
        let partition = match self.partition.filter(|p| self.bytes < enough && (*p as usize) < count) {
            Some(partition) => partition,
            None => {
                self.bytes = 0;
                choose()
            }
        };
        self.partition = Some(partition);
        self.bytes += size;
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
        let mut sticky = Sticky::default();
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
        assert_eq!(Sticky { partition: Some(3), bytes: 0 }.next(10, 30, 3, || 0), 0, "there is no number 3 any more");
    }
}
