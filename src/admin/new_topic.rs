use std::sync::Arc;

use crate::{
    model::TopicId,
    wire::messages::{
        create_topics_request::{CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig},
        message,
    },
};

/// A topic to be created: its name, and what differs from the broker's defaults.
///
/// ```
/// use milena::NewTopic;
///
/// let orders = NewTopic::new("orders").partitions(6).replication_factor(3).config("retention.ms", "86400000");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTopic {
    pub(super) name: Arc<str>,
    pub(super) partitions: i32,
    replication_factor: i16,
    assignments: Vec<Vec<i32>>,
    configs: Vec<(Arc<str>, Arc<str>)>,
}

/// A topic that was created, or, from a [`DryRun`](super::DryRun), would be.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CreatedTopic {
    /// Its name.
    pub name: Arc<str>,
    /// Its id. Zero from brokers before 2.8, and from a dry run.
    pub id: TopicId,
    /// How many partitions it has. `None` from brokers before 2.4.
    pub partitions: Option<i32>,
    /// How many replicas each partition has. `None` from brokers before 2.4.
    pub replication_factor: Option<i16>,
}

impl NewTopic {
    /// With the broker's `num.partitions` and `default.replication.factor` (KIP-464; brokers from 2.4).
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        NewTopic {
            name: name.into(),
            partitions: -1,
            replication_factor: -1,
            assignments: Vec::new(),
            configs: Vec::new(),
        }
    }

    /// How many partitions. Default: −1, the broker's `num.partitions`. Partitions can be added later but never taken away,
    /// and adding some moves keys to others.
    pub fn partitions(mut self, count: i32) -> Self {
        self.partitions = count;
        self.assignments.clear();
        self
    }

    /// How many replicas each partition has. Default: −1, the broker's `default.replication.factor`.
    pub fn replication_factor(mut self, replicas: i16) -> Self {
        self.replication_factor = replicas;
        self.assignments.clear();
        self
    }

    /// Which brokers hold each partition, the preferred leader first: `[[1, 2], [2, 3]]` makes two partitions of two replicas.
    /// In place of [`partitions`](NewTopic::partitions) and [`replication_factor`](NewTopic::replication_factor): the last of
    /// them that is called counts. Default: the controller's choice.
    pub fn replicas<P, R>(mut self, partitions: P) -> Self
    where
        P: IntoIterator<Item = R>,
        R: IntoIterator<Item = i32>,
    {
        self.assignments = partitions.into_iter().map(|replicas| replicas.into_iter().collect()).collect();
        (self.partitions, self.replication_factor) = (-1, -1);
        self
    }

    /// A setting of the topic, as `retention.ms`. Default: what the brokers have.
    pub fn config(mut self, name: impl Into<Arc<str>>, value: impl Into<Arc<str>>) -> Self {
        self.configs.push((name.into(), value.into()));
        self
    }

    pub(super) fn to_wire(&self) -> CreatableTopic {
        let assignments = (0..).zip(&self.assignments).map(|(index, brokers)| {
            message!(CreatableReplicaAssignment { partition_index: index, broker_ids: brokers.clone() })
        });
        let configs = self.configs.iter().map(|(name, value)| {
            message!(CreatableTopicConfig { name: (&**name).into(), value: Some((&**value).into()) })
        });
        message!(CreatableTopic {
            name: (&*self.name).into(),
            num_partitions: self.partitions,
            replication_factor: self.replication_factor,
            assignments: assignments.collect(),
            configs: configs.collect(),
        })
    }

    /// How many partitions to expect, where that is known beforehand.
    pub(super) fn expected(&self) -> Option<usize> {
        match self.assignments.len() {
            0 => usize::try_from(self.partitions).ok(),
            count => Some(count),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_assignments_exclude_each_other() {
        let assigned = NewTopic::new("t").partitions(9).replicas([[1, 2], [2, 3]]).to_wire();
        assert_eq!((assigned.num_partitions, assigned.replication_factor, assigned.assignments.len()), (-1, -1, 2));
        assert_eq!(assigned.assignments[1].partition_index, 1);
        let counted = NewTopic::new("t").replicas([[1]]).partitions(9).to_wire();
        assert_eq!((counted.num_partitions, counted.assignments.len()), (9, 0));
    }
}
