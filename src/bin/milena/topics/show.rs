use std::error::Error;

use milena::{Admin, AdminError, ConfigEntry, ConfigResource, ConfigSource, TopicDescription};
use serde_json::{Value, json};

use super::args::{Describe, List};
use crate::output::{failed, print, table};

/// With `--json` a line of JSON for each topic.
pub(super) async fn list(admin: &Admin, options: List, json: bool) -> Result<(), Box<dyn Error>> {
    let mut topics = admin.list_topics().await?;
    topics.retain(|topic| options.internal || !topic.is_internal);
    if json {
        for topic in topics {
            let line = json!({
                "topic": &*topic.name,
                "id": topic.id.to_string(),
                "internal": topic.is_internal,
                "partitions": topic.partitions,
                "replication": topic.replication_factor,
            });
            print(&line.to_string())?;
        }
        return Ok(());
    }
    let rows = topics
        .iter()
        .map(|topic| [topic.name.to_string(), topic.partitions.to_string(), topic.replication_factor.to_string()]);
    Ok(print(&table(["TOPIC", "PARTITIONS", "REPLICATION"], &rows.collect::<Vec<_>>()))?)
}

/// With `--json` a line of JSON for each topic.
pub(super) async fn describe(admin: &Admin, options: Describe, json: bool) -> Result<(), Box<dyn Error>> {
    let mut errors = Vec::new();
    let mut first = true;
    for (name, described) in admin.describe_topics(options.topics.iter().map(String::as_str)).await {
        let topic = match described {
            Ok(topic) => topic,
            Err(error) => {
                errors.push(error.to_string());
                continue;
            }
        };
        let configs = match admin.describe_configs(&ConfigResource::Topic(name)).await {
            Ok(configs) => Some(configs),
            // One may see a topic and not its settings.
            Err(error @ AdminError::NotAuthorised { .. }) => {
                eprintln!("milena: {error}");
                None
            }
            Err(error) => {
                errors.push(error.to_string());
                continue;
            }
        };
        let configs = configs.map(|mut configs| {
            configs.retain(|entry| options.all || entry.source == ConfigSource::Topic);
            configs
        });
        let text = match json {
            true => as_json(&topic, configs.as_deref()).to_string(),
            false => as_text(&topic, configs.as_deref()),
        };
        if !json && !first {
            print("")?;
        }
        first = false;
        print(&text)?;
    }
    failed(errors)
}

fn as_json(topic: &TopicDescription, configs: Option<&[ConfigEntry]>) -> Value {
    let partitions = topic.partitions.iter().map(|partition| {
        json!({
            "partition": partition.partition,
            "leader": partition.leader,
            "leader_epoch": partition.leader_epoch,
            "replicas": partition.replicas,
            "isr": partition.isr,
            "offline": partition.offline_replicas,
        })
    });
    let configs = configs.map(|configs| {
        let entries = configs.iter().map(|entry| {
            json!({
                "name": &*entry.name,
                "value": entry.value.as_deref(),
                "source": entry.source.to_string(),
                "read_only": entry.read_only,
                "sensitive": entry.sensitive,
            })
        });
        entries.collect::<Vec<_>>()
    });
    json!({
        "topic": &*topic.name,
        "id": topic.id.to_string(),
        "internal": topic.is_internal,
        "partitions": partitions.collect::<Vec<_>>(),
        "configs": configs,
    })
}

fn as_text(topic: &TopicDescription, configs: Option<&[ConfigEntry]>) -> String {
    let brokers = |ids: &[i32]| match ids.is_empty() {
        true => "none".to_owned(),
        false => ids.iter().map(i32::to_string).collect::<Vec<_>>().join(","),
    };
    let or_none = |number: Option<i32>| number.map_or("none".to_owned(), |number| number.to_string());
    let rows = topic.partitions.iter().map(|partition| {
        [
            partition.partition.to_string(),
            or_none(partition.leader),
            or_none(partition.leader_epoch),
            brokers(&partition.replicas),
            brokers(&partition.isr),
            brokers(&partition.offline_replicas),
        ]
    });
    let heads = ["PARTITION", "LEADER", "EPOCH", "REPLICAS", "ISR", "OFFLINE"];
    let internal = if topic.is_internal { ", internal" } else { "" };
    let mut text = format!("topic {}, id {}{internal}\n\n", topic.name, topic.id);
    text += &table(heads, &rows.collect::<Vec<_>>());
    if let Some(configs) = configs.filter(|configs| !configs.is_empty()) {
        let rows = configs.iter().map(|entry| {
            let value = entry.value.as_deref().unwrap_or(if entry.sensitive { "[hidden]" } else { "none" });
            [entry.name.to_string(), value.to_owned(), entry.source.to_string()]
        });
        text += "\n\n";
        text += &table(["SETTING", "VALUE", "SOURCE"], &rows.collect::<Vec<_>>());
    }
    text
}
