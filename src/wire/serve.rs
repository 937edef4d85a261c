//! The other side of the wire: requests as a broker reads them, answers as it writes them. For the embedded broker.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use kafka_wire::{
    API_DESCRIPTORS, KafkaMessage, KafkaRequest, RequestHeader, RequestResponsePair, ResponseHeader,
    request_header_version, response_header_version,
};
use kafka_wire_core::{ApiKey, ApiVersion, Decoder, Encoder, KafkaDecode, KafkaEncode};

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
        let client_id = match &header.client_id {
            Some(id) => Some(Arc::from(id.as_str())),
            None => None,
        };
        Ok(Request { api_key: key, version, correlation_id: header.correlation_id, client_id, body })
    }

    /// Whether the client reads an answer: not of a Produce with `acks=0`.
    pub(crate) fn wants_answer(&self) -> bool {
        self.api_key != <kafka_wire::ProduceRequest as Served>::KEY
            || self.body::<kafka_wire::ProduceRequest>().is_ok_and(|it| it.acks != 0)
    }

    /// Reads the body, all of it.
    pub(crate) fn body<R: Served>(&self) -> Result<R, String> {
        R::read(self.version, self.body.clone())
    }
}

fn i16_at(frame: &[u8], at: usize) -> Option<i16> {
    frame.get(at..at + 2).map(|bytes| i16::from_be_bytes([bytes[0], bytes[1]]))
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
        // Produce carries records: its bytes are bounded by the frame.
        let limits = if Self::KEY == 0 { fetch_limits() } else { control_limits() };
        let read = || {
            let mut decoder = Decoder::new(body, limits)?;
            let request = R::decode(&mut decoder, ApiVersion::new(version))?;
            decoder.finish()?;
            Ok::<_, kafka_wire_core::DecodeError>(request)
        };
        read().map_err(|error| format!("{} {version}: {error}", Self::NAME))
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
        write().map_err(|error| format!("an answer to {}: {error}", Self::NAME))?;
        Ok(frame)
    }
}
