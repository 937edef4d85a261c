//! An order service and a product service that exchange events: JSON, keyed by the order's id, so that all events of one
//! order stay in order.
//!
//! ```sh
//! KAFKA_BOOTSTRAP_SERVERS=localhost:9092 cargo run --example orders
//! ```
//!
//! The topic `order-create-event` must exist, or the broker make it.

use std::{error::Error, time::Duration};

use milena::{Kafka, OffsetSpec, Record};
use serde::{Deserialize, Serialize};

type Failure = Box<dyn Error + Send + Sync>;

const TOPIC: &str = "order-create-event";
const ORDERS: u64 = 10;

#[derive(Debug, Serialize, Deserialize)]
struct OrderCreated {
    order_id: u64,
    product: String,
    quantity: u32,
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let kafka = Kafka::from_env().await?;
    // The product service is there first: it reads what comes from now on.
    let (ready, is_ready) = tokio::sync::oneshot::channel();
    let products = tokio::spawn(product_service(kafka.clone(), ready));
    is_ready.await?;
    order_service(&kafka).await?;
    let reserved = tokio::time::timeout(Duration::from_secs(30), products).await???;
    println!("{reserved} orders reserved");
    Ok(())
}

/// Tells the world of orders.
async fn order_service(kafka: &Kafka) -> Result<(), Failure> {
    let producer = kafka.producer().build().await?;
    for order_id in 1..=ORDERS {
        let order = OrderCreated { order_id, product: format!("product-{}", order_id % 3), quantity: order_id as u32 };
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

/// Reserves what was ordered. An event that it cannot read is told and stepped over: it stops nobody.
async fn product_service(kafka: Kafka, ready: tokio::sync::oneshot::Sender<()>) -> Result<u64, Failure> {
    let mut consumer = kafka.standalone_consumer().assign_topics([TOPIC], OffsetSpec::End).build().await?;
    let partitions = consumer.assignment();
    // Where "the end" is counts from here.
    for (partition, end) in consumer.end_offsets(&partitions).await? {
        consumer.seek(&partition, end)?;
    }
    let _ = ready.send(());
    let mut reserved = 0;
    while reserved < ORDERS {
        let Some(event) = consumer.recv().await? else { break };
        match serde_json::from_slice::<OrderCreated>(event.value().unwrap_or_default()) {
            Ok(order) => {
                println!("order {}: {} of {} reserved", order.order_id, order.quantity, order.product);
                reserved += 1;
            }
            Err(error) => eprintln!("event {} of partition {}: {error}", event.offset(), event.partition()),
        }
    }
    consumer.close().await;
    Ok(reserved)
}
