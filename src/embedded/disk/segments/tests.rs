use super::*;
use crate::{
    batch::{Appended, BatchBuilder, Compression},
    model::TimestampType,
};

/// A directory that is there until it is dropped, and where its log starts.
struct Scratch(PathBuf, i64);

impl Scratch {
    fn new(name: &str) -> Scratch {
        let dir = std::env::temp_dir().join(format!("milena-segments-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        Scratch(dir, 0)
    }

    fn read(&self) -> Result<Read, DataError> {
        Segments::read(self.0.clone(), self.1)
    }

    /// The files' names, in their order.
    fn files(&self) -> Vec<String> {
        let files = fs::read_dir(&self.0).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
        let mut files: Vec<String> = files.collect();
        files.sort();
        files
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Two records with `size` bytes each, at this offset.
fn batch(offset: i64, size: usize) -> Batch {
    let mut builder = BatchBuilder::new(Vec::new());
    for _ in 0..2 {
        builder.append(1, None, Some(&vec![b'v'; size]), &[]);
    }
    let sealed = builder.seal(Compression::None).unwrap();
    let batch = RecordSet::new(Bytes::copy_from_slice(sealed.bytes())).next().unwrap().unwrap();
    let (timestamp_type, max_timestamp) = (TimestampType::CreateTime, 1);
    batch.appended(Appended { base_offset: offset, leader_epoch: 0, timestamp_type, max_timestamp })
}

/// Three batches in one file: it, its bytes, and where each batch begins and the last ends.
fn three(dir: &Scratch) -> (PathBuf, Vec<u8>, Vec<usize>) {
    let mut segments = Segments::new(dir.0.clone());
    let mut edges = vec![0];
    for offset in [0, 2, 4] {
        segments.append(&batch(offset, 3)).unwrap();
        edges.push(segments.files[0].file.length() as usize);
    }
    let path = dir.0.join("00000000000000000000.log");
    let bytes = fs::read(&path).unwrap();
    assert_eq!(bytes.len(), edges[3]);
    (path, bytes, edges)
}

#[test]
fn a_file_cut_off_anywhere_holds_its_whole_batches() {
    let dir = Scratch::new("torn");
    let (path, bytes, edges) = three(&dir);
    for length in 0..=bytes.len() {
        fs::write(&path, &bytes[..length]).unwrap();
        let whole = edges.iter().filter(|edge| **edge <= length).count() - 1;
        let mut read = dir.read().unwrap();
        assert_eq!((read.batches.len(), read.torn), (whole, (length - edges[whole]) as u64), "{length} bytes");
        read.segments.cut_torn().unwrap();
        assert_eq!(fs::read(&path).unwrap().len(), edges[whole]);
        // What is sent again stands where it would have stood.
        for offset in [0, 2, 4].into_iter().skip(whole) {
            read.segments.append(&batch(offset, 3)).unwrap();
        }
        assert_eq!(fs::read(&path).unwrap(), bytes, "{length} bytes");
    }
}

#[test]
fn a_flipped_bit_is_an_error_at_its_batch_or_cuts_the_last_one_off() {
    let dir = Scratch::new("flipped");
    let (path, bytes, edges) = three(&dir);
    for bit in 0..bytes.len() * 8 {
        let (byte, mut flipped) = (bit / 8, bytes.clone());
        flipped[byte] ^= 1 << (bit % 8);
        let nth = edges.iter().filter(|edge| **edge <= byte).count() - 1;
        if (12..16).contains(&(byte - edges[nth])) {
            // The leader epoch, which a batch's checksum leaves out.
            continue;
        }
        fs::write(&path, &flipped).unwrap();
        match dir.read() {
            Ok(read) => assert!(nth == 2 && read.batches.len() == 2 && read.torn > 0, "bit {bit}"),
            Err(DataError::Broken { file, offset, .. }) => {
                assert_eq!((&file, offset), (&path, edges[nth] as u64), "bit {bit}");
            }
            Err(error) => panic!("{error}"),
        }
        assert_eq!(fs::read(&path).unwrap(), flipped, "nothing is changed");
    }
}

#[test]
fn a_gap_or_a_torn_file_before_the_last_is_an_error() {
    let mut dir = Scratch::new("middle");
    let (path, bytes, edges) = three(&dir);
    let mut segments = dir.read().unwrap().segments;
    segments.append(&batch(10, 3)).unwrap();
    assert_eq!(dir.files().len(), 2, "a gap begins a file");
    let error = dir.read().unwrap_err().to_string();
    assert!(error.ends_with("it begins at offset 10, where 6 comes"), "{error}");
    dir.1 = 10;
    assert_eq!(dir.read().unwrap().batches.len(), 4);
    fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
    let error = dir.read().unwrap_err().to_string();
    assert_eq!(error, format!("{}: broken at byte {}: a batch is cut off", path.display(), edges[2]));
}

#[test]
fn files_go_with_the_records_that_they_hold() {
    let dir = Scratch::new("dropped");
    let mut segments = Segments::new(dir.0.clone());
    let each = SEGMENT_BYTES as usize / 3;
    (0..8).for_each(|n| segments.append(&batch(2 * n, each / 2)).unwrap());
    let name = |offset: i64| format!("{offset:020}.log");
    assert_eq!(dir.files(), [name(0), name(4), name(8), name(12)]);
    segments.drop_before(7).unwrap();
    assert_eq!(dir.files(), [name(4), name(8), name(12)]);
    // Records at 11 and behind it are lost, and the batch that 11 stands in.
    segments.cut(11).unwrap();
    assert_eq!((dir.files(), segments.end()), (vec![name(4), name(8)], 10));
    segments.append(&batch(10, 3)).unwrap();
    let offsets: Vec<i64> = dir.read().unwrap().batches.iter().map(Batch::base_offset).collect();
    assert_eq!(offsets, [4, 6, 8, 10]);
    segments.drop_before(12).unwrap();
    assert_eq!(dir.files(), Vec::<String>::new());
    segments.append(&batch(12, 3)).unwrap();
    assert_eq!(dir.files(), [name(12)]);
}
