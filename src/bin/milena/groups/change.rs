use std::error::Error;

use milena::{Admin, AdminError, TopicPartition};
use serde_json::json;

use super::args::{Delete, Part, Reset};
use crate::output::{failed, print, table};

/// What was committed before and what is after. With `--json` a line of JSON for each partition.
pub(super) async fn reset(admin: &Admin, options: Reset, json: bool) -> Result<(), Box<dyn Error>> {
    let group = &*options.group;
    let partitions = partitions(admin, &options.topics).await?;
    let changes = match options.dry_run {
        true => admin.dry_run().reset_group_offsets(group, partitions, options.to).await?,
        false => admin.reset_group_offsets(group, partitions, options.to).await?,
    };
    let done = if options.dry_run { "could be reset" } else { "reset" };
    eprintln!("group {group}: {done}, partitions {}", changes.len());
    if json {
        for change in changes {
            let line = json!({
                "group": group,
                "topic": &*change.partition.topic,
                "partition": change.partition.partition,
                "before": change.before,
                "after": change.after,
                "reset": !options.dry_run,
            });
            print(&line.to_string())?;
        }
        return Ok(());
    }
    let rows = changes.iter().map(|change| {
        [
            change.partition.topic.to_string(),
            change.partition.partition.to_string(),
            change.before.map_or("none".to_owned(), |offset| offset.to_string()),
            change.after.to_string(),
        ]
    });
    Ok(print(&table(["TOPIC", "PARTITION", "BEFORE", "AFTER"], &rows.collect::<Vec<_>>()))?)
}

async fn partitions(admin: &Admin, parts: &[Part]) -> Result<Vec<TopicPartition>, AdminError> {
    let mut partitions = Vec::new();
    for part in parts {
        let at = |number: i32| TopicPartition::new(part.topic.as_str(), number);
        if part.partitions.is_empty() {
            let topic = admin.describe_topic(&part.topic).await?;
            partitions.extend(topic.partitions.iter().map(|partition| at(partition.partition)));
        } else {
            partitions.extend(part.partitions.iter().copied().map(at));
        }
    }
    Ok(partitions)
}

/// With `--json` a line of JSON for each group that is gone.
pub(super) async fn delete(admin: &Admin, options: Delete, json: bool) -> Result<(), Box<dyn Error>> {
    let mut errors = Vec::new();
    for name in &options.groups {
        let deleted = match admin.delete_group(name).await {
            Ok(()) => true,
            Err(AdminError::Unknown { .. }) if options.if_exists => false,
            Err(error) => {
                errors.push(error.to_string());
                continue;
            }
        };
        eprintln!("group {name}: {}", if deleted { "deleted" } else { "not there" });
        if json {
            print(&json!({ "group": name, "deleted": deleted }).to_string())?;
        }
    }
    failed(errors)
}
