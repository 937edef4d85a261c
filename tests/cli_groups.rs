//! `milena groups`, and `milena consume` as a member of a group, on a real cluster, judged by Kafka's own tool.

mod support;

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::mpsc,
    time::Duration,
};

use milena::{GroupState, Kafka, Record, TopicPartition};
use serde_json::{Value, json};
use support::{Broker, eventually, new_topic, unique};

const SOON: Duration = Duration::from_secs(30);

const TOOL: &str = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand";

/// How a run ended: exit code, stdout, stderr.
type Ended = (i32, String, String);

/// `milena ARGS`, with nothing in the environment that it would read.
fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_milena"));
    command.env_remove("KAFKA_BOOTSTRAP_SERVERS").args(args).stdin(Stdio::null());
    command
}

fn milena(args: &[&str]) -> Ended {
    ended(command(args).output().expect("milena runs"))
}

fn ended(output: std::process::Output) -> Ended {
    let text = |bytes| String::from_utf8(bytes).expect("milena prints text");
    (output.status.code().expect("an exit code"), text(output.stdout), text(output.stderr))
}

fn run(broker: &Broker, args: &[&str]) -> Ended {
    milena(&[&["--brokers", broker.bootstrap()], args].concat())
}

/// As [`run`], and succeeds; each line of stdout as JSON.
fn as_json(broker: &Broker, args: &[&str]) -> Vec<Value> {
    let (code, stdout, stderr) = run(broker, &[args, &["--json"]].concat());
    assert_eq!(code, 0, "{args:?}: {stderr}");
    stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// `count` records to each partition, with their partition and number as values.
async fn produce(broker: &Broker, topic: &str, partitions: i32, numbers: std::ops::Range<i64>) {
    let producer = Kafka::connect(broker.bootstrap()).await.unwrap().producer().build().await.unwrap();
    for partition in 0..partitions {
        for number in numbers.clone() {
            let value = format!("{partition}-{number}");
            let record = Record::to(topic).partition(partition).value(&value);
            drop(producer.enqueue(record).await.unwrap());
        }
    }
    producer.close().await;
}

/// What the group has committed, by partition.
async fn committed(broker: &Broker, group: &str) -> Vec<i64> {
    let admin = Kafka::connect(broker.bootstrap()).await.unwrap().admin();
    admin.group_offsets(group).await.unwrap().into_values().map(|committed| committed.offset).collect()
}

/// `milena consume` that goes on until it is told to stop, and the lines that it prints.
struct Consuming {
    process: Child,
    lines: mpsc::Receiver<String>,
}

impl Consuming {
    fn start(broker: &Broker, args: &[&str]) -> Consuming {
        let mut command = command(&[&["--brokers", broker.bootstrap(), "consume"], args].concat());
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("milena runs");
        let (tell, lines) = mpsc::channel();
        let stdout = BufReader::new(process.stdout.take().expect("a pipe"));
        std::thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| tell.send(line)));
        Consuming { process, lines }
    }

    fn line(&self) -> String {
        self.lines.recv_timeout(SOON).expect("a line")
    }

    /// Its exit code and stderr.
    fn stop(self, signal: &str) -> (i32, String) {
        let sent = Command::new("kill").args([signal, &self.process.id().to_string()]).status();
        assert!(sent.expect("kill runs").success());
        let (code, _, stderr) = ended(self.process.wait_with_output().expect("it ends"));
        (code, stderr)
    }
}

