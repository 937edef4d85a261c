//! Measures milena: `produce` (`--deliveries` to look at each record's acknowledgement), `consume` (`--single` for one
//! record at a time), `latency`, `group-restart`.

use std::{
    collections::VecDeque,
    pin::Pin,
    process::ExitCode,
    task::{Context, Poll, Waker},
    time::Instant,
};

use milena::{
    Consumer, ConsumerEvent, Delivery, Kafka, OffsetSpec, Producer, Properties, Rebalance, Record, TopicPartition,
};
use milena_peers::{
    Arguments, Failure, Report, Tally, Values,
    group::{self, Owners},
    in_task, latencies, main_of, settings,
};
use tokio::{sync::oneshot, task::JoinHandle};

fn main() -> ExitCode {
    main_of(|arguments| in_task(run(arguments)))
}

async fn run(arguments: Arguments) -> Result<Report, Failure> {
    match &*arguments.command {
        "produce" => produce(&arguments).await,
        "consume" => consume(&arguments).await,
        "latency" => latency(&arguments).await,
        "group-restart" => {
            let members = Members::of(&arguments).await?;
            group::restart(&arguments, members.owners.clone(), members).await
        }
        other => Err(format!("unknown command {other}").into()),
    }
}

async fn connect(arguments: &Arguments) -> Result<Kafka, Failure> {
    let properties = Properties::from_iter([("bootstrap.servers", arguments.text("brokers")?)]);
    Ok(Kafka::with_properties(properties).await?)
}

async fn producer(arguments: &Arguments) -> Result<Producer, Failure> {
    let producer = connect(arguments)
        .await?
        .producer()
        .set("acks", "all")
        .set("enable.idempotence", "true")
        .set("max.in.flight.requests.per.connection", "5")
        .set("linger.ms", arguments.text("linger-ms")?)
        .set("batch.size", arguments.text("batch-bytes")?)
        .set("buffer.memory", settings::BUFFER_BYTES.to_string())
        .set("compression.type", arguments.text("codec")?);
    Ok(producer.build().await?)
}

async fn produce(arguments: &Arguments) -> Result<Report, Failure> {
    /// So many records are sent between two looks at the deliveries.
    const BETWEEN_LOOKS: usize = 100;
    let (topic, count) = (arguments.text("topic")?, arguments.number("count")?);
    let size = arguments.number("size")?;
    let (keyed, with_deliveries) = (arguments.has("keyed"), arguments.has("deliveries"));
    let mut deliveries = VecDeque::new();
    let values = Values::new(size);
    let producer = producer(arguments).await?;
    let started = Instant::now();
    for number in 0..count {
        let key = (number as u64).to_be_bytes();
        let mut record = Record::to(topic).value(values.of(number));
        if keyed {
            record = record.key(&key);
        }
        let delivery = producer.enqueue(record).await?;
        // Dropped, a failure is seen as a record that is missing in the log, where the runner counts.
        if with_deliveries {
            deliveries.push_back(delivery);
            if number % BETWEEN_LOOKS == 0 {
                take_finished(&mut deliveries)?;
            }
        }
    }
    producer.flush().await;
    for delivery in deliveries {
        delivery.await?;
    }
    let wall = started.elapsed();
    producer.close().await;
    let bytes = count * (size + if keyed { 8 } else { 0 });
    Ok(Report::default().with("records", count).with("seconds", wall.as_secs_f64()).with("bytes", bytes))
}

/// Removes the deliveries at the front that are done.
fn take_finished(deliveries: &mut VecDeque<Delivery>) -> Result<(), Failure> {
    let mut context = Context::from_waker(Waker::noop());
    while let Some(front) = deliveries.front_mut() {
        let Poll::Ready(result) = Pin::new(front).poll(&mut context) else { break };
        result?;
        deliveries.pop_front();
    }
    Ok(())
}

