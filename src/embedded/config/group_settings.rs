use super::setting::settings;

settings! {
    /// What a group may set, as Kafka 4.3's `GroupConfig` defines it, by name.
    GROUP:
    "consumer.assignment.interval.ms" Int "1000" (0..) all
        "The interval between assignment updates for a consumer group.";
    "consumer.heartbeat.interval.ms" Int "5000" (1..) all
        "The heartbeat interval given to the members of a consumer group.";
    "consumer.session.timeout.ms" Int "45000" (1..) all
        "The timeout to detect client failures when using the consumer group protocol.";
}
