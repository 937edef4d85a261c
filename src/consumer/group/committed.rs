use std::{collections::HashMap, sync::Arc};

use tokio::time::Instant;

use super::{CommitError, Failure, Group, Refusal, coordinator::Coordinator, requests};
use crate::{
    cluster::{ClusterError, Purpose},
    consumer::shared::Shared,
    model::{OffsetAndMetadata, TopicPartition},
    time::Deadline,
};

/// What the group has committed, asked until the deadline.
pub(crate) async fn committed(
    shared: &Arc<Shared>,
    group: &Group,
    partitions: &[TopicPartition],
) -> Result<HashMap<TopicPartition, OffsetAndMetadata>, CommitError> {
    let after = shared.config.api_timeout;
    let coordinator = Arc::new(Coordinator::new(Arc::clone(&shared.cluster), Arc::clone(&group.id)));
    let limit = shared.cluster.config().request_timeout;
    let attempt = || async {
        let (group, partitions) = (Arc::clone(&group.id), partitions.to_vec());
        let fetch = move |connection| requests::fetch_committed(connection, group, partitions, limit);
        let found = coordinator.ask(Purpose::Coordinate, fetch).await;
        let refused = |code| ClusterError::Refused { api: "OffsetFetch", code, message: None };
        let found = found.map_err(|failure| {
            coordinator.forget();
            match failure {
                Failure::Refused(code) => refused(code),
                Failure::Lost(error) => error,
            }
        })?;
        let mut known = HashMap::new();
        for (partition, result) in found {
            match result.map_err(|code| (Refusal::of(code), code)) {
                Ok(Some(c)) => {
                    let (offset, leader_epoch, metadata) = (c.offset, c.leader_epoch, c.metadata);
                    known.insert(partition, OffsetAndMetadata { offset, leader_epoch, metadata });
                }
                Ok(None) => {}
                Err((Refusal::Fatal(code), _)) => return Ok(Err(CommitError::Refused { partition, code })),
                Err((_, code)) => return Err(refused(code)),
            }
        }
        Ok(Ok(known))
    };
    let deadline = Deadline::after(Instant::now(), after);
    match shared.cluster.retrying(deadline, attempt).await {
        Ok(known) => known,
        Err(ClusterError::OutOfTime { .. }) => Err(CommitError::TimedOut { after }),
        Err(error) => Err(CommitError::Cluster(error)),
    }
}
