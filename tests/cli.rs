//! `milena produce` and `milena consume` on a real cluster: what goes in comes out, and how they exit.

mod support;

use std::{
    io::Write,
    process::{Command, Stdio},
};

use serde_json::Value;

/// Exit code, stdout, stderr of `milena ARGS`, with nothing in the environment that it would read.
fn milena(args: &[&str], stdin: &str) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_milena"));
    command.env_remove("KAFKA_BOOTSTRAP_SERVERS").args(args);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("milena runs");
    let mut input = child.stdin.take().expect("a pipe");
    let output = std::thread::scope(|scope| {
        scope.spawn(move || input.write_all(stdin.as_bytes()));
        child.wait_with_output().expect("milena ends")
    });
    let text = |bytes| String::from_utf8(bytes).expect("milena prints text");
    (output.status.code().expect("an exit code"), text(output.stdout), text(output.stderr))
}

#[tokio::test]
async fn what_is_produced_is_consumed() {
    let broker = support::broker();
    let topic = broker.topic("cli", 1).await;
    let run = |args: &[&str], stdin: &str| milena(&[&["--brokers", broker.bootstrap()], args].concat(), stdin);
    let done = |out: &str| (0, out.to_owned(), String::new());

    assert_eq!(run(&["produce", &topic, "-k", ":", "-H", "source=test"], "a:hello\nb:x:y\nno key\n"), done(""));
    let all = ["consume", &*topic, "--from", "beginning", "-e"];
    assert_eq!(run(&all, ""), done("hello\nx:y\nno key\n"));
    let format = run(&[&all[..], &["-f", "%t[%p]@%o %k=%s %h %K/%S\\n"]].concat(), "");
    let line = |offset, key, value, lengths| format!("{topic}[0]@{offset} {key}={value} source=test {lengths}\n");
    let expected = [line(0, "a", "hello", "1/5"), line(1, "b", "x:y", "1/3"), line(2, "", "no key", "-1/6")].concat();
    assert_eq!(format, done(&expected));
    assert_eq!(run(&["consume", &topic, "--from", "1", "-n", "1"], ""), done("x:y\n"));
    assert_eq!(run(&["consume", &topic, "--from", "end", "-e"], ""), done(""));
    assert_eq!(run(&["consume", &topic, "--from", "@0", "-p", "0", "-e", "-f", "%o,"], ""), done("0,1,2,"));

    let (code, stdout, stderr) = run(&[&all[..], &["--json"]].concat(), "");
    assert_eq!((code, &*stderr), (0, ""));
    let objects: Vec<Value> = stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(objects.len(), 3);
    assert_eq!((&objects[0]["key"], &objects[0]["value"]), (&"a".into(), &"hello".into()));
    assert_eq!((&objects[2]["key"], &objects[2]["offset"]), (&Value::Null, &2.into()));
    assert_eq!(objects[0]["headers"][0]["name"], "source");
}

#[tokio::test]
async fn a_bench_tells_how_many() {
    let broker = support::broker();
    let topic = broker.topic("cli-bench", 3).await;
    let run = |args: &[&str]| milena(&[&["--brokers", broker.bootstrap(), "bench"], args].concat(), "");
    let (code, stdout, stderr) = run(&["produce", &topic, "-n", "5000", "--size", "10"]);
    assert!(code == 0 && stdout.starts_with("5000 records of 10 B in "), "{stdout}{stderr}");
    let (code, stdout, stderr) = run(&["consume", &topic, "--json"]);
    let report: Value = serde_json::from_str(&stdout).unwrap_or_else(|why| panic!("{why}: {stdout}{stderr}"));
    assert!(code == 0 && report["records"] == 5000 && report["bytes"] == 50000, "{report}");
    for args in [&["consume", &*topic][..], &["consume", &topic, "--single"]] {
        let (code, stdout, stderr) = run(args);
        assert!(code == 0 && stdout.starts_with("5000 records, 50000 B in "), "{stdout}{stderr}");
    }
}

#[tokio::test]
async fn failures_and_wrong_usage_are_told_apart() {
    let broker = support::broker();
    let topic = broker.topic("cli-errors", 1).await;
    let run = |args: &[&str]| milena(&[&["--brokers", broker.bootstrap()], args].concat(), "line\n");
    for (args, expected, word) in [
        (&["consume", "no-such-topic"][..], 1, "no-such-topic"),
        (&["consume", &topic, "-p", "7"], 1, "there is no number 7"),
        (&["produce", &topic, "-p", "7"], 1, "there is no number 7"),
        (&["produce", &topic, "--file", "no-such-file"], 1, "no-such-file"),
        (&["consume", &topic, "--from", "yesterday"], 2, "beginning, end, an offset"),
        (&["consume", &topic, "-f", "%y"], 2, "%y"),
        (&["consume"], 2, "TOPICS"),
        (&["-X", "fetch.max.wait=1", "consume", &topic], 2, "fetch.max.wait.ms"),
    ] {
        let (code, stdout, stderr) = run(args);
        assert_eq!((code, &*stdout), (expected, ""), "{args:?}: {stderr}");
        assert!(stderr.contains(word), "{args:?}: {stderr}");
    }
    let (code, _, stderr) = milena(&["--brokers", "localhost:1", "topics", "list"], "");
    assert!(code == 1 && stderr.contains("localhost:1"), "{stderr}");
}
