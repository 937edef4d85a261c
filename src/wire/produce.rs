use std::sync::Arc;

use super::attachment::Attachment;
use crate::{batch::SealedBatch, model::TopicId};

/// A Produce request with acks=all. Batches are sent from where they are, not copied into the frame.
///
/// Follows `ProduceRequest.json`, versions 7 to 13; a test holds it against the generated encoder.
#[derive(Debug)]
pub(crate) struct ProduceRequest {
    pub(crate) transactional_id: Option<Arc<str>>,
    /// How long the broker may wait for its followers, in milliseconds.
    pub(crate) timeout_ms: i32,
    pub(crate) topics: Vec<ProduceTopic>,
}

#[derive(Debug)]
pub(crate) struct ProduceTopic {
    pub(crate) name: Arc<str>,
    /// Goes out in place of the name from version 13 on.
    pub(crate) id: TopicId,
    pub(crate) partitions: Vec<ProducePartition>,
}

#[derive(Debug)]
pub(crate) struct ProducePartition {
    pub(crate) index: i32,
    pub(crate) batch: Arc<SealedBatch>,
}

const ACKS_ALL: i16 = -1;
const FLEXIBLE_FROM: i16 = 9;
const TOPIC_IDS_FROM: i16 = 13;

impl ProduceRequest {
    pub(super) fn encode_body(&self, version: i16, into: &mut Vec<u8>) -> Result<Vec<Attachment>, String> {
        let flexible = version >= FLEXIBLE_FROM;
        let (mut attachments, mut attached) = (Vec::new(), 0);
        match &self.transactional_id {
            Some(id) => string(id, flexible, into),
            None if flexible => into.push(0),
            None => into.extend_from_slice(&(-1i16).to_be_bytes()),
        }
        into.extend_from_slice(&ACKS_ALL.to_be_bytes());
        into.extend_from_slice(&self.timeout_ms.to_be_bytes());
        length(self.topics.len(), flexible, into);
        for topic in &self.topics {
            if version >= TOPIC_IDS_FROM {
                into.extend_from_slice(&topic.id.0);
            } else {
                string(&topic.name, flexible, into);
            }
            length(topic.partitions.len(), flexible, into);
            for partition in &topic.partitions {
                into.extend_from_slice(&partition.index.to_be_bytes());
                length(partition.batch.bytes().len(), flexible, into);
                if flexible {
                    attached += partition.batch.bytes().len();
                    attachments.push(Attachment { at: into.len(), batch: Arc::clone(&partition.batch) });
                } else {
                    // The last batch would be the end of the frame, where nothing can be attached.
                    into.extend_from_slice(partition.batch.bytes());
                }
                no_tags(flexible, into);
            }
            no_tags(flexible, into);
        }
        no_tags(flexible, into);
        match i32::try_from(into.len() + attached) {
            Ok(_) => Ok(attachments),
            Err(_) => Err(format!("{} bytes are no frame", into.len() + attached)),
        }
    }
}

/// An array's or a byte string's length.
fn length(length: usize, flexible: bool, into: &mut Vec<u8>) {
    if flexible {
        varint(length as u32 + 1, into);
    } else {
        into.extend_from_slice(&(length as u32).to_be_bytes());
    }
}

fn string(text: &str, flexible: bool, into: &mut Vec<u8>) {
    if flexible {
        varint(text.len() as u32 + 1, into);
    } else {
        into.extend_from_slice(&(text.len() as u16).to_be_bytes());
    }
    into.extend_from_slice(text.as_bytes());
}

fn no_tags(flexible: bool, into: &mut Vec<u8>) {
    if flexible {
        into.push(0);
    }
}

fn varint(mut value: u32, into: &mut Vec<u8>) {
    while value >= 0x80 {
        into.push(value as u8 | 0x80);
        value >>= 7;
    }
    into.push(value as u8);
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use kafka_wire::produce_request::{PartitionProduceData, TopicProduceData};

    use super::*;
    use crate::{
        batch::{BatchBuilder, Compression},
        wire::{Api, messages::message},
    };

    fn sealed(values: &[&[u8]]) -> Arc<SealedBatch> {
        let mut builder = BatchBuilder::new(Vec::new());
        for value in values {
            builder.append(1_700_000_000_000, None, Some(value), &[]);
        }
        let mut batch = builder.seal(Compression::None).unwrap();
        batch.stamp(7, 1, 0, false);
        Arc::new(batch)
    }

    #[test]
    fn writes_what_the_generated_encoder_writes() {
        let large = vec![7u8; 70_000];
        for transactional_id in [None, Some("payments")] {
            let ours = ProduceRequest {
                transactional_id: transactional_id.map(Into::into),
                timeout_ms: 30_000,
                topics: vec![
                    ProduceTopic {
                        name: "orders".into(),
                        id: TopicId([3; 16]),
                        partitions: vec![
                            ProducePartition { index: 0, batch: sealed(&[b"a", b"b"]) },
                            ProducePartition { index: 300, batch: sealed(&[&large]) },
                        ],
                    },
                    ProduceTopic { name: "t".repeat(200).into(), id: TopicId([4; 16]), partitions: Vec::new() },
                ],
            };
            for version in 7..=13 {
                let theirs = message!(kafka_wire::ProduceRequest {
                    transactional_id: transactional_id.map(Into::into),
                    acks: -1,
                    timeout_ms: 30_000,
                    topic_data: ours
                        .topics
                        .iter()
                        .map(|topic| message!(TopicProduceData {
                            name: if version < 13 { (&*topic.name).into() } else { Default::default() },
                            topic_id: if version < 13 { Default::default() } else { topic.id.into() },
                            partition_data: topic
                                .partitions
                                .iter()
                                .map(|p| message!(PartitionProduceData {
                                    index: p.index,
                                    records: Some(Bytes::copy_from_slice(p.batch.bytes())),
                                }))
                                .collect(),
                        }))
                        .collect(),
                });
                let (mut mine, mut generated) = (Vec::new(), bytes::BytesMut::new());
                for attachment in Api::encode(&ours, version, &mut mine).unwrap().iter().rev() {
                    mine.splice(attachment.at..attachment.at, attachment.batch.bytes().iter().copied());
                }
                kafka_wire_core::KafkaEncode::encode_into(
                    &theirs,
                    &mut generated,
                    kafka_wire_core::ApiVersion::new(version),
                )
                .unwrap();
                assert_eq!(mine, generated, "version {version}");
            }
        }
    }
}
