//! The message types of Kafka's own schemas that the layers above build and read.
//!
//! They are `#[non_exhaustive]` and have no builders: [`message!`] sets the named fields over the defaults.

pub(crate) use kafka_wire::{
    ConsumerProtocolAssignment, ConsumerProtocolSubscription, CreatePartitionsRequest, CreateTopicsRequest,
    DeleteGroupsRequest, DeleteRecordsRequest, DeleteTopicsRequest, DescribeConfigsRequest, DescribeGroupsRequest,
    FetchRequest, FetchResponse, FindCoordinatorRequest, HeartbeatRequest, IncrementalAlterConfigsRequest,
    InitProducerIdRequest, JoinGroupRequest, LeaveGroupRequest, ListGroupsRequest, ListOffsetsRequest, MetadataRequest,
    MetadataResponse, OffsetCommitRequest, OffsetDeleteRequest, OffsetFetchRequest, OffsetForLeaderEpochRequest,
    ProduceResponse, SyncGroupRequest,
};
pub(crate) use kafka_wire::{
    consumer_protocol_assignment, consumer_protocol_subscription, create_partitions_request, create_topics_request,
    delete_records_request, delete_topics_request, describe_configs_request, describe_groups_response, fetch_request,
    fetch_response, incremental_alter_configs_request, join_group_request, leave_group_request, list_offsets_request,
    metadata_request, offset_commit_request, offset_delete_request, offset_fetch_request,
    offset_for_leader_epoch_request, sync_group_request,
};

#[cfg(any(test, feature = "embedded"))]
pub(crate) use kafka_wire::{metadata_response, produce_response};

/// For the embedded broker.
#[cfg(feature = "embedded")]
pub(crate) use kafka_wire::{
    ApiVersionsRequest, ApiVersionsResponse, InitProducerIdResponse, ListOffsetsResponse, ProduceRequest,
    api_versions_response, list_offsets_response, produce_request,
};
/// For its admins.
#[cfg(feature = "embedded")]
pub(crate) use kafka_wire::{
    CreatePartitionsResponse, CreateTopicsResponse, DeleteRecordsResponse, DeleteTopicsResponse,
    DescribeClusterRequest, DescribeClusterResponse, DescribeConfigsResponse, DescribeTopicPartitionsRequest,
    DescribeTopicPartitionsResponse, ElectLeadersRequest, ElectLeadersResponse, IncrementalAlterConfigsResponse,
    ListConfigResourcesRequest, ListConfigResourcesResponse, OffsetForLeaderEpochResponse, create_partitions_response,
    create_topics_response, delete_records_response, delete_topics_response, describe_cluster_response,
    describe_configs_response, describe_topic_partitions_response, elect_leaders_request, elect_leaders_response,
    incremental_alter_configs_response, list_config_resources_response, offset_for_leader_epoch_response,
};
/// For its groups.
#[cfg(feature = "embedded")]
pub(crate) use kafka_wire::{
    DeleteGroupsResponse, DescribeGroupsResponse, FindCoordinatorResponse, HeartbeatResponse, JoinGroupResponse,
    LeaveGroupResponse, ListGroupsResponse, OffsetCommitResponse, OffsetDeleteResponse, OffsetFetchResponse,
    SyncGroupResponse, delete_groups_response, find_coordinator_response, join_group_response, leave_group_response,
    list_groups_response, offset_commit_response, offset_delete_response, offset_fetch_response,
};

use crate::model::TopicId;

/// `message!(Type { field: value, … })`: a message with these fields set and the schema's defaults elsewhere.
macro_rules! message {
    ($($name:ident)::+ { $($field:ident: $value:expr),* $(,)? }) => {{
        let mut message = <$($name)::+ as Default>::default();
        $(message.$field = $value;)*
        message
    }};
}
pub(crate) use message;

impl From<kafka_wire_core::Uuid> for TopicId {
    fn from(id: kafka_wire_core::Uuid) -> Self {
        TopicId(id.to_bytes())
    }
}

impl From<TopicId> for kafka_wire_core::Uuid {
    fn from(id: TopicId) -> Self {
        kafka_wire_core::Uuid::from_bytes(id.0)
    }
}
