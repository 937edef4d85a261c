//! Answers that a broker should not send, for tests of what reads them.
//!
//! `MILENA_MUTATIONS` sets how many each test makes; 1,000,000 take some ten minutes in a debug build.

use std::io::Cursor;

use kafka_wire_core::KafkaEncode;
use rskafka::protocol::{api_version::ApiVersion, messages::ReadVersionedType, primitives::Int16};

use super::{Api, call::Answer};

pub(crate) fn count() -> u32 {
    std::env::var("MILENA_MUTATIONS").map_or(30_000, |count| count.parse().expect("a number"))
}

/// An answer's frame behind its correlation id.
pub(crate) fn frame<R: Api<Answer: KafkaEncode>>(version: i16, answer: &R::Answer) -> Vec<u8> {
    let mut body = bytes::BytesMut::new();
    answer.encode_into(&mut body, kafka_wire_core::ApiVersion::new(version)).expect("it can be said in this version");
    let is_flexible = version >= R::FLEXIBLE_FROM && R::KEY != 18;
    [if is_flexible { &[0][..] } else { &[] }, &body].concat()
}

/// Reads a frame behind its correlation id, as a connection does.
pub(crate) fn read<R: Api>(version: i16, frame: Vec<u8>) -> Result<R::Answer, String> {
    let version = ApiVersion(Int16(version));
    Answer::<R>::read_versioned(&mut Cursor::new(frame), version).map(|it| it.body).map_err(|error| error.to_string())
}

/// Changes some bytes: single bits, numbers to their extremes, lengths, the end.
pub(crate) fn mutate(random: &mut fastrand::Rng, frame: &mut Vec<u8>) {
    for _ in 0..random.usize(1..4) {
        let at = random.usize(..frame.len().max(1));
        let mut set = |bytes: &[u8]| frame.iter_mut().skip(at).zip(bytes).for_each(|(old, new)| *old = *new);
        match random.u8(..9) {
            0 => set(&[random.u8(..)]),
            1 => set(&[0xff; 8][..random.usize(1..=8)]),
            2 => set(&[0x7f, 0xff, 0xff, 0xff]),
            3 => set(&random.u32(..1 << 20).to_be_bytes()),
            4 => set(&[0; 8][..random.usize(1..=8)]),
            5 => frame.truncate(at),
            6 => frame.extend_from_within(at.min(frame.len())..),
            7 => frame.extend((0..random.usize(1..40)).map(|_| random.u8(..4))),
            _ => frame.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << random.u8(..8)),
        }
    }
}

mod tests {
    use kafka_wire::*;

    use super::{super::ProduceRequest, *};
    use crate::wire::messages::message;

    /// Reads `count` mutations of an answer, in all versions; how many of them were still answers.
    fn reads<R: Api<Answer: KafkaEncode>>(random: &mut fastrand::Rng, count: u32, sample: &R::Answer) -> u32 {
        let frames: Vec<(i16, Vec<u8>)> =
            (R::VERSIONS.0..=R::VERSIONS.1).map(|version| (version, frame::<R>(version, sample))).collect();
        for (version, frame) in &frames {
            read::<R>(*version, frame.clone()).unwrap_or_else(|why| panic!("{} {version}: {why}", R::NAME));
        }
        let mut accepted = 0;
        for round in 0..count {
            let (version, frame) = &frames[round as usize % frames.len()];
            let mut frame = frame.clone();
            mutate(random, &mut frame);
            let length = frame.len() as u64;
            let info = allocation_counter::measure(|| accepted += u32::from(read::<R>(*version, frame).is_ok()));
            // An element of the answer may be a hundred times what it is on the wire, since an empty one is a byte or two.
            assert!(info.bytes_max < 4_096 + 256 * length, "{}: {} bytes for {length}", R::NAME, info.bytes_max);
        }
        accepted
    }

