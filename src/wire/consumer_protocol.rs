//! Kafka's consumer protocol: what group members exchange inside JoinGroup and SyncGroup, a version and then a message.
//!
//! Not `kafka_wire`'s own functions for it: they refuse versions that they don't know and what follows the message, while
//! members of newer clients must be understood.

use bytes::{BufMut, Bytes, BytesMut};
use kafka_wire::KafkaMessage;
use kafka_wire_core::{ApiVersion, DecodeError, DecodeLimits, Decoder, KafkaDecode, KafkaEncode};

use super::apis::control_limits;

pub(crate) fn encode<M: KafkaEncode>(message: &M, version: i16) -> Result<Bytes, String> {
    let mut buffer = BytesMut::new();
    buffer.put_i16(version);
    message.encode_into(&mut buffer, ApiVersion::new(version)).map_err(|error| error.to_string())?;
    Ok(buffer.freeze())
}

/// A version above the known ones is read as the newest of them.
pub(crate) fn decode<M: KafkaDecode + KafkaMessage>(bytes: Bytes) -> Result<M, String> {
    fn decode<M: KafkaDecode + KafkaMessage>(bytes: Bytes, limits: DecodeLimits) -> Result<M, DecodeError> {
        let mut decoder = Decoder::new(bytes, limits)?;
        let version = decoder.read_i16()?.min(M::SUPPORTED_VERSIONS.max().value());
        M::decode(&mut decoder, ApiVersion::new(version))
    }
    decode(bytes, control_limits()).map_err(|error| error.to_string())
}
