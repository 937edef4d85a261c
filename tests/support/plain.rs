//! A record as it is compared: whatever client wrote or read it.

use milena::{ConsumerHeaders, ConsumerRecord, Header, Record, RecordRef, Timestamp};

/// What a record holds, wherever it stands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plain {
    pub timestamp: i64,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

impl Plain {
    /// To be sent by milena.
    pub fn to<'a>(&'a self, topic: &'a str) -> Record<'a> {
        let headers = self.headers.iter().map(|(name, value)| match value {
            Some(value) => Header::new(name, value),
            None => Header::null(name),
        });
        let mut record =
            Record::to(topic).timestamp(Timestamp::from_millis(self.timestamp)).headers(headers.collect::<Vec<_>>());
        if let Some(key) = &self.key {
            record = record.key(key);
        }
        if let Some(value) = &self.value {
            record = record.value(value);
        }
        record
    }

    /// For Java's client: timestamp, key, value and headers, as `tests/kafka/Client.java` has them.
    pub(super) fn line(&self) -> String {
        let mut line = format!("{}\t", self.timestamp);
        push_hex(&mut line, self.key.as_deref());
        line.push('\t');
        push_hex(&mut line, self.value.as_deref());
        line.push('\t');
        for (index, (name, value)) in self.headers.iter().enumerate() {
            if index > 0 {
                line.push(',');
            }
            push_hex(&mut line, Some(name.as_bytes()));
            line.push('=');
            push_hex(&mut line, value.as_deref());
        }
        line
    }

    /// From the same fields.
    pub(super) fn parse(fields: &[&str]) -> Plain {
        let &[timestamp, key, value, headers] = fields else { panic!("four fields: {fields:?}") };
        let header = |text: &str| {
            let (name, value) = text.split_once('=').expect("a header");
            (String::from_utf8(bytes(name).expect("a name")).expect("UTF-8"), bytes(value))
        };
        Plain {
            timestamp: timestamp.parse().expect("a timestamp"),
            key: bytes(key),
            value: bytes(value),
            headers: headers.split(',').filter(|header| !header.is_empty()).map(header).collect(),
        }
    }
}

impl From<&ConsumerRecord> for Plain {
    fn from(record: &ConsumerRecord) -> Plain {
        of(record.timestamp(), record.key(), record.value(), record.headers())
    }
}

impl From<&RecordRef<'_>> for Plain {
    fn from(record: &RecordRef<'_>) -> Plain {
        of(record.timestamp(), record.key(), record.value(), record.headers())
    }
}

fn of(timestamp: Timestamp, key: Option<&[u8]>, value: Option<&[u8]>, headers: ConsumerHeaders<'_>) -> Plain {
    Plain {
        timestamp: timestamp.as_millis(),
        key: key.map(Into::into),
        value: value.map(Into::into),
        headers: headers.map(|header| (header.name().into_owned(), header.value().map(Into::into))).collect(),
    }
}

fn push_hex(line: &mut String, bytes: Option<&[u8]>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let Some(bytes) = bytes else { return line.push('-') };
    for byte in bytes {
        line.push(DIGITS[usize::from(byte >> 4)].into());
        line.push(DIGITS[usize::from(byte & 15)].into());
    }
}

/// Of hexadecimal digits; `-` is none.
pub(super) fn bytes(hex: &str) -> Option<Vec<u8>> {
    let digit = |digit: u8| char::from(digit).to_digit(16).expect("a hexadecimal digit") as u8;
    (hex != "-").then(|| hex.as_bytes().chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect())
}
