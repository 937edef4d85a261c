use std::{ops::RangeInclusive, time::Duration};

use super::{ConfigError, Properties};

/// A setting's name, and how its text becomes part of a configuration of type `C`. The error is what is allowed.
pub(crate) struct Key<C: 'static> {
    pub(crate) name: &'static str,
    pub(crate) set: fn(&mut C, &str) -> Result<(), String>,
}

/// Sets in `config` what `properties` has of `keys`, and leaves the rest alone.
pub(crate) fn apply<C>(config: &mut C, keys: &'static [Key<C>], properties: &Properties) -> Result<(), ConfigError> {
    for key in keys {
        if let Some(value) = properties.get(key.name) {
            (key.set)(config, value.trim()).map_err(|allowed| ConfigError::BadValue {
                key: key.name,
                value: value.to_owned(),
                allowed,
            })?;
        }
    }
    Ok(())
}

/// An error for the first name that is not among `known`.
pub(crate) fn reject_unknown(properties: &Properties, known: &[&'static str]) -> Result<(), ConfigError> {
    match properties.keys().find(|key| !known.contains(key)) {
        None => Ok(()),
        Some(key) => {
            let nearest = known.iter().copied().min_by_key(|name| distance(key, name));
            let nearest = nearest.filter(|name| distance(key, name) <= key.len().max(6) / 3);
            Err(ConfigError::UnknownKey { key: key.to_owned(), nearest })
        }
    }
}

/// How many characters have to change for `a` to become `b` (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, cb) in b.iter().enumerate() {
            let changed = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

pub(crate) fn number<T>(text: &str, allowed: RangeInclusive<T>) -> Result<T, String>
where
    T: std::str::FromStr + PartialOrd + std::fmt::Display,
{
    let fits = text.parse().ok().filter(|n| allowed.contains(n));
    fits.ok_or_else(|| format!("a whole number from {} to {} is allowed", allowed.start(), allowed.end()))
}

pub(crate) fn millis(text: &str, allowed: RangeInclusive<u64>) -> Result<Duration, String> {
    let millis = number(text, allowed).map_err(|e| e.replace("whole number", "whole number of milliseconds"))?;
    Ok(Duration::from_millis(millis))
}

pub(crate) fn bytes(text: &str, allowed: RangeInclusive<usize>) -> Result<usize, String> {
    number(text, allowed).map_err(|e| e.replace("whole number", "whole number of bytes"))
}

pub(crate) fn boolean(text: &str) -> Result<bool, String> {
    one_of(text, &[("true", true), ("false", false)])
}

pub(crate) fn one_of<T: Clone>(text: &str, choices: &[(&str, T)]) -> Result<T, String> {
    let chosen = choices.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
    chosen.map(|(_, value)| value.clone()).ok_or_else(|| {
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        format!("one of {} is allowed", names.join(", "))
    })
}
