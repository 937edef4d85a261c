//! A Spring Boot service, the other side of a topic: `tests/spring`, whose README tells the modes and what they print.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    process::{Child, ChildStdin, Command},
    sync::mpsc,
    time::timeout,
};

use super::{
    broker::{Broker, real_kafka_only},
    plain,
    site::not_run,
    topics::unique,
};

const PROJECT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/spring");

/// Of an order, for the product service. The order service calls it `com.acme.order.OrderCreated`.
pub const PRODUCTS_CLASS: &str = "com.acme.product.OrderCreated";
/// The header that says of what class a value is.
pub const TYPE_ID: &str = "__TypeId__";
/// What a dead letter tells where a handler failed.
pub const FAILED_LISTENER: &str = "org.springframework.kafka.listener.ListenerExecutionFailedException";
/// What a dead letter tells where the value was not to be read.
pub const FAILED_DESERIALIZER: &str = "org.springframework.kafka.support.serializer.DeserializationException";

/// How long a line may take. Several services start at once, on a machine that does other things too.
const PATIENCE: Duration = Duration::from_secs(90);

/// Real Kafka, for a test with Spring services; as [`real_kafka_only`] where there is none, or where the service isn't built.
pub fn with_spring() -> Option<Broker> {
    let broker = real_kafka_only("a Spring Boot service is the other side")?;
    if !Path::new(PROJECT).join("target/spring-service.jar").exists() {
        not_run("the Spring Boot service is not built: tests/spring/run build");
        return None;
    }
    Some(broker)
}

/// A running service. It is killed when dropped.
#[derive(Debug)]
pub struct Spring {
    /// Its mode, for messages.
    mode: String,
    process: Child,
    input: Option<ChildStdin>,
    lines: mpsc::UnboundedReceiver<String>,
    log: PathBuf,
    millis: u64,
}

/// What a listener was given.
#[derive(Debug, Clone, PartialEq)]
pub struct Heard {
    /// The mode, or `dead` for what a `@DltHandler` was given.
    pub listener: String,
    pub topic: String,
    pub partition: i32,
    pub offset: i64,
    pub timestamp: i64,
    pub key: Option<String>,
    /// The event as Java has it, in JSON again.
    pub value: Value,
    /// In their order, without those that the deserializer takes away.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
    /// The whole line: some modes print more.
    pub line: Value,
}

/// As `OrderCreated` is written. No handler can do anything with a negative quantity.
pub fn order(id: &str, quantity: i32) -> Value {
    json!({"orderId": id, "product": "tea", "quantity": quantity, "price": 19.9, "createdAt": "2025-03-20T10:30:00.123456789Z"})
}

impl Spring {
    /// `types` and the other options are those of the README, as `("topic", "orders")`. Returns when the service has started: its
    /// listeners are about to join their group, and read from the beginning.
    pub async fn start(broker: &Broker, mode: &str, options: &[(&str, &str)]) -> Spring {
        let log = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}.log", unique(&format!("spring-{mode}"))));
        let mut command = Command::new(Path::new(PROJECT).join("run"));
        command.arg(mode).arg(format!("--servers={}", broker.bootstrap()));
        command.args(options.iter().map(|(name, value)| format!("--{name}={value}")));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        command.stderr(fs::File::create(&log).expect("a file for the log"));
        let mut process = command.spawn().expect("the service starts");
        let mut output = BufReader::new(process.stdout.take().expect("a pipe")).lines();
        // Read at once, so that a service is never held up by what the test doesn't want to know yet.
        let (said, lines) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok(Some(line)) = output.next_line().await {
                if said.send(line).is_err() {
                    break;
                }
            }
        });
        let input = process.stdin.take();
        let mut spring = Spring { mode: mode.to_owned(), process, input, lines, log, millis: 0 };
        let ready = spring.line().await;
        assert_eq!(ready["ready"], mode, "{ready}");
        spring.millis = ready["millis"].as_u64().expect("a number");
        spring
    }

    /// How long it took from the start of the JVM until all of it had started.
    pub fn started_in(&self) -> Duration {
        Duration::from_millis(self.millis)
    }

    /// The next line that it prints.
    ///
    /// # Panics
    /// If none comes, with the end of its log.
    pub async fn line(&mut self) -> Value {
        match timeout(PATIENCE, self.lines.recv()).await {
            Ok(Some(line)) => serde_json::from_str(&line).unwrap_or_else(|_| panic!("not JSON: {line}")),
            Ok(None) => panic!("the service {} ended; its log ends with\n{}", self.mode, self.end_of_log()),
            Err(_) => panic!("{} said nothing within {PATIENCE:?}; its log:\n{}", self.mode, self.end_of_log()),
        }
    }

    /// What its listeners are given next.
    pub async fn heard(&mut self) -> Heard {
        Heard::from(self.line().await)
    }

    /// The next `count` of what its listeners are given.
    pub async fn heard_all(&mut self, count: usize) -> Vec<Heard> {
        let mut all = Vec::with_capacity(count);
        while all.len() < count {
            all.push(self.heard().await);
        }
        all
    }

    /// All that it has printed and the test has not asked for yet.
    pub fn rest(&mut self) -> Vec<Value> {
        let lines = std::iter::from_fn(|| self.lines.try_recv().ok());
        lines.map(|line| serde_json::from_str(&line).expect("JSON")).collect()
    }

    /// A line for its stdin: an order that is to be published, or asked for.
    pub async fn tell(&mut self, what: &Value) {
        let input = self.input.as_mut().expect("open until it is stopped");
        input.write_all(format!("{what}\n").as_bytes()).await.expect("the service runs");
        input.flush().await.expect("the service runs");
    }

    /// As [`Spring::tell`]; what it says to that, if it has no other things to say.
    pub async fn ask(&mut self, what: &Value) -> Value {
        self.tell(what).await;
        self.line().await
    }

    /// In an orderly way: its listeners finish what they have in hand, commit, and leave.
    pub async fn stop(mut self) {
        drop(self.input.take());
        let status = timeout(PATIENCE, self.process.wait()).await;
        let status = status.unwrap_or_else(|_| panic!("{} doesn't stop\n{}", self.mode, self.end_of_log()));
        assert!(status.as_ref().is_ok_and(|status| status.success()), "{}: {status:?}", self.mode);
    }

    /// The last of what it logged. Of the mode `trap` the first 300 lines are kept.
    pub fn end_of_log(&self) -> String {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(60)..].join("\n")
    }
}

impl Drop for Spring {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let _ = fs::remove_file(&self.log);
        }
    }
}

impl Heard {
    /// A header's value, of the last one with this name.
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        let last = self.headers.iter().rfind(|(header, _)| header == name);
        last.and_then(|(_, value)| value.as_deref())
    }
}

impl From<Value> for Heard {
    fn from(line: Value) -> Heard {
        let text = |name: &str| line[name].as_str().map(str::to_owned);
        let number = |name: &str| line[name].as_i64().unwrap_or_else(|| panic!("no {name} in {line}"));
        let header = |pair: &Value| {
            let name = pair[0].as_str().expect("a name").to_owned();
            (name, pair[1].as_str().and_then(plain::bytes))
        };
        Heard {
            listener: text("listener").unwrap_or_else(|| panic!("not of a listener: {line}")),
            topic: text("topic").expect("a topic"),
            partition: i32::try_from(number("partition")).expect("a partition"),
            offset: number("offset"),
            timestamp: number("timestamp"),
            key: text("key"),
            value: line["value"].clone(),
            headers: line["headers"].as_array().expect("headers").iter().map(header).collect(),
            line,
        }
    }
}
