//! What is going to happen, all of it made from the seed.

use std::time::Duration;

use fastrand::Rng;

use super::incident::{Incident, incidents};

/// One simulated run: a cluster, its clients, and what befalls them.
#[derive(Debug, Clone)]
pub struct Schedule {
    pub seed: u64,
    pub brokers: u16,
    pub topics: Vec<(&'static str, i32)>,
    /// Nothing happens that takes a member's partitions from it: then each record is handed out exactly once.
    pub is_gentle: bool,
    pub producers: Vec<ProducerPlan>,
    pub members: Vec<MemberPlan>,
    pub incidents: Vec<(Duration, Incident)>,
    /// When the last incident is over.
    pub calm: Duration,
}

#[derive(Debug, Clone)]
pub struct ProducerPlan {
    pub starts: Duration,
    pub records: u32,
    pub route: Route,
    /// Each record's acknowledgement is awaited before the next is sent.
    pub one_by_one: bool,
    /// So many records, and then a pause.
    pub burst: u32,
    pub pause: Duration,
    pub settings: Vec<(&'static str, String)>,
    pub request_timeout: Duration,
    pub delivery_timeout: Duration,
    /// It lives on into the calm, and then sends one more record to each partition.
    pub goes_on: bool,
    /// Dropped after so many records, in place of being closed at the end.
    pub dropped_after: Option<u32>,
}

/// How a record gets its partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    Named,
    Keyed,
    Sticky,
}

#[derive(Debug, Clone)]
pub struct MemberPlan {
    pub joins: Duration,
    pub ends: Option<(Duration, Ending)>,
    pub commits: Commits,
    /// Of a hundred records so many are slow to handle, and how slow.
    pub slow_percent: u32,
    pub slow: Duration,
    /// So many records are handled for longer than `max.poll.interval.ms`.
    pub too_slow: u32,
    pub max_poll_interval: Duration,
    pub request_timeout: Duration,
    pub settings: Vec<(&'static str, String)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    Closed,
    Dropped,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Commits {
    /// By itself.
    Auto,
    /// By `commit_record`, each so many records, and when partitions are revoked.
    Every(u32),
}

const TOPICS: [&str; 2] = ["orders", "payments"];

impl Schedule {
    pub fn of(seed: u64) -> Schedule {
        let mut random = Rng::with_seed(seed);
        let random = &mut random;
        let brokers = random.u16(1..=3);
        let topics: Vec<_> = TOPICS[..random.usize(1..=2)].iter().map(|name| (*name, random.i32(1..=3))).collect();
        let length = Duration::from_millis(random.u64(3_000..20_000));
        let is_gentle = random.u32(..100) < 40;
        let producers = (0..random.u32(1..=3)).map(|_| producer(random, length)).collect();
        let members = members(random, length, is_gentle);
        let incidents = incidents(random, length, is_gentle, brokers, &topics);
        let calm = incidents.iter().map(|(at, incident)| *at + incident.lasts()).max().unwrap_or_default().max(length);
        Schedule { seed, brokers, topics, is_gentle, producers, members, incidents, calm }
    }
}

pub fn millis(random: &mut Rng, range: std::ops::Range<u64>) -> Duration {
    Duration::from_millis(random.u64(range))
}

pub fn pick<T: Copy>(random: &mut Rng, among: &[T]) -> T {
    among[random.usize(..among.len())]
}

fn producer(random: &mut Rng, length: Duration) -> ProducerPlan {
    let records = random.u32(20..120);
    let starts = millis(random, 0..1_000);
    let burst = random.u32(1..20);
    // About as long as incidents happen.
    let pauses = (records / burst).max(1);
    let request_timeout = Duration::from_millis(pick(random, &[1_000, 3_000, 10_000]));
    let delivery_timeout = Duration::from_millis(pick(random, &[3_000, 15_000, 60_000, 60_000]));
    let settings = vec![
        ("batch.size", pick(random, &[250, 400, 2_000, 100_000]).to_string()),
        ("linger.ms", pick(random, &[0, 5, 100]).to_string()),
        ("max.in.flight.requests.per.connection", pick(random, &[1, 2, 5, 5]).to_string()),
        ("compression.type", pick(random, &["none", "none", "lz4"]).to_owned()),
        ("buffer.memory", pick(random, &[2_000, 1_000_000]).to_string()),
        ("delivery.timeout.ms", delivery_timeout.as_millis().to_string()),
    ];
    ProducerPlan {
        starts,
        records,
        route: pick(random, &[Route::Named, Route::Named, Route::Keyed, Route::Sticky]),
        one_by_one: random.u32(..100) < 15,
        burst,
        pause: length / pauses,
        settings,
        request_timeout,
        delivery_timeout,
        goes_on: random.bool(),
        dropped_after: (random.u32(..100) < 10).then(|| random.u32(1..records)),
    }
}

fn members(random: &mut Rng, length: Duration, is_gentle: bool) -> Vec<MemberPlan> {
    let assignors =
        ["range", "roundrobin", "sticky", "cooperative-sticky", "cooperative-sticky", "range,cooperative-sticky"];
    let assignor = pick(random, &assignors);
    let commits = pick(random, &[Commits::Auto, Commits::Auto, Commits::Every(1), Commits::Every(7)]);
    let session = if is_gentle { 45_000 } else { pick(random, &[6_000, 10_000, 45_000]) };
    let max_poll = if is_gentle { 300_000 } else { pick(random, &[8_000, 60_000]) };
    let request_timeout = Duration::from_millis(pick(random, &[1_000, 5_000]));
    let are_static = random.u32(..100) < 15;
    let count = random.u64(1..=3);
    let member = |number: u64| {
        // The first stays, and the others come and go.
        let joins = millis(random, 0..length.as_millis() as u64 / if number == 0 { 4 } else { 1 });
        let ends = (number > 0 && random.bool()).then(|| {
            let after = millis(random, 500..length.as_millis() as u64);
            let drops = !is_gentle && random.bool();
            (joins + after, if drops { Ending::Dropped } else { Ending::Closed })
        });
        let slow = millis(random, 1..5_000);
        let too_slow = if is_gentle { 0 } else { pick(random, &[0, 0, 1, 2]) };
        let max_poll_interval = Duration::from_millis(max_poll);
        let mut settings = vec![
            ("auto.offset.reset", "earliest".to_owned()),
            ("partition.assignment.strategy", assignor.to_owned()),
            ("session.timeout.ms", session.to_string()),
            ("heartbeat.interval.ms", pick(random, &[500, 2_000, 3_000]).to_string()),
            ("max.poll.interval.ms", max_poll.to_string()),
            ("fetch.max.wait.ms", pick(random, &[500, 3_000]).to_string()),
            ("max.partition.fetch.bytes", pick(random, &[1_024, 1 << 20]).to_string()),
            ("enable.auto.commit", (commits == Commits::Auto).to_string()),
            ("auto.commit.interval.ms", pick(random, &[100, 1_000, 5_000]).to_string()),
        ];
        if are_static {
            settings.push(("group.instance.id", format!("instance-{number}")));
        }
        let slow_percent = pick(random, &[0, 0, 2, 10]);
        MemberPlan { joins, ends, commits, slow_percent, slow, too_slow, max_poll_interval, request_timeout, settings }
    };
    (0..count).map(member).collect()
}
