use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use futures_util::{StreamExt, stream};
use parking_lot::Mutex;

use super::{
    Admin, AdminError, GroupDescription, GroupListing, GroupState, GroupType, MemberDescription,
    exchange::Target,
    ledger::{Ledger, Refusal, Subject},
};
use crate::{
    cluster::{ClusterError, Purpose},
    model::TopicPartition,
    wire::{
        Connection, ErrorCode, WireError, consumer_protocol,
        messages::{
            ConsumerProtocolAssignment, DeleteGroupsRequest, DescribeGroupsRequest, ListGroupsRequest,
            describe_groups_response::DescribedGroupMember, message,
        },
    },
};

/// How many brokers are asked at once.
const AT_ONCE: usize = 16;

/// The protocol type of groups whose members are consumers.
const CONSUMER: &str = "consumer";

impl Admin {
    /// All groups that this client may see, of whatever type, by name (ListGroups). Every broker is asked: each knows those
    /// that it coordinates.
    ///
    /// # Errors
    /// If a broker does not answer in time.
    pub async fn list_groups(&self) -> Result<Vec<GroupListing>, AdminError> {
        self.list_groups_in([]).await
    }

    /// The groups that are in one of these states, as [`list_groups`](Admin::list_groups) (KIP-518). No states: all.
    ///
    /// # Errors
    /// As [`list_groups`](Admin::list_groups); and [`AdminError::Unsupported`] by brokers before 2.6, if states are given.
    pub async fn list_groups_in(
        &self,
        states: impl IntoIterator<Item = GroupState>,
    ) -> Result<Vec<GroupListing>, AdminError> {
        let states: Vec<GroupState> = states.into_iter().collect();
        let states = &states;
        // What each broker that has answered told.
        let told: Mutex<BTreeMap<i32, Vec<GroupListing>>> = Mutex::default();
        let book = &told;
        let listed = self
            .cluster
            .retrying(self.deadline(), || async move {
                let picture = self.cluster.refresh().await?;
                // One that is gone has handed its groups to others, which may have told what they had before.
                if book.lock().keys().any(|id| !picture.brokers.contains_key(id)) {
                    book.lock().clear();
                }
                let missing: BTreeSet<i32> = {
                    let told = book.lock();
                    picture.brokers.keys().filter(|id| !told.contains_key(id)).copied().collect()
                };
                let ask = |id: i32| async move { (id, self.groups_of(id, states).await) };
                let mut answers = stream::iter(missing).map(ask).buffer_unordered(AT_ONCE);
                let mut failed = None;
                while let Some((id, answer)) = answers.next().await {
                    match answer {
                        Ok(groups) => drop(book.lock().insert(id, groups)),
                        Err(error) => failed = Some(error),
                    }
                }
                failed.map_or(Ok(()), Err)
            })
            .await;
        match listed {
            Ok(()) => {
                let groups = told.into_inner().into_values().flatten().map(|group| (Arc::clone(&group.id), group));
                // A group that moved meanwhile may have been told twice.
                let groups: BTreeMap<Arc<str>, GroupListing> = groups.collect();
                Ok(groups.into_values().collect())
            }
            Err(ClusterError::OutOfTime { last }) => Err(AdminError::OutOfTime {
                subject: Arc::from("groups"),
                after: self.config.api_timeout,
                last: Some(Arc::from(last.to_string())),
                possibly_applied: false,
            }),
            Err(ClusterError::Wire(error @ WireError::Unsupported { .. })) => {
                Err(AdminError::Unsupported { subject: Arc::from("groups"), why: Arc::from(error.to_string()) })
            }
            Err(ClusterError::Refused { code: code @ ErrorCode::CLUSTER_AUTHORIZATION_FAILED, message, .. }) => {
                let message = message.map(Arc::from);
                Err(AdminError::NotAuthorised { subject: Arc::from("groups"), code, message })
            }
            Err(error) => Err(AdminError::Cluster(error)),
        }
    }

