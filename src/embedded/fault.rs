use std::{sync::Weak, time::Duration};

use tokio::sync::watch;

use super::{api_name::Api, host::Host, received::ReceivedRequest};
use crate::{model::TopicPartition, wire::ErrorCode};

/// What happens to a request in place of being served.
///
/// Kafka answers the requests of a connection one after the other: what comes behind one that is delayed waits with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// Not applied, and answered with this code: for all that it asks, or for one partition if the fault is of one.
    Error(ErrorCode),
    /// Applied, and answered, so much later.
    Delay(Duration),
    /// Not applied; the connection ends.
    Disconnect,
    /// Applied; the connection ends before the answer.
    LoseAnswer,
    /// Applied at once, and answered so much later.
    AnswerLate(Duration),
    /// Not applied and never answered; the connection stays.
    Silence,
    /// Applied, and answered with bytes that are no answer.
    Corrupt,
    /// Applied; but a bit of the first batch is wrong that a Fetch is answered with for a partition: its checksum tells.
    CorruptRecords,
}

/// A fault to be told whom it befalls. Made by [`Embedded::fault`](crate::Embedded::fault).
#[derive(Debug, Clone)]
#[must_use = "it happens to nothing until `once`, `times` or `always` is called"]
pub struct FaultBuilder {
    pub(super) host: Weak<Host>,
    pub(super) to: Whom,
}

/// A fault that happens to requests. It is kept or dropped by what made it: [`FaultBuilder::always`], or
/// [`once`](FaultBuilder::once) and [`times`](FaultBuilder::times).
#[derive(Debug)]
pub struct InjectedFault {
    host: Weak<Host>,
    id: u64,
    fired: watch::Receiver<u64>,
    ends_when_dropped: bool,
}

/// Which requests.
#[derive(Debug, Clone, Default)]
pub(crate) struct Whom {
    pub(crate) api: Option<Api>,
    pub(crate) broker: Option<i32>,
    pub(crate) partition: Option<TopicPartition>,
    /// So many go by first.
    pub(crate) spared: u64,
}

impl FaultBuilder {
    /// Only at this broker.
    pub fn broker(mut self, id: i32) -> Self {
        self.to.broker = Some(id);
        self
    }

    /// Only if the request names this partition, as [`ReceivedRequest::partitions`] has it, or the fetch session has it.
    pub fn partition(mut self, topic: &str, partition: i32) -> Self {
        self.to.partition = Some(TopicPartition::new(topic, partition));
        self
    }

    /// The first `count` requests are spared. Default: none.
    pub fn after(mut self, count: u64) -> Self {
        self.to.spared = count;
        self
    }

    /// It happens to the next request.
    pub fn once(self, fault: Fault) -> InjectedFault {
        self.times(1, fault)
    }

    /// It happens to the next `count` requests.
    pub fn times(self, count: u64, fault: Fault) -> InjectedFault {
        self.inject(fault, Some(count))
    }

    /// It happens to every request until what this returns is dropped.
    #[must_use = "dropping it ends the fault"]
    pub fn always(self, fault: Fault) -> InjectedFault {
        self.inject(fault, None)
    }

    fn inject(self, fault: Fault, left: Option<u64>) -> InjectedFault {
        let (tell, fired) = watch::channel(0);
        let ends_when_dropped = left.is_none();
        let add = |host: std::sync::Arc<Host>| host.with(|state| state.faults.add(self.to, fault, left, tell));
        let id = self.host.upgrade().map_or(0, add);
        InjectedFault { host: self.host, id, fired, ends_when_dropped }
    }
}

impl InjectedFault {
    /// How often it has happened.
    pub fn fired(&self) -> u64 {
        *self.fired.borrow()
    }

    /// Waits until it has happened `times` times. Dropping the future changes nothing.
    ///
    /// # Panics
    /// If it ends before.
    pub async fn until_fired(&self, times: u64) {
        let mut fired = self.fired.clone();
        let seen = fired.wait_for(|fired| *fired >= times).await.is_ok();
        assert!(seen, "the fault has ended, and has happened {} times, not {times}", self.fired());
    }

    /// Ends it, used up or not.
    pub fn remove(mut self) {
        self.ends_when_dropped = true;
    }
}

impl Drop for InjectedFault {
    fn drop(&mut self) {
        if self.ends_when_dropped
            && let Some(host) = self.host.upgrade()
        {
            host.with(|state| state.faults.remove(self.id));
        }
    }
}

/// The faults that are to happen, the eldest first.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    rules: Vec<Rule>,
    made: u64,
}

#[derive(Debug)]
struct Rule {
    id: u64,
    to: Whom,
    fault: Fault,
    /// `None`: until it is removed.
    left: Option<u64>,
    fired: watch::Sender<u64>,
}

/// What happens to one request.
#[derive(Debug, Default)]
pub(crate) struct Fate {
    /// To the request.
    pub(crate) whole: Option<Fault>,
    /// While it is served.
    pub(crate) parts: Vec<PartialFault>,
}

