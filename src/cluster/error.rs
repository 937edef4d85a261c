use std::sync::Arc;

use crate::wire::{Address, ErrorCode, WireError};

/// What can go wrong before, or instead of, an answer from the right broker.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ClusterError {
    /// None of the bootstrap servers and none of the brokers known from them answered.
    #[error("no broker answers; {}", list(.tried))]
    NoBroker {
        /// Who was asked, and what came of it.
        tried: Vec<(Address, WireError)>,
    },
    /// The broker is not, or no longer, part of the cluster.
    #[error("broker {id} is not in the cluster's metadata")]
    UnknownBroker {
        /// The broker's id.
        id: i32,
    },
    /// The topic does not exist, or may not be seen.
    #[error("topic {topic:?}: {code}")]
    Topic {
        /// Its name.
        topic: Arc<str>,
        /// What the broker said of it.
        code: ErrorCode,
    },
    /// A broker refused a request.
    #[error("{api}: {code}{}", .message.as_deref().map(|m| format!(" ({m})")).unwrap_or_default())]
    Refused {
        /// The API's name.
        api: &'static str,
        /// The broker's reason.
        code: ErrorCode,
        /// The broker's own words, where it sent any.
        message: Option<String>,
    },
    /// The time that was given ran out; the last thing that went wrong.
    #[error("not within the time given; last: {last}")]
    OutOfTime {
        /// What stood in the way.
        last: Box<ClusterError>,
    },
    /// The connection failed.
    #[error(transparent)]
    Wire(#[from] WireError),
}

impl ClusterError {
    /// Whether the same may succeed later.
    pub fn is_retriable(&self) -> bool {
        match self {
            ClusterError::NoBroker { .. } | ClusterError::UnknownBroker { .. } => true,
            ClusterError::Topic { code, .. } | ClusterError::Refused { code, .. } => code.is_retriable(),
            ClusterError::OutOfTime { .. } => false,
            ClusterError::Wire(error) => error.is_retriable(),
        }
    }
}

fn list(tried: &[(Address, WireError)]) -> String {
    if tried.is_empty() {
        return "none is known".to_owned();
    }
    tried.iter().map(|(_, error)| error.to_string()).collect::<Vec<_>>().join("; ")
}
