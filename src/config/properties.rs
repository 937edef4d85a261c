use std::{collections::BTreeMap, fmt, path::Path};

use super::ConfigError;

/// The environment's prefix: `KAFKA_BOOTSTRAP_SERVERS` is `bootstrap.servers`.
const ENV_PREFIX: &str = "KAFKA_";

/// Settings by their Kafka names, as texts, not yet checked.
///
/// ```
/// use milena::Properties;
///
/// let properties = Properties::parse("bootstrap.servers=localhost:9092\n# a comment\nlinger.ms = 10").unwrap();
/// assert_eq!(properties.get("linger.ms"), Some("10"));
/// ```
///
/// `Debug` shows no value of a setting that may be a secret.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Properties(BTreeMap<String, String>);

impl Properties {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets one. A later value replaces an earlier.
    pub fn set(&mut self, key: impl Into<String>, value: impl Into<String>) -> &mut Self {
        self.0.insert(key.into(), value.into());
        self
    }

    /// The value as given.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    /// From the text of a `.properties` file: a `key=value` (or `key: value`) a line; `#` and `!` start comments.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        Self::parse_named(text, "the properties")
    }

    /// From a `.properties` file.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, ConfigError> {
        let file = path.as_ref().display().to_string();
        let text = std::fs::read_to_string(path)
            .map_err(|e| ConfigError::Unreadable { file: file.clone(), why: e.to_string() })?;
        Self::parse_named(&text, &file)
    }

    /// From the environment: each `KAFKA_A_B` whose `a.b` is a setting of this crate. Others are left alone, since
    /// Kafka's own images use the same prefix.
    pub fn from_env() -> Self {
        let named = std::env::vars().filter_map(|(name, value)| {
            let key = name.strip_prefix(ENV_PREFIX)?.to_ascii_lowercase().replace('_', ".");
            Some((key, value))
        });
        Properties(named.collect())
    }

    /// Takes over all of `other`, whose values win.
    pub fn extend(&mut self, other: Properties) -> &mut Self {
        self.0.extend(other.0);
        self
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    pub(crate) fn retain(&mut self, keep: impl Fn(&str) -> bool) {
        self.0.retain(|key, _| keep(key));
    }

    fn parse_named(text: &str, file: &str) -> Result<Self, ConfigError> {
        let mut properties = Properties::new();
        for (number, line) in text.lines().enumerate() {
            let trimmed = line.trim();
            if trimmed.is_empty() || trimmed.starts_with(['#', '!']) {
                continue;
            }
            let Some((key, value)) = trimmed.split_once(['=', ':']).filter(|(key, _)| !key.trim().is_empty()) else {
                return Err(ConfigError::BadLine { file: file.to_owned(), line: number + 1, text: line.to_owned() });
            };
            properties.set(key.trim(), value.trim());
        }
        Ok(properties)
    }
}

/// Whether a setting of this name may be a secret, so that its value is not shown.
pub(crate) fn is_secret(key: &str) -> bool {
    ["password", "jaas", "secret", "token", "key.pem", "keystore.key"].iter().any(|part| key.contains(part))
}

impl fmt::Debug for Properties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.0.iter().map(|(k, v)| (k, if is_secret(k) { "[hidden]" } else { v }))).finish()
    }
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Properties {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        Properties(pairs.into_iter().map(|(k, v)| (k.into(), v.into())).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_line_that_it_cannot_read() {
        let error = Properties::parse("a=1\n\nnonsense\n").unwrap_err();
        assert_eq!(error.to_string(), "line 3 of the properties: \"nonsense\" is no key=value");
    }

    #[test]
    fn shows_no_secret() {
        let properties = Properties::from_iter([("sasl.password", "hunter2"), ("client.id", "me")]);
        let shown = format!("{properties:?}");
        assert!(!shown.contains("hunter2") && shown.contains("me"), "{shown}");
    }
}
