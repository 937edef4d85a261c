//! One seed, from the cluster's start until nothing is left of it.

use std::{
    cell::RefCell,
    sync::{Arc, Once},
    time::Duration,
};

use milena::{Embedded, Kafka, Properties, ReceivedRequest};
use tokio::{
    sync::oneshot,
    task::JoinSet,
    time::{Instant, sleep, sleep_until},
};

use super::{
    checks,
    handed::Handed,
    incident::{self, REST},
    journal::Journal,
    log, member,
    schedule::Schedule,
    sent::{self, EPOCH, Sent},
};

/// What came of a seed.
#[derive(Debug)]
pub struct Outcome {
    pub violations: Vec<String>,
    /// What the clients met and what the brokers were asked, by the virtual clock.
    pub trace: String,
}

thread_local! {
    /// What panicked in the seed that runs on this thread, if one does: tokio keeps the panics of tasks to itself.
    static PANICS: RefCell<Option<Vec<String>>> = const { RefCell::new(None) };
}

static NOTES_PANICS: Once = Once::new();

fn note_panics() {
    let other = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let text = panic.to_string();
        if !PANICS.with_borrow_mut(|panics| panics.as_mut().map(|panics| panics.push(text)).is_some()) {
            other(panic);
        }
    }));
}

/// Everything that happens follows from the seed: the schedule, and through the clock, the one thread and the generator of
/// random numbers all that clients and brokers do.
pub fn run(seed: u64) -> Outcome {
    let schedule = Arc::new(Schedule::of(seed));
    fastrand::seed(seed);
    NOTES_PANICS.call_once(note_panics);
    PANICS.set(Some(Vec::new()));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime");
    let (journal, requests) = runtime.block_on(simulate(schedule));
    drop(runtime);
    let mut violations = journal.violations();
    violations.extend(PANICS.take().into_iter().flatten().map(|panic| format!("a panic: {panic}")));
    Outcome { violations, trace: trace(&journal, &requests) }
}

/// Both in the order of time.
fn trace(journal: &Journal, requests: &[ReceivedRequest]) -> String {
    let asked = requests.iter().map(|request| {
        let ReceivedRequest { at, api, version, broker, client_id, partitions, .. } = request;
        let mut line = format!("{client_id} -> {broker}: {api} {version}");
        partitions.iter().for_each(|partition| line += &format!(" {partition}"));
        (*at, line)
    });
    let mut lines: Vec<(Instant, String)> = journal.lines().into_iter().chain(asked).collect();
    lines.sort_by_key(|(at, _)| *at);
    let lines = lines.into_iter().map(|(at, line)| format!("{} {line}\n", journal.stamp(at)));
    lines.collect()
}

