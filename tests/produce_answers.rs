//! What brokers answer to produce requests that this crate's producer does not make: the same on both.

#[macro_use]
mod support;

use kafka_wire::{
    InitProducerIdRequest, ListOffsetsRequest, ProduceRequest,
    list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic},
    produce_request::{PartitionProduceData, TopicProduceData},
    produce_response::PartitionProduceResponse,
};
use milena::{
    ErrorCode,
    batch::{BatchBuilder, Compression, SealedBatch},
};
use support::{Raw, RawPartition};

const TIME: i64 = 1_795_600_000_000;

// Where the fields of a batch's header are.
const MAGIC: usize = 16;
const CRC: usize = 17;
const ATTRIBUTES: usize = 21;
const MAX_TIMESTAMP: usize = 35;
const COUNT: usize = 57;

fn sealed(records: &[(i64, Option<&str>)], compression: Compression) -> SealedBatch {
    let mut builder = BatchBuilder::new(Vec::new());
    for (time, key) in records {
        builder.append(*time, key.map(str::as_bytes), Some(b"value"), &[]);
    }
    builder.seal(compression).unwrap()
}

fn batch() -> Vec<u8> {
    sealed(&[(TIME, None), (TIME + 5, None)], Compression::None).bytes().to_vec()
}

/// With other bytes at this place, and the checksum of it then.
fn with(mut batch: Vec<u8>, at: usize, bytes: &[u8]) -> Vec<u8> {
    batch[at..at + bytes.len()].copy_from_slice(bytes);
    let crc = crc_fast::crc32_iscsi(&batch[ATTRIBUTES..]);
    batch[CRC..CRC + 4].copy_from_slice(&crc.to_be_bytes());
    batch
}

async fn produced_at(
    raw: &mut Raw,
    topic: &str,
    (version, records): (i16, Vec<u8>),
) -> (PartitionProduceResponse, Vec<i32>) {
    let data = message!(PartitionProduceData { index: 0, records: Some(records.into()) });
    let topic = message!(TopicProduceData { name: topic.into(), partition_data: vec![data] });
    let request = message!(ProduceRequest { acks: -1, timeout_ms: 10_000, topic_data: vec![topic] });
    let mut answer = raw.ask(version, &request).await;
    let endpoints = answer.node_endpoints.iter().map(|endpoint| endpoint.node_id).collect();
    (answer.responses.remove(0).partition_responses.remove(0), endpoints)
}

async fn produced(partition: &mut RawPartition, version: i16, records: Vec<u8>) -> PartitionProduceResponse {
    let topic = partition.topic.clone();
    let leader = partition.leader;
    produced_at(partition.at(leader), &topic, (version, records)).await.0
}

#[tokio::test]
async fn bad_batches_are_refused_with_kafkas_codes() {
    let broker = support::broker();
    let topic = broker.topic("refused", 1).await;
    let mut partition = RawPartition::of(broker.bootstrap(), &topic).await;
    let compressed = sealed(&[(TIME, None)], Compression::Gzip(6)).bytes().to_vec();
    let (gzip, zstd) = (compressed.clone(), with(compressed.clone(), ATTRIBUTES, &[0, 4]));
    let magic = |value: u8| {
        let mut batch = batch();
        batch[MAGIC] = value;
        batch
    };
    let mut flipped = batch();
    *flipped.last_mut().unwrap() ^= 1;
    let invalid = ErrorCode::INVALID_RECORD;
    let corrupt = ErrorCode::CORRUPT_MESSAGE;
    // Whether the answer says where the log begins tells that the log has been asked.
    for (what, version, records, code, start) in [
        ("format 1", 9, magic(1), invalid, -1),
        ("format 3", 9, magic(3), corrupt, -1),
        ("none", 9, Vec::new(), invalid, -1),
        ("the beginning of one", 9, batch()[..20].to_vec(), invalid, -1),
        ("two", 9, [batch(), batch()].concat(), invalid, -1),
        ("no batch behind it", 9, [batch(), vec![0; 30]].concat(), corrupt, -1),
        ("a wrong bit", 9, flipped, corrupt, -1),
        ("not from 0 on", 9, with(batch(), 0, &7_i64.to_be_bytes()), invalid, 0),
        ("of brokers", 9, with(batch(), ATTRIBUTES, &[0, 0x20]), invalid, 0),
        ("too few records", 9, with(batch(), COUNT, &1_i32.to_be_bytes()), invalid, 0),
        ("a codec that is none", 9, with(batch(), ATTRIBUTES, &[0, 5]), ErrorCode::UNKNOWN_SERVER_ERROR, 0),
        ("not compressed", 9, with(batch(), ATTRIBUTES, &[0, 1]), ErrorCode::UNKNOWN_SERVER_ERROR, 0),
        ("zstd of an old client", 6, zstd, ErrorCode::UNSUPPORTED_COMPRESSION_TYPE, -1),
    ] {
        let answer = produced(&mut partition, version, records).await;
        assert_eq!(
            (answer.error_code, answer.log_start_offset, answer.base_offset),
            (code.code(), start, -1),
            "{what}"
        );
    }
    let answer = produced(&mut partition, 9, gzip).await;
    assert_eq!((answer.error_code, answer.base_offset), (0, 0), "nothing of all that was written");
    let answer = produced(&mut partition, 9, [batch(), batch()[..16].to_vec()].concat()).await;
    assert_eq!((answer.error_code, answer.base_offset), (0, 1), "less than a header behind it is left");
}

