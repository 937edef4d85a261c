//! Measures librdkafka through the crate `rdkafka`: `produce`, `consume`, `latency`, `group-restart`. It also does the runner's own
//! work: `create`, `delete` and `count` a topic, so that milena is not counted by itself.

use std::{
    process::ExitCode,
    sync::{
        OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use milena_peers::{
    Arguments, Failure, Report, Tally, Values,
    group::{self, Owners},
    in_task, latencies, main_of, settings,
};
use rdkafka::{
    ClientConfig, ClientContext, Message, Offset, TopicPartitionList,
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::DefaultClientContext,
    consumer::{BaseConsumer, Consumer, ConsumerContext, Rebalance, StreamConsumer},
    error::KafkaError,
    producer::{BaseProducer, BaseRecord, DeliveryResult, FutureProducer, FutureRecord, Producer, ProducerContext},
    types::RDKafkaErrorCode,
};
use tokio::{sync::oneshot, task::JoinHandle};

const LIMIT: Duration = Duration::from_secs(120);

fn main() -> ExitCode {
    main_of(run)
}

fn run(arguments: Arguments) -> Result<Report, Failure> {
    match &*arguments.command {
        "produce" => produce(&arguments),
        "consume" => consume(&arguments),
        "latency" => in_task(latency(arguments)),
        "group-restart" => in_task(async move {
            let members = Members::of(&arguments)?;
            group::restart(&arguments, members.owners.clone(), members).await
        }),
        "create" => in_task(create(arguments)),
        "delete" => in_task(delete(arguments)),
        "count" => count(&arguments),
        other => Err(format!("unknown command {other}").into()),
    }
}

fn client(arguments: &Arguments) -> Result<ClientConfig, Failure> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", arguments.text("brokers")?);
    // As every other client has it.
    config.set("socket.nagle.disable", "true");
    Ok(config)
}

fn producer(arguments: &Arguments) -> Result<ClientConfig, Failure> {
    let mut config = client(arguments)?;
    config
        .set("acks", "all")
        .set("enable.idempotence", "true")
        .set("max.in.flight.requests.per.connection", "5")
        .set("linger.ms", arguments.text("linger-ms")?)
        .set("batch.size", arguments.text("batch-bytes")?)
        .set("compression.type", arguments.text("codec")?)
        // Where Java's producer puts a key.
        .set("partitioner", "murmur2_random")
        .set("queue.buffering.max.kbytes", (settings::BUFFER_BYTES >> 10).to_string())
        // Bytes alone are the bounds, as with the others.
        .set("queue.buffering.max.messages", "10000000")
        .set("batch.num.messages", "1000000");
    Ok(config)
}

/// Counts delivery reports, and notes when the last came: `BaseProducer::flush` looks only every 100 ms.
struct Reports {
    wanted: usize,
    delivered: AtomicUsize,
    failed: AtomicUsize,
    last: OnceLock<Instant>,
}

impl ClientContext for Reports {}

impl ProducerContext for Reports {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        let counter = if result.is_ok() { &self.delivered } else { &self.failed };
        if counter.fetch_add(1, Ordering::Relaxed) + 1 == self.wanted {
            let _ = self.last.set(Instant::now());
        }
    }
}

fn produce(arguments: &Arguments) -> Result<Report, Failure> {
    /// So many records are sent between two looks at the delivery reports.
    const BETWEEN_POLLS: usize = 100;
    let (topic, wanted) = (arguments.text("topic")?, arguments.number("count")?);
    let size = arguments.number("size")?;
    let keyed = arguments.has("keyed");
    let values = Values::new(size);
    let reports =
        Reports { wanted, delivered: AtomicUsize::new(0), failed: AtomicUsize::new(0), last: OnceLock::new() };
    let producer: BaseProducer<Reports> = producer(arguments)?.create_with_context(reports)?;
    let started = Instant::now();
    for number in 0..wanted {
        let key = (number as u64).to_be_bytes();
        let mut record = BaseRecord::<[u8], [u8]>::to(topic).payload(values.of(number));
        if keyed {
            record = record.key(&key);
        }
        while let Err((error, back)) = producer.send(record) {
            let KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull) = error else { return Err(error.into()) };
            record = back;
            producer.poll(Duration::from_millis(1));
        }
        if number % BETWEEN_POLLS == 0 {
            producer.poll(Duration::ZERO);
        }
    }
    producer.flush(LIMIT)?;
    let reports = producer.context();
    let last = *reports.last.get().ok_or_else(|| {
        format!(
            "{} delivered, {} failed",
            reports.delivered.load(Ordering::Relaxed),
            reports.failed.load(Ordering::Relaxed)
        )
    })?;
    let bytes = wanted * (size + if keyed { 8 } else { 0 });
    Ok(Report::default()
        .with("records", wanted)
        .with("seconds", last.duration_since(started).as_secs_f64())
        .with("bytes", bytes))
}

fn consume(arguments: &Arguments) -> Result<Report, Failure> {
    let (topic, wanted) = (arguments.text("topic")?, arguments.number("count")?);
    let started = Instant::now();
    let mut config = client(arguments)?;
    config
        // The crate refuses to be without one; it is never joined.
        .set("group.id", "peers")
        .set("enable.auto.commit", "false")
        .set("check.crcs", "true")
        .set("isolation.level", "read_committed")
        .set("fetch.min.bytes", "1")
        .set("fetch.wait.max.ms", settings::FETCH_WAIT_MS.to_string())
        .set("fetch.max.bytes", settings::FETCH_MAX_BYTES.to_string())
        .set("fetch.message.max.bytes", settings::PARTITION_FETCH_BYTES.to_string())
        .set("queued.max.messages.kbytes", (settings::BUFFER_BYTES >> 10).to_string());
    // Its defaults stop fetching at 100,000 records, for up to a second: half of the speed.
    config.set("queued.min.messages", "1000000").set("fetch.queue.backoff.ms", "10");
    let consumer: BaseConsumer = config.create()?;
    let mut partitions = TopicPartitionList::new();
    for partition in 0..partition_count(&consumer, topic)? {
        partitions.add_partition_offset(topic, partition, Offset::Beginning)?;
    }
    consumer.assign(&partitions)?;
    let mut tally = Tally::default();
    while tally.records < wanted {
        let message = consumer.poll(LIMIT).ok_or("nothing came")??;
        tally.add(message.partition(), message.offset(), message.key(), message.payload());
    }
    Ok(tally.report(started.elapsed()))
}

