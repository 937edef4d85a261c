//! Settings as the embedded broker tells them, beside Kafka's own.

#[macro_use]
mod support;

use std::collections::BTreeMap;

use kafka_wire::{DescribeConfigsRequest, describe_configs_request::DescribeConfigsResource};
use milena::Embedded;
use support::{Raw, RawPartition};

const TOPIC: i8 = 2;
const BROKER: i8 = 4;
const GROUP: i8 = 32;

/// As the protocol numbers where a value comes from.
const DEFAULT: i8 = 5;

/// What is the same whatever a broker is started with.
#[derive(Debug, PartialEq, Eq)]
struct Setting {
    kind: i8,
    read_only: bool,
    sensitive: bool,
    /// Its default and those of the settings that stand in for it.
    defaults: Vec<(String, Option<String>)>,
}

async fn settings(node: &mut Raw, kind: i8, name: &str) -> BTreeMap<String, Setting> {
    let resource =
        message!(DescribeConfigsResource { resource_type: kind, resource_name: name.into(), configuration_keys: None });
    let request = message!(DescribeConfigsRequest { resources: vec![resource], include_synonyms: true });
    let mut answer = node.ask(4, &request).await;
    let described = answer.results.remove(0);
    assert_eq!(described.error_code, 0);
    let each = described.configs.into_iter().map(|config| {
        let defaults = config.synonyms.iter().filter(|synonym| synonym.source == DEFAULT);
        let defaults = defaults.map(|synonym| {
            (synonym.name.as_str().to_owned(), synonym.value.as_ref().map(|value| value.as_str().to_owned()))
        });
        let setting = Setting {
            kind: config.config_type,
            read_only: config.read_only,
            sensitive: config.is_sensitive,
            defaults: defaults.collect(),
        };
        (config.name.as_str().to_owned(), setting)
    });
    each.collect()
}

#[tokio::test]
async fn they_are_kafkas() {
    let Some(broker) = support::real_kafka_only("it compares Kafka with the embedded broker") else { return };
    let topic = broker.topic("settings", 1).await;
    let mut kafka = RawPartition::of(broker.bootstrap(), &topic).await;
    let embedded = Embedded::builder().listen("127.0.0.1:0").topic(&*topic, 1).start().await.unwrap();
    let mut other = Raw::connect(&embedded.bootstrap_servers()).await;
    for (kind, name) in [(TOPIC, &*topic), (BROKER, "1"), (GROUP, "any")] {
        let (theirs, ours) = (settings(kafka.at(1), kind, name).await, settings(&mut other, kind, name).await);
        assert!(!ours.is_empty());
        for (setting, described) in &ours {
            assert_eq!(Some(described), theirs.get(setting), "{setting}");
        }
        if kind == TOPIC {
            assert_eq!(ours.len(), theirs.len(), "a topic has them all");
        }
    }
}