/// Who wants no acknowledgement hears of it all the same.
#[tokio::test]
async fn the_connection_ends_where_no_answer_is_wanted_and_the_batch_is_refused() {
    let broker = support::broker();
    let topic = broker.topic("unwanted", 1).await;
    let mut partition = RawPartition::of(broker.bootstrap(), &topic).await;
    let follower = partition.follower();
    let request = |index, records: Vec<u8>| {
        let data = message!(PartitionProduceData { index: index, records: Some(records.into()) });
        let topic = message!(TopicProduceData { name: topic.as_str().into(), partition_data: vec![data] });
        message!(ProduceRequest { acks: 0, timeout_ms: 10_000, topic_data: vec![topic] })
    };
    partition.at(follower).tell(9, &request(0, batch())).await;
    partition.at(follower).until_ended().await;
    let leader = partition.leader;
    let nodes = partition.at(leader);
    nodes.tell(9, &request(0, batch())).await;
    let (answer, _) = produced_at(nodes, &topic, (9, batch())).await;
    assert_eq!((answer.error_code, answer.base_offset), (0, 2), "the connection stays where all is well");
    nodes.tell(9, &request(5, batch())).await;
    nodes.until_ended().await;
}

#[tokio::test]
async fn the_records_that_are_to_blame_are_named() {
    let broker = support::broker();
    let topic = broker.topic_with("to-blame", 1, &["cleanup.policy=compact"]).await;
    let mut partition = RawPartition::of(broker.bootstrap(), &topic).await;
    let records = [(TIME, Some("a")), (TIME, None), (TIME, Some("b")), (TIME, None)];
    let batch = sealed(&records, Compression::None).bytes().to_vec();
    let answer = produced(&mut partition, 9, batch).await;
    assert_eq!(answer.error_code, ErrorCode::INVALID_RECORD.code());
    let named: Vec<i32> = answer.record_errors.iter().map(|error| error.batch_index).collect();
    assert_eq!(named, [1, 3]);
    let each = format!("Compacted topic cannot accept message without key in topic partition {topic}-0");
    assert_eq!(answer.record_errors[0].batch_index_error_message.as_ref().map(|text| text.as_str()), Some(&*each));
    let why = answer.error_message.as_ref().map(|text| text.as_str().to_owned()).unwrap_or_default();
    assert!(why.starts_with("One or more records have been rejected due to 2 record errors in total"), "{why}");
}

#[tokio::test]
async fn a_batch_that_comes_again_is_answered_with_where_it_is_and_its_time() {
    let broker = support::broker();
    let topic = broker.topic("again", 1).await;
    let mut partition = RawPartition::of(broker.bootstrap(), &topic).await;
    let request = message!(InitProducerIdRequest { transactional_id: None, transaction_timeout_ms: 1000 });
    // Real Kafka may take a while to have ids.
    let mut id = partition.ask(4, &request).await.producer_id;
    while id < 0 {
        id = partition.ask(4, &request).await.producer_id;
    }
    let stamped = |sequence| {
        let mut batch = sealed(&[(TIME, None), (TIME + 5, None)], Compression::None);
        batch.stamp(id, 0, sequence, false);
        batch.bytes().to_vec()
    };
    for sequence in [0, 2] {
        let answer = produced(&mut partition, 9, stamped(sequence)).await;
        assert_eq!((answer.error_code, answer.base_offset, answer.log_append_time_ms), (0, sequence.into(), -1));
    }
    let again = produced(&mut partition, 9, stamped(0)).await;
    assert_eq!((again.error_code, again.base_offset, again.log_append_time_ms), (0, 0, TIME + 5));
    let gap = produced(&mut partition, 9, stamped(6)).await;
    assert_eq!((gap.error_code, gap.log_start_offset), (ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER.code(), 0));
}

#[tokio::test]
async fn the_latest_timestamp_is_that_of_the_records_whatever_the_header_says() {
    let broker = support::broker();
    let topic = broker.topic("latest", 1).await;
    let mut partition = RawPartition::of(broker.bootstrap(), &topic).await;
    let early = with(batch(), MAX_TIMESTAMP, &1_i64.to_be_bytes());
    assert_eq!(produced(&mut partition, 9, early).await.error_code, 0);
    let asked = message!(ListOffsetsPartition { partition_index: 0, timestamp: TIME + 1 });
    let topics = vec![message!(ListOffsetsTopic { name: topic.as_str().into(), partitions: vec![asked] })];
    let answer = partition.ask(7, &message!(ListOffsetsRequest { replica_id: -1, topics: topics })).await;
    let found = &answer.topics[0].partitions[0];
    assert_eq!((found.error_code, found.offset, found.timestamp), (0, 1, TIME + 5));
}

#[tokio::test]
async fn who_asks_another_is_told_who_leads_and_where() {
    let broker = support::broker();
    let topic = broker.topic("leads", 1).await;
    let mut partition = RawPartition::of(broker.bootstrap(), &topic).await;
    let (leader, epoch, other) = (partition.leader, partition.leader_epoch, partition.follower());
    let (answer, endpoints) = produced_at(partition.at(other), &topic, (10, batch())).await;
    assert_eq!(answer.error_code, ErrorCode::NOT_LEADER_OR_FOLLOWER.code());
    assert_eq!((answer.current_leader.leader_id, answer.current_leader.leader_epoch), (leader, epoch));
    assert_eq!(endpoints, [leader]);
}
