//! Members of one group share a topic's partitions, keep their offsets, and hand over when one of them goes.

mod support;

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use milena::{
    Consumer, ConsumerEvent, Kafka, OffsetReset, Rebalance, Record, TopicPartition,
    assignor::{Assignor, CooperativeStickyAssignor, RangeAssignor, RoundRobinAssignor, StickyAssignor},
};
use support::{broker, eventually, unique};
use tokio::{sync::mpsc, task::JoinHandle};

const SOON: Duration = Duration::from_secs(30);

fn assignors() -> Vec<Arc<dyn Assignor>> {
    vec![
        Arc::new(RangeAssignor),
        Arc::new(RoundRobinAssignor),
        Arc::new(StickyAssignor),
        Arc::new(CooperativeStickyAssignor),
    ]
}

async fn produce(kafka: &Kafka, topic: &str, numbers: std::ops::Range<u32>) {
    let producer = kafka.producer().build().await.unwrap();
    for number in numbers {
        let (key, value) = (number.to_string(), number.to_string());
        drop(producer.enqueue(Record::to(topic).key(&key).value(&value)).await.unwrap());
    }
    producer.close().await;
}

async fn join(kafka: &Kafka, group: &str, topic: &str, assignor: &Arc<dyn Assignor>) -> Consumer {
    let builder = kafka.consumer(group).subscribe([topic]).auto_offset_reset(OffsetReset::Earliest);
    // A rebalance is heard of with the next heartbeat.
    let builder = builder.set("heartbeat.interval.ms", "300");
    builder.assignors([Arc::clone(assignor)]).build().await.unwrap()
}

/// A member in a task of its own: what it owns, and the numbers that it reads.
struct Member {
    owned: Arc<parking_lot::Mutex<BTreeSet<TopicPartition>>>,
    stop: mpsc::Sender<()>,
    task: JoinHandle<()>,
}

impl Member {
    fn start(mut consumer: Consumer, read: mpsc::UnboundedSender<(i32, i64, u32)>) -> Member {
        let owned = Arc::new(parking_lot::Mutex::new(BTreeSet::new()));
        let (stop, mut stopped) = mpsc::channel(1);
        let task = tokio::spawn({
            let owned = Arc::clone(&owned);
            async move {
                loop {
                    let event = tokio::select! {
                        event = consumer.next_event() => event.unwrap().unwrap(),
                        _ = stopped.recv() => break,
                    };
                    match event {
                        ConsumerEvent::Record(record) => {
                            let number = std::str::from_utf8(record.value().unwrap()).unwrap().parse().unwrap();
                            read.send((record.partition(), record.offset(), number)).unwrap();
                        }
                        ConsumerEvent::Rebalance(Rebalance::Assigned(partitions)) => owned.lock().extend(partitions),
                        ConsumerEvent::Rebalance(Rebalance::Revoked(gone) | Rebalance::Lost(gone)) => {
                            owned.lock().retain(|at| !gone.contains(at));
                        }
                        other => panic!("{other:?}"),
                    }
                }
                consumer.close().await;
            }
        });
        Member { owned, stop, task }
    }

    fn owns(&self) -> usize {
        self.owned.lock().len()
    }

    async fn close(self) {
        self.stop.send(()).await.unwrap();
        self.task.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_members_share_and_hand_over() {
    let broker = broker();
    let kafka = Kafka::connect(broker.bootstrap()).await.unwrap();
    for assignor in assignors() {
        let (group, topic) = (unique("share"), broker.topic("share", 6).await);
        produce(&kafka, &topic, 0..500).await;
        let (tell, mut read) = mpsc::unbounded_channel();
        let one = Member::start(join(&kafka, &group, &topic, &assignor).await, tell.clone());
        eventually(SOON, "the first has all", async || one.owns() == 6).await;
        let two = Member::start(join(&kafka, &group, &topic, &assignor).await, tell.clone());
        eventually(SOON, "they share", async || (one.owns(), two.owns()) == (3, 3)).await;
        produce(&kafka, &topic, 500..1000).await;
        one.close().await;
        eventually(SOON, "the second has all", async || two.owns() == 6).await;
        produce(&kafka, &topic, 1000..1500).await;
        let mut seen: HashMap<u32, usize> = HashMap::new();
        while seen.len() < 1500 {
            let (_, _, number) = tokio::time::timeout(SOON, read.recv()).await.expect("all are read").unwrap();
            *seen.entry(number).or_default() += 1;
        }
        two.close().await;
        assert!(read.try_recv().is_err());
        assert!(
            seen.values().all(|times| *times == 1),
            "{assignor:?}: {:?}",
            seen.iter().find(|(_, times)| **times > 1)
        );
    }
}

#[tokio::test]
async fn a_member_goes_on_where_it_committed() {
    let broker = broker();
    let kafka = Kafka::connect(broker.bootstrap()).await.unwrap();
    let (group, topic) = (unique("resume"), broker.topic("resume", 1).await);
    produce(&kafka, &topic, 0..100).await;
    let range: Arc<dyn Assignor> = Arc::new(RangeAssignor);
    let builder = || {
        let builder = kafka.consumer(&*group).subscribe([&*topic]).auto_offset_reset(OffsetReset::Earliest);
        builder.assignors([Arc::clone(&range)]).auto_commit(None)
    };
    let mut consumer = builder().build().await.unwrap();
    for number in 0..10 {
        assert_eq!(consumer.recv().await.unwrap().unwrap().offset(), number);
    }
    consumer.commit().await.unwrap();
    let eleventh = consumer.recv().await.unwrap().unwrap();
    let at = eleventh.topic_partition();
    assert_eq!(consumer.committed(std::slice::from_ref(&at)).await.unwrap()[&at].offset, 10);
    consumer.close().await;

    let mut consumer = builder().build().await.unwrap();
    let record = consumer.recv().await.unwrap().unwrap();
    assert_eq!(record.offset(), 10, "nothing was committed on close");
    consumer.commit_record(&record).await.unwrap();
    let not_mine = TopicPartition::new(&*topic, 7);
    assert!(consumer.commit_offsets([(not_mine, 1)]).await.is_err());
    drop(consumer);

    let mut consumer = builder().build().await.unwrap();
    assert_eq!(tokio::time::timeout(SOON, consumer.recv()).await.unwrap().unwrap().unwrap().offset(), 11);
    consumer.close().await;
}
