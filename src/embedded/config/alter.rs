use super::{BROKER, GROUP, Setting, TOPIC, Values, find, setting};

/// A change of one setting.
#[derive(Debug)]
pub(crate) struct Change<'a> {
    pub(crate) name: &'a str,
    pub(crate) operation: Operation<'a>,
}

/// What IncrementalAlterConfigs may do with a value (KIP-339).
#[derive(Debug)]
pub(crate) enum Operation<'a> {
    Set(&'a str),
    Delete,
    Append(&'a str),
    Subtract(&'a str),
}

/// What is set after these changes, in which lists grow and shrink from their defaults on; `Err` if one of them is none.
pub(crate) fn altered(table: &'static [Setting], before: &Values, changes: &[Change<'_>]) -> Result<Values, String> {
    let mut values = before.clone();
    for change in changes {
        let known = find(table, change.name);
        let before = before.get(change.name).map(String::as_str).or_else(|| known.and_then(|setting| setting.default));
        let before = setting::parts(before.unwrap_or_default());
        let is_list = known.is_some_and(|setting| setting.kind == setting::Kind::List);
        let (word, list) = match &change.operation {
            Operation::Set(value) => {
                values.insert(change.name.to_owned(), (*value).to_owned());
                continue;
            }
            Operation::Delete => {
                values.remove(change.name);
                continue;
            }
            Operation::Append(more) => {
                let mut list: Vec<&str> = before.collect();
                more.split(',').for_each(|one| {
                    if !list.contains(&one) {
                        list.push(one);
                    }
                });
                ("APPEND", list)
            }
            Operation::Subtract(less) => {
                let less: Vec<&str> = less.split(',').collect();
                ("SUBTRACT", before.filter(|one| !less.contains(one)).collect())
            }
        };
        if !is_list {
            return Err(format!("Can't {word} to key {} because its type is not LIST.", change.name));
        }
        values.insert(change.name.to_owned(), list.join(","));
    }
    Ok(values)
}

/// Whether a topic may have these settings; if not, why, in Kafka's words.
pub(crate) fn check_topic(values: &Values) -> Result<(), String> {
    if let Some(unknown) = values.keys().find(|name| find(TOPIC, name).is_none()) {
        return Err(format!("Unknown topic config name: {unknown}"));
    }
    for (name, value) in values {
        find(TOPIC, name).map_or(Ok(()), |setting| setting.check(value))?;
    }
    let number = |name: &str| {
        let default = find(TOPIC, name).and_then(|setting| setting.default).unwrap_or_default();
        values.get(name).map_or(default, String::as_str).trim().parse::<i64>().unwrap_or_default()
    };
    let (min, max) = (number("min.compaction.lag.ms"), number("max.compaction.lag.ms"));
    if min > max {
        return Err(format!(
            "conflict topic config setting min.compaction.lag.ms ({min}) > max.compaction.lag.ms ({max})"
        ));
    }
    if values.get("remote.storage.enable").is_some_and(|value| value.trim().eq_ignore_ascii_case("true")) {
        let why = "Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote log storage.";
        return Err(why.to_owned());
    }
    Ok(())
}

/// Whether a broker may be set so while it runs, or all brokers; if not, why, in Kafka's words. Settings that nobody knows
/// may be set: they could be meant for a plugin.
pub(crate) fn check_broker(values: &Values, is_one: bool) -> Result<(), String> {
    let of = |change: setting::Change| {
        let names =
            values.keys().filter(move |name| find(BROKER, name).is_some_and(|setting| setting.change == change));
        names.map(String::as_str).collect::<Vec<_>>().join(", ")
    };
    let fixed = of(setting::Change::Never);
    if !fixed.is_empty() {
        return Err(format!("Cannot update these configs dynamically: [{fixed}]"));
    }
    for (name, value) in values {
        find(BROKER, name).map_or(Ok(()), |setting| setting.check(value))?;
    }
    let of_one = of(setting::Change::OneBroker);
    if !is_one && !of_one.is_empty() {
        let why = "Cannot update these configs at default cluster level, broker id must be specified";
        return Err(format!("{why}: [{of_one}]"));
    }
    Ok(())
}

/// Whether a group may have these settings; if not, why, in Kafka's words.
pub(crate) fn check_group(values: &Values) -> Result<(), String> {
    for (name, value) in values {
        let setting = find(GROUP, name).ok_or_else(|| format!("Unknown group config name: {name}"))?;
        setting.check(value)?;
    }
    Ok(())
}
