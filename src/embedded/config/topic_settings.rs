use super::setting::settings;

settings! {
    /// What a topic may set, as Kafka 4.3's `LogConfig` defines it, by name; and which settings of a broker stand in for it,
    /// the first that is set, some in other units.
    TOPIC:
    "cleanup.policy" List "delete" ["compact" "delete"] ["log.cleanup.policy"]
        "This config designates the retention policy to use on log segments.";
    "compression.gzip.level" Int "-1" (1 to 9 or -1) ["compression.gzip.level"]
        "The compression level to use if compression.type is set to gzip.";
    "compression.lz4.level" Int "9" (1 to 17) ["compression.lz4.level"]
        "The compression level to use if compression.type is set to lz4.";
    "compression.type" String "producer" ["uncompressed" "zstd" "lz4" "snappy" "gzip" "producer"] ["compression.type"]
        "Specify the final compression type for a given topic.";
    "compression.zstd.level" Int "3" (-131072 to 22) ["compression.zstd.level"]
        "The compression level to use if compression.type is set to zstd.";
    "delete.retention.ms" Long "86400000" (0..) ["log.cleaner.delete.retention.ms"]
        "The amount of time to retain delete tombstone markers for log compacted topics.";
    "file.delete.delay.ms" Long "60000" (0..) ["log.segment.delete.delay.ms"]
        "The time to wait before deleting a file from the filesystem.";
    "flush.messages" Long "9223372036854775807" (1..) ["log.flush.interval.messages"]
        "This setting allows specifying an interval at which we will force an fsync of data written to the log.";
    "flush.ms" Long "9223372036854775807" (0..) ["log.flush.interval.ms", "log.flush.scheduler.interval.ms"]
        "This setting allows specifying a time interval at which we will force an fsync of data written to the log.";
    "follower.replication.throttled.replicas" List "" replicas []
        "A list of replicas for which log replication should be throttled on the follower side.";
    "index.interval.bytes" Int "4096" (0..) ["log.index.interval.bytes"]
        "This setting controls how frequently Kafka adds entries to its offset index and, conditionally, to its time index.";
    "leader.replication.throttled.replicas" List "" replicas []
        "A list of replicas for which log replication should be throttled on the leader side.";
    "local.retention.bytes" Long "-2" (-2..) ["log.local.retention.bytes"]
        "The maximum size of local log segments that can grow for a partition before it deletes the old segments.";
    "local.retention.ms" Long "-2" (-2..) ["log.local.retention.ms"]
        "The number of milliseconds to keep the local log segment before it gets deleted.";
    "max.compaction.lag.ms" Long "9223372036854775807" (1..) ["log.cleaner.max.compaction.lag.ms"]
        "The maximum time a message will remain ineligible for compaction in the log.";
    "max.message.bytes" Int "1048588" (0..) ["message.max.bytes"]
        "The largest record batch size allowed by Kafka (after compression if compression is enabled).";
    "message.timestamp.after.max.ms" Long "3600000" (0..) ["log.message.timestamp.after.max.ms"]
        "This configuration sets the allowable timestamp difference between the message timestamp and the broker's timestamp.";
    "message.timestamp.before.max.ms" Long "9223372036854775807" (0..) ["log.message.timestamp.before.max.ms"]
        "This configuration sets the allowable timestamp difference between the broker's timestamp and the message timestamp.";
    "message.timestamp.type" String "CreateTime" ["CreateTime" "LogAppendTime"] ["log.message.timestamp.type"]
        "Define whether the timestamp in the message is message create time or log append time.";
    "min.cleanable.dirty.ratio" Double "0.5" (0 to 1) ["log.cleaner.min.cleanable.ratio"]
        "This configuration controls how frequently the log compactor will attempt to clean the log (assuming log compaction is enabled).";
    "min.compaction.lag.ms" Long "0" (0..) ["log.cleaner.min.compaction.lag.ms"]
        "The minimum time a message will remain uncompacted in the log.";
    "min.insync.replicas" Int "1" (1..) ["min.insync.replicas"]
        "Specifies the minimum number of in-sync replicas (including the leader) required for a write to succeed when a producer sets acks to 'all' (or '-1').";
    "preallocate" Boolean "false" any ["log.preallocate"]
        "True if we should preallocate the file on disk when creating a new log segment.";
    "remote.log.copy.disable" Boolean "false" any []
        "Determines whether tiered data for a topic should become read only, and no more data uploading on a topic.";
    "remote.log.delete.on.disable" Boolean "false" any []
        "Determines whether tiered data for a topic should be deleted after tiered storage is disabled on a topic.";
    "remote.storage.enable" Boolean "false" any []
        "To enable tiered storage for a topic, set this configuration to true.";
    "retention.bytes" Long "-1" any ["log.retention.bytes"]
        "This configuration controls the maximum size a partition (which consists of log segments) can grow to before we will discard old log segments to free up space if we are using the 'delete' retention policy.";
    "retention.ms" Long "604800000" (-1..) ["log.retention.ms", "log.retention.minutes" * 60000, "log.retention.hours" * 3600000]
        "This configuration controls the maximum time we will retain a log before we will discard old log segments to free up space if we are using the 'delete' retention policy.";
    "segment.bytes" Int "1073741824" (1048576..) ["log.segment.bytes"]
        "This configuration controls the segment file size for the log.";
    "segment.index.bytes" Int "10485760" (4..) ["log.index.size.max.bytes"]
        "This configuration controls the size of the index that maps offsets to file positions.";
    "segment.jitter.ms" Long "0" (0..) ["log.roll.jitter.ms", "log.roll.jitter.hours" * 3600000]
        "The maximum random jitter subtracted from the scheduled segment roll time to avoid thundering herds of segment rolling.";
    "segment.ms" Long "604800000" (1..) ["log.roll.ms", "log.roll.hours" * 3600000]
        "This configuration controls the period of time after which Kafka will force the log to roll even if the segment file isn't full to ensure that retention can delete or compact old data.";
    "unclean.leader.election.enable" Boolean "false" any ["unclean.leader.election.enable"]
        "Indicates whether to enable replicas not in the ISR set to be elected as leader as a last resort, even though doing so may result in data loss.Note: In KRaft mode, when enabling this config dynamically, it needs to wait …";
}
