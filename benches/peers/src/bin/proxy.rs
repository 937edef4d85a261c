//! Forwards `--listen` to `--to` and counts the requests that pass, by API key: one judge for all clients. Ends when its
//! standard input does, and prints the counts of each phase; see `group::MARK`.

use std::{collections::BTreeMap, io::Read as _, process::ExitCode, sync::Arc};

use milena_peers::{Arguments, Failure, group, main_of_text};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
};

/// By API key, requests and bytes; connections have the key −1.
type Counts = BTreeMap<i16, (usize, u64)>;
type Phases = Arc<std::sync::Mutex<Vec<Counts>>>;

fn main() -> ExitCode {
    main_of_text(run)
}

#[tokio::main]
async fn run(arguments: Arguments) -> Result<String, Failure> {
    let listener = TcpListener::bind(arguments.text("listen")?).await?;
    let to: Arc<str> = arguments.text("to")?.into();
    let phases: Phases = Arc::new(std::sync::Mutex::new(vec![Counts::new()]));
    let counted = Arc::clone(&phases);
    let accept = tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let (to, phases) = (Arc::clone(&to), Arc::clone(&phases));
            // However it ends, both sides see it.
            tokio::spawn(async move { pass(client, &to, &phases).await });
        }
    });
    println!("ready");
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
    accept.abort();
    let phases = counted.lock().map_err(|_| "a count failed")?;
    let each = phases.iter().map(|counts| {
        let each = counts.iter().map(|(key, (requests, bytes))| format!("\"{key}\":[{requests},{bytes}]"));
        format!("{{{}}}", each.collect::<Vec<_>>().join(","))
    });
    Ok(format!("[{}]", each.collect::<Vec<_>>().join(",")))
}

fn count(phases: &Phases, key: i16, bytes: u64) {
    let mut phases = phases.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if key == group::MARK {
        phases.push(Counts::new());
    } else if let Some(counts) = phases.last_mut() {
        let (requests, sum) = counts.entry(key).or_default();
        (*requests, *sum) = (*requests + 1, *sum + bytes);
    }
}

async fn pass(client: TcpStream, to: &str, phases: &Phases) -> std::io::Result<()> {
    client.set_nodelay(true)?;
    let broker = TcpStream::connect(to).await?;
    broker.set_nodelay(true)?;
    let (from_client, mut to_client) = client.into_split();
    let (mut from_broker, mut to_broker) = broker.into_split();
    let requests = async {
        let mut from_client = BufReader::with_capacity(64 << 10, from_client);
        let mut frame = Vec::new();
        let mut is_first = true;
        loop {
            let length = from_client.read_u32().await?;
            frame.clear();
            frame.extend_from_slice(&length.to_be_bytes());
            (&mut from_client).take(length.into()).read_to_end(&mut frame).await?;
            if frame.len() < 4 + length as usize || length < 2 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            let key = i16::from_be_bytes([frame[4], frame[5]]);
            if key == group::MARK {
                count(phases, key, 0);
                return Ok(());
            }
            if std::mem::take(&mut is_first) {
                count(phases, -1, 0);
            }
            count(phases, key, frame.len() as u64);
            to_broker.write_all(&frame).await?;
        }
    };
    let answers = tokio::io::copy(&mut from_broker, &mut to_client);
    // Whichever ends first ends the other: both halves are dropped.
    tokio::select! {
        ended = requests => ended,
        ended = answers => ended.map(drop),
    }
}
