//! Members of a group that are processes of their own, of milena, Java and librdkafka: they can be killed, and share a group.

use std::{
    env,
    path::PathBuf,
    process::{ExitStatus, Stdio},
    sync::Arc,
    time::Duration,
};

use milena::{
    Kafka,
    assignor::{Assignor, CooperativeStickyAssignor, RangeAssignor, RoundRobinAssignor, StickyAssignor},
};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    process::{Child, ChildStdin, Command},
    task::JoinHandle,
    time::timeout,
};

use super::{
    journal::{Happening, Journal},
    member::{Commits, Member, quick},
    site::{self, not_run},
};

const MANIFEST: &str = env!("CARGO_MANIFEST_DIR");
/// Says to [`serve_if_told`] what to do.
const TOLD: &str = "MILENA_TEST_MEMBER";
/// How long an orderly end may take.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Client {
    Milena,
    Java,
    Librdkafka,
}

/// A group that peers join.
#[derive(Debug, Clone)]
pub struct PeerGroup {
    pub bootstrap: String,
    pub id: String,
    pub topic: String,
    /// By its Kafka name.
    pub assignor: &'static str,
    pub journal: Journal,
}

/// A running member. It is killed when dropped.
#[derive(Debug)]
pub struct Peer {
    pub name: String,
    journal: Journal,
    process: Child,
    stdin: Option<ChildStdin>,
    reader: JoinHandle<()>,
}

/// The Python that has confluent-kafka: `MILENA_TEST_PYTHON`, or that of `target/peers`. None, said loudly, where there is none.
///
/// # Panics
/// Where nothing may be skipped.
pub fn python() -> Option<PathBuf> {
    let ours = PathBuf::from(MANIFEST).join("target/peers/bin/python");
    let python = env::var_os("MILENA_TEST_PYTHON").map(PathBuf::from).or(ours.exists().then_some(ours));
    if python.is_none() {
        not_run(
            "no librdkafka: python3 -m venv target/peers && target/peers/bin/pip install confluent-kafka, \
             or name a Python that has it in MILENA_TEST_PYTHON",
        );
    }
    python
}

impl PeerGroup {
    /// A new member; `name` is for the journal. A member of milena is the test `member` of the calling binary, which is to call
    /// [`serve_if_told`].
    pub fn start(&self, client: Client, name: &str) -> Peer {
        let arguments = [&*self.bootstrap, &*self.id, &*self.topic, self.assignor];
        let mut command = match client {
            Client::Milena => {
                let mut command = Command::new(env::current_exe().expect("this binary"));
                command.args(["--exact", "member", "--ignored", "--nocapture"]).env(TOLD, arguments.join("\t"));
                command
            }
            Client::Java => {
                let mut command = Command::from(site::script());
                command.args(["run", &format!("{MANIFEST}/tests/kafka/Member.java")]).args(arguments);
                command
            }
            Client::Librdkafka => {
                let mut command = Command::new(python().expect("the test asks first"));
                command.arg(format!("{MANIFEST}/tests/kafka/member.py")).args(arguments);
                command
            }
        };
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut process = command.spawn().expect("the member starts");
        let mut lines = BufReader::new(process.stdout.take().expect("a pipe")).lines();
        let reader = tokio::spawn({
            let (journal, name) = (self.journal.clone(), name.to_owned());
            async move {
                while let Ok(Some(line)) = lines.next_line().await {
                    // Others are of the test harness.
                    if let Some((at, what)) = Happening::parse(&line) {
                        journal.write_at(at, &name, what);
                    }
                }
            }
        });
        let stdin = process.stdin.take();
        Peer { name: name.to_owned(), journal: self.journal.clone(), process, stdin, reader }
    }
}

impl Peer {
    /// It commits, leaves, and ends.
    pub async fn close(mut self) {
        drop(self.stdin.take());
        let status = self.ended().await;
        assert!(status.success(), "{}: {status}", self.name);
    }

    /// As by `kill -9`.
    pub async fn kill(mut self) {
        self.process.start_kill().expect("it runs");
        self.ended().await;
    }

    async fn ended(&mut self) -> ExitStatus {
        let status = timeout(PATIENCE, self.process.wait()).await;
        let status = status.unwrap_or_else(|_| panic!("{} does not end", self.name)).expect("a child");
        // What it said before counts too.
        (&mut self.reader).await.expect("no panic");
        self.journal.write(&self.name, Happening::Gone);
        status
    }
}

/// For the test `member`, that is ignored: is a member as [`PeerGroup::start`] has told, until its stdin ends.
pub async fn serve_if_told() {
    let Ok(told) = env::var(TOLD) else { return };
    let [bootstrap, group, topic, assignor] = told.split('\t').collect::<Vec<_>>()[..] else { panic!("{told}") };
    let kafka = Kafka::connect(bootstrap).await.expect("a cluster");
    let builder = quick(&kafka, group).subscribe([topic]).assignors([assignor_named(assignor)]).auto_commit(None);
    let consumer = builder.build().await.expect("a consumer");
    let member = Member::start("", consumer, &Journal::printing(), Commits::Every(20));
    let mut rest = Vec::new();
    let _ = tokio::io::stdin().read_to_end(&mut rest).await;
    member.close().await;
}

pub fn assignor_named(name: &str) -> Arc<dyn Assignor> {
    match name {
        "range" => Arc::new(RangeAssignor),
        "roundrobin" => Arc::new(RoundRobinAssignor),
        "sticky" => Arc::new(StickyAssignor),
        "cooperative-sticky" => Arc::new(CooperativeStickyAssignor),
        other => panic!("{other}"),
    }
}
