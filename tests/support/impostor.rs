//! A broker in this process that knows how to answer a producer and a consumer, and lies where a test says so.
//!
//! One topic, [`TOPIC`], of [`PARTITIONS`] partitions, each an endless log of the same batch. Each connection speaks other versions.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use bytes::{BufMut, Bytes, BytesMut};
use kafka_wire::{
    ApiVersionsResponse, FetchRequest, FetchResponse, InitProducerIdResponse, KafkaRequest, ListOffsetsRequest,
    ListOffsetsResponse, MetadataResponse, OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse, ProduceRequest,
    ProduceResponse, api_versions_response, fetch_response, list_offsets_response, metadata_response,
    offset_for_leader_epoch_response, produce_response, response_header_version_for,
};
use kafka_wire_core::{ApiVersion, DecodeLimits, KafkaDecode, KafkaEncode, Uuid};
use milena::batch::{BatchBuilder, Compression};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

pub const TOPIC: &str = "t";
pub const PARTITIONS: i32 = 3;
/// Records in each batch of the log.
pub const BATCH: i64 = 10;
const TOPIC_ID: [u8; 16] = [7; 16];
const EPOCH: i32 = 5;

/// API key, and the versions that a connection may speak.
const VERSIONS: [(i16, i16, i16); 7] =
    [(0, 7, 13), (1, 10, 17), (2, 4, 10), (3, 7, 13), (18, 0, 3), (22, 1, 5), (23, 2, 4)];

/// Changes an answer: its API key, and its frame from the length on.
pub type Lie = Arc<dyn Fn(i16, &mut Vec<u8>) + Send + Sync>;

#[derive(Debug)]
pub struct Impostor {
    address: SocketAddr,
    accepting: JoinHandle<()>,
}

struct Log {
    address: SocketAddr,
    batch: Vec<u8>,
    ends: [AtomicI64; PARTITIONS as usize],
}

/// `message!(Type { field: value, … })`: the schema's defaults elsewhere.
macro_rules! message {
    ($($name:ident)::+ { $($field:ident: $value:expr),* $(,)? }) => {{
        let mut message = <$($name)::+ as Default>::default();
        $(message.$field = $value;)*
        message
    }};
}

impl Impostor {
    pub async fn start(lie: Lie) -> Impostor {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let mut builder = BatchBuilder::new(Vec::new());
        for number in 0..BATCH {
            builder.append(number, Some(b"key"), Some(number.to_string().as_bytes()), &[]);
        }
        let mut batch = builder.seal(Compression::None).expect("a batch").bytes().to_vec();
        batch[12..16].copy_from_slice(&EPOCH.to_be_bytes());
        let log = Arc::new(Log { address, batch, ends: Default::default() });
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, log.clone(), lie.clone()));
            }
        });
        Impostor { address, accepting }
    }

    /// As for `bootstrap.servers`.
    pub fn bootstrap(&self) -> String {
        self.address.to_string()
    }
}

impl Drop for Impostor {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn serve(mut stream: TcpStream, log: Arc<Log>, lie: Lie) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    // The client ends each connection that it cannot read: without this its ports would be used up by those that it has ended.
    stream.set_zero_linger()?;
    let spoken = VERSIONS.map(|(key, low, high)| if key == 18 { (key, low, high) } else { one_of(key, low, high) });
    loop {
        let mut request = vec![0; stream.read_u32().await? as usize];
        stream.read_exact(&mut request).await?;
        let request = Bytes::from(request);
        let (key, version) = (i16_at(&request, 0), i16_at(&request, 2));
        let Some((header, body)) = log.answer(key, version, &spoken, &request) else { return Ok(()) };
        let mut frame = ((4 + header.len() + body.len()) as u32).to_be_bytes().to_vec();
        frame.extend_from_slice(&request[4..8]);
        frame.extend_from_slice(&header);
        frame.extend_from_slice(&body);
        lie(key, &mut frame);
        stream.write_all(&frame).await?;
    }
}

fn one_of(key: i16, low: i16, high: i16) -> (i16, i16, i16) {
    let version = fastrand::i16(low..=high);
    (key, version, version)
}

fn i16_at(bytes: &[u8], at: usize) -> i16 {
    i16::from_be_bytes([bytes[at], bytes[at + 1]])
}

/// The body of a request: behind key, version, correlation id, client id, and the tagged fields of which this client sends none.
fn body_of<R: KafkaRequest + KafkaDecode>(request: &Bytes, version: i16) -> Option<R> {
    let flexible = response_header_version_for::<R>(ApiVersion::new(version)).ok()? == 1;
    let at = 10 + usize::try_from(i16_at(request, 8)).unwrap_or(0) + usize::from(flexible);
    R::decode_from_bytes(request.slice(at..), ApiVersion::new(version), DecodeLimits::default()).ok()
}

/// The header behind the correlation id, and the body.
fn encoded<R: KafkaRequest>(version: i16, body: &impl KafkaEncode) -> Option<(Vec<u8>, Bytes)> {
    let header = response_header_version_for::<R>(ApiVersion::new(version)).ok()?;
    let mut bytes = BytesMut::new();
    body.encode_into(&mut bytes, ApiVersion::new(version)).ok()?;
    Some((vec![0; header as usize], bytes.freeze()))
}