#[tokio::test]
async fn a_group_is_shown_reset_and_deleted() {
    let broker = support::broker();
    let (group, topic) = (unique("cli"), new_topic(broker.bootstrap(), "cli", 2).await);
    produce(&broker, &topic, 2, 0..10).await;

    // A dry run of a group that is not there yet.
    let (code, stdout, stderr) = run(&broker, &["groups", "reset", &group, &topic, "--to", "4", "--dry-run"]);
    assert_eq!((code, &*stderr), (0, &*format!("group {group}: could be reset, partitions 2\n")));
    let width = topic.len();
    let table = |rows: &[(i32, &str, i64)]| {
        let mut text = format!("{:width$}  PARTITION  BEFORE  AFTER\n", "TOPIC");
        let numbers = rows.iter().all(|(_, before, _)| *before != "none");
        for (partition, before, after) in rows {
            let before = if numbers { format!("{before:>6}") } else { format!("{before:<6}") };
            text += &format!("{topic}  {partition:>9}  {before}  {after:>5}\n");
        }
        text
    };
    assert_eq!(stdout, table(&[(0, "none", 4), (1, "none", 4)]));
    assert_eq!(run(&broker, &["groups", "describe", &group]).0, 1);
    let (code, stdout, stderr) = run(&broker, &["groups", "reset", &group, &topic, "--to", "4"]);
    assert_eq!((code, &*stderr), (0, &*format!("group {group}: reset, partitions 2\n")));
    assert_eq!(stdout, table(&[(0, "none", 4), (1, "none", 4)]));
    let one = format!("{topic}:1");
    assert_eq!(run(&broker, &["groups", "reset", &group, &one, "--to", "-3"]).1, table(&[(1, "4", 1)]));
    assert_eq!(run(&broker, &["groups", "reset", &group, &one, "--to", "-PT1H"]).1, table(&[(1, "1", 0)]));
    assert_eq!(run(&broker, &["groups", "reset", &group, &one, "--to", "+100"]).1, table(&[(1, "0", 10)]));
    let line = json!({ "group": group, "topic": topic, "partition": 1, "before": 10, "after": 9, "reset": true });
    assert_eq!(as_json(&broker, &["groups", "reset", &group, &one, "--to", "-1"]), [line]);

    let told = broker.tool(TOOL, &["--describe", "--group", &group], "").await;
    for (line, told) in [format!("{topic} 0 4 10 6"), format!("{topic} 1 9 10 1")].into_iter().zip(told.iter().cycle())
    {
        let words = |text: &str| text.split_whitespace().skip(1).take(5).collect::<Vec<_>>().join(" ");
        assert!(told.lines().any(|told| words(told) == line), "{told}");
    }
    let (code, stdout, stderr) = run(&broker, &["groups", "lag", &group]);
    assert_eq!((code, &*stderr), (0, ""));
    let expected = [
        format!("{:width$}  PARTITION  COMMITTED  END  LAG  MEMBER  HOST", "TOPIC"),
        format!("{topic}          0          4   10    6  none    none"),
        format!("{topic}          1          9   10    1  none    none"),
        String::new(),
        "total lag 7".to_owned(),
    ];
    assert_eq!(stdout.lines().collect::<Vec<_>>(), expected);
    let lag = &as_json(&broker, &["groups", "lag", &group])[0];
    assert_eq!((&lag["total"], &lag["state"]), (&json!(7), &json!("Empty")));
    assert_eq!((&lag["partitions"][1]["lag"], &lag["partitions"][1]["member"]), (&json!(1), &Value::Null));

    let (_, stdout, _) = run(&broker, &["groups", "list"]);
    assert!(stdout.lines().next().unwrap().starts_with("GROUP  "), "{stdout}");
    let line = stdout.lines().find(|line| line.starts_with(&group)).unwrap();
    // As the tool that made it would: no member has ever said what it is.
    assert_eq!(line.split_whitespace().collect::<Vec<_>>(), [&*group, "Empty", "classic", "none"]);
    let listed = as_json(&broker, &["groups", "list", "--state", "empty"]);
    let expected = json!({ "group": group, "type": "classic", "protocol_type": "", "state": "Empty" });
    assert!(listed.contains(&expected), "{listed:?}");
    assert!(!as_json(&broker, &["groups", "list", "--state", "Stable"]).iter().any(|line| line["group"] == *group));

    assert_eq!(as_json(&broker, &["groups", "delete", &group]), [json!({ "group": group, "deleted": true })]);
    let unknown = format!("milena: there is no group {group:?}\n");
    for command in ["describe", "lag", "delete"] {
        assert_eq!(run(&broker, &["groups", command, &group]), (1, String::new(), unknown.clone()), "{command}");
    }
    let line = json!({ "group": group, "deleted": false });
    assert_eq!(as_json(&broker, &["groups", "delete", "--if-exists", &group]), [line]);
}

