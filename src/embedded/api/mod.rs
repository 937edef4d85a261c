//! What the broker serves: one file an API.
//!
//! Each file has `answer`, which takes the state, who asks, and the request; and `refuse`, the answer that carries an error
//! code in place of a result. An API that is not in the table is not offered; transactions (AddPartitionsToTxn,
//! AddOffsetsToTxn, EndTxn, TxnOffsetCommit), the groups of KIP-848 (ConsumerGroupHeartbeat, ConsumerGroupDescribe) and
//! share groups have their place here when they come.

mod operations;

use bytes::BytesMut;
use tokio::time::Instant;

use super::{
    caller::Caller,
    state::State,
    waiting::{Answer, Ticket},
};
use crate::wire::{
    ErrorCode,
    messages::*,
    serve::{Request, Served},
};

/// What Metadata and DescribeCluster call the cluster.
pub(crate) const CLUSTER_ID: &str = "milena-embedded-broker";

/// Does what has fallen due by now, and answers fetches that have waited long enough or for what has come.
pub(crate) fn settle(state: &mut State, now: Instant) {
    state.groups.settle(now, &mut state.waiting);
    fetch::settle(state, now);
}

/// What becomes of a request.
#[derive(Debug)]
pub(crate) enum Outcome<A> {
    Now(A),
    /// Its ticket will be answered.
    Later(Ticket),
    /// The client wants no answer.
    Never,
    /// It wants none, and is told by the end of the connection that what it asks for was not done, and why by nobody.
    End(String),
}

impl<A> From<A> for Outcome<A> {
    fn from(answer: A) -> Self {
        Outcome::Now(answer)
    }
}

/// What goes back to the client.
#[derive(Debug)]
pub(crate) enum Reply {
    Frame(BytesMut),
    Later(Ticket),
    Nothing,
}

impl Answer {
    /// As a frame.
    pub(crate) fn write(&self, request: &Request) -> Result<BytesMut, String> {
        match self {
            Answer::Fetch(answer) => FetchRequest::write(answer, request.version, request.correlation_id),
            Answer::Join(joined) => {
                let answer = join_group::response(joined, request.version);
                JoinGroupRequest::write(&answer, request.version, request.correlation_id)
            }
            Answer::Sync(synced) => {
                let answer = sync_group::response(synced, request.version);
                SyncGroupRequest::write(&answer, request.version, request.correlation_id)
            }
        }
    }
}

/// An API and the versions of it that are offered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Offered {
    pub(crate) key: i16,
    pub(crate) name: &'static str,
    pub(crate) versions: (i16, i16),
}

/// The table. Versions are those that Kafka 4.3 answers ApiVersions with.
macro_rules! apis {
    ($($file:ident $request:ident $low:literal..=$high:literal;)*) => {
        $(pub(super) mod $file;)*

        pub(crate) const OFFERED: &[Offered] = &[
            $(Offered { key: <$request as Served>::KEY, name: <$request as Served>::NAME, versions: ($low, $high) },)*
        ];

        /// Serves a request. `Err` if it cannot be read, or cannot be refused otherwise: the connection is closed, as Kafka does.
        pub(crate) fn serve(state: &mut State, caller: &Caller, request: &Request) -> Result<Reply, String> {
            match request.api_key {
                $(<$request as Served>::KEY => {
                    let outcome = $file::answer(state, caller, request.body::<$request>()?);
                    reply::<$request>(request, outcome.into())
                })*
                key => Err(format!("API {key} is not served")),
            }
        }

        /// The answer that carries this code.
        pub(crate) fn refuse(request: &Request, code: ErrorCode) -> Result<BytesMut, String> {
            match request.api_key {
                $(<$request as Served>::KEY => {
                    let answer = $file::refuse(&request.body::<$request>()?, request.version, code);
                    <$request as Served>::write(&answer, request.version, request.correlation_id)
                })*
                key => Err(format!("API {key} is not served")),
            }
        }
    };
}

apis! {
    produce ProduceRequest 0..=13;
    fetch FetchRequest 4..=18;
    list_offsets ListOffsetsRequest 1..=11;
    metadata MetadataRequest 0..=13;
    api_versions ApiVersionsRequest 0..=4;
    init_producer_id InitProducerIdRequest 0..=5;
    find_coordinator FindCoordinatorRequest 0..=6;
    join_group JoinGroupRequest 0..=9;
    sync_group SyncGroupRequest 0..=5;
    heartbeat HeartbeatRequest 0..=4;
    leave_group LeaveGroupRequest 0..=5;
    offset_commit OffsetCommitRequest 2..=10;
    offset_fetch OffsetFetchRequest 1..=10;
    offset_delete OffsetDeleteRequest 0..=0;
    list_groups ListGroupsRequest 0..=5;
    describe_groups DescribeGroupsRequest 0..=6;
    delete_groups DeleteGroupsRequest 0..=2;
    create_topics CreateTopicsRequest 2..=7;
    delete_topics DeleteTopicsRequest 1..=6;
    create_partitions CreatePartitionsRequest 0..=3;
    delete_records DeleteRecordsRequest 0..=2;
    offset_for_leader_epoch OffsetForLeaderEpochRequest 2..=4;
    describe_configs DescribeConfigsRequest 1..=4;
    incremental_alter_configs IncrementalAlterConfigsRequest 0..=1;
    list_config_resources ListConfigResourcesRequest 0..=1;
    describe_cluster DescribeClusterRequest 0..=2;
    describe_topic_partitions DescribeTopicPartitionsRequest 0..=0;
    elect_leaders ElectLeadersRequest 0..=2;
    sasl_handshake SaslHandshakeRequest 0..=1;
    sasl_authenticate SaslAuthenticateRequest 0..=2;
}

fn reply<R: Served>(request: &Request, outcome: Outcome<R::Answer>) -> Result<Reply, String> {
    Ok(match outcome {
        Outcome::Now(answer) => Reply::Frame(R::write(&answer, request.version, request.correlation_id)?),
        Outcome::Later(ticket) => Reply::Later(ticket),
        Outcome::Never => Reply::Nothing,
        Outcome::End(why) => return Err(why),
    })
}

/// The versions of an API that this broker offers; `None` if it does not.
pub(crate) fn offered(state: &State, key: i16) -> Option<(i16, i16)> {
    let (low, high) = OFFERED.iter().find(|api| api.key == key)?.versions;
    let high = state.settings.max_versions.get(&key).map_or(high, |max| high.min(*max));
    (low <= high).then_some((low, high))
}
