use std::{
    any::Any,
    collections::BTreeSet,
    panic::AssertUnwindSafe,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use futures_util::FutureExt;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep_until},
};

use super::{
    sender,
    shared::{List, Shared},
};

/// How late an overdue wait may end, while there is something to wait for.
const TICK: Duration = Duration::from_millis(100);

/// Keeps a producer going until it closes, and ends it: also when one of its tasks panics, which is told at once to all who wait.
pub(super) async fn run(shared: Arc<Shared>) {
    run_with(shared, sender::run).await;
}

async fn run_with<S: Future<Output = ()> + Send + 'static>(
    shared: Arc<Shared>,
    send: impl Fn(Arc<Shared>, i32, Arc<List>) -> S,
) {
    let mut senders = JoinSet::new();
    let keeping = AssertUnwindSafe(keep(&shared, &mut senders, send)).catch_unwind().await;
    if let Err(panic) = keeping.unwrap_or_else(Err) {
        shared.fail(Arc::from(said(&*panic)));
    }
    senders.shutdown().await;
    shared.memory.close();
    for slot in shared.slots() {
        slot.queue.lock().abandon(shared.failure());
    }
    shared.refreshed.send_replace(None);
}

/// What a panic said.
fn said(panic: &(dyn Any + Send)) -> String {
    let said = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    format!("one of its tasks panicked: {}", said.unwrap_or("it did not say why"))
}

/// Starts senders, keeps the metadata fresh, hands partitions to their leaders' senders and ends overdue waits, until the
/// producer closes. The error is what a sender panicked with.
async fn keep<S: Future<Output = ()> + Send + 'static>(
    shared: &Arc<Shared>,
    senders: &mut JoinSet<()>,
    send: impl Fn(Arc<Shared>, i32, Arc<List>) -> S,
) -> Result<(), Box<dyn Any + Send>> {
    let mut started: BTreeSet<i32> = BTreeSet::new();
    let mut picture = shared.cluster.watch();
    let mut refreshing = None;
    // A point in time, not a pause: what else happens, however often, must not put it off.
    let mut expire_next = Instant::now();
    while !shared.closed.load(Ordering::Acquire) {
        for (broker, list) in shared.lists.lock().iter() {
            if started.insert(*broker) {
                senders.spawn(send(Arc::clone(shared), *broker, Arc::clone(list)));
            }
        }
        if refreshing.is_none() && (shared.stale.swap(false, Ordering::AcqRel) || is_due(shared)) {
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
                shared.refreshed.send_replace(done.err());
            }
            Some(Err(ended)) = senders.join_next() => if let Ok(panic) = ended.try_into_panic() { return Err(panic) },
            _ = picture.changed() => hand_over(shared),
            () = shared.keeper.notified() => {}
            () = sleep_until(wake) => {}
        }
        let now = Instant::now();
        if expire_next <= now {
            expire(shared, now);
            expire_next = now + TICK;
        }
    }
    Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cluster::{Cluster, Partition, Topic},
        config::ClientConfig,
        model::TopicId,
        producer::{ProduceError, ProducerConfig},
        wire::ErrorCode,
    };

    #[tokio::test]
    async fn a_panic_of_a_sender_is_told_at_once_to_all_who_wait() {
        let shared = Arc::new(Shared::new(Cluster::new(ClientConfig::default()), ProducerConfig::default()));
        let (name, partitions) = (Arc::from("t"), vec![Partition::unknown(0)]);
        shared.update_topic(&Topic { name, id: TopicId::ZERO, error: ErrorCode::NONE, internal: false, partitions });
        let all = shared.config.buffer_bytes;
        shared.memory.try_take(all).expect("all is free").keep();
        let slot = shared.slots().remove(0);
        let now = Instant::now();
        let taken = slot.queue.lock().append(|| now, &shared.limits, 0, None, Some(b"v"), &[], all);
        let (completion, ..) = taken.expect("it is taken");
        shared.lists.lock().insert(1, Arc::default());
        let waiting = tokio::spawn({
            let shared = Arc::clone(&shared);
            async move { shared.memory.take(1).await.is_some() }
        });

        let began = Instant::now();
        run_with(Arc::clone(&shared), |_, _, _| async { panic!("on purpose") }).await;
        completion.settled().await;
        assert!(!waiting.await.unwrap(), "there is no memory");
        assert!(began.elapsed() < Duration::from_secs(10), "only after {:?}", began.elapsed());
        let error = shared.closed_error();
        assert!(matches!(&error, ProduceError::Failed { why, .. } if why.ends_with("on purpose")), "{error}");
    }
}