async fn consume(arguments: &Arguments) -> Result<Report, Failure> {
    let count = arguments.number("count")?;
    let started = Instant::now();
    let mut consumer = connect(arguments)
        .await?
        .standalone_consumer()
        .set("check.crcs", "true")
        .set("isolation.level", "read_committed")
        .set("fetch.min.bytes", "1")
        .set("fetch.max.wait.ms", settings::FETCH_WAIT_MS.to_string())
        .set("fetch.max.bytes", settings::FETCH_MAX_BYTES.to_string())
        .set("max.partition.fetch.bytes", settings::PARTITION_FETCH_BYTES.to_string())
        .set("queued.max.messages.kbytes", (settings::BUFFER_BYTES >> 10).to_string())
        .assign_topics([arguments.text("topic")?], OffsetSpec::Beginning)
        .build()
        .await?;
    let mut tally = Tally::default();
    if arguments.has("single") {
        while tally.records < count {
            let record = consumer.recv().await?.ok_or("the topic ended")?;
            tally.add(record.partition(), record.offset(), record.key(), record.value());
        }
    } else {
        while tally.records < count {
            let batch = consumer.recv_batch().await?.ok_or("the topic ended")?;
            for record in &batch {
                let record = record?;
                tally.add(batch.partition(), record.offset(), record.key(), record.value());
            }
        }
    }
    let wall = started.elapsed();
    consumer.close().await;
    Ok(tally.report(wall))
}

async fn latency(arguments: &Arguments) -> Result<Report, Failure> {
    let (topic, count) = (arguments.text("topic")?, arguments.number("count")?);
    let warm_up = arguments.number("warm-up")?;
    let values = Values::new(arguments.number("size")?);
    let producer = producer(arguments).await?;
    let mut each = Vec::with_capacity(count);
    for number in 0..warm_up + count {
        let record = Record::to(topic).value(values.of(number));
        let sent = Instant::now();
        producer.send(record).await?;
        if number >= warm_up {
            each.push(sent.elapsed());
        }
    }
    producer.close().await;
    Ok(latencies(each))
}

/// Makes members of one group.
#[derive(Clone)]
struct Members {
    kafka: Kafka,
    group: String,
    topic: String,
    assignor: String,
    owners: Owners,
}

impl Members {
    async fn of(arguments: &Arguments) -> Result<Members, Failure> {
        let assignor = arguments.text("assignor")?.to_owned();
        let (topic, group) = (arguments.text("topic")?.to_owned(), arguments.text("group")?.to_owned());
        Ok(Members { kafka: connect(arguments).await?, group, topic, assignor, owners: Owners::default() })
    }
}

/// A member's task, and how it is told to end.
struct Member(oneshot::Sender<()>, JoinHandle<Result<(), Failure>>);

impl group::Client for Members {
    type Member = Member;

    async fn start(&self, number: usize) -> Result<Member, Failure> {
        let consumer = self.kafka.consumer(&*self.group).subscribe([&*self.topic]);
        let consumer = group::SETTINGS.iter().fold(consumer, |consumer, (name, value)| consumer.set(*name, *value));
        let consumer = consumer.set("partition.assignment.strategy", &*self.assignor).build().await?;
        let (stop, stopped) = oneshot::channel();
        Ok(Member(stop, tokio::spawn(read(consumer, number, self.owners.clone(), stopped))))
    }

    async fn stop(Member(stop, task): Member) -> Result<(), Failure> {
        drop(stop);
        task.await?
    }
}

async fn read(
    mut consumer: Consumer,
    number: usize,
    owners: Owners,
    mut stopped: oneshot::Receiver<()>,
) -> Result<(), Failure> {
    let indices = |partitions: Vec<TopicPartition>| partitions.into_iter().map(|at| at.partition);
    loop {
        let event = tokio::select! {
            event = consumer.next_event() => event?,
            _ = &mut stopped => break,
        };
        match event {
            Some(ConsumerEvent::Rebalance(Rebalance::Assigned(partitions))) => {
                owners.begin(number, indices(partitions))
            }
            Some(ConsumerEvent::Rebalance(Rebalance::Revoked(partitions) | Rebalance::Lost(partitions))) => {
                owners.end(number, indices(partitions));
            }
            Some(_) => {}
            None => return Err("the consumer ended".into()),
        }
    }
    owners.gone(number);
    consumer.close().await;
    Ok(())
}
