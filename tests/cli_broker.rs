//! `milena broker` as a process: it says where it is, serves, stops when it is told to, and refuses what cannot be.

#![cfg(unix)]

use std::{
    io::{BufRead, BufReader},
    os::unix::process::ExitStatusExt,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use milena::Kafka;

/// Well under a second, on a machine that does other things too.
const READY: Duration = Duration::from_secs(1);

fn broker(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_milena"));
    command.arg("broker").args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A running one, and the addresses that it has printed.
fn started(args: &[&str]) -> (Child, String) {
    let mut process = broker(args).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(process.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    (process, line.trim().to_owned())
}

fn signal(process: &Child, name: &str) {
    assert!(Command::new("kill").args([name, &process.id().to_string()]).status().unwrap().success());
}

#[tokio::test]
async fn it_is_ready_at_once_with_its_topics() {
    let begun = Instant::now();
    let topics = ["--topic", "orders:6", "--topic", "a.b:1"];
    let (mut process, address) = started(&[&["--listen", "127.0.0.1:0", "--brokers", "3"], &topics[..]].concat());
    assert_eq!(address.split(',').count(), 3, "{address}");
    let admin = Kafka::connect(&address).await.unwrap().admin();
    assert!(begun.elapsed() < READY, "{:?}", begun.elapsed());
    let partitions = admin.describe_topic("orders").await.unwrap().partitions;
    let leaders: std::collections::BTreeSet<_> = partitions.iter().map(|partition| partition.leader).collect();
    assert_eq!((partitions.len(), leaders.len()), (6, 3), "leaders are spread");
    assert_eq!(admin.describe_topic("a.b").await.unwrap().partitions.len(), 1);
    signal(&process, "-TERM");
    assert_eq!(process.wait().unwrap().code(), Some(0));
}

/// As soon as it has said where it is.
#[test]
fn it_stops_cleanly_when_it_is_told_to() {
    for name in ["-INT", "-TERM"] {
        for _ in 0..10 {
            let (mut process, _) = started(&["--listen", "127.0.0.1:0"]);
            signal(&process, name);
            let status = process.wait().unwrap();
            assert_eq!((status.code(), status.signal()), (Some(0), None), "{name}");
        }
    }
}

#[test]
fn what_cannot_be_is_wrong_usage_and_said_clearly() {
    for (args, why) in [
        (&["--topic", "orders"][..], "NAME:PARTITIONS is allowed"),
        (&["--topic", "orders:0"], "NAME:PARTITIONS is allowed"),
        (&["--topic", "orders:100000"], "1 to 10000 partitions are possible"),
        (&["--topic", "two words:3"], "Topic name is invalid"),
        (&["--topic", "orders:3", "--topic", "orders:4"], "topic orders is named twice"),
        (&["--brokers", "0"], "0 is not in 1..=100"),
        (&["--listen", "nowhere"], "cannot listen on nowhere"),
        (&["--listen", "0.0.0.0:0"], "name an address of this machine"),
        (&["--listen", "127.0.0.1:65535", "--brokers", "2"], "no port behind 65535"),
    ] {
        let output = broker(args).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?}: {said}");
        assert!(said.contains(why), "{args:?}: {said}");
    }
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = broker(&["--listen", &address]).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "right usage, but not free");
    assert!(String::from_utf8_lossy(&output.stderr).contains(&address));
}
