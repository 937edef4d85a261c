use std::{io, sync::Arc, time::Duration};

use super::Address;

/// What can go wrong between this client and one broker.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// No connection could be made.
    #[error("cannot connect to {address}: {source}")]
    Connect {
        /// Whom to.
        address: Address,
        /// The system's reason.
        source: Arc<io::Error>,
    },
    /// Something answers at this address, but it is not a Kafka broker, or not in this protocol.
    #[error("{address} does not answer as a Kafka broker: {why}")]
    NotKafka {
        /// Whose address.
        address: Address,
        /// What was seen.
        why: String,
    },
    /// The broker has no version of the API that this crate speaks.
    #[error("{api}: {}, this client speaks versions {} to {}", offered(.broker), .client.0, .client.1)]
    Unsupported {
        /// The API's name.
        api: &'static str,
        /// The broker's versions, lowest and highest; `None` where it does not know the API.
        broker: Option<(i16, i16)>,
        /// Ours.
        client: (i16, i16),
    },
    /// No answer within the time. The connection has been given up; the broker may have acted on the request.
    #[error("{api}: no answer from {address} within {after:?}")]
    Timeout {
        /// The API's name.
        api: &'static str,
        /// Whose answer.
        address: Address,
        /// How long it was waited for.
        after: Duration,
    },
    /// The connection was lost before the answer came. The broker may have acted on the request.
    #[error("{api}: connection to {address} lost: {why}")]
    Lost {
        /// The API's name.
        api: &'static str,
        /// Whom to.
        address: Address,
        /// Why.
        why: String,
    },
    /// The answer's bytes do not follow the protocol. The connection has been given up.
    #[error("{api}: malformed answer from {address}: {why}")]
    Malformed {
        /// The API's name.
        api: &'static str,
        /// Whose answer.
        address: Address,
        /// Where it went wrong.
        why: String,
    },
    /// The request cannot be written in the negotiated version. Nothing was sent.
    #[error("{api}: cannot encode the request: {why}")]
    Encode {
        /// The API's name.
        api: &'static str,
        /// Which field.
        why: String,
    },
}

impl WireError {
    /// Whether the request may have reached the broker and been acted on.
    pub fn may_have_been_applied(&self) -> bool {
        match self {
            WireError::Timeout { api, .. } | WireError::Lost { api, .. } | WireError::Malformed { api, .. } => {
                // A connection whose first exchange failed has carried no other request.
                *api != "ApiVersions"
            }
            _ => false,
        }
    }

    /// Whether the same request may succeed on a new connection.
    pub fn is_retriable(&self) -> bool {
        !matches!(self, WireError::Unsupported { .. } | WireError::Encode { .. })
    }
}

fn offered(versions: &Option<(i16, i16)>) -> String {
    match versions {
        Some((low, high)) => format!("the broker offers versions {low} to {high}"),
        None => "the broker does not offer it".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_that_was_never_made_has_carried_nothing() {
        let lost = |api| WireError::Lost { api, address: Address::new("a", 1), why: "closed".to_owned() };
        assert!(lost("Produce").may_have_been_applied());
        assert!(!lost("ApiVersions").may_have_been_applied());
    }
}
