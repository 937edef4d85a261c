//! Requests as clients make them: of each API that the embedded broker serves, one in each version.

use bytes::{Bytes, BytesMut};
use kafka_wire::*;
use kafka_wire_core::{ApiVersion, KafkaEncode, StrBytes, Uuid};
use milena::batch::{BatchBuilder, Compression};

/// A frame, its length first.
#[derive(Debug, Clone)]
pub struct Sample {
    pub api: i16,
    pub version: i16,
    pub frame: Vec<u8>,
}

pub const TOPIC: &str = "t";
const GROUP: &str = "g";

/// `message!(Type { field: value, … })`: the schema's defaults elsewhere.
macro_rules! message {
    ($($name:ident)::+ { $($field:ident: $value:expr),* $(,)? }) => {{
        let mut message = <$($name)::+ as Default>::default();
        $(message.$field = $value;)*
        message
    }};
}

/// A request of one API in each version that the broker offers of it.
pub fn in_each<R: KafkaRequest + KafkaEncode>(versions: (i16, i16), make: impl Fn(i16) -> R) -> Vec<Sample> {
    let sample = |version: i16| {
        let mut frame = BytesMut::new();
        let (at, limits) = (ApiVersion::new(version), OutboundFrameLimits::new(1 << 30));
        let request = make(version);
        encode_request(&mut frame, 7, Some("hostile".into()), &request, at, limits)
            .unwrap_or_else(|why| panic!("API {} {version}: {why}", R::API_KEY.value()));
        Sample { api: R::API_KEY.value(), version, frame: frame.to_vec() }
    };
    (versions.0..=versions.1).map(sample).collect()
}

/// A batch of three records.
pub fn batch(compression: Compression) -> Vec<u8> {
    let mut builder = BatchBuilder::new(Vec::new());
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_millis() as i64;
    for value in [&b"one"[..], b"two", &[b'3'; 200]] {
        builder.append(now, Some(b"key"), Some(value), &[]);
    }
    builder.seal(compression).unwrap().bytes().to_vec()
}

/// A Produce request that brings these batches to the first partitions.
pub fn produce(version: i16, topic_id: [u8; 16], acks: i16, batches: &[Bytes]) -> ProduceRequest {
    let data = batches.iter().zip(0..);
    let data = data.map(|(batch, index)| {
        message!(produce_request::PartitionProduceData { index: index, records: Some(batch.clone()) })
    });
    let mut topic = message!(produce_request::TopicProduceData { partition_data: data.collect() });
    match version {
        13.. => topic.topic_id = Uuid::from_bytes(topic_id),
        _ => topic.name = TOPIC.into(),
    }
    message!(ProduceRequest { acks: acks, timeout_ms: 1000, topic_data: vec![topic] })
}

/// A Fetch request of the first partitions, each this often, from the start of each.
pub fn fetch(version: i16, topic_id: [u8; 16], partitions: i32, times: usize, max_bytes: i32) -> FetchRequest {
    let of = |partition: i32| {
        message!(fetch_request::FetchPartition { partition: partition, partition_max_bytes: max_bytes })
    };
    let mut topic = message!(fetch_request::FetchTopic {
        partitions: std::iter::repeat_with(|| (0..partitions).map(of)).take(times).flatten().collect(),
    });
    match version {
        13.. => topic.topic_id = Uuid::from_bytes(topic_id),
        _ => topic.topic = TOPIC.into(),
    }
    // Not to be waited for long.
    let mut fetch = message!(FetchRequest { max_wait_ms: 1, min_bytes: 1, max_bytes: max_bytes, topics: vec![topic] });
    if version >= 7 {
        fetch.session_epoch = -1;
    }
    fetch
}

fn names() -> Vec<StrBytes> {
    vec![GROUP.into(), "h".into()]
}

fn commit(version: i16, topic_id: [u8; 16]) -> OffsetCommitRequest {
    let partition = |index: i32| {
        message!(offset_commit_request::OffsetCommitRequestPartition {
            partition_index: index,
            committed_offset: 1,
            committed_metadata: Some("m".into()),
        })
    };
    let mut topic =
        message!(offset_commit_request::OffsetCommitRequestTopic { partitions: vec![partition(0), partition(1)] });
    match version {
        10.. => topic.topic_id = Uuid::from_bytes(topic_id),
        _ => topic.name = TOPIC.into(),
    }
    message!(OffsetCommitRequest { group_id: GROUP.into(), generation_id_or_member_epoch: -1, topics: vec![topic] })
}

fn committed(version: i16, topic_id: [u8; 16]) -> OffsetFetchRequest {
    if version < 8 {
        let topic = message!(offset_fetch_request::OffsetFetchRequestTopic {
            name: TOPIC.into(),
            partition_indexes: vec![0, 1]
        });
        return message!(OffsetFetchRequest { group_id: GROUP.into(), topics: Some(vec![topic]) });
    }
    let mut topic = message!(offset_fetch_request::OffsetFetchRequestTopics { partition_indexes: vec![0, 1] });
    match version {
        10.. => topic.topic_id = Uuid::from_bytes(topic_id),
        _ => topic.name = TOPIC.into(),
    }
    let group =
        message!(offset_fetch_request::OffsetFetchRequestGroup { group_id: GROUP.into(), topics: Some(vec![topic]) });
    let all = message!(offset_fetch_request::OffsetFetchRequestGroup { group_id: "h".into(), topics: None });
    message!(OffsetFetchRequest { groups: vec![group, all] })
}

