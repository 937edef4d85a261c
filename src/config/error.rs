/// A setting that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// No client has a setting of this name.
    #[error("unknown setting {key:?}{}", .nearest.map(|n| format!("; did you mean {n:?}?")).unwrap_or_default())]
    UnknownKey {
        /// The name as given.
        key: String,
        /// The known name that is most like it.
        nearest: Option<&'static str>,
    },
    /// The value is none that the setting can have.
    #[error("{key} = {value:?} is not possible: {allowed}")]
    BadValue {
        /// The setting's name.
        key: &'static str,
        /// The value as given.
        value: String,
        /// What is allowed.
        allowed: String,
    },
    /// A setting without which nothing works.
    #[error("{key} is not set: {what}")]
    Missing {
        /// The setting's name.
        key: &'static str,
        /// What to write there.
        what: &'static str,
    },
    /// A line of a file that is no `key=value`.
    #[error("line {line} of {file}: {text:?} is no key=value")]
    BadLine {
        /// The file's name.
        file: String,
        /// Counted from 1.
        line: usize,
        /// The line.
        text: String,
    },
    /// The file could not be read.
    #[error("cannot read {file}: {why}")]
    Unreadable {
        /// The file's name.
        file: String,
        /// The system's reason.
        why: String,
    },
}
