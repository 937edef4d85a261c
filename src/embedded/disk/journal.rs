//! The journal's bytes: a line that says what it is, then entries, each with its length, a checksum of the length, a
//! checksum of its text, and the text (JSON).
//!
//! The length has a checksum of its own so that an entry that is cut off (the process died as it wrote) is told from one
//! whose length is wrong, behind which others may stand.

use std::path::Path;

use super::{DataError, entry::Entry};
use crate::batch::crc32c;

pub(super) const HEADER: &[u8] = b"milena embedded broker 1\n";
const ENTRY_HEADER: usize = 12;

/// Adds an entry.
pub(super) fn write(entry: &Entry, to: &mut Vec<u8>) {
    let text = serde_json::to_vec(entry).expect("an entry has string keys and no floats");
    let length = (text.len() as u32).to_be_bytes();
    to.extend_from_slice(&length);
    to.extend_from_slice(&crc32c(&length).to_be_bytes());
    to.extend_from_slice(&crc32c(&text).to_be_bytes());
    to.extend_from_slice(&text);
}

/// What a journal says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Read {
    pub(super) entries: Vec<Entry>,
    /// Where the whole entries end; what stands behind was cut off as it was written.
    pub(super) end: usize,
}

/// All whole entries.
pub(super) fn read(file: &Path, bytes: &[u8]) -> Result<Read, DataError> {
    if !bytes.starts_with(HEADER) {
        return Err(DataError::broken(file, 0, "no journal of this version of the embedded broker"));
    }
    let (mut entries, mut at) = (Vec::new(), HEADER.len());
    while at < bytes.len() {
        let rest = &bytes[at..];
        // Zeros are what a power cut leaves of a file that had grown.
        if rest.len() < ENTRY_HEADER || rest.iter().all(|byte| *byte == 0) {
            break;
        }
        let word = |n: usize| u32::from_be_bytes([rest[n], rest[n + 1], rest[n + 2], rest[n + 3]]);
        if crc32c(&rest[..4]) != word(4) {
            return Err(DataError::broken(file, at, "the length of an entry does not match its checksum"));
        }
        let end = ENTRY_HEADER + word(0) as usize;
        let Some(text) = rest.get(ENTRY_HEADER..end) else { break };
        if crc32c(text) != word(8) {
            if end == rest.len() {
                break;
            }
            return Err(DataError::broken(file, at, "an entry does not match its checksum"));
        }
        let entry = serde_json::from_slice(text);
        entries.push(entry.map_err(|error| DataError::broken(file, at, format!("an entry is not known: {error}")))?);
        at += end;
    }
    Ok(Read { entries, end: at })
}

#[cfg(test)]
mod tests {
    use super::{super::entry::Id, *};
    use crate::model::TopicId;

    fn entries() -> Vec<Entry> {
        let start = |offset| Entry::LogStart { id: Id(TopicId([7; 16])), partition: 3, offset };
        vec![Entry::Numbers { topics_made: 1, last_producer_id: 2 }, start(5), start(9)]
    }

    /// The journal, and where each entry ends.
    fn journal() -> (Vec<u8>, Vec<usize>) {
        let (mut bytes, mut ends) = (HEADER.to_vec(), vec![HEADER.len()]);
        for entry in entries() {
            write(&entry, &mut bytes);
            ends.push(bytes.len());
        }
        (bytes, ends)
    }

    #[test]
    fn what_is_cut_off_anywhere_reads_up_to_the_last_whole_entry() {
        let (bytes, ends) = journal();
        for length in HEADER.len()..=bytes.len() {
            let whole = ends.iter().filter(|end| **end <= length).count() - 1;
            let read = read(Path::new("journal"), &bytes[..length]).unwrap();
            assert_eq!(read, Read { entries: entries()[..whole].to_vec(), end: ends[whole] }, "{length} bytes");
        }
        for length in 0..HEADER.len() {
            assert!(read(Path::new("journal"), &bytes[..length]).is_err(), "{length} bytes");
        }
    }

    #[test]
    fn zeros_behind_the_last_entry_are_cut_off() {
        let (mut bytes, ends) = journal();
        bytes.extend([0; 100]);
        assert_eq!(
            read(Path::new("journal"), &bytes).unwrap(),
            Read { entries: entries(), end: *ends.last().unwrap() }
        );
    }

    #[test]
    fn a_flipped_bit_is_an_error_at_its_entry_and_in_the_last_text_a_cut() {
        let (bytes, ends) = journal();
        let last = ends[ends.len() - 2];
        for at in 0..bytes.len() * 8 {
            let (byte, mut flipped) = (at / 8, bytes.clone());
            flipped[byte] ^= 1 << (at % 8);
            let entry = ends.iter().rev().find(|end| **end <= byte).copied().unwrap_or(0);
            match read(Path::new("journal"), &flipped) {
                Ok(read) => {
                    // Its text or the checksum of its text.
                    assert!(byte >= last + 8, "bit {at}");
                    assert_eq!(read, Read { entries: entries()[..2].to_vec(), end: last });
                }
                Err(DataError::Broken { file, offset, .. }) => {
                    assert!(byte < last + 8, "bit {at}");
                    assert_eq!((file.as_path(), offset), (Path::new("journal"), entry as u64), "bit {at}");
                }
                Err(error) => panic!("{error}"),
            }
        }
    }
}
