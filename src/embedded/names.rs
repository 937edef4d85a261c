//! What Kafka lets things be called.

/// A topic's name: as Kafka's `Topic.validate` has it.
pub(crate) fn check_topic(name: &str) -> Result<(), String> {
    let is_legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if name.is_empty() {
        Err("a topic's name may not be empty".to_owned())
    } else if name == "." || name == ".." {
        Err("a topic's name may not be . or ..".to_owned())
    } else if name.len() > 249 {
        Err(format!("a topic's name may have 249 characters, not {}", name.len()))
    } else if !name.chars().all(is_legal) {
        Err(format!("the topic's name {name:?} has characters other than ASCII letters and digits, '.', '_' and '-'"))
    } else {
        Ok(())
    }
}
