use super::{BROKER, GROUP, Setting, TOPIC, Values, configs::times_value, find, setting::Change};
use crate::embedded::{sasl::MECHANISMS, state::State, topic::Topic};

/// Where a value comes from, by the numbers that DescribeConfigs has for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    Topic = 1,
    Broker = 2,
    BrokerDefaults = 3,
    /// What the broker was started with.
    BrokerFile = 4,
    Default = 5,
    Group = 8,
}

/// A value that holds, or would if those before it did not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Synonym {
    pub(crate) name: String,
    pub(crate) value: Option<String>,
    pub(crate) source: Source,
}

/// A setting and its value.
#[derive(Debug)]
pub(crate) struct Described {
    pub(crate) name: String,
    pub(crate) value: Option<String>,
    pub(crate) source: Source,
    pub(crate) synonyms: Vec<Synonym>,
    pub(crate) read_only: bool,
    /// `None` for one that nobody knows: clients may set such ones on brokers.
    pub(crate) setting: Option<&'static Setting>,
}

/// All settings of a topic, as a broker has them.
pub(crate) fn topic(state: &State, broker: i32, own: &Values) -> Vec<Described> {
    let described = TOPIC.iter().map(|setting| {
        let mut synonyms = match setting.stand_ins.first() {
            Some((name, _)) => broker_synonyms(state, broker, name),
            None => Vec::new(),
        };
        // Its value is in the topic's units, its synonyms are in theirs.
        let stand_in = |synonym: &Synonym| {
            let (_, times) = setting.stand_ins.iter().find(|(name, _)| *name == synonym.name)?;
            Some(times_value(synonym.value.as_deref()?, *times))
        };
        let value = match own.get(setting.name) {
            Some(value) => {
                let own = Synonym { name: setting.name.into(), value: Some(value.clone()), source: Source::Topic };
                synonyms.insert(0, own);
                Some(value.clone())
            }
            None => synonyms.first().and_then(stand_in).or_else(|| setting.default.map(str::to_owned)),
        };
        described(setting, value, synonyms, false)
    });
    described.collect()
}

/// All settings of a broker.
pub(crate) fn broker(state: &State, broker: i32) -> Vec<Described> {
    let own = [state.configs.of_broker(broker), Some(&state.configs.defaults)].into_iter().flatten();
    let unknown = own.flat_map(|values| values.keys()).filter(|name| find(BROKER, name).is_none());
    let mut unknown: Vec<&String> = unknown.collect();
    unknown.sort();
    unknown.dedup();
    let known = BROKER.iter().map(|setting| {
        let synonyms = broker_synonyms(state, broker, setting.name);
        let value = synonyms.first().and_then(|synonym| synonym.value.clone());
        described(setting, value, synonyms, setting.change == Change::Never)
    });
    known.chain(unknown.into_iter().map(|name| unknown_to_all(name, broker_synonyms(state, broker, name)))).collect()
}

/// What has been set for all brokers.
pub(crate) fn broker_defaults(state: &State) -> Vec<Described> {
    let described = state.configs.defaults.iter().map(|(name, value)| {
        let synonyms = vec![Synonym { name: name.clone(), value: Some(value.clone()), source: Source::BrokerDefaults }];
        match find(BROKER, name) {
            Some(setting) => described(setting, Some(value.clone()), synonyms, setting.change == Change::Never),
            None => unknown_to_all(name, synonyms),
        }
    });
    described.collect()
}

/// All settings of a group, whether or not there is one.
pub(crate) fn group(state: &State, broker: i32, id: &str) -> Vec<Described> {
    let own = state.configs.groups.get(id);
    let described = GROUP.iter().map(|setting| {
        let mut synonyms = broker_synonyms(state, broker, &format!("group.{}", setting.name));
        let inherited = synonyms.first().and_then(|synonym| synonym.value.clone());
        let own = own.and_then(|own| own.get(setting.name));
        let value = own.cloned().or(inherited).or_else(|| setting.default.map(str::to_owned));
        if let Some(own) = own {
            let (name, value) = (setting.name.into(), Some(own.clone()));
            synonyms.insert(0, Synonym { name, value, source: Source::Group });
        }
        described(setting, value, synonyms, false)
    });
    described.collect()
}