fn join(version: i16) -> JoinGroupRequest {
    let protocol = |name: &str| {
        message!(join_group_request::JoinGroupRequestProtocol { name: name.into(), metadata: vec![1; 40].into() })
    };
    let mut join = message!(JoinGroupRequest {
        group_id: GROUP.into(),
        session_timeout_ms: 100,
        protocol_type: "consumer".into(),
        protocols: vec![protocol("range"), protocol("cooperative-sticky")],
    });
    if version >= 1 {
        join.rebalance_timeout_ms = 100;
    }
    join
}

fn sync(version: i16) -> SyncGroupRequest {
    let assignment = message!(sync_group_request::SyncGroupRequestAssignment {
        member_id: "m".into(),
        assignment: vec![1; 40].into()
    });
    let mut sync = message!(SyncGroupRequest {
        group_id: GROUP.into(),
        generation_id: 1,
        member_id: "m".into(),
        assignments: vec![assignment],
    });
    if version >= 5 {
        (sync.protocol_type, sync.protocol_name) = (Some("consumer".into()), Some("range".into()));
    }
    sync
}

fn leave(version: i16) -> LeaveGroupRequest {
    match version {
        3.. => {
            let member = message!(leave_group_request::MemberIdentity { member_id: "m".into() });
            message!(LeaveGroupRequest { group_id: GROUP.into(), members: vec![member.clone(), member] })
        }
        _ => message!(LeaveGroupRequest { group_id: GROUP.into(), member_id: "m".into() }),
    }
}

fn create_topics() -> CreateTopicsRequest {
    let config = message!(create_topics_request::CreatableTopicConfig {
        name: "retention.ms".into(),
        value: Some("60000".into())
    });
    let topic = |name: &str| {
        message!(create_topics_request::CreatableTopic {
            name: name.into(),
            num_partitions: 2,
            replication_factor: 1,
            configs: vec![config.clone()],
        })
    };
    let placed = message!(create_topics_request::CreatableTopic {
        name: "placed".into(),
        num_partitions: -1,
        replication_factor: -1,
        assignments: vec![message!(create_topics_request::CreatableReplicaAssignment { broker_ids: vec![1] })],
    });
    // Made in earnest now and then: mutations clear the flag.
    message!(CreateTopicsRequest { topics: vec![topic("new"), placed], timeout_ms: 1000, validate_only: true })
}

fn delete_topics(version: i16) -> DeleteTopicsRequest {
    match version {
        6.. => {
            let topic = message!(delete_topics_request::DeleteTopicState { name: Some("new".into()) });
            message!(DeleteTopicsRequest { topics: vec![topic], timeout_ms: 1000 })
        }
        _ => message!(DeleteTopicsRequest { topic_names: vec!["new".into(), "placed".into()], timeout_ms: 1000 }),
    }
}

fn create_partitions() -> CreatePartitionsRequest {
    let assignment = message!(create_partitions_request::CreatePartitionsAssignment { broker_ids: vec![1] });
    let topic = message!(create_partitions_request::CreatePartitionsTopic {
        name: "new".into(),
        count: 3,
        assignments: Some(vec![assignment]),
    });
    message!(CreatePartitionsRequest { topics: vec![topic], timeout_ms: 1000, validate_only: true })
}

fn delete_records() -> DeleteRecordsRequest {
    let partition = message!(delete_records_request::DeleteRecordsPartition { partition_index: 2, offset: 0 });
    let topic =
        message!(delete_records_request::DeleteRecordsTopic { name: TOPIC.into(), partitions: vec![partition; 2] });
    message!(DeleteRecordsRequest { topics: vec![topic], timeout_ms: 1000 })
}

fn list_offsets() -> ListOffsetsRequest {
    let partition = |index: i32, timestamp: i64| {
        message!(list_offsets_request::ListOffsetsPartition { partition_index: index, timestamp: timestamp })
    };
    let partitions = vec![partition(0, -1), partition(1, -2), partition(2, 1_700_000_000_000)];
    message!(ListOffsetsRequest {
        replica_id: -1,
        topics: vec![message!(list_offsets_request::ListOffsetsTopic { name: TOPIC.into(), partitions: partitions })],
    })
}

fn epochs() -> OffsetForLeaderEpochRequest {
    let partition =
        |index: i32| message!(offset_for_leader_epoch_request::OffsetForLeaderPartition { partition: index });
    let topic = message!(offset_for_leader_epoch_request::OffsetForLeaderTopic {
        topic: TOPIC.into(),
        partitions: vec![partition(0), partition(1)],
    });
    message!(OffsetForLeaderEpochRequest { topics: vec![topic] })
}