async fn latency(arguments: Arguments) -> Result<Report, Failure> {
    let (topic, wanted) = (arguments.text("topic")?, arguments.number("count")?);
    let warm_up = arguments.number("warm-up")?;
    let values = Values::new(arguments.number("size")?);
    let producer: FutureProducer = producer(&arguments)?.create()?;
    let mut each = Vec::with_capacity(wanted);
    for number in 0..warm_up + wanted {
        let record = FutureRecord::<[u8], [u8]>::to(topic).payload(values.of(number));
        let sent = Instant::now();
        producer.send(record, LIMIT).await.map_err(|(error, _)| error)?;
        if number >= warm_up {
            each.push(sent.elapsed());
        }
    }
    Ok(latencies(each))
}

/// Makes members of one group.
#[derive(Clone)]
struct Members {
    config: ClientConfig,
    topic: String,
    owners: Owners,
}

impl Members {
    fn of(arguments: &Arguments) -> Result<Members, Failure> {
        let mut config = client(arguments)?;
        config.set("group.id", arguments.text("group")?);
        config.set("partition.assignment.strategy", arguments.text("assignor")?);
        for (name, value) in group::SETTINGS {
            config.set(name, value);
        }
        Ok(Members { config, topic: arguments.text("topic")?.to_owned(), owners: Owners::default() })
    }
}

/// Tells what a member is given.
struct Telling(usize, Owners);

impl ClientContext for Telling {}

impl ConsumerContext for Telling {
    fn pre_rebalance(&self, _: &BaseConsumer<Self>, news: &Rebalance<'_>) {
        let indices = |of: &TopicPartitionList| of.elements().iter().map(|at| at.partition()).collect::<Vec<_>>();
        match news {
            Rebalance::Assign(partitions) => self.1.begin(self.0, indices(partitions)),
            // Before others can have them.
            Rebalance::Revoke(partitions) => self.1.end(self.0, indices(partitions)),
            Rebalance::Error(_) => {}
        }
    }
}

/// A member's task, and how it is told to end.
struct Member(oneshot::Sender<()>, JoinHandle<Result<(), Failure>>);

impl group::Client for Members {
    type Member = Member;

    async fn start(&self, number: usize) -> Result<Member, Failure> {
        let telling = Telling(number, self.owners.clone());
        let consumer: StreamConsumer<Telling> = self.config.create_with_context(telling)?;
        consumer.subscribe(&[&self.topic])?;
        let (stop, mut stopped) = oneshot::channel();
        let task = tokio::spawn(async move {
            loop {
                tokio::select! {
                    // It tells of what it tries again itself, as errors.
                    received = consumer.recv() => if let Err(error) = received {
                        eprintln!("member {number}: {error}");
                    },
                    _ = &mut stopped => break,
                }
            }
            // It leaves, and waits for its threads.
            tokio::task::spawn_blocking(|| drop(consumer)).await?;
            Ok(())
        });
        Ok(Member(stop, task))
    }

    async fn stop(Member(stop, task): Member) -> Result<(), Failure> {
        drop(stop);
        task.await?
    }
}

fn partition_count(consumer: &BaseConsumer, topic: &str) -> Result<i32, Failure> {
    let metadata = consumer.fetch_metadata(Some(topic), LIMIT)?;
    let topic = metadata.topics().first().ok_or("no such topic")?;
    Ok(i32::try_from(topic.partitions().len())?)
}

async fn create(arguments: Arguments) -> Result<Report, Failure> {
    let admin: AdminClient<DefaultClientContext> = client(&arguments)?.create()?;
    let partitions = i32::try_from(arguments.number("partitions")?)?;
    let topic = NewTopic::new(arguments.text("topic")?, partitions, TopicReplication::Fixed(1))
        // The disk is given back soon after the topic is deleted.
        .set("file.delete.delay.ms", "1000");
    for result in admin.create_topics([&topic], &AdminOptions::new()).await? {
        result.map_err(|(topic, code)| format!("{topic}: {code}"))?;
    }
    Ok(Report::default())
}

async fn delete(arguments: Arguments) -> Result<Report, Failure> {
    let admin: AdminClient<DefaultClientContext> = client(&arguments)?.create()?;
    for result in admin.delete_topics(&[arguments.text("topic")?], &AdminOptions::new()).await? {
        result.map_err(|(topic, code)| format!("{topic}: {code}"))?;
    }
    Ok(Report::default())
}

/// Records in the log: the sum of its end offsets.
fn count(arguments: &Arguments) -> Result<Report, Failure> {
    let topic = arguments.text("topic")?;
    let consumer: BaseConsumer = client(arguments)?.set("group.id", "peers").create()?;
    let mut records = 0;
    for partition in 0..partition_count(&consumer, topic)? {
        let (start, end) = consumer.fetch_watermarks(topic, partition, LIMIT)?;
        records += end - start;
    }
    Ok(Report::default().with("records", records))
}
