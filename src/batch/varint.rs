//! Zigzag varints of 32 and 64 bits.

/// How many bytes the number takes.
pub(super) fn size(value: i64) -> usize {
    let zigzag = zigzag(value);
    // 7 bits a byte: 1 for 0..=6 significant bits and so on.
    (70 - (zigzag | 1).leading_zeros() as usize) / 7
}

/// Writes the number at the start of `into`, which must have room for it (10 bytes always do); tells how many it took.
#[inline]
pub(super) fn write(value: i64, into: &mut [u8]) -> usize {
    let mut zigzag = zigzag(value);
    let mut at = 0;
    while zigzag >= 0x80 {
        into[at] = zigzag as u8 | 0x80;
        zigzag >>= 7;
        at += 1;
    }
    into[at] = zigzag as u8;
    at + 1
}

/// Reads a number at `at`, which moves behind it. `None` if the bytes end or the number is too long.
#[inline]
pub(super) fn read(bytes: &[u8], at: &mut usize) -> Option<i64> {
    let first = *bytes.get(*at)?;
    if first < 0x80 {
        *at += 1;
        return Some(unzigzag(u64::from(first)));
    }
    let mut value = u64::from(first & 0x7f);
    for index in 1..10 {
        let byte = *bytes.get(*at + index)?;
        if index == 9 && byte > 1 {
            return None;
        }
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte < 0x80 {
            *at += index + 1;
            return Some(unzigzag(value));
        }
    }
    None
}

fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_bytes() {
        for (value, bytes) in [(0, &[0u8][..]), (-1, &[1]), (63, &[126]), (-65, &[0x81, 1]), (300, &[0xd8, 4])] {
            let mut written = [0; 10];
            assert_eq!(&written[..0], &[0u8; 0]);
            let length = write(value, &mut written);
            assert_eq!(&written[..length], bytes);
        }
    }

    proptest! {
        #[test]
        fn reads_what_it_writes(value: i64) {
            let mut bytes = [0; 10];
            let length = write(value, &mut bytes);
            let mut at = 0;
            prop_assert_eq!(size(value), length);
            prop_assert_eq!(read(&bytes[..length], &mut at), Some(value));
            prop_assert_eq!(at, length);
            prop_assert_eq!(read(&bytes[..length - 1], &mut 0), None);
        }

        #[test]
        fn any_bytes_are_a_number_or_none(bytes: Vec<u8>) {
            let mut at = 0;
            if read(&bytes, &mut at).is_some() {
                prop_assert!(at <= bytes.len());
            }
        }
    }
}
