use std::{fmt, str::FromStr, sync::Arc};

/// A broker's host and port.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address {
    host: Arc<str>,
    port: u16,
}

/// A text that is no `host:port`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no broker address: {why}; write host:port, as in localhost:9092 or [::1]:9092")]
pub struct InvalidAddress {
    text: String,
    why: &'static str,
}

impl Address {
    /// From its parts.
    pub fn new(host: impl Into<Arc<str>>, port: u16) -> Self {
        Address { host: host.into(), port }
    }

    /// The host's name or IP address, without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl FromStr for Address {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        let invalid = |why| InvalidAddress { text: text.to_owned(), why };
        let trimmed = text.trim();
        // As Kafka's own clients: PLAINTEXT://host:port is host:port.
        let rest = trimmed.split_once("://").map_or(trimmed, |(_, rest)| rest);
        let (host, port) = rest.rsplit_once(':').ok_or_else(|| invalid("the port is missing"))?;
        let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
        if bare.is_none() && host.contains(':') {
            return Err(invalid("an IPv6 address needs brackets"));
        }
        let host = bare.unwrap_or(host);
        if host.is_empty() {
            return Err(invalid("the host is missing"));
        }
        let port =
            port.parse().ok().filter(|p| *p != 0).ok_or_else(|| invalid("the port is not a number from 1 to 65535"))?;
        Ok(Address::new(host, port))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes() {
        for (text, host, port) in [
            ("localhost:9092", "localhost", 9092),
            (" PLAINTEXT://broker.example:1 ", "broker.example", 1),
            ("[::1]:9092", "::1", 9092),
        ] {
            let address: Address = text.parse().unwrap();
            assert_eq!((address.host(), address.port()), (host, port));
            assert_eq!(address.to_string().parse::<Address>().unwrap(), address);
        }
    }

    #[test]
    fn refuses_what_is_no_address() {
        for text in ["localhost", ":9092", "::1:9092", "a:0", "a:65536", "a:b", ""] {
            let error = text.parse::<Address>().unwrap_err().to_string();
            assert!(error.contains(&format!("{text:?}")), "{error}");
        }
    }
}
