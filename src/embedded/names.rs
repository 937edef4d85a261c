//! What Kafka lets things be called.

/// A topic's name, as Kafka's `Topic.validate` has it, in its words.
pub(crate) fn check_topic(name: &str) -> Result<(), String> {
    let is_legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let why = if name.is_empty() {
        "the empty string is not allowed".to_owned()
    } else if name == "." || name == ".." {
        format!("'{name}' is not allowed")
    } else if name.len() > 249 {
        format!("the length of '{name}' is longer than the max allowed length 249")
    } else if !name.chars().all(is_legal) {
        format!("'{name}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'")
    } else {
        return Ok(());
    };
    Err(format!("Topic name is invalid: {why}"))
}

/// What two topics may not share: the names of metrics have `_` for `.`.
pub(crate) fn in_metrics(name: &str) -> String {
    name.replace('.', "_")
}
