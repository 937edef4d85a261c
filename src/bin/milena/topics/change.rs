use std::error::Error;

use milena::{Admin, AdminError, ConfigChange, ConfigResource, NewTopic};
use serde_json::json;

use super::args::{Alter, Create, Delete};
use crate::output::{failed, print};

/// With `--json` what was created, as one document.
pub(super) async fn create(admin: &Admin, options: Create, json: bool) -> Result<(), Box<dyn Error>> {
    let name = options.topic;
    let mut topic = NewTopic::new(&*name);
    if let Some(partitions) = options.partitions {
        topic = topic.partitions(partitions);
    }
    if let Some(replication) = options.replication {
        topic = topic.replication_factor(replication);
    }
    for (key, value) in options.configs {
        topic = topic.config(key, value);
    }
    let created = match options.dry_run {
        true => admin.dry_run().create_topic(topic).await,
        false => admin.create_topic(topic).await,
    };
    match created {
        Ok(created) => {
            let done = if options.dry_run { "could be created" } else { "created" };
            let count = |count: Option<i64>, what| count.map(|n| format!(", {what} {n}")).unwrap_or_default();
            let partitions = count(created.partitions.map(i64::from), "partitions");
            let replication = count(created.replication_factor.map(i64::from), "replication");
            eprintln!("topic {name}: {done}{partitions}{replication}");
            if json {
                let id = (!created.id.is_zero()).then(|| created.id.to_string());
                let line = json!({
                    "topic": name,
                    "created": !options.dry_run,
                    "id": id,
                    "partitions": created.partitions,
                    "replication": created.replication_factor,
                });
                print(&line.to_string())?;
            }
            Ok(())
        }
        Err(error @ AdminError::AlreadyExists { .. }) if options.if_not_exists => {
            eprintln!("{error}");
            if json {
                print(&json!({ "topic": name, "created": false }).to_string())?;
            }
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}

/// With `--json` a line of JSON for each topic that is gone.
pub(super) async fn delete(admin: &Admin, options: Delete, json: bool) -> Result<(), Box<dyn Error>> {
    let mut errors = Vec::new();
    for (name, result) in admin.delete_topics(options.topics.iter().map(String::as_str)).await {
        let deleted = match result {
            Ok(()) => true,
            Err(AdminError::Unknown { .. }) if options.if_exists => false,
            Err(error) => {
                errors.push(error.to_string());
                continue;
            }
        };
        eprintln!("topic {name}: {}", if deleted { "deleted" } else { "not there" });
        if json {
            print(&json!({ "topic": &*name, "deleted": deleted }).to_string())?;
        }
    }
    failed(errors)
}

/// All or nothing, as far as Kafka can tell beforehand: where there is more than one thing to do, each is checked first.
/// With `--json` what was changed, as one document.
pub(super) async fn alter(admin: &Admin, options: Alter, json: bool) -> Result<(), Box<dyn Error>> {
    let (name, dry_run) = (options.topic, admin.dry_run());
    let resource = ConfigResource::Topic(name.as_str().into());
    let set = options.configs.iter().map(|(key, value)| ConfigChange::set(key.as_str(), value.as_str()));
    let unset = options.deleted.iter().map(|key| ConfigChange::delete(key.as_str()));
    let changes: Vec<ConfigChange> = set.chain(unset).collect();
    if options.dry_run || options.partitions.is_some() && !changes.is_empty() {
        if !changes.is_empty() {
            dry_run.alter_configs(&resource, changes.clone()).await?;
        }
        if let Some(total) = options.partitions {
            dry_run.create_partitions(&name, total).await?;
        }
    }
    if !options.dry_run {
        if !changes.is_empty() {
            admin.alter_configs(&resource, changes).await?;
        }
        if let Some(total) = options.partitions {
            admin.create_partitions(&name, total).await?;
        }
    }
    eprintln!("topic {name}: {}", if options.dry_run { "could be altered" } else { "altered" });
    if json {
        let set: serde_json::Map<_, _> = options.configs.into_iter().map(|(key, value)| (key, value.into())).collect();
        let line = json!({
            "topic": name,
            "altered": !options.dry_run,
            "partitions": options.partitions,
            "set": set,
            "unset": options.deleted,
        });
        print(&line.to_string())?;
    }
    Ok(())
}
