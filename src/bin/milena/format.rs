use milena::{ConsumerRecord, Timestamp};

/// How a record is printed: literal bytes, and its parts by kcat's letters.
#[derive(Debug, Clone)]
pub(crate) struct Format(Vec<Part>);

#[derive(Debug, Clone, PartialEq)]
enum Part {
    Literal(Vec<u8>),
    Topic,
    Partition,
    Offset,
    Key,
    KeyLength,
    Value,
    ValueLength,
    Timestamp,
    Headers,
}

impl Format {
    pub(crate) fn parse(text: &str) -> Result<Format, String> {
        let mut parts = Vec::new();
        let mut literal = Vec::new();
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            let part = match (c, if matches!(c, '%' | '\\') { chars.next() } else { None }) {
                ('%', Some('t')) => Part::Topic,
                ('%', Some('p')) => Part::Partition,
                ('%', Some('o')) => Part::Offset,
                ('%', Some('k')) => Part::Key,
                ('%', Some('K')) => Part::KeyLength,
                ('%', Some('s')) => Part::Value,
                ('%', Some('S')) => Part::ValueLength,
                ('%', Some('T')) => Part::Timestamp,
                ('%', Some('h')) => Part::Headers,
                ('%', Some('%')) => Part::Literal(vec![b'%']),
                ('\\', Some('n')) => Part::Literal(vec![b'\n']),
                ('\\', Some('r')) => Part::Literal(vec![b'\r']),
                ('\\', Some('t')) => Part::Literal(vec![b'\t']),
                ('\\', Some('\\')) => Part::Literal(vec![b'\\']),
                ('\\', Some('x')) => {
                    let digits: String = chars.by_ref().take(2).collect();
                    let byte = u8::from_str_radix(&digits, 16).ok().filter(|_| digits.len() == 2);
                    Part::Literal(vec![byte.ok_or_else(|| format!("\\x{digits}: two hexadecimal digits are allowed"))?])
                }
                ('%' | '\\', what) => {
                    let what = what.map(String::from).unwrap_or_default();
                    return Err(format!("{c}{what} stands for nothing: see --help"));
                }
                (c, _) => Part::Literal(c.to_string().into_bytes()),
            };
            match part {
                Part::Literal(bytes) => literal.extend(bytes),
                part => {
                    parts.extend((!literal.is_empty()).then(|| Part::Literal(std::mem::take(&mut literal))));
                    parts.push(part);
                }
            }
        }
        parts.extend((!literal.is_empty()).then_some(Part::Literal(literal)));
        Ok(Format(parts))
    }

    pub(crate) fn write(&self, out: &mut Vec<u8>, record: &ConsumerRecord) {
        let length = |bytes: Option<&[u8]>| bytes.map_or(-1, |b| b.len() as i64).to_string();
        for part in &self.0 {
            match part {
                Part::Literal(bytes) => out.extend_from_slice(bytes),
                Part::Topic => out.extend_from_slice(record.topic().as_bytes()),
                Part::Partition => out.extend_from_slice(record.partition().to_string().as_bytes()),
                Part::Offset => out.extend_from_slice(record.offset().to_string().as_bytes()),
                Part::Key => out.extend_from_slice(record.key().unwrap_or_default()),
                Part::KeyLength => out.extend_from_slice(length(record.key()).as_bytes()),
                Part::Value => out.extend_from_slice(record.value().unwrap_or_default()),
                Part::ValueLength => out.extend_from_slice(length(record.value()).as_bytes()),
                Part::Timestamp => out.extend_from_slice(record.timestamp().as_millis().to_string().as_bytes()),
                Part::Headers => {
                    for (number, header) in record.headers().enumerate() {
                        out.extend_from_slice(if number > 0 { b"," } else { b"" });
                        out.extend_from_slice(header.name_bytes());
                        out.push(b'=');
                        out.extend_from_slice(header.value().unwrap_or(b"NULL"));
                    }
                }
            }
        }
    }
}

/// `@` and milliseconds since the epoch, or a date and time in UTC as `2026-11-24T12:00:00Z`, with or without fractions.
pub(crate) fn time(text: &str) -> Option<Timestamp> {
    if let Some(millis) = text.strip_prefix('@') {
        return millis.parse().ok().filter(|ms| *ms >= 0).map(Timestamp::from_millis);
    }
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let [year, month, day] = numbers(date, '-')?;
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let [hour, minute, second] = numbers(time, ':')?;
    if !(1970..=9999).contains(&year)
        || !(1..=12).contains(&month)
        || !(1..=31).contains(&day)
        || hour > 23
        || minute > 59
        || second > 59
    {
        return None;
    }
    let millis: i64 = format!("{fraction:0<3}").get(..3)?.parse().ok()?;
    let seconds = days_since_1970(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second;
    Some(Timestamp::from_millis(seconds * 1_000 + millis)).filter(|t| t.as_millis() >= 0)
}

fn numbers(text: &str, separator: char) -> Option<[i64; 3]> {
    let parsed: Option<Vec<i64>> = text.split(separator).map(|part| part.parse().ok()).collect();
    parsed?.try_into().ok()
}

/// In the Gregorian calendar; the year begins in March, so that leap days come last.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_is_read_as_kcat_reads_it() {
        let format = Format::parse("%t[%p]@%o\\t100%%\\x41\\n").unwrap();
        let literal = |text: &str| Part::Literal(text.as_bytes().to_vec());
        let expected = [Part::Topic, literal("["), Part::Partition, literal("]@"), Part::Offset, literal("\t100%A\n")];
        assert_eq!(format.0, expected);
        for bad in ["%", "%y", "\\", "\\x4", "\\xzz"] {
            Format::parse(bad).unwrap_err();
        }
    }

    #[test]
    fn times_are_milliseconds_or_utc() {
        let millis = |text: &str| time(text).map(Timestamp::as_millis);
        assert_eq!(millis("@1500"), Some(1500));
        assert_eq!(millis("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(millis("2026-11-24T12:34:56.789Z"), Some(1_795_523_696_789));
        assert_eq!(millis("2000-02-29T00:00:00.5Z"), Some(951_782_400_500));
        for bad in [
            "",
            "@-1",
            "2026-11-24",
            "2026-13-01T00:00:00Z",
            "300000000000-01-01T00:00:00Z",
            "2026-11-24T24:00:00Z",
            "noon",
        ] {
            assert_eq!(millis(bad), None, "{bad}");
        }
    }
}
