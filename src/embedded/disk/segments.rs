//! The files of one partition, each named after its first offset, as Kafka names them, and holding batches as they are.

use std::{
    collections::VecDeque,
    fs, io,
    path::{Path, PathBuf},
};

use bytes::Bytes;

use super::{DataError, append::AppendFile};
use crate::batch::{Batch, RecordSet};

/// A file takes batches until the next would make it larger than this. Records go by whole files, so it is what may be
/// kept beyond the retention.
const SEGMENT_BYTES: u64 = 64 << 20;

#[derive(Debug)]
pub(super) struct Segments {
    dir: PathBuf,
    files: VecDeque<Segment>,
    /// The offset behind the last batch.
    end: i64,
}

#[derive(Debug)]
struct Segment {
    base: i64,
    end: i64,
    file: AppendFile,
    is_synced: bool,
}

/// What the files of a partition hold.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) segments: Segments,
    pub(super) batches: Vec<Batch>,
    /// Bytes behind the last whole batch, which was being written when the process died.
    pub(super) torn: u64,
}

impl Segments {
    /// Of a partition that has none yet.
    pub(super) fn new(dir: PathBuf) -> Self {
        Segments { dir, files: VecDeque::new(), end: 0 }
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(super) fn end(&self) -> i64 {
        self.end
    }

    /// A batch behind all others.
    pub(super) fn append(&mut self, batch: &Batch) -> io::Result<()> {
        let size = batch.size_in_bytes() as u64;
        let fits = |last: &Segment| {
            let length = last.file.length();
            last.end == batch.base_offset() && (length == 0 || length + size <= SEGMENT_BYTES)
        };
        if !self.files.back().is_some_and(fits) {
            self.roll(batch.base_offset())?;
        }
        let last = self.files.back_mut().expect("one was made where there was none");
        last.is_synced = false;
        last.file.append(batch.bytes())?;
        last.end = batch.next_offset();
        self.end = last.end;
        Ok(())
    }

    fn roll(&mut self, base: i64) -> io::Result<()> {
        if let Some(last) = self.files.back_mut() {
            // A batch that could not be written whole may have left a part of itself.
            last.file.cut(last.file.length())?;
        }
        fs::create_dir_all(&self.dir)?;
        let file = AppendFile::at(self.dir.join(format!("{base:020}.log")), 0);
        self.files.push_back(Segment { base, end: base, file, is_synced: false });
        Ok(())
    }

    /// Removes files that hold nothing from `offset` on.
    pub(super) fn drop_before(&mut self, offset: i64) -> io::Result<()> {
        while let Some(first) = self.files.front().filter(|first| first.end <= offset) {
            remove(first.file.path())?;
            self.files.pop_front();
        }
        self.end = self.end.max(offset);
        Ok(())
    }

    /// Removes what stands at `offset` and behind it, with the whole batch that it stands in.
    pub(super) fn cut(&mut self, offset: i64) -> io::Result<()> {
        while let Some(last) = self.files.back().filter(|last| last.base >= offset) {
            remove(last.file.path())?;
            self.files.pop_back();
        }
        if let Some(last) = self.files.back_mut().filter(|last| last.end > offset) {
            let bytes = Bytes::from(fs::read(last.file.path())?);
            let batches = RecordSet::new(bytes).map_while(Result::ok);
            let (mut length, mut end) = (0, last.base);
            for batch in batches.take_while(|batch| batch.last_offset() < offset) {
                (length, end) = (length + batch.size_in_bytes() as u64, batch.next_offset());
            }
            last.file.cut(length)?;
            (last.end, last.is_synced) = (end, false);
        }
        self.end = self.files.back().map_or(offset.min(self.end), |last| last.end);
        Ok(())
    }

    pub(super) fn is_open(&self) -> bool {
        self.files.back().is_some_and(|last| last.file.is_open())
    }

    /// Keeps no file open. What is written opens it again.
    pub(super) fn close(&mut self) {
        self.files.iter_mut().for_each(|segment| segment.file.close());
    }

    /// Down to the device.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        for segment in self.files.iter_mut().filter(|segment| !segment.is_synced) {
            segment.file.sync()?;
            segment.is_synced = true;
        }
        Ok(())
    }

    /// What the files in `dir` hold, which may not be there, of a log that starts at this offset. Nothing is changed.
    pub(super) fn read(dir: PathBuf, start: i64) -> Result<Read, DataError> {
        let mut bases = Vec::new();
        match fs::read_dir(&dir) {
            Ok(files) => {
                for file in files {
                    let path = file.map_err(DataError::io(&dir))?.path();
                    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
                    let base = name.strip_suffix(".log").filter(|digits| digits.len() == 20);
                    let Some(base) = base.and_then(|digits| digits.parse().ok()) else {
                        return Err(DataError::broken(&path, 0, "no file of this broker"));
                    };
                    bases.push((base, path));
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(DataError::io(dir)(error)),
        }
        bases.sort();
        let mut read = Read { segments: Segments::new(dir), batches: Vec::new(), torn: 0 };
        let newest = bases.last().map(|(base, _)| *base);
        for (base, path) in bases {
            let bytes = Bytes::from(fs::read(&path).map_err(DataError::io(&path))?);
            let length = bytes.len();
            if base < read.segments.end {
                let why = format!("it begins at offset {base}, and the file before it holds that already");
                return Err(DataError::broken(&path, 0, why));
            }
            // What is missing before the log's start was dropped, at a time when it could not be written.
            if base > read.segments.end && base > start && !read.batches.is_empty() {
                let why = format!("it begins at offset {base}, where {} comes", read.segments.end);
                return Err(DataError::broken(&path, 0, why));
            }
            let (end, whole) = read_batches(&path, bytes, base, newest == Some(base), &mut read.batches)?;
            read.torn = (length - whole) as u64;
            let file = AppendFile::at(path, whole as u64);
            read.segments.files.push_back(Segment { base, end, file, is_synced: true });
            read.segments.end = end;
        }
        Ok(read)
    }

    /// Cuts off what [`read`](Segments::read) found torn.
    pub(super) fn cut_torn(&mut self) -> io::Result<()> {
        match self.files.back_mut() {
            Some(last) => last.file.cut(last.file.length()),
            None => Ok(()),
        }
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The batches of a file from offset `base` on; the offset behind them, and how many bytes they take.
fn read_batches(
    path: &Path,
    bytes: Bytes,
    base: i64,
    is_last: bool,
    found: &mut Vec<Batch>,
) -> Result<(i64, usize), DataError> {
    let mut set = RecordSet::new(bytes.clone());
    let (mut next, mut at) = (base, 0);
    loop {
        let broken = |why: String| DataError::broken(path, at, why);
        match set.next() {
            Some(Ok(batch)) => {
                if let Err(error) = batch.verify() {
                    // The last one, unless a wrong length has taken in what follows.
                    if is_last && set.rest().is_empty() && !has_batch_behind(&bytes.slice(at..), next) {
                        return Ok((next, at));
                    }
                    return Err(broken(error.to_string()));
                }
                if batch.base_offset() != next {
                    return Err(broken(format!("a batch at offset {} where {next} comes", batch.base_offset())));
                }
                next = batch.next_offset();
                at = bytes.len() - set.rest().len();
                // A copy of its own, so that it goes from memory by itself.
                found.push(batch.detached());
            }
            // A header that says what cannot be, unless it is what a power cut leaves of a file that had grown.
            Some(Err(_)) if is_last && bytes[at..].iter().all(|byte| *byte == 0) => return Ok((next, at)),
            Some(Err(error)) => return Err(broken(error.to_string())),
            None if at == bytes.len() => return Ok((next, at)),
            // It was being written, if nothing has been written behind it; else its length is wrong.
            None if is_last && !has_batch_behind(&bytes.slice(at..), next) => return Ok((next, at)),
            None => return Err(broken("a batch is cut off".to_owned())),
        }
    }
}

/// Whether somewhere behind its first byte a whole batch stands that comes after offset `offset`.
fn has_batch_behind(bytes: &Bytes, offset: i64) -> bool {
    (1..bytes.len()).any(|at| {
        // Offsets of one file grow by less than 2^32: most places are ruled out by this alone.
        let high = bytes.get(at..at + 4);
        let near = high.is_some_and(|high| {
            let high = i64::from(i32::from_be_bytes([high[0], high[1], high[2], high[3]]));
            (offset >> 32..=(offset >> 32) + 1).contains(&high)
        });
        near && match RecordSet::new(bytes.slice(at..)).next() {
            Some(Ok(batch)) => batch.base_offset() > offset && batch.verify().is_ok(),
            _ => false,
        }
    })
}

#[cfg(test)]
mod tests;