fn described(setting: &'static Setting, value: Option<String>, synonyms: Vec<Synonym>, read_only: bool) -> Described {
    let mut described = Described {
        name: setting.name.into(),
        value,
        source: synonyms.first().map_or(Source::Default, |synonym| synonym.source),
        synonyms,
        read_only,
        setting: Some(setting),
    };
    if setting.is_sensitive() {
        described.hide();
    }
    described
}

/// As Kafka: what nobody knows could be a secret.
fn unknown_to_all(name: &str, synonyms: Vec<Synonym>) -> Described {
    let source = synonyms.first().map_or(Source::Default, |synonym| synonym.source);
    let mut described = Described { name: name.into(), value: None, source, synonyms, read_only: true, setting: None };
    described.hide();
    described
}

impl Described {
    pub(crate) fn is_sensitive(&self) -> bool {
        self.setting.is_none_or(Setting::is_sensitive)
    }

    fn hide(&mut self) {
        self.value = None;
        self.synonyms.iter_mut().for_each(|synonym| synonym.value = None);
    }
}

/// The values of a broker's setting, and of those that stand in for it: the one that holds first.
fn broker_synonyms(state: &State, broker: i32, name: &str) -> Vec<Synonym> {
    let names: Vec<&str> = match STANDING_IN.iter().find(|group| group.contains(&name)) {
        Some(group) => group.to_vec(),
        None => vec![name],
    };
    let fixed = state.started_with(broker);
    let default = |name: &str| find(BROKER, name).and_then(|setting| setting.default).map(str::to_owned);
    let set = |values: Option<&Values>, name: &str| values.and_then(|values| values.get(name)).cloned();
    let mut synonyms = Vec::new();
    for source in [Source::Broker, Source::BrokerDefaults, Source::BrokerFile, Source::Default] {
        for name in &names {
            let value = match source {
                Source::Broker => set(state.configs.of_broker(broker), name),
                Source::BrokerDefaults => set(Some(&state.configs.defaults), name),
                Source::BrokerFile => set(Some(&fixed), name),
                _ => default(name),
            };
            synonyms.extend(value.map(|value| Synonym { name: (*name).to_owned(), value: Some(value), source }));
        }
    }
    // As Kafka: what stands before the setting itself is left out.
    let from = synonyms.iter().position(|synonym| synonym.name == name).unwrap_or(synonyms.len());
    synonyms.split_off(from)
}

/// Settings of a broker for the same thing, of which the first that is set holds.
const STANDING_IN: [&[&str]; 4] = [
    &["log.flush.interval.ms", "log.flush.scheduler.interval.ms"],
    &["log.retention.ms", "log.retention.minutes", "log.retention.hours"],
    &["log.roll.jitter.ms", "log.roll.jitter.hours"],
    &["log.roll.ms", "log.roll.hours"],
];

impl State {
    /// What a broker's `server.properties` would have.
    pub(crate) fn started_with(&self, broker: i32) -> Values {
        let settings = &self.settings;
        let mut values = vec![
            ("broker.id", broker.to_string()),
            ("auto.create.topics.enable", settings.auto_create_topics.to_string()),
            ("default.replication.factor", self.default_replication().to_string()),
            ("group.initial.rebalance.delay.ms", settings.initial_rebalance_delay_ms.to_string()),
            ("group.max.session.timeout.ms", settings.session_timeouts_ms.1.to_string()),
            ("group.min.session.timeout.ms", settings.session_timeouts_ms.0.to_string()),
            ("node.id", broker.to_string()),
            ("num.partitions", settings.default_partitions.to_string()),
            ("process.roles", "broker,controller".to_owned()),
            ("replica.selector.class", "org.apache.kafka.common.replica.RackAwareReplicaSelector".to_owned()),
        ];
        if !settings.users.is_empty() {
            values.push(("sasl.enabled.mechanisms", MECHANISMS.join(",")));
        }
        if let Some(broker) = self.brokers.get(&broker) {
            values.extend(broker.rack.as_ref().map(|rack| ("broker.rack", rack.to_string())));
            let protocol = if settings.users.is_empty() { "PLAINTEXT" } else { "SASL_PLAINTEXT" };
            values.extend(broker.tcp.as_ref().map(|tcp| ("listeners", format!("{protocol}://{tcp}"))));
        }
        values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

impl Topic {
    /// Its settings as a broker tells them.
    pub(crate) fn described(&self, state: &State, broker: i32) -> Vec<Described> {
        topic(state, broker, &self.settings)
    }
}
