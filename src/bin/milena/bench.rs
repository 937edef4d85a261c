use std::{collections::VecDeque, error::Error, time::Instant};

use milena::{Delivery, Kafka, OffsetSpec, Record};

use crate::{
    args::{BenchConsume, BenchProduce},
    output::{print, progress},
};

/// Every so many records one is looked at for its latency.
const SAMPLE: usize = 1_000;

/// Sends `count` records as fast as they are taken; rates, latency and CPU to stdout once all are acknowledged.
pub(crate) async fn produce(kafka: &Kafka, options: BenchProduce, json: bool) -> Result<(), Box<dyn Error>> {
    let producer = kafka.producer().build().await?;
    // Incompressible, and another slice of it for each record.
    let noise: Vec<u8> = std::iter::repeat_with({
        let mut state = 0x9e37_79b9_7f4a_7c15u64;
        move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 32) as u8
        }
    })
    .take(options.size + 4096)
    .collect();
    let started = (Instant::now(), cpu_seconds());
    let mut sampled: VecDeque<(Instant, Delivery)> = VecDeque::new();
    let mut latencies = Vec::new();
    let progress = progress(options.count as u64);
    for number in 0..options.count {
        let start = number % 4096;
        let key = (number as u64).to_be_bytes();
        let mut record = Record::to(&options.topic).value(&noise[start..start + options.size]);
        if options.key {
            record = record.key(&key);
        }
        let delivery = producer.enqueue(record).await?;
        if number % SAMPLE == 0 {
            progress.set_position(number as u64);
            sampled.push_back((Instant::now(), delivery));
            while let Some((since, first)) = sampled.front_mut() {
                let Some(result) = futures_util::FutureExt::now_or_never(first) else { break };
                result?;
                latencies.push(since.elapsed());
                sampled.pop_front();
            }
        }
    }
    producer.flush().await;
    progress.finish_and_clear();
    for (since, delivery) in sampled {
        delivery.await?;
        latencies.push(since.elapsed());
    }
    let (wall, cpu) = (started.0.elapsed().as_secs_f64(), cpu_seconds().zip(started.1).map(|(end, start)| end - start));
    producer.close().await;
    latencies.sort_unstable();
    let quantile = |q: f64| latencies[((latencies.len() - 1) as f64 * q) as usize].as_secs_f64() * 1e3;
    let millions = options.count as f64 / 1e6;
    if json {
        let report = serde_json::json!({
            "records": options.count,
            "size": options.size,
            "seconds": wall,
            "records_per_second": options.count as f64 / wall,
            "bytes_per_second": (options.count * options.size) as f64 / wall,
            "cpu_seconds_per_million": cpu.map(|cpu| cpu / millions),
            "latency_ms": { "p50": quantile(0.5), "p99": quantile(0.99) },
        });
        return Ok(print(&report.to_string())?);
    }
    print(&format!(
        "{} records of {} B in {wall:.2} s: {:.0} records/s, {:.1} MB/s; CPU {} s per million; latency p50 {:.1} ms, p99 {:.1} ms",
        options.count,
        options.size,
        options.count as f64 / wall,
        millions * options.size as f64 / wall,
        cpu.map_or("not known".to_owned(), |cpu| format!("{:.3}", cpu / millions)),
        quantile(0.5),
        quantile(0.99),
    ))?;
    Ok(())
}

/// Reads the topic from the beginning; rates and CPU to stdout.
pub(crate) async fn consume(kafka: &Kafka, options: BenchConsume, json: bool) -> Result<(), Box<dyn Error>> {
    let started = (Instant::now(), cpu_seconds());
    let consumer = kafka.standalone_consumer().assign_topics([&*options.topic], OffsetSpec::Beginning).until_end();
    let mut consumer = consumer.build().await?;
    let wanted = options.count.unwrap_or(usize::MAX);
    let (mut records, mut bytes) = (0usize, 0usize);
    let progress = progress(options.count.unwrap_or(0) as u64);
    while records < wanted {
        if options.single {
            let Some(record) = consumer.recv().await? else { break };
            records += 1;
            bytes += record.key().map_or(0, <[u8]>::len) + record.value().map_or(0, <[u8]>::len);
            continue;
        }
        progress.set_position(records as u64);
        let Some(batch) = consumer.recv_batch().await? else { break };
        for record in &batch {
            let record = record?;
            records += 1;
            bytes += record.key().map_or(0, <[u8]>::len) + record.value().map_or(0, <[u8]>::len);
        }
    }
    let (wall, cpu) = (started.0.elapsed().as_secs_f64(), cpu_seconds().zip(started.1).map(|(end, start)| end - start));
    progress.finish_and_clear();
    consumer.close().await;
    let millions = records as f64 / 1e6;
    if json {
        let report = serde_json::json!({
            "records": records,
            "bytes": bytes,
            "seconds": wall,
            "records_per_second": records as f64 / wall,
            "bytes_per_second": bytes as f64 / wall,
            "cpu_seconds_per_million": cpu.map(|cpu| cpu / millions),
        });
        return Ok(print(&report.to_string())?);
    }
    print(&format!(
        "{records} records, {bytes} B in {wall:.2} s: {:.0} records/s, {:.1} MB/s; CPU {} s per million",
        records as f64 / wall,
        bytes as f64 / 1e6 / wall,
        cpu.map_or("not known".to_owned(), |cpu| format!("{:.3}", cpu / millions)),
    ))?;
    Ok(())
}

/// User and system time of this process, where /proc tells it.
fn cpu_seconds() -> Option<f64> {
    /// The unit of the two fields: USER_HZ, which is 100 on Linux everywhere.
    const TICKS: f64 = 100.0;
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // Behind the name, which may hold anything, in parentheses.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let user: f64 = fields.nth(11)?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / TICKS)
}
