use std::{sync::Arc, time::Duration};

use super::{
    Kept,
    entry::PartitionEntry,
    read::{KeptPartition, KeptTopic},
};
use crate::embedded::{
    log::Log,
    state::State,
    topic::{Partition, Topic},
};

impl State {
    /// What was kept is there again. For a state that has no topics yet.
    pub(crate) fn restore(&mut self, kept: Kept) {
        (self.topics.made, self.last_producer_id) = (kept.topics_made, kept.last_producer_id);
        self.configs = kept.configs;
        self.brokers_reconfigured();
        for KeptTopic { entry, partitions } in kept.topics {
            let partitions = entry.partitions.into_iter().zip(partitions).zip(0..);
            let partitions = partitions.map(|((entry, kept), index)| self.restored(entry, kept, index));
            let partitions: Vec<Partition> = partitions.collect();
            self.bytes += partitions.iter().map(|partition| partition.log.bytes()).sum::<usize>();
            let (name, id) = (Arc::from(entry.name), entry.id.0);
            self.topics.restore(Topic { name, id, partitions, settings: entry.settings, inherited: Arc::default() });
        }
        for ((group, topic, partition), mut committed) in kept.committed {
            if committed.committed_ms == 0 {
                // It was not written down once.
                committed.committed_ms = self.clock.start_ms();
            }
            let delay = Duration::from_millis(self.settings.initial_rebalance_delay_ms);
            self.groups.get_or_create(&group, delay).offsets.commit(&topic, partition, committed);
        }
    }

    /// Notes from now on what may differ from a directory.
    pub(crate) fn note_changes(&mut self) {
        self.topics.changes.note();
        self.topics.changed_partitions.note();
        self.groups.changes.note();
    }

    fn restored(&self, entry: PartitionEntry, kept: KeptPartition, index: u32) -> Partition {
        // There may be fewer brokers now.
        let mut replicas = entry.replicas;
        replicas.retain(|id| self.brokers.contains_key(id));
        if replicas.is_empty() {
            replicas = self.replicas_of(index, 1);
        }
        let mut partition = Partition::new(replicas, |id| self.is_running(id));
        let written = kept.batches.iter().map(|batch| batch.leader_epoch()).max();
        partition.leader_epoch = entry.leader_epoch.max(written.unwrap_or(-1)).min(i32::MAX - 1);
        partition.log = Log::starting_at(kept.log_start);
        for batch in kept.batches {
            partition.sequences.written(&batch, batch.base_offset());
            partition.log.append(batch);
        }
        // As after each election: the brokers were away.
        partition.next_epoch();
        partition
    }
}
