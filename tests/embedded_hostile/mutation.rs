//! What lies and line noise make of a request.

use super::requests::Sample;

/// Bytes before a request's body: the length, API, version, correlation id and the client's name.
const HEADER: usize = 4 + 8 + 2 + 7;

/// Changes a request: bits, numbers and lengths to their extremes, the end. Its length is honest mostly.
pub fn mutate(random: &mut fastrand::Rng, sample: &Sample) -> Vec<u8> {
    let mut frame = sample.frame.clone();
    let mut honest_length = true;
    for _ in 0..random.usize(1..4) {
        // The body mostly: with another API or version it would be another request at once.
        let from = if random.u8(..16) == 0 { 4 } else { HEADER };
        if frame.len() <= from {
            break;
        }
        let at = random.usize(from..frame.len());
        let set = |frame: &mut Vec<u8>, at: usize, bytes: &[u8]| {
            frame.iter_mut().skip(at).zip(bytes).for_each(|(old, new)| *old = *new);
        };
        match random.u8(..12) {
            0..=2 => frame[at] ^= 1 << random.u8(..8),
            3 => frame[at] = random.u8(..),
            4 => frame.truncate(at),
            5 => set(&mut frame, at, &[0xff; 8][..random.usize(1..=8)]),
            6 => set(&mut frame, at, &[0x7f, 0xff, 0xff, 0xff]),
            7 => set(&mut frame, at, &random.u32(..1 << 18).to_be_bytes()),
            8 => frame.extend_from_within(at..),
            9 => drop(frame.drain(at..(at + random.usize(1..9)).min(frame.len()))),
            // A count or a length where compact ones stand.
            10 => drop(frame.splice(at..at, [0xff, 0xff, 0xff, 0xff, 0x0f].into_iter().take(random.usize(1..=5)))),
            11 if random.u8(..8) == 0 => {
                honest_length = false;
                let lengths = [0, 3, u32::MAX, i32::MAX as u32, 64 << 20, frame.len() as u32 - 5, frame.len() as u32];
                set(&mut frame, 0, &lengths[random.usize(..lengths.len())].to_be_bytes());
            }
            _ => frame[at] = 0,
        }
    }
    if honest_length {
        let length = (frame.len() - 4) as u32;
        frame[..4].copy_from_slice(&length.to_be_bytes());
    }
    frame
}