    #[test]
    fn a_mutated_answer_is_an_answer_or_an_error_in_bounded_memory() {
        let mut random = fastrand::Rng::with_seed(4);
        let random = &mut random;
        let each = count();
        let versions = message!(ApiVersionsResponse {
            api_keys: vec![
                message!(api_versions_response::ApiVersion { api_key: 3, min_version: 0, max_version: 9 });
                5
            ],
        });
        let produced = message!(ProduceResponse {
            responses: vec![message!(produce_response::TopicProduceResponse {
                partition_responses: vec![Default::default(); 3]
            })],
        });
        let fetched = message!(FetchResponse {
            responses: vec![message!(fetch_response::FetchableTopicResponse {
                partitions: vec![message!(fetch_response::PartitionData { records: Some(vec![1; 100].into()) }); 3],
            })],
        });
        let metadata = message!(MetadataResponse {
            brokers: vec![message!(metadata_response::MetadataResponseBroker { host: "broker".into() }); 2],
            topics: vec![message!(metadata_response::MetadataResponseTopic {
                name: Some("t".into()),
                partitions: vec![
                    message!(metadata_response::MetadataResponsePartition { isr_nodes: vec![1, 2, 3] });
                    3
                ],
            })],
        });
        let offsets = message!(ListOffsetsResponse {
            topics: vec![message!(list_offsets_response::ListOffsetsTopicResponse {
                partitions: vec![Default::default(); 3]
            })],
        });
        let epochs = message!(OffsetForLeaderEpochResponse {
            topics: vec![message!(offset_for_leader_epoch_response::OffsetForLeaderTopicResult {
                partitions: vec![Default::default(); 3]
            })],
        });
        let configs = message!(DescribeConfigsResponse {
            results: vec![message!(describe_configs_response::DescribeConfigsResult {
                configs: vec![Default::default(); 3]
            })],
        });
        let created = message!(CreateTopicsResponse { topics: vec![Default::default(); 2] });
        let deleted = message!(DeleteTopicsResponse {
            responses: vec![message!(delete_topics_response::DeletableTopicResult { name: Some("t".into()) }); 2],
        });
        let cluster = message!(DescribeClusterResponse { brokers: vec![Default::default(); 2] });
        let records = message!(DeleteRecordsResponse { topics: vec![Default::default(); 2] });
        let grown = message!(CreatePartitionsResponse { results: vec![Default::default(); 2] });
        let altered = message!(IncrementalAlterConfigsResponse { responses: vec![Default::default(); 2] });
        let listed = message!(ListGroupsResponse { groups: vec![Default::default(); 3] });
        let described = message!(DescribeGroupsResponse {
            groups: vec![message!(describe_groups_response::DescribedGroup { members: vec![Default::default(); 3] })],
        });
        let gone = message!(DeleteGroupsResponse { results: vec![Default::default(); 2] });
        let forgotten = message!(OffsetDeleteResponse {
            topics: vec![message!(offset_delete_response::OffsetDeleteResponseTopic {
                partitions: vec![Default::default(); 3]
            })],
        });
        let accepted = [
            reads::<ApiVersionsRequest>(random, each, &versions),
            reads::<ProduceRequest>(random, each, &produced),
            reads::<FetchRequest>(random, each, &fetched),
            reads::<MetadataRequest>(random, each, &metadata),
            reads::<ListOffsetsRequest>(random, each, &offsets),
            reads::<OffsetForLeaderEpochRequest>(random, each, &epochs),
            reads::<InitProducerIdRequest>(random, each, &Default::default()),
            reads::<FindCoordinatorRequest>(random, each, &Default::default()),
            reads::<DescribeConfigsRequest>(random, each, &configs),
            reads::<CreateTopicsRequest>(random, each, &created),
            reads::<DeleteTopicsRequest>(random, each, &deleted),
            reads::<DescribeClusterRequest>(random, each, &cluster),
            reads::<DeleteRecordsRequest>(random, each, &records),
            reads::<CreatePartitionsRequest>(random, each, &grown),
            reads::<IncrementalAlterConfigsRequest>(random, each, &altered),
            reads::<ListGroupsRequest>(random, each, &listed),
            reads::<DescribeGroupsRequest>(random, each, &described),
            reads::<DeleteGroupsRequest>(random, each, &gone),
            reads::<OffsetDeleteRequest>(random, each, &forgotten),
        ];
        println!("{each} each; accepted {accepted:?}");
        assert!(accepted.iter().all(|accepted| *accepted > 0 && *accepted < each), "{each} each: {accepted:?}");
    }
}
