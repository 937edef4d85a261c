use std::{sync::Arc, time::Duration};

use crate::{cluster::ClusterError, wire::ErrorCode};

/// Why a record was not acknowledged.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ProduceError {
    /// The record alone is larger than a batch may be. Nothing was sent.
    #[error("a record of {size} bytes is larger than batch.size allows, {limit} bytes")]
    TooLarge {
        /// The record's batch, in bytes.
        size: usize,
        /// The limit, in bytes.
        limit: usize,
    },
    /// The topic has no such partition. Nothing was sent.
    #[error("topic {topic:?} has {partitions} partitions, there is no number {partition}")]
    NoPartition {
        /// The topic.
        topic: Arc<str>,
        /// The number asked for.
        partition: i32,
        /// How many there are, from 0.
        partitions: usize,
    },
    /// The topic could not be found out about. Nothing was sent.
    #[error(transparent)]
    Topic(#[from] ClusterError),
    /// The broker refused the record's batch.
    #[error("{topic}-{partition}: the broker refused the batch: {why}{}", written(.possibly_written))]
    Refused {
        /// The topic.
        topic: Arc<str>,
        /// The partition.
        partition: i32,
        /// The broker's code.
        code: ErrorCode,
        /// What it said.
        why: Arc<str>,
        /// Whether the record may be in the log all the same.
        possibly_written: bool,
    },
    /// The delivery timeout passed.
    #[error("{topic}-{partition}: not acknowledged within {after:?}{}{}", because(.last), written(.possibly_written))]
    Expired {
        /// The topic.
        topic: Arc<str>,
        /// The partition.
        partition: i32,
        /// The timeout.
        after: Duration,
        /// What went wrong last, if anything was tried.
        last: Option<Arc<str>>,
        /// Whether the record may be in the log all the same; if not, it certainly is not.
        possibly_written: bool,
    },
    /// A task of the producer has panicked, which is an error in this crate. The producer is of no use any more.
    #[error("the producer has failed: {why}{}", written(.possibly_written))]
    Failed {
        /// What the panic said.
        why: Arc<str>,
        /// Whether the record may be in the log all the same.
        possibly_written: bool,
    },
    /// The producer was closed, or dropped, before the record was acknowledged.
    #[error("the producer is closed{}", written(.possibly_written))]
    Closed {
        /// Whether the record may be in the log all the same.
        possibly_written: bool,
    },
}

impl ProduceError {
    /// Whether the record may be in the log. If not, sending it again cannot double it.
    pub fn is_possibly_written(&self) -> bool {
        match self {
            ProduceError::TooLarge { .. } | ProduceError::NoPartition { .. } | ProduceError::Topic(_) => false,
            ProduceError::Refused { possibly_written, .. }
            | ProduceError::Expired { possibly_written, .. }
            | ProduceError::Failed { possibly_written, .. }
            | ProduceError::Closed { possibly_written } => *possibly_written,
        }
    }
}

fn written(possibly: &bool) -> &'static str {
    if *possibly { "; it may have been written" } else { "; it was not written" }
}

fn because(last: &Option<Arc<str>>) -> String {
    last.as_deref().map(|why| format!(" (last: {why})")).unwrap_or_default()
}
