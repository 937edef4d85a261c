//! `milena topics` on a real cluster: what it prints where, and how it exits.

mod support;

use std::{
    process::{Command, Stdio},
    time::Duration,
};

use serde_json::{Value, json};
use support::{Broker, unique};

const SOON: Duration = Duration::from_secs(20);

/// How a run ended: exit code, stdout, stderr.
type Ended = (i32, String, String);

/// `milena ARGS`, with nothing in the environment that it would read.
fn milena(args: &[&str]) -> Ended {
    let mut command = Command::new(env!("CARGO_BIN_EXE_milena"));
    command.env_remove("KAFKA_BOOTSTRAP_SERVERS").args(args).stdin(Stdio::null());
    let output = command.output().expect("milena runs");
    let text = |bytes| String::from_utf8(bytes).expect("milena prints text");
    (output.status.code().expect("an exit code"), text(output.stdout), text(output.stderr))
}

fn topics(broker: &Broker, args: &[&str]) -> Ended {
    milena(&[&["--brokers", broker.bootstrap(), "topics"], args].concat())
}

/// As [`topics`], and succeeds; each line of stdout as JSON.
fn as_json(broker: &Broker, args: &[&str]) -> Vec<Value> {
    let (code, stdout, stderr) = topics(broker, &[args, &["--json"]].concat());
    assert_eq!(code, 0, "{args:?}: {stderr}");
    stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn a_topic_lives_and_dies() {
    let broker = support::broker();
    let topic = unique("cli");
    let args = ["create", &topic, "--partitions", "2", "--replication", "3", "-c", "retention.ms=100000"];
    let (code, stdout, stderr) = topics(&broker, &args);
    assert_eq!((code, &*stdout), (0, ""), "{stderr}");
    assert_eq!(stderr, format!("topic {topic}: created, partitions 2, replication 3\n"));
    if let Some(told) = broker.tool("org.apache.kafka.tools.TopicCommand", &["--describe", "--topic", &topic], "").await
    {
        assert!(told.contains("PartitionCount: 2") && told.contains("retention.ms=100000"), "{told}");
    }

    let (code, stdout, stderr) = topics(&broker, &["describe", &topic]);
    assert_eq!((code, &*stderr), (0, ""));
    let lines: Vec<&str> = stdout.lines().collect();
    assert!(lines[0].starts_with(&format!("topic {topic}, id ")), "{stdout}");
    assert_eq!(lines[2], "PARTITION  LEADER  EPOCH  REPLICAS  ISR    OFFLINE");
    assert!(lines[3].starts_with("        0       ") && lines[4].ends_with("  none"), "{stdout}");
    assert_eq!(lines[6..], ["SETTING        VALUE  SOURCE", "retention.ms  100000  topic"], "{stdout}");
    let (_, all, _) = topics(&broker, &["describe", &topic, "--all"]);
    assert!(all.contains("cleanup.policy") && all.contains("  default\n"), "{all}");

    let args = ["alter", &topic, "--partitions", "3", "-c", "max.message.bytes=5000", "-d", "retention.ms"];
    assert_eq!(topics(&broker, &args), (0, String::new(), format!("topic {topic}: altered\n")));
    support::eventually(SOON, "the change is told by any broker", async || {
        let [description] = &as_json(&broker, &["describe", &topic])[..] else { panic!("one line") };
        let partitions = description["partitions"].as_array().unwrap();
        assert_eq!(partitions.len(), 3);
        assert_eq!(partitions[2]["replicas"].as_array().unwrap().len(), 3);
        let source = json!({ "source": "topic", "read_only": false, "sensitive": false });
        let mut entry = json!({ "name": "max.message.bytes", "value": "5000" });
        entry.as_object_mut().unwrap().extend(source.as_object().unwrap().clone());
        description["configs"] == json!([entry])
    })
    .await;

    assert_eq!(as_json(&broker, &["delete", &topic]), [json!({ "topic": topic, "deleted": true })]);
    let (code, stdout, stderr) = topics(&broker, &["describe", &topic]);
    assert_eq!((code, &*stdout, &*stderr), (1, "", &*format!("milena: there is no topic {topic:?}\n")));
    assert_eq!(topics(&broker, &["delete", &topic]).0, 1);
    assert_eq!(as_json(&broker, &["delete", "--if-exists", &topic]), [json!({ "topic": topic, "deleted": false })]);
}

#[tokio::test]
async fn the_list_hides_kafkas_own() {
    let Some(broker) = support::real_kafka_only("the embedded broker has no topics of its own") else { return };
    let topic = broker.topic("cli", 2).await;
    // The brokers make __consumer_offsets when somebody asks for a group's coordinator. The tool fails: there is no group.
    let args = ["--bootstrap-server", broker.bootstrap(), "--describe", "--group", &topic];
    support::broker::try_kafka_tool("org.apache.kafka.tools.consumer.group.ConsumerGroupCommand", &args, "");
    support::eventually(SOON, "Kafka's own topics are listed if asked for", async || {
        let internal = json!("__consumer_offsets");
        as_json(&broker, &["list", "--internal"])
            .iter()
            .any(|line| line["topic"] == internal && line["internal"] == true)
    })
    .await;

    let (code, stdout, stderr) = topics(&broker, &["list"]);
    assert_eq!((code, &*stderr), (0, ""));
    assert!(stdout.lines().next().unwrap().starts_with("TOPIC  "), "{stdout}");
    let line = stdout.lines().find(|line| line.starts_with(&topic)).unwrap();
    assert_eq!(line.split_whitespace().collect::<Vec<_>>(), [&*topic, "2", "3"]);
    assert!(!stdout.contains("__consumer_offsets"), "{stdout}");

    let listed = as_json(&broker, &["list"]);
    assert!(listed.iter().all(|line| line["internal"] == false));
    let entry = listed.iter().find(|line| line["topic"] == *topic).unwrap();
    assert_eq!((&entry["partitions"], &entry["replication"]), (&json!(2), &json!(3)));
}

#[tokio::test]
async fn a_dry_run_and_a_refusal_change_nothing() {
    let broker = support::broker();
    let (topic, there) = (unique("cli"), broker.topic("cli", 1).await);
    let would_be = json!({ "topic": topic, "created": false, "id": null, "partitions": 4, "replication": 3 });
    assert_eq!(as_json(&broker, &["create", &topic, "--partitions", "4", "--dry-run"]), [would_be]);
    assert_eq!(topics(&broker, &["describe", &topic]).0, 1);

    let (code, stdout, stderr) = topics(&broker, &["create", &there]);
    assert_eq!((code, &*stdout, &*stderr), (1, "", &*format!("milena: topic {there:?} exists already\n")));
    let kept = json!({ "topic": there, "created": false });
    assert_eq!(as_json(&broker, &["create", "--if-not-exists", &there]), [kept]);

    // What is done is told although something else fails.
    let (code, stdout, stderr) = topics(&broker, &["--json", "describe", &there, &topic]);
    assert_eq!((code, stdout.lines().count()), (1, 1), "{stderr}");
    assert!(stderr.contains(&topic), "{stderr}");

    for (args, word) in [
        (&["create", &topic, "--replication", "9"][..], "INVALID_REPLICATION_FACTOR"),
        (&["create", &topic, "-c", "no.such.setting=1"], "no.such.setting"),
        (&["create", "no/topic"], "INVALID_TOPIC_EXCEPTION"),
        (&["alter", &topic, "-c", "retention.ms=1"], "there is no topic"),
        // The settings would do, the partitions would not.
        (&["alter", &there, "-c", "retention.ms=1", "--partitions", "1"], "INVALID_PARTITIONS"),
    ] {
        let (code, stdout, stderr) = topics(&broker, args);
        assert_eq!((code, &*stdout), (1, ""), "{args:?}: {stderr}");
        assert!(stderr.starts_with("milena: ") && stderr.contains(word), "{args:?}: {stderr}");
    }
    assert_eq!(as_json(&broker, &["describe", &there])[0]["configs"], json!([]));
}

#[test]
fn wrong_usage_is_told_before_anybody_is_asked() {
    for args in [
        &["topics"][..],
        &["topics", "describe"],
        &["topics", "create", "t", "--partitions", "0"],
        &["topics", "create", "t", "-c", "retention.ms"],
        &["topics", "alter", "t"],
        &["topics", "list", "--no-such-flag"],
        &["-X", "request.timeout=1", "topics", "list"],
    ] {
        // Nobody listens there.
        let (code, stdout, stderr) = milena(&[&["--brokers", "localhost:1"], args].concat());
        assert_eq!((code, &*stdout), (2, ""), "{args:?}: {stderr}");
        assert!(!stderr.is_empty(), "{args:?}");
    }
    let (code, stdout, stderr) = milena(&["--brokers", "localhost:1", "topics", "list"]);
    assert_eq!((code, &*stdout), (1, ""), "{stderr}");
    assert!(stderr.contains("localhost:1"), "{stderr}");
}
