use std::{collections::HashMap, sync::Arc};

use tokio::time::{Instant, sleep};

use super::{CommitError, Failure, Group, Refusal, coordinator::Coordinator, requests};
use crate::{
    cluster::Purpose,
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
    let deadline = Deadline::after(Instant::now(), after);
    let coordinator = Coordinator::new(Arc::clone(&shared.cluster), Arc::clone(&group.id));
    let who =
        requests::Identity { group: Arc::clone(&group.id), instance: None, member_id: Arc::from(""), generation: -1 };
    let limit = shared.cluster.config().request_timeout;
    let mut backoff = shared.cluster.backoff();
    loop {
        let asked = async {
            let connection = coordinator.connection(Purpose::Coordinate).await?;
            requests::fetch_committed(&connection, &who, partitions, limit).await
        };
        let answer = tokio::time::timeout_at(deadline.instant(), asked).await;
        let found = answer.map_err(|_| CommitError::TimedOut { after })?;
        match found {
            Ok(found) => {
                let mut known = HashMap::new();
                let mut again = false;
                for (at, result) in found {
                    match result {
                        Ok(Some(c)) => {
                            let (offset, leader_epoch, metadata) = (c.offset, c.leader_epoch, c.metadata);
                            known.insert(at, OffsetAndMetadata { offset, leader_epoch, metadata });
                        }
                        Ok(None) => {}
                        Err(code) => match Refusal::of(code) {
                            Refusal::Fatal(code) => return Err(CommitError::Refused { partition: at, code }),
                            _ => again = true,
                        },
                    }
                }
                if !again {
                    return Ok(known);
                }
            }
            Err(Failure::Refused(code)) => match (Refusal::of(code), partitions.first()) {
                (Refusal::Fatal(code), Some(at)) => {
                    return Err(CommitError::Refused { partition: at.clone(), code });
                }
                _ => coordinator.forget(),
            },
            Err(Failure::Lost(error)) if !error.is_retriable() => return Err(CommitError::Cluster(error)),
            Err(Failure::Lost(_)) => coordinator.forget(),
        }
        let now = Instant::now();
        if deadline.has_passed(now) {
            return Err(CommitError::TimedOut { after });
        }
        sleep(backoff.next_wait().min(deadline.left(now))).await;
    }
}