/// What happens to a part of what a request asks.
#[derive(Debug, Clone)]
pub(crate) struct PartialFault {
    /// `None`: all of it.
    pub(crate) partition: Option<TopicPartition>,
    pub(crate) fault: Fault,
}

impl PartialFault {
    pub(crate) fn is_of(&self, topic: &str, partition: i32) -> bool {
        self.partition.as_ref().is_none_or(|one| &*one.topic == topic && one.partition == partition)
    }
}

impl Faults {
    pub(crate) fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    fn add(&mut self, to: Whom, fault: Fault, left: Option<u64>, fired: watch::Sender<u64>) -> u64 {
        self.made += 1;
        if left != Some(0) {
            self.rules.push(Rule { id: self.made, to, fault, left, fired });
        }
        self.made
    }

    fn remove(&mut self, id: u64) {
        self.rules.retain(|rule| rule.id != id);
    }

    /// A request comes, for the partitions that it names and those of `session`. The eldest fault of a whole request happens to
    /// it, and every one of a part.
    pub(crate) fn befall(&mut self, request: &ReceivedRequest, session: &[TopicPartition]) -> Fate {
        let mut fate = Fate::default();
        for rule in &mut self.rules {
            if !rule.to.is_met(request, session) {
                continue;
            }
            if rule.to.spared > 0 {
                rule.to.spared -= 1;
                continue;
            }
            match (rule.fault, &rule.to.partition) {
                (Fault::Error(_), Some(_)) | (Fault::CorruptRecords, _) => {
                    fate.parts.push(PartialFault { partition: rule.to.partition.clone(), fault: rule.fault });
                }
                _ if fate.whole.is_some() => continue,
                (fault, _) => fate.whole = Some(fault),
            }
            rule.fired.send_modify(|fired| *fired += 1);
            rule.left = rule.left.map(|left| left - 1);
        }
        self.rules.retain(|rule| rule.left != Some(0));
        fate
    }
}

impl Whom {
    fn is_met(&self, request: &ReceivedRequest, session: &[TopicPartition]) -> bool {
        self.api.is_none_or(|api| api == request.api)
            && self.broker.is_none_or(|broker| broker == request.broker)
            && self.partition.as_ref().is_none_or(|one| request.partitions.contains(one) || session.contains(one))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T0: fn() -> Option<TopicPartition> = || Some(TopicPartition::new("t", 0));

    fn add(faults: &mut Faults, to: Whom, fault: Fault, left: Option<u64>) -> u64 {
        faults.add(to, fault, left, watch::Sender::new(0))
    }

    fn produce(broker: i32) -> ReceivedRequest {
        let partitions = vec![TopicPartition::new("t", 0), TopicPartition::new("t", 1)];
        ReceivedRequest {
            at: tokio::time::Instant::now(),
            api: Api::Produce,
            version: 9,
            broker,
            client_id: "".into(),
            partitions,
        }
    }

    #[test]
    fn it_happens_to_whom_it_is_meant_for_and_so_often() {
        let mut faults = Faults::default();
        let to = Whom { api: Some(Api::Produce), broker: Some(2), partition: T0(), spared: 1 };
        add(&mut faults, to, Fault::LoseAnswer, Some(2));
        let fetch = ReceivedRequest { api: Api::Fetch, ..produce(2) };
        let elsewhere = ReceivedRequest { partitions: Vec::new(), ..produce(2) };
        for spared in [produce(1), fetch, elsewhere.clone(), produce(2)] {
            assert_eq!(faults.befall(&spared, &[]).whole, None);
        }
        assert_eq!(faults.befall(&produce(2), &[]).whole, Some(Fault::LoseAnswer));
        // A fetch session may have the partition that the request does not name.
        assert_eq!(faults.befall(&elsewhere, &[TopicPartition::new("t", 0)]).whole, Some(Fault::LoseAnswer));
        assert_eq!(faults.befall(&produce(2), &[]).whole, None);
        assert!(faults.is_empty());
    }

    #[test]
    fn the_eldest_happens_and_the_others_wait_but_for_those_of_a_part() {
        let mut faults = Faults::default();
        add(&mut faults, Whom::default(), Fault::Disconnect, Some(1));
        let lasting = add(&mut faults, Whom::default(), Fault::Silence, None);
        let to = Whom { partition: T0(), ..Whom::default() };
        add(&mut faults, to, Fault::Error(ErrorCode::NOT_LEADER_OR_FOLLOWER), Some(1));
        let first = faults.befall(&produce(1), &[]);
        assert_eq!((first.whole, first.parts.len()), (Some(Fault::Disconnect), 1));
        let second = faults.befall(&produce(1), &[]);
        assert_eq!((second.whole, second.parts.len()), (Some(Fault::Silence), 0));
        faults.remove(lasting);
        assert_eq!(faults.befall(&produce(1), &[]).whole, None);
    }
}
