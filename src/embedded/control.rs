//! What a test does to a cluster: faults, moved leaders, lost records; and what it may ask of it afterwards.

use std::{collections::BTreeMap, sync::Arc};

use tokio::time::Instant;

use super::{
    api_name::Api,
    fault::{FaultBuilder, Whom},
    handle::Embedded,
    received::ReceivedRequest,
    topic::Partition,
};
use crate::model::TopicPartition;

/// Faults and control, for tests. All of it works while tokio's clock is paused: a delay of minutes takes milliseconds then.
impl Embedded {
    /// A fault that is to happen to requests for `api` (`None` for all of them).
    ///
    /// ```
    /// use milena::{Api, Embedded, Fault, Record};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let broker = Embedded::start();
    /// let producer = broker.kafka().await?.producer().build().await?;
    ///
    /// broker.fault(Api::Produce).once(Fault::LoseAnswer);
    /// let ack = producer.send(Record::to("orders").value("1")).await?;
    /// assert_eq!(ack.offset(), 0);                       // written once, though it had to be sent twice
    ///
    /// let sent = broker.requests().into_iter().filter(|request| request.api == Api::Produce);
    /// assert_eq!(sent.count(), 2);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// It may be of one broker and one partition, and last as long as a guard:
    ///
    /// ```
    /// # use milena::{Api, Embedded, ErrorCode, Fault};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let broker = Embedded::brokers(3);
    /// let error = Fault::Error(ErrorCode::NOT_LEADER_OR_FOLLOWER);
    /// let guard = broker.fault(Api::Fetch).broker(2).partition("orders", 0).always(error);
    /// // …
    /// drop(guard);
    /// # }
    /// ```
    pub fn fault(&self, api: impl Into<Option<Api>>) -> FaultBuilder {
        FaultBuilder { host: Arc::downgrade(&self.host), to: Whom { api: api.into(), ..Whom::default() } }
    }

    /// The requests that came, the oldest first: the newest ten thousand or so.
    pub fn requests(&self) -> Vec<ReceivedRequest> {
        self.host.with(|state| state.received.to_vec())
    }

    /// Forgets the requests that came so far.
    pub fn clear_requests(&self) {
        self.host.with(|state| state.received.clear());
    }

    /// `broker` leads the partition from now on, under the next leader epoch; it gets a replica if it has none.
    ///
    /// # Panics
    /// If there is no such partition, or the broker does not run.
    #[track_caller]
    pub fn move_leader(&self, topic: &str, partition: i32, broker: i32) {
        let is_running = self.host.with(|state| state.is_running(broker));
        assert!(is_running, "broker {broker} does not run");
        self.change(topic, partition, |partition| {
            for replicas in [&mut partition.replicas, &mut partition.in_sync] {
                if !replicas.contains(&broker) {
                    replicas.push(broker);
                }
            }
            partition.lead_by(broker);
        });
    }

    /// As when a replica comes to lead that had not all records (`unclean.leader.election.enable`): those at `offset` and behind
    /// it are lost, and so are those before it in the same batch. The leader epoch is the next.
    ///
    /// # Panics
    /// If there is no such partition.
    #[track_caller]
    pub fn truncate(&self, topic: &str, partition: i32, offset: i64) {
        self.change(topic, partition, |partition| {
            partition.truncate(offset);
            partition.next_epoch();
        });
    }

    /// `broker` coordinates the group from now on. The others answer NOT_COORDINATOR; its members find it and go on.
    ///
    /// # Panics
    /// If the broker does not run.
    #[track_caller]
    pub fn move_coordinator(&self, group: &str, broker: i32) {
        let has_moved = self.host.with(|state| state.move_coordinator(group, broker));
        assert!(has_moved, "broker {broker} does not run");
    }

    /// The session of a member ends, as if it had not been heard of for too long. It is named by its member id, as
    /// [`Consumer::membership`](crate::Consumer::membership) tells it.
    ///
    /// # Panics
    /// If the group has no such member.
    #[track_caller]
    pub fn expire_member(&self, group: &str, member: &str) {
        let had_it = self.host.with(|state| state.expire_member(Instant::now(), group, member));
        assert!(had_it, "group {group} has no member {member}");
    }

    /// What a group has committed.
    pub fn committed(&self, group: &str) -> BTreeMap<TopicPartition, i64> {
        self.host.with(|state| {
            let topics = state.groups.get(group).into_iter().flat_map(|group| group.offsets.iter());
            let each = topics.flat_map(|(topic, partitions)| {
                partitions.iter().map(|(n, committed)| (TopicPartition::new(Arc::clone(topic), *n), committed.offset))
            });
            each.collect()
        })
    }

    #[track_caller]
    fn change(&self, topic: &str, partition: i32, change: impl FnOnce(&mut Partition)) {
        let is_known = self.host.with(|state| {
            let Some(known) = state.topics.partition_mut(topic, partition) else { return false };
            let before = known.log.bytes();
            change(known);
            let after = known.log.bytes();
            state.bytes = state.bytes + after - before;
            state.is_news = true;
            true
        });
        assert!(is_known, "there is no partition {partition} of {topic}");
    }
}
