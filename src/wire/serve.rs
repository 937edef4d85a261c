//! The other side of the wire: requests as a broker reads them, answers as it writes them. For the embedded broker.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use kafka_wire::{
    API_DESCRIPTORS, KafkaMessage, KafkaRequest, RequestHeader, RequestResponsePair, ResponseHeader,
    request_header_version, response_header_version,
};
use kafka_wire_core::{ApiKey, ApiVersion, DecodeLimits, Decoder, Encoder, KafkaDecode, KafkaEncode};

use super::apis::{api_name, control_limits, fetch_limits};

/// What stands before a request's body, and the body.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) api_key: i16,
    pub(crate) version: i16,
    pub(crate) correlation_id: i32,
    pub(crate) client_id: Option<Arc<str>>,
    pub(crate) body: Bytes,
}

impl Request {
    /// Reads a frame, without its length.
    pub(crate) fn read(frame: Bytes) -> Result<Request, String> {
        let (Some(key), Some(version)) = (i16_at(&frame, 0), i16_at(&frame, 2)) else {
            return Err(format!("a request of {} bytes", frame.len()));
        };
        let Some(api) = API_DESCRIPTORS.iter().find(|api| api.api_key == ApiKey::new(key)) else {
            return Err(format!("a request for API {key}, which does not exist"));
        };
        let flexible = api.request.flexible_versions.is_some_and(|range| range.min().value() <= version);
        let read = |frame: Bytes| {
            let mut decoder = Decoder::new(frame, fetch_limits())?;
            let header = RequestHeader::decode(&mut decoder, ApiVersion::new(request_header_version(flexible)))?;
            let body = decoder.take_bytes(decoder.remaining())?;
            Ok::<_, kafka_wire_core::DecodeError>((header, body))
        };
        let (header, body) = read(frame).map_err(|error| format!("a request's header: {error}"))?;
        let client_id = header.client_id.as_ref().map(|id| Arc::from(id.as_str()));
        Ok(Request { api_key: key, version, correlation_id: header.correlation_id, client_id, body })
    }

    /// Whether the client reads an answer: not of a Produce with `acks=0`.
    pub(crate) fn wants_answer(&self) -> bool {
        self.api_key != <kafka_wire::ProduceRequest as Served>::KEY
            || self.body::<kafka_wire::ProduceRequest>().is_ok_and(|it| it.acks != 0)
    }

    /// Reads the body.
    pub(crate) fn body<R: Served>(&self) -> Result<R, String> {
        R::read(self.version, self.body.clone())
    }
}

fn i16_at(frame: &[u8], at: usize) -> Option<i16> {
    frame.get(at..at + 2).map(|bytes| i16::from_be_bytes([bytes[0], bytes[1]]))
}

const PRODUCE: i16 = <kafka_wire::ProduceRequest as KafkaRequest>::API_KEY.value();
const JOIN_GROUP: i16 = <kafka_wire::JoinGroupRequest as KafkaRequest>::API_KEY.value();
const SYNC_GROUP: i16 = <kafka_wire::SyncGroupRequest as KafkaRequest>::API_KEY.value();

/// What reading a request may take. What is read takes up to a hundred times what stands on the wire, where strings and arrays
/// are empty; and its answer as much.
fn limits(api_key: i16) -> DecodeLimits {
    let mut limits = control_limits();
    match api_key {
        // Its records are bounded by the frame, and are not copied.
        PRODUCE => return fetch_limits(),
        // They carry what members say of themselves, and what they are given.
        JOIN_GROUP | SYNC_GROUP => limits.max_frame_bytes = 16 << 20,
        // 100,000 partitions.
        _ => limits.max_frame_bytes = 4 << 20,
    }
    limits
}

