use std::borrow::Cow;

use super::Payload;

/// A header of a record to be sent: a name, and a value that may be null.
///
/// Headers keep their order, and a name may occur more than once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header<'a> {
    /// The name, UTF-8.
    pub name: Cow<'a, str>,
    /// The value, or null.
    pub value: Option<Payload<'a>>,
}

impl<'a> Header<'a> {
    /// A header with a value.
    pub fn new(name: impl Into<Cow<'a, str>>, value: impl Into<Payload<'a>>) -> Self {
        Header { name: name.into(), value: Some(value.into()) }
    }

    /// A header whose value is null.
    pub fn null(name: impl Into<Cow<'a, str>>) -> Self {
        Header { name: name.into(), value: None }
    }
}
