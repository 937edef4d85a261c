//! `milena broker --data DIR`: what was acknowledged is there after the process was killed, and what is broken is told.

#![cfg(unix)]

mod support;

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use milena::{Kafka, NewTopic, Properties, TopicPartition};
use support::{Numbers, read_log, unique};
use tokio::time::timeout;

const TOPIC: &str = "numbers";
const PARTITIONS: u32 = 4;
const SOON: Duration = Duration::from_secs(30);

/// A directory that is there until it is dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Scratch {
        Scratch(std::env::temp_dir().join(unique("milena-durable")))
    }

    /// The files of records with anything in them, of all partitions.
    fn segments(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut dirs = vec![self.0.join("topics")];
        while let Some(dir) = dirs.pop() {
            for path in fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()) {
                match path.is_dir() {
                    true => dirs.push(path),
                    false => found.push(path),
                }
            }
        }
        found
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// `milena broker` as a process, which is killed when it is dropped.
struct Broker {
    process: Child,
    address: String,
}

fn command(dir: &Path, listen: &str) -> Vec<String> {
    let dir = dir.to_str().unwrap();
    let topic = format!("{TOPIC}:{PARTITIONS}");
    let words = [env!("CARGO_BIN_EXE_milena"), "broker", "--listen", listen, "--data", dir, "--topic", &topic];
    words.map(str::to_owned).to_vec()
}

impl Broker {
    fn start(dir: &Scratch, listen: &str) -> Broker {
        Broker::run(&command(&dir.0, listen))
    }

    fn run(command: &[String]) -> Broker {
        let mut process = Command::new(&command[0]);
        process.args(&command[1..]).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = process.spawn().unwrap();
        let mut address = String::new();
        BufReader::new(process.stdout.as_mut().unwrap()).read_line(&mut address).unwrap();
        let address = address.trim().to_owned();
        let mut broker = Broker { process, address };
        if broker.address.is_empty() {
            panic!("it did not start: {}", broker.stderr());
        }
        broker
    }

    async fn kafka(&self) -> Kafka {
        Kafka::connect(&self.address).await.unwrap()
    }

    /// SIGKILL.
    fn kill(mut self) -> String {
        self.process.kill().unwrap();
        self.stderr()
    }

