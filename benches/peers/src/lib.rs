//! What the measured programs have in common: the command line, the records, the line that they print.

use std::{collections::HashMap, env, error::Error, fmt::Write as _, fs, process::ExitCode, time::Duration};

pub mod group;

/// Whatever ends a measurement.
pub type Failure = Box<dyn Error + Send + Sync>;

/// The settings that every client gets; docs/benchmarks.md lists them.
pub mod settings {
    /// Memory for records that are not acknowledged, or fetched ahead, in bytes.
    pub const BUFFER_BYTES: usize = 64 << 20;
    /// The largest answer to a fetch, in bytes.
    pub const FETCH_MAX_BYTES: usize = 50 << 20;
    /// The most that an answer holds of one partition, in bytes.
    pub const PARTITION_FETCH_BYTES: usize = 1 << 20;
    /// How long a broker waits for something to answer with, in ms.
    pub const FETCH_WAIT_MS: usize = 500;
}

/// A command and its options, each `--name value`, or `--name` alone for a flag.
#[derive(Debug)]
pub struct Arguments {
    /// The first word.
    pub command: String,
    options: HashMap<String, String>,
}

impl Arguments {
    fn of_process() -> Result<Self, Failure> {
        let mut words = env::args().skip(1).peekable();
        let command = words.next().ok_or("a command is missing")?;
        let mut options = HashMap::new();
        while let Some(word) = words.next() {
            let name = word.strip_prefix("--").ok_or_else(|| format!("{word} is no option"))?;
            let value = words.next_if(|next| !next.starts_with("--")).unwrap_or_default();
            options.insert(name.to_owned(), value);
        }
        Ok(Arguments { command, options })
    }

    /// Whether the flag is there.
    pub fn has(&self, name: &str) -> bool {
        self.options.contains_key(name)
    }

    /// An option's text.
    ///
    /// # Errors
    /// When it is missing.
    pub fn text(&self, name: &str) -> Result<&str, Failure> {
        self.options.get(name).map(String::as_str).ok_or_else(|| format!("--{name} is missing").into())
    }

    /// An option's number.
    ///
    /// # Errors
    /// When it is missing or no number.
    pub fn number(&self, name: &str) -> Result<usize, Failure> {
        let text = self.text(name)?;
        text.parse().map_err(|_| format!("--{name} {text} is no number").into())
    }
}

/// Runs `work` as a task of a runtime of several threads, as a service's work is: the main task would be woken across threads.
///
/// # Errors
/// The work's own; for a panic of it, too.
#[tokio::main]
pub async fn in_task<F>(work: F) -> Result<Report, Failure>
where
    F: Future<Output = Result<Report, Failure>> + Send + 'static,
{
    tokio::spawn(work).await?
}

/// Runs what the command line asks for, and prints its report.
pub fn main_of(run: impl FnOnce(Arguments) -> Result<Report, Failure>) -> ExitCode {
    main_of_text(|arguments| {
        let report = run(arguments)?;
        let report = match peak_mb() {
            Some(peak) => report.with("peak_mb", peak),
            None => report,
        };
        Ok(report.json())
    })
}

/// As [`main_of`], for a line that is no [`Report`].
pub fn main_of_text(run: impl FnOnce(Arguments) -> Result<String, Failure>) -> ExitCode {
    match Arguments::of_process().and_then(run) {
        Ok(line) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// The most memory that this process had at once. What wait4 tells counts the memory of whoever started it, too.
fn peak_mb() -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib / 1024.0)
}

/// Values that no codec makes smaller: slices of random bytes, no two of which overlap within a batch.
#[derive(Debug)]
pub struct Values {
    noise: Vec<u8>,
    size: usize,
}

impl Values {
    /// Longer than the largest batch, and than what any codec looks back.
    const NOISE: usize = 2 << 20;

    /// Values of `size` bytes.
    pub fn new(size: usize) -> Self {
        let mut state = 0x9e37_79b9_7f4a_7c15u64;
        let mut noise = Vec::with_capacity(Self::NOISE + size);
        while noise.len() < Self::NOISE + size {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            noise.extend_from_slice(&state.wrapping_mul(0x2545_f491_4f6c_dd1d).to_be_bytes());
        }
        Values { noise, size }
    }

    /// The value of a record.
    pub fn of(&self, number: usize) -> &[u8] {
        let start = number.wrapping_mul(self.size) % Self::NOISE;
        &self.noise[start..start + self.size]
    }
}

/// What was read so far, so that what was lost or came twice is seen.
#[derive(Debug, Default)]
pub struct Tally {
    /// Records read.
    pub records: usize,
    bytes: usize,
    /// By partition, one behind the last record.
    ends: Vec<i64>,
}

impl Tally {
    /// Counts a record.
    #[inline]
    pub fn add(&mut self, partition: i32, offset: i64, key: Option<&[u8]>, value: Option<&[u8]>) {
        self.records += 1;
        self.bytes += key.map_or(0, <[u8]>::len) + value.map_or(0, <[u8]>::len);
        let index = partition as usize;
        if index >= self.ends.len() {
            self.ends.resize(index + 1, 0);
        }
        self.ends[index] = offset + 1;
    }

    /// The report; the positions of all partitions sum up to `records` when each record was read once, from offset 0.
    pub fn report(&self, wall: Duration) -> Report {
        Report::default()
            .with("records", self.records)
            .with("seconds", wall.as_secs_f64())
            .with("bytes", self.bytes)
            .with("ends", self.ends.iter().sum::<i64>())
    }
}

/// The report of a run that sent records one at a time.
pub fn latencies(mut each: Vec<Duration>) -> Report {
    each.sort_unstable();
    let micros = |q: f64| each[((each.len() - 1) as f64 * q) as usize].as_secs_f64() * 1e6;
    Report::default().with("records", each.len()).with("p50_us", micros(0.5)).with("p99_us", micros(0.99))
}

/// One line of JSON.
#[derive(Debug, Default)]
pub struct Report(String);

impl Report {
    /// Adds a number.
    pub fn with(mut self, name: &str, value: impl std::fmt::Display) -> Self {
        let comma = if self.0.is_empty() { "" } else { "," };
        let _ = write!(self.0, "{comma}\"{name}\":{value}");
        self
    }

    fn json(&self) -> String {
        format!("{{{}}}", self.0)
    }
}
