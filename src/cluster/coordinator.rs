use std::{sync::Arc, time::Duration};

use super::{Cluster, ClusterError};
use crate::wire::{
    Address, ErrorCode,
    messages::{FindCoordinatorRequest, message},
};

/// What a coordinator coordinates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum CoordinatorKind {
    Group,
    #[allow(dead_code, reason = "transactions, which use it, come later")]
    Transaction,
}

impl Cluster {
    /// Asks who coordinates this group or transactional id: the broker's id and address.
    ///
    /// An answer that says "not yet" (the coordinator is loading or moving) is an error, and retriable.
    pub(crate) async fn find_coordinator(
        self: &Arc<Self>,
        kind: CoordinatorKind,
        key: &str,
        limit: Duration,
    ) -> Result<(i32, Address), ClusterError> {
        let connection = self.any_connection().await?;
        let batched = connection.version::<FindCoordinatorRequest>()? >= 4;
        let mut request = message!(FindCoordinatorRequest { key_type: kind as i8 });
        if batched {
            request.coordinator_keys = vec![key.into()];
        } else {
            request.key = key.into();
        }
        let answer = connection.call(request, limit).await?;
        let (code, message, id, host, port) = if batched {
            let Some(c) = answer.coordinators.into_iter().find(|c| c.key.as_str() == key) else {
                let code = ErrorCode::COORDINATOR_NOT_AVAILABLE;
                return Err(ClusterError::Refused { api: "FindCoordinator", code, message: None });
            };
            (c.error_code, c.error_message, c.node_id, c.host, c.port)
        } else {
            (answer.error_code, answer.error_message, answer.node_id, answer.host, answer.port)
        };
        ErrorCode::new(code).check().map_err(|code| ClusterError::Refused {
            api: "FindCoordinator",
            code,
            message: message.map(|m| m.as_str().to_owned()),
        })?;
        let port = u16::try_from(port).map_err(|_| ClusterError::UnknownBroker { id })?;
        Ok((id, Address::new(host.as_str(), port)))
    }
}
