use std::{
    collections::BTreeSet,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::{
    task::JoinSet,
    time::{Instant, sleep_until},
};

use super::{sender, shared::Shared};

/// How late an overdue wait may end, while there is something to wait for.
const TICK: Duration = Duration::from_millis(100);

/// Starts senders, keeps the metadata fresh, hands partitions to their leaders' senders and ends overdue waits, until the
/// producer closes.
pub(super) async fn run(shared: Arc<Shared>) {
    let mut senders = JoinSet::new();
    let mut started: BTreeSet<i32> = BTreeSet::new();
    let mut picture = shared.cluster.watch();
    let mut refreshing = None;
    // A point in time, not a pause: what else happens, however often, must not put it off.
    let mut expire_next = Instant::now();
    while !shared.closed.load(Ordering::Acquire) {
        for (broker, list) in shared.lists.lock().iter() {
            if started.insert(*broker) {
                senders.spawn(sender::run(Arc::clone(&shared), *broker, Arc::clone(list)));
            }
        }
        if refreshing.is_none() && (shared.stale.swap(false, Ordering::AcqRel) || is_due(&shared)) {
            let cluster = Arc::clone(&shared.cluster);
            refreshing = Some(Box::pin(async move { cluster.refresh().await.map(drop) }));
        }
        let wake = match shared.doze() {
            true => Instant::now() + shared.cluster.config().metadata_max_age,
            false => expire_next,
        };
        let refresh = async {
            match &mut refreshing {
                Some(refresh) => refresh.await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            done = refresh => {
                refreshing = None;
                if done.is_err() {
                    // The cluster keeps its own back-off between refreshes.
                    shared.stale.store(true, Ordering::Release);
                }
            }
            _ = picture.changed() => hand_over(&shared),
            () = shared.keeper.notified() => {}
            () = sleep_until(wake) => {}
        }
        let now = Instant::now();
        if expire_next <= now {
            expire(&shared, now);
            expire_next = now + TICK;
        }
    }
    senders.shutdown().await;
    // Who waits for memory gets it, and then meets a closed producer.
    let abandoned = shared.slots().iter().map(|slot| slot.queue.lock().abandon()).sum();
    shared.memory.give(abandoned);
}

fn is_due(shared: &Shared) -> bool {
    !shared.topics().is_empty() && shared.cluster.is_old(Instant::now())
}

/// After a new picture: new partitions, topics made anew, and partitions that waited for a leader.
fn hand_over(shared: &Shared) {
    let picture = shared.cluster.snapshot();
    for name in shared.topics() {
        if let Some(topic) = picture.topic(&name) {
            shared.update_topic(topic);
        }
    }
    for slot in shared.slots() {
        let mut queue = slot.queue.lock();
        if let Some(topic) = picture.topic(&slot.at.topic) {
            queue.see_topic(topic.id);
        }
        if !queue.is_empty() {
            shared.route(&slot, &mut queue);
        }
    }
}

fn expire(shared: &Shared, now: Instant) {
    let mut freed = 0;
    for slot in shared.slots() {
        freed += slot.queue.lock().expire(now, &shared.limits);
    }
    if freed > 0 {
        shared.memory.give(freed);
    }
}