/// A produce request is as large as its records are, and might have millions of partitions without any.
fn check_produce(version: i16, body: Bytes) -> Result<(), kafka_wire_core::DecodeError> {
    let mut limits = fetch_limits();
    limits.max_array_elements = 100_000;
    let is_flexible = kafka_wire::ProduceRequest::is_flexible(ApiVersion::new(version));
    let count = |decoder: &mut Decoder| match is_flexible {
        true => decoder.read_compact_array_len(),
        false => decoder.read_array_len(),
    };
    let skip_tags = |decoder: &mut Decoder| if is_flexible { decoder.read_tagged_fields().map(drop) } else { Ok(()) };
    let mut decoder = Decoder::new(body, limits)?;
    if is_flexible {
        decoder.read_compact_nullable_string()?;
    } else if version >= 3 {
        decoder.read_nullable_string()?;
    }
    decoder.read_i16()?; // acks
    decoder.read_i32()?; // the timeout
    let mut found = 0;
    for _ in 0..count(&mut decoder)?.get() {
        match version {
            13.. => drop(decoder.read_uuid()?),
            9.. => drop(decoder.read_compact_string()?),
            _ => drop(decoder.read_string()?),
        }
        let partitions = count(&mut decoder)?.get();
        found += 1 + partitions;
        decoder.check_collection_limit("partitions", found, decoder.offset())?;
        for _ in 0..partitions {
            decoder.read_i32()?; // its index
            if is_flexible {
                decoder.read_compact_nullable_bytes()?;
            } else {
                decoder.read_nullable_bytes()?;
            }
            skip_tags(&mut decoder)?;
        }
        skip_tags(&mut decoder)?;
    }
    Ok(())
}

/// A request that a broker serves.
pub(crate) trait Served: Sized {
    /// What it is answered with.
    type Answer;
    /// The protocol's number for the API.
    const KEY: i16;
    /// The protocol's name for it.
    const NAME: &'static str;

    /// Reads the body of a request in this version.
    fn read(version: i16, body: Bytes) -> Result<Self, String>;
    /// Writes the frame of an answer, its length first.
    fn write(answer: &Self::Answer, version: i16, correlation_id: i32) -> Result<BytesMut, String>;
}

impl<R> Served for R
where
    R: KafkaRequest + RequestResponsePair + KafkaDecode,
    R::Response: KafkaEncode,
{
    type Answer = R::Response;
    const KEY: i16 = <R as KafkaRequest>::API_KEY.value();
    const NAME: &'static str = api_name(<R as KafkaMessage>::NAME);

    fn read(version: i16, body: Bytes) -> Result<Self, String> {
        let limits = limits(Self::KEY);
        let read = || {
            if Self::KEY == PRODUCE {
                check_produce(version, body.clone())?;
            }
            let mut decoder = Decoder::new(body, limits)?;
            let request = R::decode(&mut decoder, ApiVersion::new(version))?;
            // What stands behind it is left, as Kafka does: librdkafka sends three bytes too many where it asks for all topics.
            Ok::<_, kafka_wire_core::DecodeError>(request)
        };
        read().map_err(|error| format!("{} {version}: {error}", <Self as Served>::NAME))
    }

    fn write(answer: &Self::Answer, version: i16, correlation_id: i32) -> Result<BytesMut, String> {
        let version = ApiVersion::new(version);
        let mut header = ResponseHeader::default();
        header.correlation_id = correlation_id;
        let header_version =
            ApiVersion::new(response_header_version(<R as KafkaRequest>::API_KEY, version, R::is_flexible(version)));
        let mut frame = BytesMut::new();
        let mut write = || {
            let length = header.encoded_len(header_version)? + answer.encoded_len(version)?;
            frame.reserve(length + 4);
            frame.extend_from_slice(&(length as u32).to_be_bytes());
            let mut encoder = Encoder::new(&mut frame);
            header.encode(&mut encoder, header_version)?;
            answer.encode(&mut encoder, version)
        };
        write().map_err(|error| format!("an answer to {}: {error}", <Self as Served>::NAME))?;
        match i32::try_from(frame.len() - 4) {
            Ok(_) => Ok(frame),
            Err(_) => Err(format!("an answer to {} is longer than a frame may be", <Self as Served>::NAME)),
        }
    }
}

#[cfg(test)]
mod tests {
    use kafka_wire::MetadataRequest;

    use super::*;

    /// librdkafka 2.16 asks for all topics with three bytes more than the message has.
    #[test]
    fn bytes_behind_the_body_are_left() {
        let frame = *b"\x00\x03\x00\x0d\x00\x00\x00\x03\x00\x07rdkafka\x00\x00\x00\x00\x00\x01\x00\x00";
        let request = Request::read(Bytes::copy_from_slice(&frame)).unwrap();
        assert_eq!((request.api_key, request.version, request.client_id.as_deref()), (3, 13, Some("rdkafka")));
        assert_eq!(request.body::<MetadataRequest>().unwrap().topics, None);
        let short = Request::read(Bytes::copy_from_slice(&frame[..frame.len() - 5])).unwrap();
        assert!(short.body::<MetadataRequest>().is_err());
    }
}
