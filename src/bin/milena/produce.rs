use std::{collections::VecDeque, error::Error, path::Path};

use indicatif::ProgressBar;
use milena::{Delivery, Header, Kafka, Record};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};

use crate::{args::Produce, output::progress};

/// Deliveries looked at behind the line being read; the producer's own memory bounds the bytes.
const OUTSTANDING: usize = 100_000;

/// A record a line; done when all are acknowledged.
pub(crate) async fn run(kafka: &Kafka, options: Produce) -> Result<(), Box<dyn Error>> {
    let producer = kafka.producer().build().await?;
    let mut lines = BufReader::new(input(options.file.as_deref()).await?);
    let mut outstanding: VecDeque<(u64, Delivery)> = VecDeque::new();
    let (mut line, mut number, mut read) = (Vec::new(), 0, 0);
    // Of a file only: how long stdin goes on nobody knows, and it may be typed on the same terminal.
    let bar = match &options.file {
        Some(file) => progress(tokio::fs::metadata(file).await.map_or(0, |file| file.len())),
        None => ProgressBar::hidden(),
    };
    loop {
        line.clear();
        if lines.read_until(b'\n', &mut line).await? == 0 {
            break;
        }
        number += 1;
        read += line.len() as u64;
        if number % 1_000 == 0 {
            bar.set_position(read);
        }
        if line.last() == Some(&b'\n') {
            line.pop();
        }
        let headers = options.headers.iter().map(|(name, value)| Header::new(name, value));
        let mut record = Record::to(&options.topic).headers(headers);
        if let Some(partition) = options.partition {
            record = record.partition(partition);
        }
        let record = match options.key.as_deref().and_then(|separator| split(&line, separator.as_bytes())) {
            Some((key, value)) => record.key(key).value(value),
            None => record.value(&line),
        };
        let delivery = producer.enqueue(record).await.map_err(|error| format!("line {number}: {error}"))?;
        outstanding.push_back((number, delivery));
        if outstanding.len() > OUTSTANDING {
            acknowledged(outstanding.pop_front()).await?;
        }
    }
    producer.flush().await;
    bar.finish_and_clear();
    while let Some(next) = outstanding.pop_front() {
        acknowledged(Some(next)).await?;
    }
    producer.close().await;
    Ok(())
}

async fn acknowledged(next: Option<(u64, Delivery)>) -> Result<(), Box<dyn Error>> {
    if let Some((number, delivery)) = next {
        delivery.await.map_err(|error| format!("line {number}: {error}"))?;
    }
    Ok(())
}

async fn input(file: Option<&Path>) -> Result<Box<dyn AsyncRead + Unpin>, Box<dyn Error>> {
    Ok(match file {
        Some(path) => {
            let file = tokio::fs::File::open(path).await.map_err(|error| format!("{}: {error}", path.display()))?;
            Box::new(file)
        }
        None => Box::new(tokio::io::stdin()),
    })
}

fn split<'a>(line: &'a [u8], separator: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = line.windows(separator.len().max(1)).position(|window| window == separator)?;
    Some((&line[..at], &line[at + separator.len()..]))
}
