//! An order service and two instances of a product service that exchange events: JSON, keyed by the order's id, so that all
//! events of one order stay in order. The instances are members of one group and share the work; when one stops, the other
//! goes on where it was.
//!
//! ```sh
//! cargo run --example orders                                              # on the embedded broker
//! KAFKA_BOOTSTRAP_SERVERS=localhost:9092 cargo run --example orders       # on a real one
//! ```
//!
//! The topic `order-create-event` is made if it is not there.

use std::{collections::HashSet, error::Error, time::Duration};

use milena::{AdminError, ConsumerEvent, Kafka, NewTopic, OffsetReset, Rebalance, Record};
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, watch};

type Failure = Box<dyn Error + Send + Sync>;

const TOPIC: &str = "order-create-event";
const GROUP: &str = "order-group";
const ORDERS: u64 = 10;

#[derive(Debug, Serialize, Deserialize)]
struct OrderCreated {
    order_id: u64,
    product: String,
    quantity: u32,
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let kafka = match std::env::var_os("KAFKA_BOOTSTRAP_SERVERS") {
        Some(_) => Kafka::from_env().await?,
        None => Kafka::embedded().await?,
    };
    match kafka.admin().create_topic(NewTopic::new(TOPIC).partitions(4)).await {
        Ok(_) | Err(AdminError::AlreadyExists { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    // Orders of this run, not those of an earlier one.
    let first = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_secs() * 1000;
    let (reserved, mut reports) = mpsc::channel(100);
    let (stop_one, one) = start("one", &kafka, &reserved);
    let (stop_two, two) = start("two", &kafka, &reserved);

    order_service(&kafka, first..first + ORDERS).await?;
    await_orders(&mut reports, first..first + ORDERS).await?;
    println!("two stops, one goes on alone");
    stop_two.send(true)?;
    two.await??;
    let more = first + ORDERS..first + 2 * ORDERS;
    order_service(&kafka, more.clone()).await?;
    await_orders(&mut reports, more).await?;
    stop_one.send(true)?;
    one.await??;
    println!("{} orders reserved", 2 * ORDERS);
    Ok(())
}

/// Tells the world of orders.
async fn order_service(kafka: &Kafka, orders: std::ops::Range<u64>) -> Result<(), Failure> {
    let producer = kafka.producer().build().await?;
    for order_id in orders {
        let order = OrderCreated { order_id, product: format!("product-{}", order_id % 3), quantity: 1 };
        let event = Record::to(TOPIC)
            .key(order_id.to_string())
            .value(serde_json::to_vec(&order)?)
            .header("type", "order.created");
        let ack = producer.send(event).await?;
        println!("order {order_id} is event {} of partition {}", ack.offset(), ack.partition());
    }
    producer.close().await;
    Ok(())
}

type Service = tokio::task::JoinHandle<Result<(), Failure>>;

/// An instance of the product service, and how to stop it.
fn start(name: &'static str, kafka: &Kafka, reserved: &mpsc::Sender<u64>) -> (watch::Sender<bool>, Service) {
    let (stop, stopped) = watch::channel(false);
    (stop, tokio::spawn(product_service(name, kafka.clone(), reserved.clone(), stopped)))
}

/// Reserves what was ordered. An event that it cannot read is told and stepped over: it stops nobody.
async fn product_service(
    name: &'static str,
    kafka: Kafka,
    reserved: mpsc::Sender<u64>,
    mut stopped: watch::Receiver<bool>,
) -> Result<(), Failure> {
    let consumer = kafka.consumer(GROUP).subscribe([TOPIC]).auto_offset_reset(OffsetReset::Earliest);
    let mut consumer = consumer.build().await?;
    loop {
        let event = tokio::select! {
            event = consumer.next_event() => event?,
            _ = stopped.wait_for(|stopped| *stopped) => None,
        };
        match event {
            Some(ConsumerEvent::Record(record)) => {
                match serde_json::from_slice::<OrderCreated>(record.value().unwrap_or_default()) {
                    Ok(order) => {
                        println!(
                            "{name}: {} of {} reserved for order {}",
                            order.quantity, order.product, order.order_id
                        );
                        reserved.send(order.order_id).await?;
                    }
                    Err(error) => {
                        eprintln!("{name}: event {} of partition {}: {error}", record.offset(), record.partition());
                    }
                }
            }
            Some(ConsumerEvent::Rebalance(Rebalance::Assigned(partitions))) => {
                println!("{name}: has {} partitions more", partitions.len());
            }
            Some(ConsumerEvent::Rebalance(gone)) => println!("{name}: {gone:?}"),
            None => break,
        }
    }
    // Commits what was handled, and leaves its partitions to the other at once.
    consumer.close().await;
    Ok(())
}

async fn await_orders(reports: &mut mpsc::Receiver<u64>, orders: std::ops::Range<u64>) -> Result<(), Failure> {
    let mut missing: HashSet<u64> = orders.collect();
    while !missing.is_empty() {
        let order = tokio::time::timeout(Duration::from_secs(60), reports.recv()).await?.ok_or("nobody reserves")?;
        missing.remove(&order);
    }
    Ok(())
}