fn describe_configs() -> DescribeConfigsRequest {
    let resource = |kind: i8, name: &str, keys: Option<Vec<StrBytes>>| {
        message!(describe_configs_request::DescribeConfigsResource {
            resource_type: kind,
            resource_name: name.into(),
            configuration_keys: keys,
        })
    };
    let resources = vec![resource(2, TOPIC, Some(vec!["retention.ms".into()])), resource(4, "1", None)];
    message!(DescribeConfigsRequest { resources: resources, include_synonyms: true })
}

fn alter_configs() -> IncrementalAlterConfigsRequest {
    let config = message!(incremental_alter_configs_request::AlterableConfig {
        name: "retention.ms".into(),
        value: Some("60000".into()),
    });
    let resource = message!(incremental_alter_configs_request::AlterConfigsResource {
        resource_type: 2,
        resource_name: "new".into(),
        configs: vec![config],
    });
    message!(IncrementalAlterConfigsRequest { resources: vec![resource], validate_only: true })
}

fn describe_partitions() -> DescribeTopicPartitionsRequest {
    message!(DescribeTopicPartitionsRequest {
        topics: vec![message!(describe_topic_partitions_request::TopicRequest { name: TOPIC.into() })],
        response_partition_limit: 2,
        cursor: Some(message!(describe_topic_partitions_request::Cursor { topic_name: TOPIC.into() })),
    })
}

fn elect_leaders() -> ElectLeadersRequest {
    let topic = message!(elect_leaders_request::TopicPartitions { topic: TOPIC.into(), partitions: vec![0, 1] });
    message!(ElectLeadersRequest { topic_partitions: Some(vec![topic]), timeout_ms: 1000 })
}

fn metadata(version: i16) -> MetadataRequest {
    let topic = message!(metadata_request::MetadataRequestTopic { name: Some(TOPIC.into()) });
    let mut request = message!(MetadataRequest { topics: Some(vec![topic]) });
    request.allow_auto_topic_creation = version < 4;
    request
}

/// All of them.
pub fn all(topic_id: [u8; 16]) -> Vec<Sample> {
    let group = || StrBytes::from(GROUP);
    let batches: Vec<Bytes> =
        [Compression::None, Compression::GZIP, Compression::Lz4].map(|it| batch(it).into()).into();
    let samples = [
        in_each((3, 13), |v| produce(v, topic_id, -1, &batches)),
        in_each((4, 18), |v| fetch(v, topic_id, 3, 1, 1000)),
        in_each((1, 11), |_| list_offsets()),
        in_each((0, 13), metadata),
        in_each((0, 4), |v| match v {
            3.. => {
                message!(ApiVersionsRequest { client_software_name: "a".into(), client_software_version: "1".into() })
            }
            _ => ApiVersionsRequest::default(),
        }),
        in_each((0, 5), |_| message!(InitProducerIdRequest { transaction_timeout_ms: 1000 })),
        in_each((0, 6), |v| match v {
            4.. => message!(FindCoordinatorRequest { coordinator_keys: names() }),
            _ => message!(FindCoordinatorRequest { key: group() }),
        }),
        in_each((0, 9), join),
        in_each((0, 5), sync),
        in_each((0, 4), |_| message!(HeartbeatRequest { group_id: group(), generation_id: 1, member_id: "m".into() })),
        in_each((0, 5), leave),
        in_each((2, 10), |v| commit(v, topic_id)),
        in_each((1, 10), |v| committed(v, topic_id)),
        in_each((0, 0), |_| {
            let partition = message!(offset_delete_request::OffsetDeleteRequestPartition { partition_index: 1 });
            let topic = message!(offset_delete_request::OffsetDeleteRequestTopic {
                name: TOPIC.into(),
                partitions: vec![partition]
            });
            message!(OffsetDeleteRequest { group_id: group(), topics: vec![topic] })
        }),
        in_each((0, 5), |v| match v {
            4.. => message!(ListGroupsRequest { states_filter: vec!["Stable".into(), "Empty".into()] }),
            _ => ListGroupsRequest::default(),
        }),
        in_each((0, 6), |_| message!(DescribeGroupsRequest { groups: names() })),
        in_each((0, 2), |_| message!(DeleteGroupsRequest { groups_names: names() })),
        in_each((2, 7), |_| create_topics()),
        in_each((1, 6), delete_topics),
        in_each((0, 3), |_| create_partitions()),
        in_each((0, 2), |_| delete_records()),
        in_each((2, 4), |_| epochs()),
        in_each((1, 4), |_| describe_configs()),
        in_each((0, 1), |_| alter_configs()),
        in_each((0, 1), |v| match v {
            1.. => message!(ListConfigResourcesRequest { resource_types: vec![2, 4] }),
            _ => ListConfigResourcesRequest::default(),
        }),
        in_each((0, 2), |_| DescribeClusterRequest::default()),
        in_each((0, 0), |_| describe_partitions()),
        in_each((0, 2), |_| elect_leaders()),
        in_each((0, 1), |_| message!(SaslHandshakeRequest { mechanism: "PLAIN".into() })),
        in_each((0, 2), |_| message!(SaslAuthenticateRequest { auth_bytes: vec![1; 20].into() })),
    ];
    samples.into_iter().flatten().collect()
}