    /// The groups that one broker coordinates.
    async fn groups_of(&self, broker: i32, states: &[GroupState]) -> Result<Vec<GroupListing>, ClusterError> {
        let connection = self.cluster.connection(broker, Purpose::Control).await?;
        self.groups_at(&connection, states).await
    }

    async fn groups_at(
        &self,
        connection: &Arc<Connection>,
        states: &[GroupState],
    ) -> Result<Vec<GroupListing>, ClusterError> {
        let version = connection.version::<ListGroupsRequest>()?;
        if version < 4 && !states.is_empty() {
            let (broker, client) = (Some((2, version)), (4, 5));
            return Err(WireError::Unsupported { api: "ListGroups in some states", broker, client }.into());
        }
        let states = states.iter().map(|state| state.as_str().into());
        let request = message!(ListGroupsRequest { states_filter: states.collect() });
        let answer = connection.call(request, self.cluster.config().request_timeout).await?;
        let refused = |code| ClusterError::Refused { api: "ListGroups", code, message: None };
        ErrorCode::new(answer.error_code).check().map_err(refused)?;
        let groups = answer.groups.into_iter().map(|group| GroupListing {
            id: Arc::from(group.group_id.as_str()),
            protocol_type: Arc::from(group.protocol_type.as_str()),
            state: Some(group.group_state.as_str()).filter(|state| !state.is_empty()).map(GroupState::from),
            group_type: Some(group.group_type.as_str()).filter(|name| !name.is_empty()).map(GroupType::from),
        });
        Ok(groups.collect())
    }

    /// A classic group: its state, its coordinator, its members and what each was given (DescribeGroups).
    ///
    /// # Errors
    /// [`AdminError::Unknown`] if there is no such group: it has neither members nor offsets. [`AdminError::NotClassic`] if it
    /// is of a type that this protocol does not describe, as those of KIP-848; and see [`AdminError`].
    pub async fn describe_group(&self, group: &str) -> Result<GroupDescription, AdminError> {
        let id: Arc<str> = Arc::from(group);
        let subject = Subject::of_group(&id);
        let ledger =
            Ledger::asking("DescribeGroups", vec![subject.clone()], self.cluster.config().unknown_topic_patience);
        let deadline = self.deadline();
        // Who coordinates it is a part of the answer, so that it is asked for here and not by the exchange.
        let ledger = Mutex::new(ledger);
        let (book, name) = (&ledger, &id);
        self.settle(book, deadline, |open| async move {
            let (coordinator, address) = self.coordinator(name).await?;
            let connection = self.cluster.connection_to(&address, Purpose::Control).await?;
            let request = |_| message!(DescribeGroupsRequest { groups: vec![(&**name).into()] });
            let answer = self.call(&connection, book, &open, deadline, request).await?;
            let part = answer.groups.into_iter().find(|part| part.group_id.as_str() == &**name);
            let result = part.map_or_else(
                || Err(Refusal::left_out()),
                |part| {
                    let message = part.error_message.as_ref().map(|text| text.as_str());
                    Refusal::check(part.error_code, message)?;
                    let protocol_type = part.protocol_type.as_str();
                    let members = part.members.into_iter().map(|member| described(member, protocol_type == CONSUMER));
                    let mut members: Vec<MemberDescription> = members.collect();
                    members.sort_unstable_by(|a, b| a.id.cmp(&b.id));
                    Ok(GroupDescription {
                        id: Arc::clone(name),
                        state: part.group_state.as_str().into(),
                        protocol_type: Arc::from(protocol_type),
                        protocol: Arc::from(part.protocol_data.as_str()),
                        coordinator,
                        coordinator_address: address,
                        members,
                    })
                },
            );
            let now = tokio::time::Instant::now();
            open.into_iter().for_each(|index| book.lock().answered(index, result.clone(), now));
            Ok(())
        })
        .await;
        let unknown = || AdminError::Unknown { subject: Arc::from(subject.to_string()) };
        let described = ledger.into_inner().close(self.config.api_timeout).pop().unwrap_or_else(|| Err(unknown()));
        // "Dead" from brokers before 4.0, GROUP_ID_NOT_FOUND since: for groups that are not there, and for those that the
        // classic protocol does not know.
        let is_unknown = match &described {
            Ok(description) => description.state == GroupState::Dead,
            Err(error) => matches!(error, AdminError::Unknown { .. }),
        };
        if !is_unknown {
            return described;
        }
        match self.listing_of(&id).await? {
            Some(GroupListing { state, group_type: Some(group_type), .. }) if group_type != GroupType::Classic => {
                Err(AdminError::NotClassic { group: id, group_type, state })
            }
            _ => Err(unknown()),
        }
    }

