//! The requests of a member to its coordinator, in our own types.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;

use super::{Failure, Joined};
use crate::{
    model::TopicPartition,
    wire::{
        Connection, ErrorCode,
        messages::{
            DescribeGroupsRequest, HeartbeatRequest, JoinGroupRequest, LeaveGroupRequest, OffsetCommitRequest,
            OffsetFetchRequest, SyncGroupRequest,
            join_group_request::JoinGroupRequestProtocol,
            leave_group_request::MemberIdentity,
            message,
            offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic},
            offset_fetch_request::{OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics},
            sync_group_request::SyncGroupRequestAssignment,
        },
    },
};

/// The `protocol_type` of a group of consumers.
const PROTOCOL_TYPE: &str = "consumer";

/// Whose request it is.
#[derive(Debug, Clone)]
pub(super) struct Identity {
    pub(super) group: Arc<str>,
    /// `group.instance.id` (KIP-345).
    pub(super) instance: Option<Arc<str>>,
    pub(super) member_id: Arc<str>,
    pub(super) generation: i32,
}

/// A committed offset: the next record to be read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Committed {
    pub(crate) offset: i64,
    /// The epoch of the record before it (KIP-320); −1 where unknown.
    pub(crate) leader_epoch: i32,
    pub(crate) metadata: Arc<str>,
}

/// What is committed of each partition, `None` where nothing is, or why that is not told.
pub(crate) type CommittedOffsets = HashMap<TopicPartition, Result<Option<Committed>, ErrorCode>>;

pub(super) struct JoinAsk {
    pub(super) session_timeout: Duration,
    pub(super) rebalance_timeout: Duration,
    /// The assignors' names, best first, with the member's subscription for each.
    pub(super) protocols: Vec<(String, Bytes)>,
    pub(super) reason: &'static str,
}

/// A member by its id, with its instance id and its subscription.
pub(super) type ToldMember = (Arc<str>, Option<Arc<str>>, Bytes);

/// What came of JoinGroup.
#[derive(Debug)]
pub(super) enum JoinAnswer {
    /// For the leader with every member.
    Joined { joined: Joined, protocol: String, members: Vec<ToldMember> },
    /// Join by this id (KIP-394).
    Named(Arc<str>),
}

pub(super) async fn join(
    connection: Arc<Connection>,
    who: Identity,
    ask: JoinAsk,
    limit: Duration,
) -> Result<JoinAnswer, Failure> {
    let protocols = ask
        .protocols
        .into_iter()
        .map(|(name, metadata)| message!(JoinGroupRequestProtocol { name: name.as_str().into(), metadata: metadata }));
    let version = connection.version::<JoinGroupRequest>()?;
    let mut request = message!(JoinGroupRequest {
        group_id: (&*who.group).into(),
        session_timeout_ms: ask.session_timeout.as_millis() as i32,
        rebalance_timeout_ms: ask.rebalance_timeout.as_millis() as i32,
        member_id: (&*who.member_id).into(),
        group_instance_id: instance(&who, version >= 5)?,
        protocol_type: PROTOCOL_TYPE.into(),
        protocols: protocols.collect(),
    });
    if version >= 8 {
        request.reason = Some(ask.reason.into());
    }
    let answer = connection.call(request, limit).await?;
    let member_id: Arc<str> = Arc::from(answer.member_id.as_str());
    match ErrorCode::new(answer.error_code) {
        ErrorCode::NONE => {
            let leads = !answer.skip_assignment && answer.leader.as_str() == &*member_id;
            let joined = Joined { member_id, generation: answer.generation_id, leads };
            let members = answer.members.into_iter().map(|m| {
                let instance = m.group_instance_id.map(|id| Arc::from(id.as_str()));
                (Arc::from(m.member_id.as_str()), instance, m.metadata)
            });
            let protocol = answer.protocol_name.map(|name| name.as_str().to_owned()).unwrap_or_default();
            Ok(JoinAnswer::Joined { joined, protocol, members: members.collect() })
        }
        ErrorCode::MEMBER_ID_REQUIRED => Ok(JoinAnswer::Named(member_id)),
        code => Err(code.into()),
    }
}

