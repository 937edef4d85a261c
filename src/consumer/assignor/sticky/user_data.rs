//! What members tell the leader's sticky assignor beside their subscription.
//!
//! `sticky` writes its partitions, by topic, and the generation in which it got them; older clients leave the generation
//! out. `cooperative-sticky` writes the generation only, for leaders that don't read it in the subscription (before KIP-792).
//! All numbers are big-endian, strings have an `i16` length and arrays an `i32` count.

use std::{collections::BTreeMap, sync::Arc};

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::model::TopicPartition;

pub(super) fn encode_owned(owned: &[TopicPartition], generation: i32) -> Bytes {
    let mut topics = BTreeMap::<&str, Vec<i32>>::new();
    for TopicPartition { topic, partition } in owned {
        // what Kafka cannot name does not exist
        if i16::try_from(topic.len()).is_ok() {
            topics.entry(topic).or_default().push(*partition);
        }
    }
    let mut bytes = BytesMut::new();
    bytes.put_i32(topics.len() as i32);
    for (topic, partitions) in topics {
        bytes.put_i16(topic.len() as i16);
        bytes.put_slice(topic.as_bytes());
        bytes.put_i32(partitions.len() as i32);
        partitions.into_iter().for_each(|partition| bytes.put_i32(partition));
    }
    bytes.put_i32(generation);
    bytes.freeze()
}

/// None if it cannot be read, as if the member owned nothing.
pub(super) fn decode_owned(bytes: &Bytes) -> Option<(Vec<TopicPartition>, Option<i32>)> {
    let mut bytes = &**bytes;
    let mut owned = Vec::new();
    for _ in 0..count(&mut bytes)? {
        let length = usize::try_from(bytes.try_get_i16().ok()?).ok()?;
        let (topic, rest) = bytes.split_at_checked(length)?;
        let topic: Arc<str> = str::from_utf8(topic).ok()?.into();
        bytes = rest;
        for _ in 0..count(&mut bytes)? {
            owned.push(TopicPartition::new(topic.clone(), bytes.try_get_i32().ok()?));
        }
    }
    Some((owned, bytes.try_get_i32().ok()))
}

fn count(bytes: &mut &[u8]) -> Option<u32> {
    u32::try_from(bytes.try_get_i32().ok()?).ok()
}

pub(super) fn encode_generation(generation: i32) -> Bytes {
    Bytes::copy_from_slice(&generation.to_be_bytes())
}

/// From Java's four bytes, or from librdkafka, which writes all that `sticky` does.
pub(super) fn decode_generation(bytes: &Bytes) -> Option<i32> {
    match <[u8; 4]>::try_from(&**bytes) {
        Ok(generation) => Some(i32::from_be_bytes(generation)),
        Err(_) => decode_owned(bytes)?.1,
    }
}
