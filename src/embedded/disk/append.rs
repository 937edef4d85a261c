use std::{
    fs::{File, OpenOptions},
    io::{self, Seek, SeekFrom, Write},
    path::PathBuf,
};

/// A file that grows at its end. A write that failed in the middle leaves no trace: the next one begins where it did.
#[derive(Debug)]
pub(super) struct AppendFile {
    path: PathBuf,
    /// As long as what was written whole.
    length: u64,
    /// Positioned at `length`, where the file ends.
    file: Option<File>,
}

impl AppendFile {
    /// It is opened when it is written to, made if it is not there, and cut off at `length`.
    pub(super) fn at(path: PathBuf, length: u64) -> Self {
        AppendFile { path, length, file: None }
    }

    pub(super) fn path(&self) -> &PathBuf {
        &self.path
    }

    pub(super) fn length(&self) -> u64 {
        self.length
    }

    pub(super) fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        // Taken out, so that after a failure it is opened anew.
        let mut file = match self.file.take() {
            Some(file) => file,
            None => self.open()?,
        };
        file.write_all(bytes)?;
        self.length += bytes.len() as u64;
        self.file = Some(file);
        Ok(())
    }

    /// Keeps the first `length` bytes.
    pub(super) fn cut(&mut self, length: u64) -> io::Result<()> {
        (self.file, self.length) = (None, length);
        self.open().map(|_| ())
    }

    /// At `length`.
    fn open(&self) -> io::Result<File> {
        let mut file = OpenOptions::new().write(true).create(true).truncate(false).open(&self.path)?;
        file.set_len(self.length)?;
        file.seek(SeekFrom::Start(self.length))?;
        Ok(file)
    }

    pub(super) fn is_open(&self) -> bool {
        self.file.is_some()
    }

    pub(super) fn close(&mut self) {
        self.file = None;
    }

    /// Down to the device.
    pub(super) fn sync(&self) -> io::Result<()> {
        match &self.file {
            Some(file) => file.sync_all(),
            None => match OpenOptions::new().write(true).open(&self.path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                file => file?.sync_all(),
            },
        }
    }
}