async fn simulate(schedule: Arc<Schedule>) -> (Journal, Vec<ReceivedRequest>) {
    let start = Instant::now();
    let journal = Journal::starting(start);
    let builder = Embedded::builder().brokers(schedule.brokers).seed(schedule.seed).starts_at(EPOCH);
    let builder = schedule.topics.iter().fold(builder, |builder, (name, count)| builder.topic(*name, *count as u32));
    let embedded = builder.start().await.expect("the cluster starts");
    let sent = Sent::default();

    let mut producers = JoinSet::new();
    for (plan, number) in schedule.producers.iter().zip(0..) {
        let kafka = connect(&embedded, &format!("p{number}"), plan.request_timeout).await;
        producers.spawn(sent::produce(kafka, Arc::clone(&schedule), number, sent.clone(), journal.clone()));
    }
    let handed = Handed::new(embedded.clone(), journal.clone(), &schedule);
    let mut members = JoinSet::new();
    let mut stops = Vec::new();
    for (plan, number) in schedule.members.iter().zip(0..) {
        let kafka = connect(&embedded, &format!("m{number}"), plan.request_timeout).await;
        let (stop, stopped) = oneshot::channel();
        stops.push(stop);
        members.spawn(member::consume(kafka, Arc::clone(&schedule), number, handed.clone(), stopped));
    }
    let befalling = tokio::spawn(befall(embedded.clone(), Arc::clone(&schedule), journal.clone()));

    // Each producer ends within what it may take for its last record, however late it sends that.
    let timeouts = schedule.producers.iter().map(|plan| plan.delivery_timeout);
    let limit = schedule.calm + REST + 4 * timeouts.max().unwrap_or_default() + Duration::from_secs(60);
    let producing = async { while producers.join_next().await.is_some() {} };
    if tokio::time::timeout(limit, producing).await.is_err() {
        journal.violation(format_args!("a producer has not come to its end within {limit:?}"));
        producers.shutdown().await;
    }
    let _ = befalling.await;
    sleep_until((start + schedule.calm).max(Instant::now()) + REST).await;

    let kafka = connect(&embedded, "log", Duration::from_secs(5)).await;
    let logs = log::read(&kafka, &schedule, &journal).await;
    for (at, log) in &logs {
        journal.write("log", format_args!("{at}: {log:?}"));
    }
    checks::check_log(&journal, &sent.told(), &logs);

    let deadline = Instant::now() + CATCHING_UP;
    let is_caught_up = || handed.is_all_done(&logs) && handed.missing(&logs).is_empty();
    // Members-to-be that were lost on their way hold up a rebalance until their session ends, and slow members for longer; whoever
    // has lost partitions in one of them begins anew.
    let mut since = Instant::now();
    while since.elapsed() < REBALANCE {
        if !is_caught_up() {
            since = Instant::now();
        }
        if since > deadline {
            let missing = handed.missing(&logs);
            journal.violation(format_args!(
                "after {CATCHING_UP:?} of calm members have not caught up; not handed out: {missing:?}"
            ));
            break;
        }
        sleep(Duration::from_millis(500)).await;
    }
    // Told by the sender's end.
    drop(stops);
    while let Some(ended) = members.join_next().await {
        if let Ok(Err(error)) = ended {
            journal.violation(format_args!("a member could not be built: {error}"));
        }
    }
    handed.check(&logs);
    drop(handed);

    let requests = embedded.requests();
    drop((kafka, embedded));
    sleep(REST).await;
    let alive = tokio::runtime::Handle::current().metrics().num_alive_tasks();
    if alive > 0 {
        journal.violation(format_args!("{alive} tasks are left when all is closed"));
    }
    (journal, requests)
}

/// How long members may take until they have caught up: the session of one that was dropped has to end, and handlers are slow.
const CATCHING_UP: Duration = Duration::from_secs(15 * 60);

/// The longest that a rebalance takes.
const REBALANCE: Duration = Duration::from_secs(70);

async fn connect(embedded: &Embedded, client: &str, request_timeout: Duration) -> Kafka {
    let timeout = request_timeout.as_millis().to_string();
    let settings = [("client.id", client), ("request.timeout.ms", &timeout)];
    embedded.kafka_with(Properties::from_iter(settings)).await.expect("it is up")
}

/// The incidents happen, each at its time; then there is calm.
async fn befall(embedded: Embedded, schedule: Arc<Schedule>, journal: Journal) {
    let start = Instant::now();
    let mut happening = JoinSet::new();
    for (at, what) in schedule.incidents.clone() {
        let (embedded, journal) = (embedded.clone(), journal.clone());
        happening.spawn(async move {
            sleep_until(start + at).await;
            journal.write("incident", format_args!("{what:?}"));
            incident::happen(&embedded, &what).await
        });
    }
    let mut faults = Vec::new();
    while let Some(ended) = happening.join_next().await {
        faults.extend(ended.ok().flatten());
    }
    sleep_until(start + schedule.calm).await;
    journal.write("incident", "calm");
    faults.into_iter().for_each(milena::InjectedFault::remove);
    // Two that stopped and started the same broker may have crossed.
    (1..=i32::from(schedule.brokers)).for_each(|id| embedded.start_broker(id));
}
