use std::{
    collections::{BTreeMap, BTreeSet},
    future::Future,
    pin::Pin,
    sync::{Arc, atomic::Ordering},
};

use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep_until},
};

use super::{fetcher, shared::Shared};
use crate::{
    cluster::EpochQuery,
    fetch::Inquiry,
    model::{OffsetSpec, TopicPartition},
};

type Question = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Starts fetchers, keeps the metadata fresh, finds the offsets to start at and checks positions against new leaders, until
/// the consumer closes.
pub(super) async fn run(shared: Arc<Shared>) {
    let mut fetchers = JoinSet::new();
    let mut started: BTreeSet<i32> = BTreeSet::new();
    let mut picture = shared.cluster.watch();
    let mut questions: FuturesUnordered<Question> = FuturesUnordered::new();
    let mut refreshing: Option<Question> = None;
    let old_after = shared.cluster.config().metadata_max_age;
    // Between questions for the leader of a partition that has none: its topic may be gone for good.
    let mut leaderless = shared.cluster.backoff();
    let mut ask_again: Option<Instant> = None;
    shared.see_picture();
    while !shared.closed.load(Ordering::Acquire) {
        let now = Instant::now();
        for broker in sources(&shared, now) {
            if started.insert(broker) {
                let mailbox = shared.table().mailbox(broker);
                fetchers.spawn(fetcher::run(Arc::clone(&shared), broker, mailbox));
            }
        }
        let wake = ask(&shared, now, &mut questions);
        match shared.table().leaderless {
            false => {
                leaderless.reset();
                ask_again = None;
            }
            true if refreshing.is_some() => {}
            true => {
                let at = *ask_again.get_or_insert_with(|| now + leaderless.next_wait());
                if at <= now {
                    shared.stale.store(true, Ordering::Release);
                    ask_again = None;
                }
            }
        }
        if refreshing.is_none() && (shared.stale.swap(false, Ordering::AcqRel) || shared.cluster.is_old(now)) {
            let shared = Arc::clone(&shared);
            refreshing = Some(Box::pin(async move {
                if shared.cluster.refresh().await.is_err() {
                    // The cluster keeps its own back-off between refreshes.
                    shared.stale.store(true, Ordering::Release);
                }
            }));
        }
        let old_at = shared.cluster.snapshot().taken + old_after;
        let wake = [wake, ask_again].into_iter().flatten().fold(old_at, Instant::min);
        let refresh = async {
            match &mut refreshing {
                Some(refresh) => refresh.await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = refresh => refreshing = None,
            _ = picture.changed() => shared.see_picture(),
            Some(()) = questions.next(), if !questions.is_empty() => {}
            () = shared.keeper.notified() => {}
            () = sleep_until(wake), if wake > now => {}
        }
    }
    fetchers.shutdown().await;
}

/// The brokers that somebody is to fetch from.
fn sources(shared: &Shared, now: Instant) -> Vec<i32> {
    shared.table().slots.values().filter_map(|slot| slot.fetch.source(now)).collect()
}

/// Asks what has to be known before the next fetch, one leader's partitions in one request. When to look again.
fn ask(shared: &Arc<Shared>, now: Instant, questions: &mut FuturesUnordered<Question>) -> Option<Instant> {
    let mut wake: Option<Instant> = None;
    let mut offsets: BTreeMap<i32, Vec<(TopicPartition, u64, OffsetSpec)>> = BTreeMap::new();
    let mut epochs: BTreeMap<i32, Vec<(u64, EpochQuery)>> = BTreeMap::new();
    let picture = shared.cluster.snapshot();
    for (at, slot) in &mut shared.table().slots {
        let Some(leader) = picture.partition(&at.topic, at.partition).and_then(|p| p.leader) else { continue };
        match slot.fetch.inquire(now) {
            Ok(None) => {}
            Err(until) => wake = Some(wake.map_or(until, |w| w.min(until))),
            Ok(Some((attempt, Inquiry::Offset(spec)))) => {
                offsets.entry(leader).or_default().push((at.clone(), attempt, spec));
            }
            Ok(Some((attempt, Inquiry::Epoch { last, leader: current }))) => {
                let query = EpochQuery { partition: at.clone(), leader_epoch: last, current_leader_epoch: current };
                epochs.entry(leader).or_default().push((attempt, query));
            }
        }
    }
    for (_, asked) in offsets {
        questions.push(Box::pin(locate(Arc::clone(shared), asked)));
    }
    for (_, asked) in epochs {
        questions.push(Box::pin(validate(Arc::clone(shared), asked)));
    }
    wake
}

async fn locate(shared: Arc<Shared>, asked: Vec<(TopicPartition, u64, OffsetSpec)>) {
    let specs: Vec<(TopicPartition, OffsetSpec)> = asked.iter().map(|(at, _, spec)| (at.clone(), *spec)).collect();
    let mut found = shared.cluster.list_offsets(&specs, shared.config.isolation).await;
    let now = Instant::now();
    for (at, attempt, _) in asked {
        if let Some(result) = found.remove(&at) {
            shared.found(at, |fetch| fetch.located(now, attempt, result));
        }
    }
}

async fn validate(shared: Arc<Shared>, asked: Vec<(u64, EpochQuery)>) {
    let mut found = shared.cluster.epoch_ends(asked.iter().map(|(_, query)| query.clone()).collect()).await;
    let now = Instant::now();
    for (attempt, query) in asked {
        if let Some(result) = found.remove(&query.partition) {
            shared.found(query.partition, |fetch| fetch.validated(now, attempt, result));
        }
    }
}