impl Log {
    fn answer(&self, key: i16, version: i16, spoken: &[(i16, i16, i16)], request: &Bytes) -> Option<(Vec<u8>, Bytes)> {
        match key {
            0 => encoded::<ProduceRequest>(version, &self.produce(version, body_of(request, version)?)),
            1 => encoded::<FetchRequest>(version, &self.fetch(body_of(request, version)?)),
            2 => encoded::<ListOffsetsRequest>(version, &self.offsets(body_of(request, version)?)),
            3 => encoded::<kafka_wire::MetadataRequest>(version, &self.metadata(version)),
            18 => {
                let keys = spoken.iter().map(|(key, low, high)| {
                    message!(api_versions_response::ApiVersion { api_key: *key, min_version: *low, max_version: *high })
                });
                let answer = message!(ApiVersionsResponse { api_keys: keys.collect() });
                encoded::<kafka_wire::ApiVersionsRequest>(version, &answer)
            }
            22 => encoded::<kafka_wire::InitProducerIdRequest>(
                version,
                &message!(InitProducerIdResponse { producer_id: 9, producer_epoch: 0 }),
            ),
            23 => encoded::<OffsetForLeaderEpochRequest>(version, &self.epochs(body_of(request, version)?)),
            _ => None,
        }
    }

    fn metadata(&self, version: i16) -> MetadataResponse {
        let partition = |index| {
            message!(metadata_response::MetadataResponsePartition {
                partition_index: index,
                leader_id: 1,
                leader_epoch: EPOCH,
                replica_nodes: vec![1],
                isr_nodes: vec![1],
            })
        };
        message!(MetadataResponse {
            brokers: vec![message!(metadata_response::MetadataResponseBroker {
                node_id: 1,
                host: self.address.ip().to_string().as_str().into(),
                port: i32::from(self.address.port()),
            })],
            controller_id: 1,
            topics: vec![message!(metadata_response::MetadataResponseTopic {
                name: Some(TOPIC.into()),
                topic_id: if version >= 10 { Uuid::from_bytes(TOPIC_ID) } else { Uuid::default() },
                partitions: (0..PARTITIONS).map(partition).collect(),
            })],
        })
    }

    fn produce(&self, version: i16, request: ProduceRequest) -> ProduceResponse {
        let topic = |topic: &kafka_wire::produce_request::TopicProduceData| {
            let partitions = topic.partition_data.iter().map(|p| {
                let records = p.records.as_ref().map_or(0, |r| i64::from(i16_at(r, 59)));
                let end = usize::try_from(p.index).ok().and_then(|index| self.ends.get(index));
                message!(produce_response::PartitionProduceResponse {
                    index: p.index,
                    error_code: if end.is_some() { 0 } else { 3 },
                    base_offset: end.map_or(-1, |end| end.fetch_add(records, Ordering::Relaxed)),
                })
            });
            message!(produce_response::TopicProduceResponse {
                name: if version < 13 { topic.name.clone() } else { Default::default() },
                topic_id: topic.topic_id,
                partition_responses: partitions.collect(),
            })
        };
        message!(ProduceResponse { responses: request.topic_data.iter().map(topic).collect() })
    }

    fn fetch(&self, request: FetchRequest) -> FetchResponse {
        let topic = |topic: &kafka_wire::fetch_request::FetchTopic| {
            let partitions = topic.partitions.iter().map(|p| {
                let mut records = BytesMut::new();
                records.put_i64(p.fetch_offset);
                records.extend_from_slice(&self.batch[8..]);
                let end = p.fetch_offset.saturating_add(BATCH);
                message!(fetch_response::PartitionData {
                    partition_index: p.partition,
                    high_watermark: end,
                    last_stable_offset: end,
                    records: Some(records.freeze()),
                })
            });
            message!(fetch_response::FetchableTopicResponse {
                topic: topic.topic.clone(),
                topic_id: topic.topic_id,
                partitions: partitions.collect(),
            })
        };
        message!(FetchResponse { responses: request.topics.iter().map(topic).collect() })
    }

    fn offsets(&self, request: ListOffsetsRequest) -> ListOffsetsResponse {
        let topic = |topic: &kafka_wire::list_offsets_request::ListOffsetsTopic| {
            let partitions = topic.partitions.iter().map(|p| {
                message!(list_offsets_response::ListOffsetsPartitionResponse {
                    partition_index: p.partition_index,
                    offset: if p.timestamp == -2 { 0 } else { 1_000 },
                    leader_epoch: EPOCH,
                })
            });
            message!(list_offsets_response::ListOffsetsTopicResponse {
                name: topic.name.clone(),
                partitions: partitions.collect(),
            })
        };
        message!(ListOffsetsResponse { topics: request.topics.iter().map(topic).collect() })
    }

    fn epochs(&self, request: OffsetForLeaderEpochRequest) -> OffsetForLeaderEpochResponse {
        let topic = |topic: &kafka_wire::offset_for_leader_epoch_request::OffsetForLeaderTopic| {
            let partitions = topic.partitions.iter().map(|p| {
                message!(offset_for_leader_epoch_response::EpochEndOffset {
                    partition: p.partition,
                    leader_epoch: EPOCH,
                    end_offset: 1 << 40,
                })
            });
            message!(offset_for_leader_epoch_response::OffsetForLeaderTopicResult {
                topic: topic.topic.clone(),
                partitions: partitions.collect(),
            })
        };
        message!(OffsetForLeaderEpochResponse { topics: request.topics.iter().map(topic).collect() })
    }
}