/// The member's part of the assignment.
pub(super) async fn sync(
    connection: Arc<Connection>,
    who: Identity,
    protocol: String,
    assignments: Vec<(Arc<str>, Bytes)>,
    limit: Duration,
) -> Result<Bytes, Failure> {
    let assignments = assignments.into_iter().map(|(member_id, assignment)| {
        message!(SyncGroupRequestAssignment { member_id: (&*member_id).into(), assignment: assignment })
    });
    let version = connection.version::<SyncGroupRequest>()?;
    let mut request = message!(SyncGroupRequest {
        group_id: (&*who.group).into(),
        generation_id: who.generation,
        member_id: (&*who.member_id).into(),
        group_instance_id: instance(&who, version >= 3)?,
        assignments: assignments.collect(),
    });
    if version >= 5 {
        request.protocol_type = Some(PROTOCOL_TYPE.into());
        request.protocol_name = Some(protocol.as_str().into());
    }
    let answer = connection.call(request, limit).await?;
    ErrorCode::new(answer.error_code).check()?;
    Ok(answer.assignment)
}

pub(super) async fn heartbeat(connection: Arc<Connection>, who: Identity, limit: Duration) -> Result<(), Failure> {
    let version = connection.version::<HeartbeatRequest>()?;
    let request = message!(HeartbeatRequest {
        group_id: (&*who.group).into(),
        generation_id: who.generation,
        member_id: (&*who.member_id).into(),
        group_instance_id: instance(&who, version >= 3)?,
    });
    let answer = connection.call(request, limit).await?;
    Ok(ErrorCode::new(answer.error_code).check()?)
}

pub(super) async fn leave(
    connection: Arc<Connection>,
    who: Identity,
    reason: &'static str,
    limit: Duration,
) -> Result<(), Failure> {
    let version = connection.version::<LeaveGroupRequest>()?;
    let mut request = message!(LeaveGroupRequest { group_id: (&*who.group).into() });
    if version >= 3 {
        let mut member = message!(MemberIdentity { member_id: (&*who.member_id).into() });
        member.reason = (version >= 5).then(|| reason.into());
        request.members = vec![member];
    } else {
        request.member_id = (&*who.member_id).into();
    }
    let answer = connection.call(request, limit).await?;
    let of_member = answer.members.first().map_or(0, |member| member.error_code);
    ErrorCode::new(answer.error_code).check()?;
    Ok(ErrorCode::new(of_member).check()?)
}

/// Each partition's result; one that the answer leaves out has failed.
pub(super) async fn commit(
    connection: Arc<Connection>,
    who: Identity,
    offsets: Vec<(TopicPartition, Committed)>,
    limit: Duration,
) -> Result<HashMap<TopicPartition, ErrorCode>, Failure> {
    let mut topics: BTreeMap<&str, Vec<OffsetCommitRequestPartition>> = BTreeMap::new();
    for (at, committed) in &offsets {
        topics.entry(&at.topic).or_default().push(message!(OffsetCommitRequestPartition {
            partition_index: at.partition,
            committed_offset: committed.offset,
            committed_leader_epoch: committed.leader_epoch,
            committed_metadata: Some((&*committed.metadata).into()),
        }));
    }
    let topics = topics
        .into_iter()
        .map(|(name, partitions)| message!(OffsetCommitRequestTopic { name: name.into(), partitions: partitions }));
    let version = connection.version::<OffsetCommitRequest>()?;
    let request = message!(OffsetCommitRequest {
        group_id: (&*who.group).into(),
        generation_id_or_member_epoch: who.generation,
        member_id: (&*who.member_id).into(),
        group_instance_id: instance(&who, version >= 7)?,
        topics: topics.collect(),
    });
    let answer = connection.call(request, limit).await?;
    let mut results = HashMap::new();
    for topic in &answer.topics {
        for p in &topic.partitions {
            let at = TopicPartition::new(topic.name.as_str(), p.partition_index);
            results.insert(at, ErrorCode::new(p.error_code));
        }
    }
    Ok(results)
}

