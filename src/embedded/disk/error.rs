use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// Why a data directory cannot be used. Nothing in it was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// Another broker has it.
    #[error("{} is in use by another broker", path.display())]
    InUse {
        /// The directory.
        path: PathBuf,
    },
    /// A file holds what no broker wrote there, or not in this version.
    #[error("{}: broken at byte {offset}: {why}", file.display())]
    Broken {
        /// The file.
        file: PathBuf,
        /// Where in it, in bytes.
        offset: u64,
        /// What is wrong there.
        why: String,
    },
    /// The operating system says no.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What it says.
        source: io::Error,
    },
}

impl DataError {
    pub(super) fn io(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> DataError {
        let path = path.into();
        |source| DataError::Io { path, source }
    }

    pub(super) fn broken(file: &Path, offset: usize, why: impl Into<String>) -> DataError {
        DataError::Broken { file: file.to_owned(), offset: offset as u64, why: why.into() }
    }
}

/// Where entries of a directory are themselves kept: without this a power cut may forget that a file was made or renamed.
pub(super) fn sync_dir(path: &Path) -> io::Result<()> {
    // Elsewhere a directory cannot be opened, and needs no syncing.
    if cfg!(unix) { fs::File::open(path)?.sync_all() } else { Ok(()) }
}