    /// What its coordinator lists of one group.
    async fn listing_of(&self, group: &Arc<str>) -> Result<Option<GroupListing>, AdminError> {
        let target = Target::Coordinator(Arc::clone(group));
        let listed = self.cluster.retrying(self.deadline(), || async {
            let connection = self.connect(&target).await?;
            self.groups_at(&connection, &[]).await
        });
        let listed = listed.await.map_err(|error| AdminError::failed(&Subject::of_group(group), error))?;
        Ok(listed.into_iter().find(|listing| listing.id == *group))
    }

    /// The state of a group of whatever type; `None` if there is none.
    pub(super) async fn group_state(&self, group: &str) -> Result<Option<GroupState>, AdminError> {
        match self.describe_group(group).await {
            Ok(description) => Ok(Some(description.state)),
            Err(AdminError::NotClassic { state, .. }) => Ok(state),
            Err(AdminError::Unknown { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Deletes a group, of whatever type, with all that it has committed (DeleteGroups, KIP-229).
    ///
    /// # Errors
    /// [`AdminError::ActiveMembers`] while it has any; [`AdminError::Unknown`] if there is no such group; and see
    /// [`AdminError`].
    pub async fn delete_group(&self, group: &str) -> Result<(), AdminError> {
        let id: Arc<str> = Arc::from(group);
        let ledger = Ledger::changing("DeleteGroups", vec![Subject::of_group(&id)])
            .done_already(ErrorCode::GROUP_ID_NOT_FOUND, ());
        let deleted = self
            .exchange(
                Target::Coordinator(id),
                ledger,
                self.deadline(),
                |_, _| message!(DeleteGroupsRequest { groups_names: vec![group.into()] }),
                |answer| {
                    let parts = answer.results.into_iter();
                    parts
                        .map(|part| (part.group_id.as_str().to_owned(), Refusal::check(part.error_code, None)))
                        .collect()
                },
            )
            .await;
        deleted.into_iter().collect()
    }
}

fn described(member: DescribedGroupMember, is_consumer: bool) -> MemberDescription {
    let host = member.client_host.as_str();
    MemberDescription {
        id: Arc::from(member.member_id.as_str()),
        instance_id: member.group_instance_id.map(|id| Arc::from(id.as_str())),
        client_id: Arc::from(member.client_id.as_str()),
        // As Java prints an address without a name.
        host: Arc::from(host.strip_prefix('/').unwrap_or(host)),
        assignment: if is_consumer { assignment(member.member_assignment) } else { None },
    }
}

/// No bytes are an empty assignment: the member has not been given anything yet.
fn assignment(bytes: bytes::Bytes) -> Option<Vec<TopicPartition>> {
    if bytes.is_empty() {
        return Some(Vec::new());
    }
    let assigned = consumer_protocol::decode::<ConsumerProtocolAssignment>(bytes).ok()?;
    let mut partitions = Vec::new();
    for topic in &assigned.assigned_partitions {
        let name: Arc<str> = Arc::from(topic.topic.as_str());
        partitions.extend(topic.partitions.iter().map(|number| TopicPartition::new(Arc::clone(&name), *number)));
    }
    partitions.sort_unstable();
    Some(partitions)
}
