//! A group goes over from an eager assignor to a cooperative one by two rolling restarts of its members (KIP-429), and reads on.

mod support;

use std::{sync::Arc, time::Duration};

use milena::{
    Kafka,
    assignor::{Assignor, CooperativeStickyAssignor, RangeAssignor},
};
use support::{Commits, Happening, Journal, Member, Numbers, broker, eventually, new_topic, quick, unique};

const SOON: Duration = Duration::from_secs(30);
const PARTITIONS: usize = 6;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_eager_to_cooperative_by_offering_both_in_between() {
    let broker = broker();
    let kafka = Kafka::connect(broker.bootstrap()).await.unwrap();
    let (group, topic) = (unique("upgrade"), new_topic(broker.bootstrap(), "upgrade", PARTITIONS as i32).await);
    let mut numbers = Numbers::new(&kafka.producer().build().await.unwrap(), &topic, PARTITIONS as u32);
    let journal = Journal::new();
    let (range, cooperative): (Arc<dyn Assignor>, Arc<dyn Assignor>) =
        (Arc::new(RangeAssignor), Arc::new(CooperativeStickyAssignor));
    let start = async |name: &str, assignors: Vec<Arc<dyn Assignor>>| {
        let builder = quick(&kafka, &group).subscribe([&*topic]).assignors(assignors).auto_commit(None);
        Member::start(name, builder.build().await.unwrap(), &journal, Commits::Every(10))
    };
    let mut members = vec![start("a", vec![range.clone()]).await, start("b", vec![range.clone()]).await];
    let mut sent = 0;
    let upgrades = [
        ("c", vec![cooperative.clone(), range.clone()]),
        ("d", vec![cooperative.clone(), range.clone()]),
        ("e", vec![cooperative.clone()]),
        ("f", vec![cooperative.clone()]),
        ("g", vec![cooperative.clone()]),
    ];
    for (name, assignors) in upgrades {
        let names: Vec<&str> = members.iter().map(Member::name).collect();
        eventually(SOON, "they share", async || journal.shared_by(&names, PARTITIONS)).await;
        numbers.send(60).await;
        sent += 60;
        eventually(SOON, "all are read", async || journal.has_all(sent)).await;
        if name != "g" {
            members.remove(0).close().await;
        }
        members.push(start(name, assignors).await);
    }
    eventually(SOON, "they share", async || journal.shared_by(&["e", "f", "g"], PARTITIONS)).await;
    numbers.send(60).await;
    eventually(SOON, "all are read", async || journal.has_all(sent + 60)).await;
    journal.assert_nothing_twice();
    journal.assert_one_owner();
    // All are cooperative by now: the last that came took one from each.
    for name in ["e", "f"] {
        let last = journal.of(name).into_iter().rev().find_map(|what| match what {
            Happening::Revoked(partitions) => Some(partitions.len()),
            _ => None,
        });
        assert_eq!(last, Some(1), "{name}: {:?}", journal.of(name));
    }
    for member in members {
        member.close().await;
    }
}
