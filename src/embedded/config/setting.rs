/// A setting that Kafka knows.
#[derive(Debug)]
pub(crate) struct Setting {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// `None` for null.
    pub(crate) default: Option<&'static str>,
    pub(crate) allowed: Allowed,
    pub(crate) change: Change,
    /// Of a topic's: the broker's settings that stand in for it, with what to multiply their values by.
    pub(crate) stand_ins: &'static [(&'static str, i64)],
    pub(crate) documentation: &'static str,
}

/// Types, by the numbers that DescribeConfigs has for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Boolean = 1,
    String = 2,
    Int = 3,
    Short = 4,
    Long = 5,
    Double = 6,
    List = 7,
    Class = 8,
    Password = 9,
}

/// What values may be, beyond what the type says.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Allowed {
    Any,
    AtLeast(i64),
    Between(i64, i64),
    /// Or −1.
    BetweenOrNone(i64, i64),
    /// Each of a list.
    OneOf(&'static [&'static str]),
    /// `*`, or pairs of a partition and a broker.
    Replicas,
}

/// Where a value of a broker can be changed while it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// Only where it is started.
    Never,
    /// For one broker.
    OneBroker,
    /// For one broker, or for all.
    Anywhere,
}

/// `settings! { TABLE: "name" Type "default" (allowed) (where it changes, or what stands in) "documentation"; … }`.
macro_rules! settings {
    ($(#[$doc:meta])* $table:ident: $($name:literal $kind:ident $default:tt $allowed:tt $extra:tt $documentation:literal;)*) => {
        $(#[$doc])*
        pub(crate) const $table: &[super::setting::Setting] = &[$(super::setting::Setting {
            name: $name,
            kind: super::setting::Kind::$kind,
            default: super::setting::settings!(@default $default),
            allowed: super::setting::settings!(@allowed $allowed),
            change: super::setting::settings!(@change $extra),
            stand_ins: super::setting::settings!(@stand_ins $extra),
            documentation: $documentation,
        },)*];
    };
    (@default -) => { None };
    (@default $default:literal) => { Some($default) };
    (@allowed any) => { super::setting::Allowed::Any };
    (@allowed replicas) => { super::setting::Allowed::Replicas };
    (@allowed ($low:literal..)) => { super::setting::Allowed::AtLeast($low) };
    (@allowed ($low:literal to $high:literal)) => { super::setting::Allowed::Between($low, $high) };
    (@allowed ($low:literal to $high:literal or -1)) => { super::setting::Allowed::BetweenOrNone($low, $high) };
    (@allowed [$($one:literal)*]) => { super::setting::Allowed::OneOf(&[$($one),*]) };
    (@change fixed) => { super::setting::Change::Never };
    (@change one) => { super::setting::Change::OneBroker };
    (@change all) => { super::setting::Change::Anywhere };
    (@change [$($any:tt)*]) => { super::setting::Change::Anywhere };
    (@stand_ins [$($name:literal $(* $times:literal)?),* $(,)?]) => { &[$(($name, 1 $(* $times)?)),*] };
    (@stand_ins $change:ident) => { &[] };
}
pub(crate) use settings;

/// The setting of this name in a table, which is sorted.
pub(crate) fn find(table: &'static [Setting], name: &str) -> Option<&'static Setting> {
    table.binary_search_by(|setting| setting.name.cmp(name)).ok().map(|at| &table[at])
}

impl Setting {
    /// Whether its values are secrets, which are never told.
    pub(crate) fn is_sensitive(&self) -> bool {
        self.kind == Kind::Password
    }

    /// Whether it may have this value; if not, why, in Kafka's words.
    pub(crate) fn check(&self, value: &str) -> Result<(), String> {
        let trimmed = value.trim();
        let invalid = |why: &str| Err(format!("Invalid value {trimmed} for configuration {}: {why}", self.name));
        let number = |low: i64, high: i64| trimmed.parse().ok().filter(|n| (low..=high).contains(n));
        let number = match self.kind {
            Kind::Boolean if trimmed.eq_ignore_ascii_case("true") || trimmed.eq_ignore_ascii_case("false") => {
                return Ok(());
            }
            Kind::Boolean => return invalid("Expected value to be either true or false"),
            Kind::Short => number(i64::from(i16::MIN), i64::from(i16::MAX)),
            Kind::Int => number(i64::from(i32::MIN), i64::from(i32::MAX)),
            Kind::Long => number(i64::MIN, i64::MAX),
            Kind::Double => return self.check_ratio(trimmed),
            Kind::String | Kind::Class | Kind::Password => return self.check_one(trimmed),
            Kind::List => return self.check_list(value),
        };
        let Some(number) = number else {
            return invalid(&format!("Not a number of type {}", format!("{:?}", self.kind).to_uppercase()));
        };
        match self.allowed {
            Allowed::AtLeast(low) | Allowed::Between(low, _) if number < low => {
                invalid(&format!("Value must be at least {low}"))
            }
            Allowed::Between(_, high) if number > high => invalid(&format!("Value must be no more than {high}")),
            Allowed::BetweenOrNone(low, high) if number != -1 && !(low..=high).contains(&number) => {
                invalid(&format!("Value must be between {low} and {high} or equal to -1"))
            }
            _ => Ok(()),
        }
    }

    fn check_ratio(&self, value: &str) -> Result<(), String> {
        let invalid = |why: &str| Err(format!("Invalid value {value} for configuration {}: {why}", self.name));
        match (value.parse::<f64>(), self.allowed) {
            (Err(_), _) => invalid("Not a number of type DOUBLE"),
            (Ok(number), Allowed::Between(low, _)) if number < low as f64 => {
                invalid(&format!("Value must be at least {low}"))
            }
            (Ok(number), Allowed::Between(_, high)) if number > high as f64 => {
                invalid(&format!("Value must be no more than {high}"))
            }
            _ => Ok(()),
        }
    }

    fn check_one(&self, value: &str) -> Result<(), String> {
        match self.allowed {
            Allowed::OneOf(known) if !known.contains(&value) => {
                let known = known.join(", ");
                Err(format!("Invalid value {value} for configuration {}: String must be one of: {known}", self.name))
            }
            _ => Ok(()),
        }
    }

    fn check_list(&self, value: &str) -> Result<(), String> {
        if matches!(self.allowed, Allowed::Replicas) && value.trim() != "*" {
            let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            let is_pair = |pair: &str| pair.split_once(':').is_some_and(|(a, b)| is_number(a) && is_number(b));
            if !parts(value).all(is_pair) {
                let name = self.name;
                let form = "[partitionId]:[brokerId],[partitionId]:[brokerId],...";
                return Err(format!(
                    "Invalid value [{value}] for configuration {name}: {name} must be the literal '*' or a list of replicas in \
                     the following format: {form}"
                ));
            }
        }
        parts(value).try_for_each(|part| self.check_one(part))
    }
}

/// The elements of a list's value.
pub(crate) fn parts(value: &str) -> impl Iterator<Item = &str> {
    value.split(',').map(str::trim).filter(|part| !part.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embedded::config::{BROKER, GROUP, TOPIC};

    #[test]
    fn tables_are_sorted_and_defaults_are_allowed() {
        for table in [TOPIC, BROKER, GROUP] {
            assert!(table.is_sorted_by(|a, b| a.name < b.name));
            for setting in table {
                assert_eq!(setting.default.map_or(Ok(()), |value| setting.check(value)), Ok(()), "{}", setting.name);
            }
        }
        for (stand_in, _) in TOPIC.iter().flat_map(|setting| setting.stand_ins) {
            assert!(find(BROKER, stand_in).is_some(), "{stand_in}");
        }
    }

    /// The right-hand sides are what Kafka 4.3.1's `LogConfig.validate` says.
    #[test]
    fn bad_values_are_refused_in_kafkas_words() {
        let why = |name: &str, value: &str| find(TOPIC, name).unwrap().check(value).unwrap_err();
        let told = "Invalid value abc for configuration retention.ms: Not a number of type LONG";
        assert_eq!(why("retention.ms", "abc"), told);
        let told = "Invalid value -2 for configuration retention.ms: Value must be at least -1";
        assert_eq!(why("retention.ms", "-2"), told);
        let told = "Invalid value x for configuration cleanup.policy: String must be one of: compact, delete";
        assert_eq!(why("cleanup.policy", "delete,x"), told);
        let told = "Invalid value x for configuration preallocate: Expected value to be either true or false";
        assert_eq!(why("preallocate", "x"), told);
        let told =
            "Invalid value 0 for configuration compression.gzip.level: Value must be between 1 and 9 or equal to -1";
        assert_eq!(why("compression.gzip.level", "0"), told);
        let told = "Invalid value 20 for configuration compression.lz4.level: Value must be no more than 17";
        assert_eq!(why("compression.lz4.level", "20"), told);
        let told = "Invalid value 9999999999 for configuration max.message.bytes: Not a number of type INT";
        assert_eq!(why("max.message.bytes", "9999999999"), told);
        let told = "Invalid value x for configuration min.cleanable.dirty.ratio: Not a number of type DOUBLE";
        assert_eq!(why("min.cleanable.dirty.ratio", "x"), told);
        assert!(why("leader.replication.throttled.replicas", "x").contains("must be the literal '*'"));
        for (name, value) in [("retention.ms", " 5 "), ("preallocate", "TRUE"), ("cleanup.policy", "delete, compact")] {
            assert_eq!(find(TOPIC, name).unwrap().check(value), Ok(()));
        }
    }
}
