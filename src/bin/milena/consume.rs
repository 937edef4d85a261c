use std::{error::Error, io::Write};

use milena::{ConsumerRecord, Kafka, OffsetReset, OffsetSpec, TopicPartition};

use crate::{args::Consume, consume_group, stop};

/// What is printed at most before it is flushed, in bytes.
pub(crate) const BUFFER: usize = 64 << 10;

/// Prints records as they come, until the count, the end, or a signal to stop.
pub(crate) async fn run(kafka: &Kafka, options: Consume, json: bool) -> Result<(), Box<dyn Error>> {
    if let Some(group) = options.group.clone() {
        return consume_group::run(kafka, &group, options, json).await;
    }
    let from = options.from.unwrap_or(OffsetSpec::End);
    let mut builder = kafka.standalone_consumer().auto_offset_reset(OffsetReset::Earliest);
    builder = match options.partition {
        None => builder.assign_topics(options.topics.iter().map(String::as_str), from),
        Some(number) => {
            let partition = |topic: &String| (TopicPartition::new(topic.as_str(), number), from);
            builder.assign(options.topics.iter().map(partition))
        }
    };
    if options.exit_at_end {
        builder = builder.until_end();
    }
    let mut consumer = builder.build().await?;
    let mut out = Vec::with_capacity(BUFFER);
    let mut left = options.count.unwrap_or(u64::MAX);
    let mut interrupted = std::pin::pin!(stop::signal());
    while left > 0 {
        let record = match futures_util::FutureExt::now_or_never(consumer.recv()) {
            Some(record) => record?,
            // Whoever reads sees what there is while nothing comes.
            None => {
                flush(&mut out)?;
                tokio::select! {
                    record = consumer.recv() => record?,
                    _ = &mut interrupted => break,
                }
            }
        };
        let Some(record) = record else { break };
        print(&mut out, &record, &options, json)?;
        if out.len() >= BUFFER {
            flush(&mut out)?;
        }
        left -= 1;
    }
    flush(&mut out)?;
    consumer.close().await;
    Ok(())
}

pub(crate) fn print(
    out: &mut Vec<u8>,
    record: &ConsumerRecord,
    options: &Consume,
    json: bool,
) -> Result<(), Box<dyn Error>> {
    if !json {
        options.format.write(out, record);
        return Ok(());
    }
    let text = |bytes: Option<&[u8]>| bytes.map(|b| String::from_utf8_lossy(b).into_owned());
    let headers: Vec<_> =
        record.headers().map(|h| serde_json::json!({ "name": h.name(), "value": text(h.value()) })).collect();
    let object = serde_json::json!({
        "topic": record.topic(),
        "partition": record.partition(),
        "offset": record.offset(),
        "timestamp": record.timestamp().as_millis(),
        "key": text(record.key()),
        "value": text(record.value()),
        "headers": headers,
    });
    serde_json::to_writer(&mut *out, &object)?;
    out.push(b'\n');
    Ok(())
}

pub(crate) fn flush(out: &mut Vec<u8>) -> std::io::Result<()> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(out)?;
    out.clear();
    stdout.flush()
}
