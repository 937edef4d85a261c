//! Between a row of the table and rskafka's `Messenger`.

use std::{io::Cursor, marker::PhantomData, sync::Arc};

use bytes::{Buf, Bytes};
use rskafka::protocol::{
    api_key::ApiKey,
    api_version::{ApiVersion, ApiVersionRange},
    messages::{ReadVersionedError, ReadVersionedType, RequestBody, WriteVersionedError, WriteVersionedType},
    primitives::Int16,
    traits::{ReadError, WriteError},
};

use super::{
    Api,
    attachment::{Attachments, correlation_id},
};

/// The key under which an API stands in the `Messenger`'s version map.
///
/// Always `Unknown`, also where rskafka has a name: one form for all, and it writes the same number.
pub(super) const fn messenger_key(key: i16) -> ApiKey {
    ApiKey::Unknown(Int16(key))
}

pub(super) const fn version_range(low: i16, high: i16) -> ApiVersionRange {
    ApiVersionRange::new(ApiVersion(Int16(low)), ApiVersion(Int16(high)))
}

/// A request on its way out.
pub(super) struct Call<R> {
    request: R,
    attachments: Arc<Attachments>,
}

impl<R> Call<R> {
    pub(super) fn new(request: R, attachments: &Arc<Attachments>) -> Self {
        Call { request, attachments: Arc::clone(attachments) }
    }
}

/// An answer on its way in.
pub(super) struct Answer<R: Api> {
    pub(super) body: R::Answer,
    _request: PhantomData<fn() -> R>,
}

impl<R: Api> RequestBody for Call<R> {
    type ResponseBody = Answer<R>;
    const API_KEY: ApiKey = messenger_key(R::KEY);
    const API_VERSION_RANGE: ApiVersionRange = version_range(R::VERSIONS.0, R::VERSIONS.1);
    const FIRST_TAGGED_FIELD_IN_REQUEST_VERSION: ApiVersion = ApiVersion(Int16(R::FLEXIBLE_FROM));
    // The answer's header tags are skipped below: this crate's decoder checks them against its limits.
    const FIRST_TAGGED_FIELD_IN_RESPONSE_VERSION: ApiVersion = ApiVersion(Int16(i16::MAX));
}

impl<R: Api> WriteVersionedType<Vec<u8>> for Call<R> {
    fn write_versioned(&self, writer: &mut Vec<u8>, version: ApiVersion) -> Result<(), WriteVersionedError> {
        let malformed = |why: String| WriteVersionedError::WriteError(WriteError::Malformed(why.into()));
        let attachments = self.request.encode(version.0.0, writer).map_err(malformed)?;
        // The header stands in `writer` already.
        let id = correlation_id(writer).ok_or_else(|| malformed("a request without a header".to_owned()))?;
        self.attachments.put(id, attachments);
        Ok(())
    }
}

impl<R: Api> ReadVersionedType<Cursor<Vec<u8>>> for Answer<R> {
    fn read_versioned(reader: &mut Cursor<Vec<u8>>, version: ApiVersion) -> Result<Self, ReadVersionedError> {
        // The whole frame becomes one `Bytes`; records are slices of it. What is left is empty, hence read to the end.
        let position = reader.position() as usize;
        let mut body = Bytes::from(std::mem::take(reader.get_mut())).slice(position..);
        reader.set_position(0);
        let version = version.0.0;
        header_tags::<R>(version, &mut body)
            .and_then(|()| R::decode(version, body))
            .map(|body| Answer { body, _request: PhantomData })
            .map_err(|why| ReadVersionedError::ReadError(ReadError::Malformed(why.into())))
    }
}

/// Steps over the tagged fields of a response header (version 1). ApiVersions never has them (KIP-511).
fn header_tags<R: Api>(version: i16, body: &mut Bytes) -> Result<(), String> {
    const API_VERSIONS: i16 = 18;
    if version < R::FLEXIBLE_FROM || R::KEY == API_VERSIONS {
        return Ok(());
    }
    for _ in 0..varint(body)? {
        varint(body)?;
        let length = varint(body)? as usize;
        if length > body.len() {
            return Err(format!("a header tag of {length} bytes where {} are left", body.len()));
        }
        body.advance(length);
    }
    Ok(())
}

fn varint(body: &mut Bytes) -> Result<u32, String> {
    let mut value = 0u64;
    for shift in (0..35).step_by(7) {
        let byte = body.first().copied().ok_or("the header ends in the middle")?;
        body.advance(1);
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return u32::try_from(value).map_err(|_| "a number in the header is too large".to_owned());
        }
    }
    Err("a number in the header is too long".to_owned())
}
