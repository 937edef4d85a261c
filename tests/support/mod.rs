//! What the tests on a real broker share: which broker, and topics of their own.

#![allow(dead_code, reason = "each test binary uses a part")]

use std::{
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
};

/// The bootstrap servers named in `MILENA_TEST_BROKERS`. Without any the test cannot run: it says so, and fails under CI.
pub(crate) fn brokers() -> Option<String> {
    match std::env::var("MILENA_TEST_BROKERS") {
        Ok(servers) => Some(servers),
        Err(_) if std::env::var("CI").is_ok_and(|ci| ci == "true") => {
            panic!("MILENA_TEST_BROKERS names no broker, and under CI nothing may be skipped")
        }
        Err(_) => {
            eprintln!("NOT RUN: no broker; start one with tests/kafka/kafka.sh up and name it in MILENA_TEST_BROKERS");
            None
        }
    }
}

/// A topic's name that no other test uses.
pub(crate) fn unique(prefix: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("{prefix}-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// Runs one of Kafka's own tools; what it prints.
pub(crate) fn kafka_tool(class: &str, args: &[&str]) -> String {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/kafka/kafka.sh");
    let output = Command::new(script).arg("run").arg(class).args(args).output().expect("kafka.sh runs");
    assert!(output.status.success(), "{class}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

/// A new topic, made by Kafka's own tool.
pub(crate) fn create_topic(brokers: &str, name: &str, partitions: u32) {
    let partitions = partitions.to_string();
    let args = ["--bootstrap-server", brokers, "--create", "--topic", name, "--partitions", &partitions];
    kafka_tool("org.apache.kafka.tools.TopicCommand", &args);
}