/// What is committed of these partitions; `None` where nothing is. Offsets that a transaction may still change are refused
/// (`UNSTABLE_OFFSET_COMMIT`, KIP-447) by brokers that know of it.
pub(super) async fn fetch_committed(
    connection: Arc<Connection>,
    group: Arc<str>,
    partitions: Vec<TopicPartition>,
    limit: Duration,
) -> Result<CommittedOffsets, Failure> {
    let mut topics: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
    for at in &partitions {
        topics.entry(&at.topic).or_default().push(at.partition);
    }
    let version = connection.version::<OffsetFetchRequest>()?;
    let mut request = message!(OffsetFetchRequest { require_stable: version >= 7 });
    if version >= 8 {
        let topics = topics.into_iter().map(|(name, partitions)| {
            message!(OffsetFetchRequestTopics { name: name.into(), partition_indexes: partitions })
        });
        let mut asked = message!(OffsetFetchRequestGroup { group_id: (&*group).into() });
        asked.topics = Some(topics.collect());
        request.groups = vec![asked];
    } else {
        let topics = topics.into_iter().map(|(name, partitions)| {
            message!(OffsetFetchRequestTopic { name: name.into(), partition_indexes: partitions })
        });
        request.group_id = (&*group).into();
        request.topics = Some(topics.collect());
    }
    let answer = connection.call(request, limit).await?;
    ErrorCode::new(answer.error_code).check()?;
    let mut found = HashMap::new();
    let mut file = |topic: &str, partition: i32, offset: i64, leader_epoch: i32, metadata: Option<&str>, code: i16| {
        let committed = Committed { offset, leader_epoch, metadata: Arc::from(metadata.unwrap_or_default()) };
        let result = ErrorCode::new(code).check().map(|()| (offset >= 0).then_some(committed));
        found.insert(TopicPartition::new(topic, partition), result);
    };
    for group in &answer.groups {
        ErrorCode::new(group.error_code).check()?;
        for topic in &group.topics {
            for p in &topic.partitions {
                let metadata = p.metadata.as_ref().map(|m| m.as_str());
                let (epoch, code) = (p.committed_leader_epoch, p.error_code);
                file(topic.name.as_str(), p.partition_index, p.committed_offset, epoch, metadata, code);
            }
        }
    }
    for topic in &answer.topics {
        for p in &topic.partitions {
            let metadata = p.metadata.as_ref().map(|m| m.as_str());
            let (epoch, code) = (p.committed_leader_epoch, p.error_code);
            file(topic.name.as_str(), p.partition_index, p.committed_offset, epoch, metadata, code);
        }
    }
    Ok(found)
}

/// What each member has been given; `None` while the group is between two assignments.
pub(super) async fn assignments(
    connection: Arc<Connection>,
    group: Arc<str>,
    limit: Duration,
) -> Result<Option<Vec<Bytes>>, Failure> {
    let request = message!(DescribeGroupsRequest { groups: vec![(&*group).into()] });
    let answer = connection.call(request, limit).await?;
    let Some(described) = answer.groups.into_iter().find(|described| described.group_id.as_str() == &*group) else {
        return Ok(None);
    };
    ErrorCode::new(described.error_code).check()?;
    let is_stable = described.group_state.as_str() == "Stable";
    Ok(is_stable.then(|| described.members.into_iter().map(|member| member.member_assignment).collect()))
}

fn instance<T: for<'a> From<&'a str>>(who: &Identity, is_known: bool) -> Result<Option<T>, Failure> {
    match &who.instance {
        Some(_) if !is_known => Err(ErrorCode::UNSUPPORTED_VERSION.into()),
        instance => Ok(instance.as_deref().map(T::from)),
    }
}
