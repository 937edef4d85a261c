//! A group of many members in one process: who owns what, and a rolling restart of them all.

use std::{
    collections::HashMap,
    fs,
    future::Future,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{io::AsyncWriteExt as _, net::TcpStream, sync::watch, task::JoinSet};

use crate::{Arguments, Failure, Report};

/// The settings that the members of every client get; docs/benchmarks.md lists them.
pub const SETTINGS: [(&str, &str); 4] = [
    ("session.timeout.ms", "45000"),
    ("heartbeat.interval.ms", "3000"),
    ("max.poll.interval.ms", "300000"),
    ("auto.offset.reset", "earliest"),
];
/// A frame of this API key is for the proxy that counts: a phase ends.
pub const MARK: i16 = i16::MAX;

/// A step that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(240);

/// Who owns which partitions. Clones are the same.
#[derive(Debug, Clone, Default)]
pub struct Owners(Arc<watch::Sender<Table>>);

#[derive(Debug, Default)]
struct Table {
    /// By partition; one owner each, or something is wrong.
    owners: HashMap<i32, Vec<usize>>,
    /// How often a partition was given to a member while another had it.
    overlaps: usize,
}

impl Owners {
    /// Partitions begin to be a member's.
    pub fn begin(&self, member: usize, partitions: impl IntoIterator<Item = i32>) {
        self.0.send_modify(|table| {
            for partition in partitions {
                let owners = table.owners.entry(partition).or_default();
                table.overlaps += usize::from(!owners.is_empty());
                owners.push(member);
            }
        });
    }

    /// They are its own no more.
    pub fn end(&self, member: usize, partitions: impl IntoIterator<Item = i32>) {
        self.0.send_modify(|table| {
            for partition in partitions {
                table.owners.entry(partition).or_default().retain(|owner| *owner != member);
            }
        });
    }

    /// A member goes, with all that it has.
    pub fn gone(&self, member: usize) {
        self.0
            .send_modify(|table| table.owners.values_mut().for_each(|owners| owners.retain(|owner| *owner != member)));
    }

    async fn until(&self, what: &str, holds: impl Fn(&Table) -> bool) -> Result<(), Failure> {
        let mut changes = self.0.subscribe();
        let held = tokio::time::timeout(LIMIT, changes.wait_for(|table| holds(table))).await;
        held.map_err(|_| format!("not within {LIMIT:?}: {what}"))??;
        Ok(())
    }

    /// Returns once each of so many partitions has one owner, and each member some.
    async fn whole(&self, partitions: usize, members: usize) -> Result<(), Failure> {
        self.until("every partition has one owner, every member some", |table| {
            let mut shares: HashMap<usize, usize> = HashMap::new();
            table.owners.values().flatten().for_each(|owner| *shares.entry(*owner).or_default() += 1);
            let owned = table.owners.values().filter(|owners| owners.len() == 1).count();
            owned == partitions && shares.len() == members
        })
        .await
    }

    async fn owns(&self, member: usize) -> Result<(), Failure> {
        let what = format!("member {member} owns partitions");
        self.until(&what, |table| table.owners.values().flatten().any(|owner| *owner == member)).await
    }
}

/// Starts and stops members of one client; a member reads, as a task of its own, and tells `Owners` what it is given.
pub trait Client: Clone + Send + Sync + 'static {
    /// One member that runs.
    type Member: Send + 'static;

    /// A new member.
    fn start(&self, number: usize) -> impl Future<Output = Result<Self::Member, Failure>> + Send;

    /// The member leaves its group; returns when it is gone.
    fn stop(member: Self::Member) -> impl Future<Output = Result<(), Failure>> + Send;
}

/// What the process has used so far: seconds, CPU seconds.
struct Usage(Instant, f64);

impl Usage {
    fn now() -> Result<Usage, Failure> {
        /// Of the kernel's clock, on every Linux that runs these.
        const TICKS_PER_SECOND: f64 = 100.0;
        let stat = fs::read_to_string("/proc/self/stat")?;
        let (_, fields) = stat.rsplit_once(')').ok_or("no stat")?;
        let ticks: f64 = fields.split_whitespace().skip(11).take(2).filter_map(|n| n.parse::<f64>().ok()).sum();
        Ok(Usage(Instant::now(), ticks / TICKS_PER_SECOND))
    }

    fn since(&self, earlier: &Usage) -> (f64, f64) {
        (self.0.duration_since(earlier.0).as_secs_f64(), self.1 - earlier.1)
    }
}

/// Starts all members at once, waits until each partition has one owner, then closes and replaces them, `--at-once` together:
/// the next as soon as these have left and the new ones own partitions. Ends when each partition has one owner again.
///
/// # Errors
/// When the group does not come to that in time, or a member fails.
pub async fn restart<C: Client>(arguments: &Arguments, owners: Owners, client: C) -> Result<Report, Failure> {
    let (members, partitions) = (arguments.number("members")?, arguments.number("partitions")?);
    let at_once = arguments.number("at-once")?;
    let brokers = arguments.text("brokers")?;
    let began = Usage::now()?;
    let mut running = start(&client, 0..members).await?;
    owners.whole(partitions, members).await?;
    let joined = Usage::now()?;
    mark(brokers).await?;
    let mut restarted = Vec::with_capacity(members);
    while !running.is_empty() {
        let mut stops = JoinSet::new();
        for (number, member) in running.drain(..at_once.min(running.len())) {
            let owners = owners.clone();
            stops.spawn(async move {
                C::stop(member).await?;
                owners.gone(number);
                Ok::<_, Failure>(())
            });
        }
        let count = stops.len();
        for stopped in stops.join_all().await {
            stopped?;
        }
        let first = members + restarted.len();
        restarted.extend(start(&client, first..first + count).await?);
        for number in first..first + count {
            owners.owns(number).await?;
        }
    }
    owners.whole(partitions, members).await?;
    let done = Usage::now()?;
    mark(brokers).await?;
    let overlaps = owners.0.borrow().overlaps;
    let mut stops = JoinSet::new();
    restarted.into_iter().for_each(|(_, member)| drop(stops.spawn(C::stop(member))));
    for stopped in stops.join_all().await {
        stopped?;
    }
    let ((first_seconds, first_cpu), (seconds, cpu)) = (joined.since(&began), done.since(&joined));
    let report = Report::default().with("first_seconds", first_seconds).with("first_cpu", first_cpu);
    Ok(report.with("restart_seconds", seconds).with("restart_cpu", cpu).with("overlaps", overlaps))
}

async fn start<C: Client>(client: &C, numbers: std::ops::Range<usize>) -> Result<Vec<(usize, C::Member)>, Failure> {
    let mut starts = JoinSet::new();
    for number in numbers {
        let client = client.clone();
        starts.spawn(async move { Ok::<_, Failure>((number, client.start(number).await?)) });
    }
    let mut members = starts.join_all().await.into_iter().collect::<Result<Vec<_>, _>>()?;
    members.sort_by_key(|(number, _)| *number);
    Ok(members)
}

/// Tells the proxy that counts that a phase ends.
async fn mark(proxy: &str) -> Result<(), Failure> {
    let mut stream = TcpStream::connect(proxy).await?;
    stream.write_all(&[0, 0, 0, 2]).await?;
    stream.write_all(&MARK.to_be_bytes()).await?;
    // It closes once it has counted.
    stream.readable().await?;
    Ok(())
}
