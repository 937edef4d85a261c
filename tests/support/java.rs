//! Kafka's own Java client, to judge what milena writes and to write what milena reads.
//!
//! It is `tests/kafka/Client.java`, one process for each [`Java`]: a test starts one and uses it for all.

use std::{collections::BTreeMap, process::Stdio, time::Duration};

use milena::IsolationLevel;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, BufWriter, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
    time::timeout,
};

use super::{plain::Plain, site, topics::unique};

const CLIENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/kafka/Client.java");

/// How long a line of an answer may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A partition and an offset.
pub type Place = (i32, i64);

/// A running Java client. It ends when dropped, and leaves open transactions open.
#[derive(Debug)]
pub struct Java {
    input: BufWriter<ChildStdin>,
    output: Lines<BufReader<ChildStdout>>,
    producers: usize,
    _process: Child,
}

/// One of a [`Java`]'s producers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JavaProducer(usize);

impl Java {
    /// Takes a second or two: the program is compiled first.
    pub fn start(bootstrap: &str) -> Java {
        let mut command = Command::from(site::script());
        command.args(["run", CLIENT, bootstrap]).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut process = command.spawn().expect("kafka.sh runs");
        Java {
            input: BufWriter::with_capacity(1 << 16, process.stdin.take().expect("a pipe")),
            output: BufReader::with_capacity(1 << 16, process.stdout.take().expect("a pipe")).lines(),
            producers: 0,
            _process: process,
        }
    }

    /// A new topic with a name of its own.
    pub async fn topic(&mut self, prefix: &str, partitions: u32) -> String {
        let name = unique(prefix);
        self.ask(&format!("topic\t{name}\t{partitions}")).await;
        name
    }

    /// How many bytes the topic's records take, in the logs of all replicas.
    pub async fn size(&mut self, topic: &str) -> u64 {
        self.ask(&format!("size\t{topic}")).await[0].parse().expect("a number")
    }

    /// A producer with these settings, such as `compression.type=gzip`.
    pub async fn producer(&mut self, settings: &[&str]) -> JavaProducer {
        let producer = JavaProducer(self.producers);
        self.producers += 1;
        let settings: String = settings.iter().map(|setting| format!("\t{setting}")).collect();
        self.ask(&format!("producer\t{}{settings}", producer.0)).await;
        producer
    }

    /// Sends a record, where the producer's partitioner or `partition` says. Failures show with the next answer.
    pub async fn send(&mut self, producer: JavaProducer, topic: &str, partition: Option<i32>, record: &Plain) {
        let partition = partition.map_or("-".into(), |partition| partition.to_string());
        self.tell(&format!("send\t{}\t{topic}\t{partition}\t{}", producer.0, record.line())).await;
    }

    /// Where the records stand that were sent since the last flush, in their order.
    pub async fn flush(&mut self, producer: JavaProducer) -> Vec<Place> {
        let lines = self.ask(&format!("flush\t{}", producer.0)).await;
        lines.iter().map(|line| place(&fields(line))).collect()
    }

    pub async fn begin(&mut self, producer: JavaProducer) {
        self.ask(&format!("begin\t{}", producer.0)).await;
    }

    /// The coordinator has it then; the markers come to the partitions soon after.
    pub async fn commit(&mut self, producer: JavaProducer) {
        self.ask(&format!("commit\t{}", producer.0)).await;
    }

    /// As for [`Java::commit`].
    pub async fn abort(&mut self, producer: JavaProducer) {
        self.ask(&format!("abort\t{}", producer.0)).await;
    }

    /// Has the open transaction commit this offset to a group: it is pending until the transaction ends.
    pub async fn send_offset(&mut self, producer: JavaProducer, group: &str, topic: &str, partition: i32, offset: i64) {
        self.ask(&format!("offset\t{}\t{group}\t{topic}\t{partition}\t{offset}", producer.0)).await;
    }

    /// Where each partition ends for a consumer: the last stable offset, or the high watermark.
    pub async fn ends(&mut self, topic: &str, level: IsolationLevel) -> BTreeMap<i32, i64> {
        let lines = self.ask(&format!("ends\t{topic}\t{}", name(level))).await;
        lines.iter().map(|line| place(&fields(line))).collect()
    }

    /// All that a consumer sees, from the beginning to these ends, in the order in which it came.
    pub async fn read(&mut self, topic: &str, level: IsolationLevel) -> Vec<(Place, Plain)> {
        let lines = self.ask(&format!("read\t{topic}\t{}", name(level))).await;
        let record = |line: &String| {
            let fields = fields(line);
            (place(&fields), Plain::parse(&fields[2..]))
        };
        lines.iter().map(record).collect()
    }

    async fn tell(&mut self, line: &str) {
        let written = async {
            self.input.write_all(line.as_bytes()).await?;
            self.input.write_all(b"\n").await
        };
        written.await.expect("Java's client runs; it says on stderr why not");
    }

    async fn ask(&mut self, line: &str) -> Vec<String> {
        self.tell(line).await;
        self.input.flush().await.expect("Java's client runs; it says on stderr why not");
        let mut answer = Vec::new();
        loop {
            let next = timeout(PATIENCE, self.output.next_line()).await;
            let next = next.unwrap_or_else(|_| panic!("no answer to {line} within {PATIENCE:?}")).expect("text");
            let next = next.unwrap_or_else(|| panic!("Java's client ended at {line}; it says on stderr why"));
            if next == "ok" {
                return answer;
            }
            answer.push(next);
        }
    }
}

fn fields(line: &str) -> Vec<&str> {
    line.split('\t').collect()
}

fn place(fields: &[&str]) -> Place {
    (fields[0].parse().expect("a partition"), fields[1].parse().expect("an offset"))
}

fn name(level: IsolationLevel) -> &'static str {
    match level {
        IsolationLevel::ReadUncommitted => "read_uncommitted",
        IsolationLevel::ReadCommitted => "read_committed",
    }
}
