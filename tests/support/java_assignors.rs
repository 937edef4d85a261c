//! The assignors of the Java client: what they answer for a group.

use std::{
    collections::HashMap,
    fmt::Write as _,
    io::Write as _,
    process::{Command, Stdio},
    thread,
};

use milena::{
    TopicPartition,
    assignor::{GroupMember, GroupTopics},
};

use super::site;

const PROGRAM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/kafka/Assign.java");

/// A group, and the name of the assignor that shares its partitions.
#[derive(Debug, Clone)]
pub struct Group {
    pub assignor: &'static str,
    pub topics: GroupTopics,
    pub members: Vec<GroupMember>,
    /// What each member owned, whether or not its assignor says so in the subscription.
    pub owned: Vec<Vec<TopicPartition>>,
}

/// Each member's partitions, in order; or how Java itself failed.
pub type Shares = Result<Vec<Vec<TopicPartition>>, String>;

/// What Java answers for each of `groups`. None, said loudly, without the jars of `MILENA_TEST_KAFKA_DIR`.
///
/// # Panics
/// If the program fails, or nothing may be skipped here.
pub fn java_shares(groups: &[Group]) -> Option<Vec<Shares>> {
    if std::env::var_os("MILENA_TEST_KAFKA_DIR").is_none() {
        site::not_run("MILENA_TEST_KAFKA_DIR is not set");
        return None;
    }
    let input = groups.iter().map(describe).collect::<String>();
    let mut command: Command = site::script();
    command.args(["run", PROGRAM]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut java = command.spawn().expect("kafka.sh starts");
    let mut stdin = java.stdin.take().expect("it is piped");
    // beside the reading: either side may have to wait for the other
    let writer = thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = java.wait_with_output().expect("kafka.sh can be waited for");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{PROGRAM}: {}: {said}", output.status);
    writer.join().expect("the writer does not panic").expect("Java reads everything");
    let output = String::from_utf8(output.stdout).expect("Java writes UTF-8");
    let mut lines = output.lines();
    Some(groups.iter().map(|group| read(group, &mut lines)).collect())
}

fn describe(group: &Group) -> String {
    let mut text = format!("group {}\n", group.assignor);
    for (topic, partitions) in group.topics.iter() {
        let racks = (0..partitions).map(|partition| list(group.topics.racks(topic, partition).iter()));
        writeln!(text, "topic {topic} {}", racks.collect::<Vec<_>>().join(" ")).unwrap();
    }
    for member in &group.members {
        let owned = member.owned.iter().map(|it| format!("{}:{}", it.topic, it.partition));
        let user_data =
            member.user_data.iter().map(|it| it.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
        let words = [
            member.member_id.to_string(),
            list(member.group_instance_id.iter()),
            list(member.rack.iter()),
            list(member.generation.iter()),
            list(user_data),
            list(member.topics.iter()),
            list(owned),
        ];
        writeln!(text, "member {}", words.join(" ")).unwrap();
    }
    text + "end\n"
}

fn list<T: ToString>(words: impl Iterator<Item = T>) -> String {
    let words = words.map(|word| word.to_string()).collect::<Vec<_>>().join(",");
    if words.is_empty() { "-".to_owned() } else { words }
}

fn read<'a>(group: &Group, lines: &mut impl Iterator<Item = &'a str>) -> Shares {
    let mut shares = HashMap::new();
    loop {
        let line = lines.next().expect("Java answers for every group");
        match line.split(' ').collect::<Vec<_>>()[..] {
            ["member", id, partitions] => _ = shares.insert(id, partitions),
            ["end"] => break,
            ["failed", ..] => return Err(line.to_owned()),
            _ => panic!("Java said: {line}"),
        }
    }
    let share = |member: &GroupMember| {
        let words = shares[&*member.member_id].split(',').filter(|word| *word != "-");
        let mut share = words
            .map(|word| {
                let (topic, partition) = word.split_once(':').expect("a topic and a partition");
                TopicPartition::new(topic, partition.parse().expect("a number"))
            })
            .collect::<Vec<_>>();
        share.sort();
        share
    };
    Ok(group.members.iter().map(share).collect())
}
