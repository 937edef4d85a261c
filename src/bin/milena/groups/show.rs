use std::error::Error;

use milena::{Admin, GroupDescription, GroupLag, MemberDescription, TopicPartition};
use serde_json::{Value, json};

use super::args::{Describe, Lag, List};
use crate::output::{failed, print, table};

/// With `--json` a line of JSON for each group.
pub(super) async fn list(admin: &Admin, options: List, json: bool) -> Result<(), Box<dyn Error>> {
    let groups = admin.list_groups_in(options.states).await?;
    if json {
        for group in groups {
            let line = json!({
                "group": &*group.id,
                "type": group.group_type.map(|name| name.to_string()),
                "protocol_type": &*group.protocol_type,
                "state": group.state.map(|state| state.to_string()),
            });
            print(&line.to_string())?;
        }
        return Ok(());
    }
    let rows = groups.iter().map(|group| {
        [
            group.id.to_string(),
            group.state.as_ref().map_or("unknown", |state| state.as_str()).to_owned(),
            group.group_type.as_ref().map_or("unknown", |name| name.as_str()).to_owned(),
            or_none(&group.protocol_type),
        ]
    });
    Ok(print(&table(["GROUP", "STATE", "TYPE", "PROTOCOL-TYPE"], &rows.collect::<Vec<_>>()))?)
}

/// With `--json` a line of JSON for each group.
pub(super) async fn describe(admin: &Admin, options: Describe, json: bool) -> Result<(), Box<dyn Error>> {
    let mut errors = Vec::new();
    let mut first = true;
    for name in &options.groups {
        let group = match admin.describe_group(name).await {
            Ok(group) => group,
            Err(error) => {
                errors.push(error.to_string());
                continue;
            }
        };
        if !json && !first {
            print("")?;
        }
        first = false;
        print(&if json { as_json(&group).to_string() } else { as_text(&group) })?;
    }
    failed(errors)
}

fn as_json(group: &GroupDescription) -> Value {
    let members = group.members.iter().map(|member| {
        let partition = |at: &TopicPartition| json!({ "topic": &*at.topic, "partition": at.partition });
        let assignment = member.assignment.as_ref().map(|all| all.iter().map(partition).collect::<Vec<_>>());
        json!({
            "member": &*member.id,
            "instance": member.instance_id.as_deref(),
            "client": &*member.client_id,
            "host": &*member.host,
            "assignment": assignment,
        })
    });
    json!({
        "group": &*group.id,
        "state": group.state.to_string(),
        "protocol_type": &*group.protocol_type,
        "protocol": &*group.protocol,
        "coordinator": group.coordinator,
        "coordinator_address": group.coordinator_address.to_string(),
        "members": members.collect::<Vec<_>>(),
    })
}

fn as_text(group: &GroupDescription) -> String {
    let protocol = match group.protocol.is_empty() {
        true => String::new(),
        false => format!(", {}", group.protocol),
    };
    let mut text = format!(
        "group {}: {}{protocol}, coordinator {} ({})",
        group.id, group.state, group.coordinator, group.coordinator_address
    );
    if !group.members.is_empty() {
        let rows = group.members.iter().map(|member| {
            let assignment = member.assignment.as_deref().map_or("unknown".to_owned(), parts);
            [
                member.id.to_string(),
                or_none(member.instance_id.as_deref().unwrap_or_default()),
                member.client_id.to_string(),
                member.host.to_string(),
                assignment,
            ]
        });
        text += "\n\n";
        text += &table(["MEMBER", "INSTANCE", "CLIENT", "HOST", "ASSIGNMENT"], &rows.collect::<Vec<_>>());
    }
    text
}

/// `orders:0,1 stock:2`, as it can be written behind `groups reset G`.
fn parts(partitions: &[TopicPartition]) -> String {
    let mut text = String::new();
    let mut topic = None;
    for at in partitions {
        if topic == Some(&at.topic) {
            text += &format!(",{}", at.partition);
        } else {
            let space = if text.is_empty() { "" } else { " " };
            text += &format!("{space}{}:{}", at.topic, at.partition);
            topic = Some(&at.topic);
        }
    }
    or_none(&text)
}

/// With `--json` one document.
pub(super) async fn lag(admin: &Admin, options: Lag, json: bool) -> Result<(), Box<dyn Error>> {
    let lag = admin.group_lag(&options.group).await?;
    if lag.description.is_none() {
        eprintln!("group {}: not a classic group: who reads what is not known", options.group);
    }
    if json {
        return Ok(print(&lag_as_json(&options.group, &lag).to_string())?);
    }
    let number = |number: Option<i64>| number.map_or("none".to_owned(), |number| number.to_string());
    let rows = lag.partitions.iter().map(|partition| {
        let owner =
            |what: fn(&MemberDescription) -> &str| lag.owner(&partition.partition).map_or("none", what).to_owned();
        [
            partition.partition.topic.to_string(),
            partition.partition.partition.to_string(),
            number(partition.committed),
            number(partition.end),
            number(partition.lag()),
            owner(|member| &member.id),
            owner(|member| &member.host),
        ]
    });
    print(&table(["TOPIC", "PARTITION", "COMMITTED", "END", "LAG", "MEMBER", "HOST"], &rows.collect::<Vec<_>>()))?;
    Ok(print(&format!("\ntotal lag {}", lag.total()))?)
}

fn lag_as_json(group: &str, lag: &GroupLag) -> Value {
    let partitions = lag.partitions.iter().map(|partition| {
        let owner = lag.owner(&partition.partition);
        json!({
            "topic": &*partition.partition.topic,
            "partition": partition.partition.partition,
            "committed": partition.committed,
            "end": partition.end,
            "lag": partition.lag(),
            "member": owner.map(|member| &*member.id),
            "client": owner.map(|member| &*member.client_id),
            "host": owner.map(|member| &*member.host),
        })
    });
    json!({
        "group": group,
        "state": lag.description.as_ref().map(|description| description.state.to_string()),
        "partitions": partitions.collect::<Vec<_>>(),
        "total": lag.total(),
    })
}

fn or_none(text: &str) -> String {
    if text.is_empty() { "none".to_owned() } else { text.to_owned() }
}