#[tokio::test]
async fn a_member_prints_commits_and_leaves() {
    let broker = support::broker();
    let (group, topic) = (unique("cli"), new_topic(broker.bootstrap(), "cli", 1).await);
    produce(&broker, &topic, 1, 0..10).await;
    let consume = |args: &[&str]| run(&broker, &[&["consume", "-g", &group, &topic], args].concat());
    let lines = |numbers: std::ops::Range<i64>| numbers.map(|number| format!("0-{number}\n")).collect::<String>();
    let done = |numbers| (0, lines(numbers), String::new());

    // Nothing is committed, and by default that means the end.
    assert_eq!(consume(&["-e"]), done(0..0));
    assert_eq!(committed(&broker, &group).await, [10]);
    assert_eq!(run(&broker, &["groups", "delete", &group]).0, 0);

    assert_eq!(consume(&["--from", "beginning", "-n", "4"]), done(0..4));
    assert_eq!(committed(&broker, &group).await, [4], "what was printed, and no more");
    assert_eq!(consume(&["--from", "beginning", "-e"]), done(4..10), "it goes on there");
    assert_eq!(consume(&["-e"]), done(0..0));
    assert_eq!(committed(&broker, &group).await, [10]);
    produce(&broker, &topic, 1, 10..12).await;
    // One that no other test's topic matches.
    let (start, last) = topic.split_at(topic.len() - 1);
    let pattern = format!("{start}[{last}]");
    let (code, stdout, stderr) = run(&broker, &["consume", "-g", &group, "--pattern", "no-such-.*", &pattern, "-e"]);
    assert_eq!((code, &*stdout), (0, &*lines(10..12)), "{stderr}");

    // It left each time, and did not wait to be missed.
    let state = &as_json(&broker, &["groups", "lag", &group])[0]["state"];
    assert_eq!(*state, json!("Empty"));
    if let Some(told) = broker.tool(TOOL, &["--describe", "--group", &group, "--state"], "").await {
        assert!(told.contains(" Empty "), "{told}");
    }
    let (_, stdout, _) = run(&broker, &["groups", "lag", &group]);
    assert!(stdout.ends_with("\ntotal lag 0\n"), "{stdout}");
}

#[tokio::test]
async fn a_signal_ends_a_member_in_good_order() {
    let broker = support::broker();
    let admin = Kafka::connect(broker.bootstrap()).await.unwrap().admin();
    let (group, topic) = (unique("cli"), new_topic(broker.bootstrap(), "cli", 2).await);
    let mut total = 0;
    for (signal, numbers) in [("-INT", 0..50), ("-TERM", 50..80)] {
        produce(&broker, &topic, 2, numbers.clone()).await;
        let consuming = Consuming::start(&broker, &["-g", &group, &topic, "--from", "beginning"]);
        let expected = 2 * numbers.clone().count();
        let printed: Vec<String> = (0..expected).map(|_| consuming.line()).collect();
        let mut unique = printed.clone();
        unique.sort_unstable();
        unique.dedup();
        assert_eq!(unique.len(), expected, "{printed:?}");

        let described = admin.describe_group(&group).await.unwrap();
        assert_eq!((described.state, described.members.len()), (GroupState::Stable, 1));
        let (code, stdout, stderr) = run(&broker, &["groups", "describe", &group]);
        let member = &described.members[0];
        assert_eq!((code, &*stderr), (0, ""));
        assert!(stdout.starts_with(&format!("group {group}: Stable, range, coordinator ")), "{stdout}");
        let row = stdout.lines().find(|line| line.starts_with(&*member.id)).expect("a row for the member");
        assert!(row.contains(&format!(" milena  {}  {topic}:0,1", member.host)), "{stdout}");
        let line = &as_json(&broker, &["groups", "describe", &group])[0];
        assert_eq!(line["members"][0]["assignment"][1], json!({ "topic": topic, "partition": 1 }));
        let (_, stdout, _) = run(&broker, &["groups", "lag", &group]);
        assert!(stdout.lines().nth(1).unwrap().contains(&*member.id), "{stdout}");
        let refused = format!("milena: group {group:?} has active members\n");
        for args in [&["delete", &*group][..], &["reset", &group, &topic, "--to", "end"]] {
            let (code, stdout, stderr) = run(&broker, &[&["groups"], args].concat());
            assert_eq!((code, &*stdout, &*stderr), (1, "", &*refused));
        }

        assert_eq!(consuming.stop(signal), (0, String::new()));
        total += numbers.count() as i64;
        assert_eq!(committed(&broker, &group).await, [total, total]);
        assert_eq!(admin.describe_group(&group).await.unwrap().state, GroupState::Empty, "it has left");
    }
}

