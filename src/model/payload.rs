use bytes::Bytes;

/// The bytes of a key, a value or a header value: borrowed where the caller can lend them, owned where not.
///
/// A producer copies them once, into the open batch, so lending costs nothing.
#[derive(Debug, Clone)]
pub enum Payload<'a> {
    /// Lent by the caller until the record is in a batch.
    Borrowed(&'a [u8]),
    /// Owned, from a `Vec<u8>` or a `String`.
    Vec(Vec<u8>),
    /// Shared. Behind a box, so that a record without any stays small: it is moved several times on its way.
    Bytes(Box<Bytes>),
}

impl Payload<'_> {
    /// The bytes themselves.
    #[inline]
    pub fn as_slice(&self) -> &[u8] {
        match self {
            Payload::Borrowed(b) => b,
            Payload::Vec(b) => b,
            Payload::Bytes(b) => b,
        }
    }

    /// The same bytes, owned.
    pub fn into_owned(self) -> Payload<'static> {
        match self {
            Payload::Borrowed(b) => Payload::Vec(b.to_vec()),
            Payload::Vec(b) => Payload::Vec(b),
            Payload::Bytes(b) => Payload::Bytes(b),
        }
    }
}

impl PartialEq for Payload<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl Eq for Payload<'_> {}

impl<'a> From<&'a [u8]> for Payload<'a> {
    #[inline]
    fn from(bytes: &'a [u8]) -> Self {
        Payload::Borrowed(bytes)
    }
}

impl<'a, const N: usize> From<&'a [u8; N]> for Payload<'a> {
    #[inline]
    fn from(bytes: &'a [u8; N]) -> Self {
        Payload::Borrowed(bytes)
    }
}

impl<'a> From<&'a Vec<u8>> for Payload<'a> {
    #[inline]
    fn from(bytes: &'a Vec<u8>) -> Self {
        Payload::Borrowed(bytes)
    }
}

impl From<Vec<u8>> for Payload<'_> {
    #[inline]
    fn from(bytes: Vec<u8>) -> Self {
        Payload::Vec(bytes)
    }
}

impl<'a> From<&'a str> for Payload<'a> {
    #[inline]
    fn from(text: &'a str) -> Self {
        Payload::Borrowed(text.as_bytes())
    }
}

impl<'a> From<&'a String> for Payload<'a> {
    #[inline]
    fn from(text: &'a String) -> Self {
        Payload::Borrowed(text.as_bytes())
    }
}

impl From<String> for Payload<'_> {
    #[inline]
    fn from(text: String) -> Self {
        Payload::Vec(text.into_bytes())
    }
}

impl From<Bytes> for Payload<'_> {
    #[inline]
    fn from(bytes: Bytes) -> Self {
        Payload::Bytes(Box::new(bytes))
    }
}

impl<'a> From<&'a Bytes> for Payload<'a> {
    #[inline]
    fn from(bytes: &'a Bytes) -> Self {
        Payload::Borrowed(bytes)
    }
}
