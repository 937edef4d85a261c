//! The group as numbers: members in a fixed order, topics by name, and all partitions one after the other.
//!
//! The built-in assignors fill one list, each partition's new owner; so none of them can give a partition twice.

use std::{
    collections::{HashMap, HashSet},
    ops::Range,
};

use super::{GroupMember, GroupTopics};
use crate::model::TopicPartition;

/// A member's place in [`Roster::members`].
pub(super) type Member = usize;
/// A topic's place in [`Roster::topics`].
pub(super) type Topic = usize;
/// A partition's place among those of all topics.
pub(super) type Partition = usize;

/// For each partition who gets it.
pub(super) type Owners = Vec<Option<Member>>;

pub(super) struct Roster<'a> {
    /// In the order that the assignor asked for.
    pub(super) members: Vec<&'a GroupMember>,
    /// For each member its place in what the assignor was given.
    places: Vec<usize>,
    /// Those that exist and that a member subscribed to, by name.
    pub(super) topics: Vec<&'a str>,
    /// For each topic its partitions; ends where the next one's start.
    partitions: Vec<Range<Partition>>,
    numbers: HashMap<&'a str, Topic, foldhash::fast::RandomState>,
    /// For each member its topics, in order, each once.
    pub(super) subscriptions: Vec<Vec<Topic>>,
    /// For each topic its members, in order.
    pub(super) subscribers: Vec<Vec<Member>>,
    /// For each partition its topic.
    topic_of: Vec<Topic>,
}

impl<'a> Roster<'a> {
    /// Members by their ids.
    pub(super) fn by_member_id(topics: &'a GroupTopics, members: &'a [GroupMember]) -> Self {
        Roster::new(topics, members, |a, b| a.member_id.cmp(&b.member_id))
    }

    /// Static members first, by their instance ids, since their member ids change with every restart; then the others by
    /// member id.
    pub(super) fn static_first(topics: &'a GroupTopics, members: &'a [GroupMember]) -> Self {
        let key = |member: &'a GroupMember| {
            (member.group_instance_id.is_none(), member.group_instance_id.as_deref(), &*member.member_id)
        };
        Roster::new(topics, members, |a, b| key(a).cmp(&key(b)))
    }

    fn new(
        topics: &'a GroupTopics,
        members: &'a [GroupMember],
        order: impl Fn(&'a GroupMember, &'a GroupMember) -> std::cmp::Ordering,
    ) -> Self {
        let mut places = (0..members.len()).collect::<Vec<_>>();
        places.sort_by(|a, b| order(&members[*a], &members[*b]));
        let members = places.iter().map(|place| &members[*place]).collect::<Vec<_>>();

        // most members subscribe to what the one before does; comparing is cheaper than looking up
        let is_repeated = |number: usize| number > 0 && members[number].topics == members[number - 1].topics;
        let repeated = (0..members.len()).map(is_repeated).collect::<Vec<_>>();
        let distinct = members.iter().zip(&repeated).filter(|(_, is_repeated)| !**is_repeated);
        let topics_of = |(member, _): (&&'a GroupMember, _)| member.topics.iter().map(|topic| &**topic);
        let wanted = distinct.flat_map(topics_of).collect::<HashSet<&str, foldhash::fast::RandomState>>();

        let mut roster = Roster {
            subscriptions: Vec::with_capacity(members.len()),
            members,
            places,
            topics: Vec::new(),
            partitions: Vec::new(),
            numbers: HashMap::default(),
            subscribers: Vec::new(),
            topic_of: Vec::new(),
        };
        for (topic, partitions) in topics.iter() {
            if partitions > 0 && wanted.contains(&**topic) {
                let first = roster.topic_of.len();
                roster.numbers.insert(topic, roster.topics.len());
                roster.topic_of.extend(std::iter::repeat_n(roster.topics.len(), partitions));
                roster.partitions.push(first..first + partitions);
                roster.topics.push(topic);
            }
        }
        roster.subscribers = vec![Vec::new(); roster.topics.len()];
        for (number, member) in roster.members.iter().enumerate() {
            let subscription = match roster.subscriptions.last() {
                Some(before) if repeated[number] => before.clone(),
                _ => {
                    let known = member.topics.iter().filter_map(|topic| roster.numbers.get(&**topic).copied());
                    let mut subscription = known.collect::<Vec<_>>();
                    subscription.sort_unstable();
                    subscription.dedup();
                    subscription
                }
            };
            for topic in &subscription {
                roster.subscribers[*topic].push(number);
            }
            roster.subscriptions.push(subscription);
        }
        roster
    }

    pub(super) fn partition_count(&self) -> usize {
        self.topic_of.len()
    }

    pub(super) fn partitions(&self, topic: Topic) -> Range<Partition> {
        self.partitions[topic].clone()
    }

    pub(super) fn topic_of(&self, partition: Partition) -> Topic {
        self.topic_of[partition]
    }

    /// Its number in its topic.
    pub(super) fn number_of(&self, partition: Partition) -> usize {
        partition - self.partitions[self.topic_of[partition]].start
    }

    pub(super) fn is_subscribed(&self, member: Member, topic: Topic) -> bool {
        self.subscriptions[member].binary_search(&topic).is_ok()
    }

    /// None if nobody subscribed to its topic, or it does not exist.
    pub(super) fn find(&self, partition: &TopicPartition) -> Option<Partition> {
        let range = &self.partitions[*self.numbers.get(&*partition.topic)?];
        let number = usize::try_from(partition.partition).ok()?;
        (number < range.len()).then(|| range.start + number)
    }

    /// What an assignor answers: each member's partitions, in the order in which it was given the members.
    pub(super) fn assignment(&self, topics: &GroupTopics, owners: &Owners) -> Vec<Vec<TopicPartition>> {
        let mut shares = vec![Vec::new(); self.members.len()];
        let names = topics.iter().map(|(name, _)| name).filter(|name| self.numbers.contains_key(&***name));
        for (name, range) in names.zip(&self.partitions) {
            for (number, partition) in range.clone().enumerate() {
                if let Some(member) = owners[partition] {
                    // a count of partitions comes from an i32 of the metadata
                    shares[self.places[member]].push(TopicPartition::new(name.clone(), number as i32));
                }
            }
        }
        shares
    }
}