#[tokio::test]
async fn two_members_print_each_record_once() {
    let broker = support::broker();
    let admin = Kafka::connect(broker.bootstrap()).await.unwrap().admin();
    let (group, topic) = (unique("cli"), new_topic(broker.bootstrap(), "cli", 4).await);
    produce(&broker, &topic, 4, 0..10).await;
    let start = || Consuming::start(&broker, &["-g", &group, &topic, "--from", "beginning"]);
    let one = start();
    let mut printed: Vec<String> = (0..40).map(|_| one.line()).collect();
    let two = start();
    eventually(SOON, "they share", async || {
        let members = admin.describe_group(&group).await.map(|group| group.members).unwrap_or_default();
        members.len() == 2 && members.iter().all(|member| member.assignment.as_ref().map_or(0, Vec::len) == 2)
    })
    .await;
    produce(&broker, &topic, 4, 10..20).await;
    printed.extend((0..20).map(|_| one.line()));
    printed.extend((0..20).map(|_| two.line()));
    assert_eq!(one.stop("-TERM"), (0, String::new()));
    let partition = TopicPartition::new(topic.as_str(), 3);
    eventually(SOON, "the other has all", async || {
        let group = admin.describe_group(&group).await.unwrap();
        group.members.len() == 1 && group.owner(&partition).is_some() && group.state == GroupState::Stable
    })
    .await;
    produce(&broker, &topic, 4, 20..21).await;
    printed.extend((0..4).map(|_| two.line()));
    assert_eq!(two.stop("-TERM"), (0, String::new()));
    printed.sort_unstable();
    printed.dedup();
    assert_eq!(printed.len(), 84);
    assert_eq!(committed(&broker, &group).await, [21; 4]);
}

#[test]
fn wrong_usage_is_told_before_anybody_is_asked() {
    for (args, word) in [
        (&["groups"][..], "list"),
        (&["groups", "describe"], "GROUP"),
        (&["groups", "list", "--state", "asleep"], "Reconciling"),
        (&["groups", "reset", "g", "t"], "--to"),
        (&["groups", "reset", "g", "--to", "end"], "TOPIC"),
        (&["groups", "reset", "g", "t:a", "--to", "end"], "TOPIC:PARTITION"),
        (&["groups", "reset", "g", "t", "--to", "yesterday"], "beginning, end"),
        (&["groups", "reset", "g", "t", "--to", "-PT"], "beginning, end"),
        (&["consume", "-g", "g", "t", "--from", "5"], "groups reset"),
        (&["consume", "-g", "g", "t", "-p", "0"], "cannot be used"),
        (&["consume", "t", "--pattern"], "--group"),
    ] {
        // Nobody listens there.
        let (code, stdout, stderr) = milena(&[&["--brokers", "localhost:1"], args].concat());
        assert_eq!((code, &*stdout), (2, ""), "{args:?}: {stderr}");
        assert!(stderr.contains(word), "{args:?}: {stderr}");
    }
}

#[tokio::test]
async fn a_bad_pattern_is_wrong_usage_and_a_missing_topic_a_failure() {
    let broker = support::broker();
    let (code, stdout, stderr) = run(&broker, &["consume", "-g", "g", "--pattern", "orders("]);
    assert_eq!((code, &*stdout), (2, ""), "{stderr}");
    assert!(stderr.contains("orders("), "{stderr}");
    let missing = unique("cli");
    let (code, stdout, stderr) = run(&broker, &["consume", "-g", "g", &missing]);
    assert_eq!((code, &*stdout, &*stderr), (1, "", &*format!("milena: there is no topic {missing:?}\n")));
}
