use std::collections::BTreeMap;

/// What is set, by Kafka's names.
pub(crate) type Values = BTreeMap<String, String>;

/// What has been changed while the brokers run; a topic's settings stand with the topic.
#[derive(Debug, Default)]
pub(crate) struct Configs {
    /// For all brokers.
    pub(crate) defaults: Values,
    /// For one, by its id: wins over the former.
    pub(crate) brokers: BTreeMap<i32, Values>,
    /// By the group's id.
    pub(crate) groups: BTreeMap<String, Values>,
}

impl Configs {
    /// What has been set for a broker itself.
    pub(crate) fn of_broker(&self, id: i32) -> Option<&Values> {
        self.brokers.get(&id)
    }

    /// The topics' settings that these changes stand in for. Which broker leads a partition makes no difference here: where
    /// there are several brokers, only what is set for all of them counts.
    pub(crate) fn inherited(&self, brokers: &[i32]) -> Values {
        let alone = match brokers {
            [one] => self.brokers.get(one),
            _ => None,
        };
        let set = |name: &str| alone.and_then(|values| values.get(name)).or_else(|| self.defaults.get(name));
        let inherited = super::TOPIC.iter().filter_map(|setting| {
            let (value, times) = setting.stand_ins.iter().find_map(|(name, times)| Some((set(name)?, *times)))?;
            Some((setting.name.to_owned(), times_value(value, times)))
        });
        inherited.collect()
    }
}

/// A value in other units.
pub(super) fn times_value(value: &str, times: i64) -> String {
    match value.trim().parse::<i64>() {
        Ok(number) if times != 1 => number.saturating_mul(times).to_string(),
        _ => value.to_owned(),
    }
}