    fn signal(&self, signal: &str) {
        let status = Command::new("kill").args([signal, &self.process.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    /// Waits for a line of stderr with these words.
    async fn until_told(&mut self, words: &'static str) {
        let stderr = self.process.stderr.take().unwrap();
        let reading = tokio::task::spawn_blocking(move || {
            let mut stderr = BufReader::new(stderr);
            let mut line = String::new();
            while !line.contains(words) {
                line.clear();
                assert_ne!(stderr.read_line(&mut line).unwrap(), 0, "it ended without {words:?}");
            }
            // It tells one thing at a time, so nothing more has been read.
            stderr.into_inner()
        });
        self.process.stderr = Some(timeout(SOON, reading).await.expect("it is told in time").unwrap());
    }

    /// What it wrote there until it ended.
    fn stderr(&mut self) -> String {
        let mut text = String::new();
        self.process.stderr.take().unwrap().read_to_string(&mut text).unwrap();
        text
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Exit code and stderr of a broker that cannot start.
fn refused(dir: &Scratch) -> (i32, String) {
    let command = command(&dir.0, "127.0.0.1:0");
    let output = Command::new(&command[0]).args(&command[1..]).output().unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

async fn numbers(kafka: &Kafka) -> Numbers {
    Numbers::new(&kafka.producer().build().await.unwrap(), TOPIC, PARTITIONS)
}

async fn count(broker: &Broker) -> usize {
    read_log(&broker.address, TOPIC).await.values().map(Vec::len).sum()
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_kill_9() {
    let dir = Scratch::new();
    let broker = Broker::start(&dir, "127.0.0.1:0");
    let kafka = broker.kafka().await;
    let mut sent = numbers(&kafka).await;
    let at = TopicPartition::new(TOPIC, 2);
    sent.send(4_900).await;
    for (_, committed) in kafka.admin().alter_group_offsets("readers", [(at.clone(), 1_000)]).await {
        committed.unwrap();
    }
    sent.send(100).await;
    broker.kill();
    for _ in 0..2 {
        let broker = Broker::start(&dir, "127.0.0.1:0");
        sent.check(&broker.address).await;
        assert_eq!(count(&broker).await, 5_000);
        let committed = broker.kafka().await.admin().group_offsets("readers").await.unwrap();
        assert_eq!(committed.get(&at).map(|committed| committed.offset), Some(1_000));
        assert_eq!(broker.kill(), "", "nothing is torn");
    }
}

#[tokio::test]
async fn what_is_on_its_way_as_the_broker_is_killed_is_there_once() {
    let dir = Scratch::new();
    let mut broker = Broker::start(&dir, "127.0.0.1:0");
    let address = broker.address.clone();
    let quick = [("bootstrap.servers", &*address), ("reconnect.backoff.max.ms", "20"), ("retry.backoff.max.ms", "20")];
    let kafka = Kafka::with_properties(Properties::from_iter(quick)).await.unwrap();
    let mut sent = numbers(&kafka).await;
    // Fills the log; the requests that are under way are answered by the next process, or were written by the last one.
    for _ in 0..10 {
        sent.enqueue(5_000).await;
        broker.kill();
        broker = Broker::start(&dir, &address);
    }
    sent.settle_acknowledged().await;
    sent.check(&address).await;
    assert_eq!(count(&broker).await, 50_000);
}

#[tokio::test]
async fn a_clean_stop_keeps_everything_and_lets_the_directory_go() {
    let dir = Scratch::new();
    let mut broker = Broker::start(&dir, "127.0.0.1:0");
    let mut sent = numbers(&broker.kafka().await).await;
    sent.send(100).await;
    let (code, stderr) = refused(&dir);
    assert_eq!((code, stderr), (1, format!("milena: {} is in use by another broker\n", dir.0.display())));
    broker.signal("-TERM");
    assert_eq!((broker.process.wait().unwrap().code(), broker.stderr()), (Some(0), String::new()));
    let broker = Broker::start(&dir, "127.0.0.1:0");
    sent.check(&broker.address).await;
    assert_eq!(count(&broker).await, 100);
}

#[tokio::test]
async fn a_batch_cut_off_is_dropped_and_told() {
    let dir = Scratch::new();
    let broker = Broker::start(&dir, "127.0.0.1:0");
    let mut sent = numbers(&broker.kafka().await).await;
    sent.send(PARTITIONS).await;
    let whole = dir.segments();
    sent.send(PARTITIONS).await;
    broker.kill();
    let path = &whole[0];
    let length = fs::metadata(path).unwrap().len();
    fs::File::options().write(true).open(path).unwrap().set_len(length - 3).unwrap();
    let broker = Broker::start(&dir, "127.0.0.1:0");
    let log = read_log(&broker.address, TOPIC).await;
    assert_eq!(log.values().map(Vec::len).sum::<usize>(), 2 * PARTITIONS as usize - 1);
    // Offsets go on without a gap.
    let mut more = numbers(&broker.kafka().await).await;
    more.send(PARTITIONS).await;
    let log = read_log(&broker.address, TOPIC).await;
    for records in log.values() {
        let offsets: Vec<i64> = records.iter().map(|(offset, _)| *offset).collect();
        assert_eq!(offsets, (0..offsets.len() as i64).collect::<Vec<_>>());
    }
    let stderr = broker.kill();
    assert!(stderr.contains("a batch that was cut off, are dropped"), "{stderr}");
    let broker = Broker::start(&dir, "127.0.0.1:0");
    assert_eq!(count(&broker).await, 3 * PARTITIONS as usize - 1);
}

#[tokio::test]
async fn a_broken_file_is_told_and_let_alone() {
    let dir = Scratch::new();
    let broker = Broker::start(&dir, "127.0.0.1:0");
    let mut sent = numbers(&broker.kafka().await).await;
    for _ in 0..3 {
        sent.send(PARTITIONS).await;
    }
    broker.kill();
    for path in [dir.segments().remove(0), dir.0.join("journal")] {
        let whole = fs::read(&path).unwrap();
        let mut broken = whole.clone();
        broken[whole.len() / 2] ^= 1;
        fs::write(&path, &broken).unwrap();
        let (code, stderr) = refused(&dir);
        assert_eq!(code, 1);
        assert!(stderr.starts_with(&format!("milena: {}: broken at byte ", path.display())), "{stderr}");
        assert_eq!(fs::read(&path).unwrap(), broken);
        fs::write(&path, &whole).unwrap();
    }
    let broker = Broker::start(&dir, "127.0.0.1:0");
    sent.check(&broker.address).await;
}

#[tokio::test]
async fn a_topic_made_anew_has_none_of_the_old_records() {
    let dir = Scratch::new();
    let broker = Broker::start(&dir, "127.0.0.1:0");
    let admin = broker.kafka().await.admin();
    numbers(&broker.kafka().await).await.send(100).await;
    admin.delete_topic(TOPIC).await.unwrap();
    admin.create_topic(NewTopic::new(TOPIC).partitions(PARTITIONS as i32)).await.unwrap();
    assert_eq!(count(&broker).await, 0);
    let mut sent = numbers(&broker.kafka().await).await;
    sent.send(10).await;
    broker.kill();
    let broker = Broker::start(&dir, "127.0.0.1:0");
    sent.check(&broker.address).await;
    assert_eq!(count(&broker).await, 10);
}

/// A limit of the size of files stands in for a full disk: a write beyond it fails in the middle.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn what_cannot_be_written_is_not_acknowledged_until_it_can_be() {
    let dir = Scratch::new();
    let limited = ["sh", "-c", "trap '' XFSZ; ulimit -S -f 100; exec \"$@\"", "sh"].map(str::to_owned);
    let mut broker = Broker::run(&[&limited[..], &command(&dir.0, "127.0.0.1:0")].concat());
    let kafka = broker.kafka().await;
    let mut sent = numbers(&kafka).await;
    // 51,200 bytes fit into each partition's file; the batches of 40,000 records do not.
    sent.enqueue(40_000).await;
    broker.until_told("cannot write").await;
    let status =
        Command::new("prlimit").args(["--fsize=unlimited", "--pid", &broker.process.id().to_string()]).status();
    assert!(status.unwrap().success());
    sent.settle_acknowledged().await;
    sent.check(&broker.address).await;
    broker.until_told("can be written again").await;
    broker.kill();
    let broker = Broker::start(&dir, "127.0.0.1:0");
    sent.check(&broker.address).await;
    assert_eq!(count(&broker).await, 40_000);
}
