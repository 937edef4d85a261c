use kafka_wire::{KafkaMessage, KafkaRequest, RequestResponsePair};
use kafka_wire_core::{ApiVersion, DecodeError, DecodeLimits, Decoder, KafkaDecode, KafkaEncode};

use super::{ProduceRequest, attachment::Attachment};

/// One request type of the protocol, and what belongs to it. A row of the table below.
pub(crate) trait Api: Send + 'static {
    /// The answer's type.
    type Answer: Send + 'static;
    /// The protocol's number for the API.
    const KEY: i16;
    /// The protocol's name for the API.
    const NAME: &'static str;
    /// The versions that this crate speaks, lowest and highest.
    const VERSIONS: (i16, i16);
    /// The first version whose bodies and headers carry tagged fields (KIP-482).
    const FLEXIBLE_FROM: i16;

    /// Appends the request's body, but for what is attached to it.
    fn encode(&self, version: i16, into: &mut Vec<u8>) -> Result<Vec<Attachment>, String>;
    /// Reads the answer's body, all of it.
    fn decode(version: i16, body: bytes::Bytes) -> Result<Self::Answer, String>;
}

/// The table. The lowest versions are those of Kafka 2.1 (or of the release that brought the API), which is the first
/// that has all that the layers above rely on: zstd, leader epochs, fetch sessions. The highest are Kafka 4.3's,
/// except where a newer version serves brokers only (Fetch 18) or two-phase commit (InitProducerId 6).
macro_rules! apis {
    ($($message:ident $versions:tt;)*) => {
        $(impl Api for kafka_wire::$message {
            type Answer = <kafka_wire::$message as RequestResponsePair>::Response;
            const KEY: i16 = <kafka_wire::$message as KafkaRequest>::API_KEY.value();
            const NAME: &'static str = api_name(<kafka_wire::$message as KafkaMessage>::NAME);
            const VERSIONS: (i16, i16) = $versions;
            const FLEXIBLE_FROM: i16 = flexible_from::<kafka_wire::$message>();

            fn encode(&self, version: i16, into: &mut Vec<u8>) -> Result<Vec<Attachment>, String> {
                encode_message(self, version, into)
            }
            fn decode(version: i16, body: bytes::Bytes) -> Result<Self::Answer, String> {
                decode_message(version, body, control_limits())
            }
        })*
    };
}

apis! {
    ApiVersionsRequest (0, 3);
    CreatePartitionsRequest (1, 3);
    CreateTopicsRequest (3, 7);
    DeleteGroupsRequest (1, 2);
    DeleteRecordsRequest (1, 2);
    DeleteTopicsRequest (3, 6);
    DescribeClusterRequest (0, 2);
    DescribeConfigsRequest (2, 4);
    DescribeGroupsRequest (2, 6);
    FindCoordinatorRequest (2, 6);
    HeartbeatRequest (1, 4);
    IncrementalAlterConfigsRequest (0, 1);
    InitProducerIdRequest (1, 5);
    JoinGroupRequest (3, 9);
    LeaveGroupRequest (2, 5);
    ListGroupsRequest (2, 5);
    ListOffsetsRequest (4, 10);
    MetadataRequest (7, 13);
    OffsetCommitRequest (6, 9);
    OffsetDeleteRequest (0, 0);
    OffsetFetchRequest (5, 9);
    OffsetForLeaderEpochRequest (2, 4);
    SyncGroupRequest (2, 5);
}

impl Api for kafka_wire::FetchRequest {
    type Answer = kafka_wire::FetchResponse;
    const KEY: i16 = 1;
    const NAME: &'static str = "Fetch";
    const VERSIONS: (i16, i16) = (10, 17);
    const FLEXIBLE_FROM: i16 = flexible_from::<kafka_wire::FetchRequest>();

    fn encode(&self, version: i16, into: &mut Vec<u8>) -> Result<Vec<Attachment>, String> {
        encode_message(self, version, into)
    }
    fn decode(version: i16, body: bytes::Bytes) -> Result<Self::Answer, String> {
        decode_message(version, body, fetch_limits())
    }
}

impl Api for ProduceRequest {
    type Answer = kafka_wire::ProduceResponse;
    const KEY: i16 = 0;
    const NAME: &'static str = "Produce";
    const VERSIONS: (i16, i16) = (7, 13);
    const FLEXIBLE_FROM: i16 = flexible_from::<kafka_wire::ProduceRequest>();

    fn encode(&self, version: i16, into: &mut Vec<u8>) -> Result<Vec<Attachment>, String> {
        self.encode_body(version, into)
    }
    fn decode(version: i16, body: bytes::Bytes) -> Result<Self::Answer, String> {
        decode_message(version, body, control_limits())
    }
}

const fn flexible_from<M: KafkaMessage>() -> i16 {
    match M::FLEXIBLE_VERSIONS {
        Some(range) => range.min().value(),
        None => i16::MAX,
    }
}

/// `"Metadata"` of `"MetadataRequest"`.
pub(super) const fn api_name(message: &'static str) -> &'static str {
    message.split_at(message.len() - "Request".len()).0
}

/// For answers that carry no records: far above what the largest clusters send, far below the decoder's own defaults.
pub(super) fn control_limits() -> DecodeLimits {
    let mut limits = DecodeLimits::default();
    limits.max_frame_bytes = 64 << 20;
    limits.max_string_bytes = 64 << 10;
    limits.max_bytes_bytes = 16 << 20;
    limits.max_array_elements = 500_000;
    limits.max_tagged_fields = 64;
    limits.max_tag_bytes = 1 << 20;
    limits.max_total_tag_bytes = 1 << 20;
    limits
}

/// For fetches: the records may be as large as the frame, which the stream has bounded already.
pub(super) fn fetch_limits() -> DecodeLimits {
    let mut limits = control_limits();
    limits.max_frame_bytes = i32::MAX as usize;
    limits.max_bytes_bytes = i32::MAX as usize;
    limits
}

fn encode_message<M: KafkaEncode>(message: &M, version: i16, into: &mut Vec<u8>) -> Result<Vec<Attachment>, String> {
    let mut buffer = bytes::BytesMut::new();
    message.encode_into(&mut buffer, ApiVersion::new(version)).map_err(|e| e.to_string())?;
    into.extend_from_slice(&buffer);
    Ok(Vec::new())
}

fn decode_message<M: KafkaDecode>(version: i16, body: bytes::Bytes, limits: DecodeLimits) -> Result<M, String> {
    fn decode<M: KafkaDecode>(version: i16, body: bytes::Bytes, limits: DecodeLimits) -> Result<M, DecodeError> {
        let mut decoder = Decoder::new(body, limits)?;
        let message = M::decode(&mut decoder, ApiVersion::new(version))?;
        decoder.finish()?;
        Ok(message)
    }
    decode(version, body, limits).map_err(|e| e.to_string())
}
