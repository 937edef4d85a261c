use super::setting::settings;

settings! {
    /// What a broker may set, as Kafka 4.3's `AbstractKafkaConfig` defines it, by name, and where it can be changed while the
    /// broker runs. Left out is what belongs to features that this broker does not have: tiered storage, share and streams
    /// groups, quotas, delegation tokens, OAuth, replication between brokers; and what Kafka does not tell.
    BROKER:
    "advertised.listeners" List - any fixed
        "Specifies the listener addresses that the Kafka brokers will advertise to clients and other brokers.";
    "alter.config.policy.class.name" Class - any fixed
        "The alter configs policy class that should be used for validation.";
    "authorizer.class.name" String "" any fixed
        "The fully qualified name of a class that implements org.apache.kafka.server.authorizer.Authorizer interface, which is used by the broker for authorization.";
    "auto.create.topics.enable" Boolean "true" any fixed
        "Enable auto creation of topic on the server.";
    "auto.leader.rebalance.enable" Boolean "true" any fixed
        "Enables auto leader balancing.";
    "background.threads" Int "10" (1..) all
        "The number of threads to use for various background processing tasks.";
    "broker.heartbeat.interval.ms" Int "2000" any fixed
        "The length of time in milliseconds between broker heartbeats.";
    "broker.id" Int "-1" any fixed
        "The broker id for this server.";
    "broker.rack" String - any fixed
        "Rack of the broker.";
    "broker.session.timeout.ms" Int "9000" any fixed
        "The length of time in milliseconds that a broker lease lasts if no heartbeats are made.";
    "compression.gzip.level" Int "-1" (1 to 9 or -1) all
        "The compression level to use if compression.type is set to 'gzip'.";
    "compression.lz4.level" Int "9" (1 to 17) all
        "The compression level to use if compression.type is set to 'lz4'.";
    "compression.type" String "producer" ["uncompressed" "zstd" "lz4" "snappy" "gzip" "producer"] all
        "Specify the final compression type for a given topic.";
    "compression.zstd.level" Int "3" (-131072 to 22) all
        "The compression level to use if compression.type is set to 'zstd'.";
    "connection.failed.authentication.delay.ms" Int "100" (0..) fixed
        "Connection close delay on failed authentication: this is the time (in milliseconds) by which connection close will be delayed on authentication failure.";
    "connections.max.idle.ms" Long "600000" any fixed
        "Idle connections timeout: the server socket processor threads close the connections that idle more than this.";
    "connections.max.reauth.ms" Long "0" any fixed
        "When explicitly set to a positive number (the default is 0, not a positive number), a session lifetime that will not exceed the configured value will be communicated to v2.2.0 or later clients when they authenticate.";
    "controlled.shutdown.enable" Boolean "true" any fixed
        "Enable controlled shutdown of the server.";
    "controller.listener.names" List - any fixed
        "A comma-separated list of the names of the listeners used by the controller.";
    "controller.quorum.append.linger.ms" Int "25" (0..) fixed
        "The duration in milliseconds that the leader will wait for writes to accumulate before flushing them to disk.";
    "controller.quorum.auto.join.enable" Boolean "false" any fixed
        "Controls whether a KRaft controller should automatically join the cluster metadata partition for its cluster id.";
    "controller.quorum.bootstrap.servers" List "" any fixed
        "List of endpoints to use for bootstrapping the cluster metadata.";
    "controller.quorum.election.backoff.max.ms" Int "1000" (0..) fixed
        "Maximum time in milliseconds before starting new elections.";
    "controller.quorum.election.timeout.ms" Int "1000" (0..) fixed
        "Maximum time in milliseconds to wait without being able to fetch from the leader before triggering a new election.";
    "controller.quorum.fetch.max.bytes" Int "1048576" (1..) fixed
        "Maximum amount of data to retrieve for each Fetch request.";
    "controller.quorum.fetch.snapshot.max.bytes" Int "1048576" (1..) fixed
        "Maximum amount of data to retrieve for each FetchSnapshot request to the controller.";
    "controller.quorum.fetch.timeout.ms" Int "2000" (0..) fixed
        "Maximum time without a successful fetch from the current leader before becoming a candidate and triggering an election for voters; Maximum time a leader can go without receiving valid fetch or fetchSnapshot request from …";
    "controller.quorum.request.timeout.ms" Int "2000" (0..) fixed
        "The configuration controls the maximum amount of time the client will wait for the response of a request.";
    "controller.quorum.retry.backoff.ms" Int "20" (0..) fixed
        "The amount of time to wait before attempting to retry a failed request to a given topic partition.";
    "controller.quorum.voters" List "" any fixed
        "Map of id/endpoint information for the set of voters in a comma-separated list of {id}@{host}:{port} entries.";
    "controller.socket.timeout.ms" Int "30000" any fixed
        "The socket timeout for controller-to-broker channels.";
    "cordoned.log.dirs" List "" any one
        "A comma-separated list of the directories that are cordoned.";
    "create.topic.policy.class.name" Class - any fixed
        "The create topic policy class that should be used for validation.";
    "default.replication.factor" Int "1" any fixed
        "The default replication factor per topic.";
    "delete.records.purgatory.purge.interval.requests" Int "1" any fixed
        "The purge interval (in number of requests) of the delete records request purgatory.";
    "delete.topic.enable" Boolean "true" any fixed
        "When set to true, topics can be deleted by the admin client.";
    "early.start.listeners" List - any fixed
        "A comma-separated list of listener names which may be started before the authorizer has finished initialization.";
    "fetch.max.bytes" Int "57671680" (1024..) fixed
        "The maximum number of bytes we will return for a fetch request.";
    "fetch.purgatory.purge.interval.requests" Int "1000" any fixed
        "The purge interval (in number of requests) of the fetch request purgatory.";
    "group.consumer.assignment.interval.ms" Int "1000" (0..) all
        "The interval between assignment updates for a consumer group.";
    "group.consumer.assignors" List "uniform,range" any fixed
        "The server side assignors as a list of either names for builtin assignors or full class names for customer assignors.";
    "group.consumer.heartbeat.interval.ms" Int "5000" (1..) fixed
        "The heartbeat interval given to the members of a consumer group.";
    "group.consumer.max.assignment.interval.ms" Int "15000" (0..) fixed
        "The maximum interval between assignment updates for a consumer group.";
    "group.consumer.max.heartbeat.interval.ms" Int "15000" (1..) fixed
        "The maximum heartbeat interval for registered consumers.";
    "group.consumer.max.session.timeout.ms" Int "60000" (1..) fixed
        "The maximum allowed session timeout for registered consumers.";
    "group.consumer.max.size" Int "2147483647" (1..) fixed
        "The maximum number of consumers that a single consumer group can accommodate.";
    "group.consumer.migration.policy" String "bidirectional" any fixed
        "The config that enables converting the non-empty classic group using the consumer embedded protocol to the non-empty consumer group using the consumer group protocol and vice versa; conversions of empty groups in both …";
    "group.consumer.min.assignment.interval.ms" Int "0" (0..) fixed
        "The minimum interval between assignment updates for a consumer group.";
    "group.consumer.min.heartbeat.interval.ms" Int "5000" (1..) fixed
        "The minimum heartbeat interval for registered consumers.";
    "group.consumer.min.session.timeout.ms" Int "45000" (1..) fixed
        "The minimum allowed session timeout for registered consumers.";
    "group.consumer.session.timeout.ms" Int "45000" (1..) fixed
        "The timeout to detect client failures when using the consumer group protocol.";
    "group.coordinator.append.linger.ms" Int "-1" (-1..) fixed
        "The duration in milliseconds that the coordinator will wait for writes to accumulate before flushing them to disk.";
    "group.coordinator.background.threads" Int "2" (1..) fixed
        "The number of threads used by the group coordinator for processing background tasks (e.g.";
    "group.coordinator.rebalance.protocols" List "classic,consumer,streams" ["consumer" "classic" "share" "streams"] fixed
        "This configuration is deprecated and will be removed in Kafka 5.0.";
    "group.coordinator.threads" Int "4" (1..) fixed
        "The number of threads used by the group coordinator for processing requests.";
    "group.initial.rebalance.delay.ms" Int "3000" any fixed
        "The amount of time the group coordinator will wait for more consumers to join a new group before performing the first rebalance.";
    "group.max.session.timeout.ms" Int "1800000" any fixed
        "The maximum allowed session timeout for registered consumers.";
    "group.max.size" Int "2147483647" (1..) fixed
        "The maximum number of consumers that a single consumer group can accommodate.";
    "group.min.session.timeout.ms" Int "6000" any fixed
        "The minimum allowed session timeout for registered consumers.";
    "initial.broker.registration.timeout.ms" Int "60000" any fixed
        "When initially registering with the controller quorum, the number of milliseconds to wait before declaring failure and exiting the broker process.";
    "inter.broker.listener.name" String - any fixed
        "Name of listener used for communication between brokers.";
    "kafka.metrics.polling.interval.secs" Int "10" (1..) fixed
        "The metrics polling interval (in seconds) which can be used in kafka.metrics.reporters implementations.";
    "kafka.metrics.reporters" List "" any fixed
        "A list of classes to use as Yammer metrics custom reporters.";
    "leader.imbalance.check.interval.seconds" Long "300" (1..) fixed
        "The frequency with which the partition rebalance check is triggered by the controller.";
    "listener.security.protocol.map" String "SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT" any one
        "Map between listener names and security protocols.";
    "listeners" List "PLAINTEXT://:9092" any one
        "Listener List - Comma-separated list of URIs we will listen on and the listener names.";
    "log.cleaner.backoff.ms" Long "15000" (0..) all
        "The amount of time to sleep when there are no logs to clean.";
    "log.cleaner.dedupe.buffer.size" Long "134217728" any all
        "The total memory used for log deduplication across all cleaner threads.";
    "log.cleaner.delete.retention.ms" Long "86400000" (0..) all
        "The amount of time to retain tombstone message markers for log compacted topics.";
    "log.cleaner.enable" Boolean "true" any fixed
        "This configuration has been deprecated and will be removed in Kafka 5.0.";
    "log.cleaner.io.buffer.load.factor" Double "0.9" any all
        "Log cleaner dedupe buffer load factor.";
    "log.cleaner.io.buffer.size" Int "524288" (0..) all
        "The total memory used for log cleaner I/O buffers across all cleaner threads.";
    "log.cleaner.io.max.bytes.per.second" Double "1.7976931348623157E308" any all
        "The log cleaner will be throttled so that the sum of its read and write i/o will be less than this value on average.";
    "log.cleaner.max.compaction.lag.ms" Long "9223372036854775807" (1..) all
        "The maximum time a message will remain ineligible for compaction in the log.";
    "log.cleaner.min.cleanable.ratio" Double "0.5" (0 to 1) all
        "The minimum ratio of dirty log to total log for a log to eligible for cleaning.";
    "log.cleaner.min.compaction.lag.ms" Long "0" (0..) all
        "The minimum time a message will remain uncompacted in the log.";
    "log.cleaner.threads" Int "1" (0..) all
        "The number of background threads to use for log cleaning.";
    "log.cleanup.policy" List "delete" ["compact" "delete"] all
        "This config designates the retention policy to use on log segments.";
    "log.dir" List "/tmp/kafka-logs" any fixed
        "A comma-separated list of the directories where the log data is stored.";
    "log.dir.failure.timeout.ms" Long "30000" (1..) fixed
        "If the broker is unable to successfully communicate to the controller that some log directory has failed for longer than this time, the broker will fail and shut down.";
    "log.dirs" List - any fixed
        "A comma-separated list of the directories where the log data is stored.";
    "log.flush.interval.messages" Long "9223372036854775807" (1..) all
        "The number of messages accumulated on a log partition before messages are flushed to disk.";
    "log.flush.interval.ms" Long - any all
        "The maximum time in ms that a message in any topic is kept in memory before flushed to disk.";
    "log.flush.offset.checkpoint.interval.ms" Int "60000" (0..) fixed
        "The frequency with which we update the persistent record of the last flush which acts as the log recovery point.";
    "log.flush.scheduler.interval.ms" Long "9223372036854775807" any fixed
        "The frequency in ms that the log flusher checks whether any log needs to be flushed to disk.";
    "log.flush.start.offset.checkpoint.interval.ms" Int "60000" (0..) fixed
        "The frequency with which we update the persistent record of log start offset.";
    "log.index.interval.bytes" Int "4096" (0..) all
        "The interval with which we add an entry to the offset index.";
    "log.index.size.max.bytes" Int "10485760" (4..) all
        "The maximum size in bytes of the offset index.";
    "log.local.retention.bytes" Long "-2" (-2..) all
        "The maximum size of local log segments that can grow for a partition before it gets eligible for deletion.";
    "log.local.retention.ms" Long "-2" (-2..) all
        "The number of milliseconds to keep the local log segments before it gets eligible for deletion.";
    "log.message.timestamp.after.max.ms" Long "3600000" (0..) all
        "This configuration sets the allowable timestamp difference between the message timestamp and the broker's timestamp.";
    "log.message.timestamp.before.max.ms" Long "9223372036854775807" (0..) all
        "This configuration sets the allowable timestamp difference between the broker's timestamp and the message timestamp.";
    "log.message.timestamp.type" String "CreateTime" ["CreateTime" "LogAppendTime"] all
        "Define whether the timestamp in the message is message create time or log append time.";
    "log.preallocate" Boolean "false" any all
        "Should pre allocate file when create new segment? If you are using Kafka on Windows, you probably need to set it to true.";
    "log.retention.bytes" Long "-1" any all
        "The maximum size of the log before deleting it.";
    "log.retention.check.interval.ms" Long "300000" (1..) fixed
        "The frequency in milliseconds that the log cleaner checks whether any log is eligible for deletion.";
    "log.retention.hours" Int "168" any fixed
        "The number of hours to keep a log file before deleting it (in hours), tertiary to log.retention.ms property.";
    "log.retention.minutes" Int - any fixed
        "The number of minutes to keep a log file before deleting it (in minutes), secondary to log.retention.ms property.";
    "log.retention.ms" Long - any all
        "The number of milliseconds to keep a log file before deleting it (in milliseconds), If not set, the value in log.retention.minutes is used.";
    "log.roll.hours" Int "168" (1..) fixed
        "The maximum time before a new log segment is rolled out (in hours), secondary to log.roll.ms property.";
    "log.roll.jitter.hours" Int "0" (0..) fixed
        "The maximum jitter to subtract from logRollTimeMillis (in hours), secondary to log.roll.jitter.ms property.";
    "log.roll.jitter.ms" Long - any all
        "The maximum jitter to subtract from logRollTimeMillis (in milliseconds).";
    "log.roll.ms" Long - any all
        "The maximum time before a new log segment is rolled out (in milliseconds).";
    "log.segment.bytes" Int "1073741824" (1048576..) all
        "The maximum size of a single log file.";
    "log.segment.delete.delay.ms" Long "60000" (0..) all
        "The amount of time to wait before deleting a file from the filesystem.";
    "max.connection.creation.rate" Int "2147483647" (0..) all
        "The maximum connection creation rate we allow in the broker at any time.";
    "max.connections" Int "2147483647" (0..) all
        "The maximum number of connections we allow in the broker at any time.";
    "max.connections.per.ip" Int "2147483647" (0..) all
        "The maximum number of connections we allow from each ip address.";
    "max.connections.per.ip.overrides" String "" any all
        "A comma-separated list of per-ip or hostname overrides to the default maximum number of connections.";
    "max.incremental.fetch.session.cache.slots" Int "1000" (0..) fixed
        "The maximum number of total incremental fetch sessions that we will maintain.";
    "max.request.partition.size.limit" Int "2000" (1..) fixed
        "The maximum number of partitions can be served in one request.";
    "message.max.bytes" Int "1048588" (0..) all
        "The largest record batch size allowed by Kafka (after compression if compression is enabled).This can be set per topic with the topic level max.message.bytes config.";
    "metric.reporters" List "org.apache.kafka.common.metrics.JmxReporter" any all
        "A list of classes to use as metrics reporters.";
    "metrics.num.samples" Int "2" (1..) fixed
        "The number of samples maintained to compute metrics.";
    "metrics.recording.level" String "INFO" any fixed
        "The highest recording level for metrics.";
    "metrics.sample.window.ms" Long "30000" (1..) fixed
        "The window of time a metrics sample is computed over.";
    "min.insync.replicas" Int "1" (1..) all
        "Specifies the minimum number of in-sync replicas (including the leader) required for a write to succeed when a producer sets acks to 'all' (or '-1').";
    "node.id" Int - (0..) fixed
        "The node ID associated with the roles this process is playing when process.roles is non-empty.";
    "num.io.threads" Int "8" (1..) all
        "The number of threads that the server uses for processing requests, which may include disk I/O.";
    "num.network.threads" Int "3" (1..) all
        "The number of threads that the server uses for receiving requests from the network and sending responses to the network.";
    "num.partitions" Int "1" (1..) fixed
        "The default number of log partitions per topic.";
    "num.recovery.threads.per.data.dir" Int "2" (1..) all
        "The number of threads per data directory to be used for log recovery at startup and flushing at shutdown.";
    "num.replica.alter.log.dirs.threads" Int - any fixed
        "The number of threads that can move replicas between log directories, which may include disk I/O. The default value is equal to the number of directories specified in the log.dir or log.dirs configuration property.";
    "num.replica.fetchers" Int "1" (1..) all
        "Number of fetcher threads used to replicate records from each source broker.";
    "offset.metadata.max.bytes" Int "4096" any fixed
        "The maximum size for a metadata entry associated with an offset commit.";
    "offsets.commit.timeout.ms" Int "5000" (1..) fixed
        "Offset commit will be delayed until all replicas for the offsets topic receive the commit or this timeout is reached.";
    "offsets.load.buffer.size" Int "5242880" (1..) fixed
        "Batch size for reading from the offsets segments when loading group metadata into the cache (soft-limit, overridden if records are too large).";
    "offsets.retention.check.interval.ms" Long "600000" (1..) fixed
        "Frequency at which to check for stale offsets.";
    "offsets.retention.minutes" Int "10080" (1..) fixed
        "For subscribed consumers, committed offset of a specific partition will be expired and discarded when 1) this retention period has elapsed after the consumer group loses all its consumers (i.e.";
    "offsets.topic.compression.codec" Int "0" any fixed
        "Compression codec for the offsets topic - compression may be used to achieve 'atomic' commits.";
    "offsets.topic.num.partitions" Int "50" (1..) fixed
        "The number of partitions for the offset commit topic (should not change after deployment).";
    "offsets.topic.replication.factor" Short "3" (1..) fixed
        "The replication factor for the offsets topic (set higher to ensure availability).";
    "offsets.topic.segment.bytes" Int "104857600" (1..) fixed
        "The offsets topic segment bytes should be kept relatively small in order to facilitate faster log compaction and cache loads.";
    "principal.builder.class" Class "org.apache.kafka.common.security.authenticator.DefaultKafkaPrincipalBuilder" any one
        "The fully qualified name of a class that implements the KafkaPrincipalBuilder interface, which is used to build the KafkaPrincipal object used during authorization.";
    "process.roles" List - ["broker" "controller"] fixed
        "The roles that this process plays: 'broker', 'controller', or 'broker,controller' if it is both.";
    "producer.id.expiration.ms" Int "86400000" (1..) all
        "The time in ms that a topic partition leader will wait before expiring producer IDs.";
    "producer.purgatory.purge.interval.requests" Int "1000" any fixed
        "The purge interval (in number of requests) of the producer request purgatory.";
    "queued.max.request.bytes" Long "-1" any fixed
        "The number of queued bytes allowed before no more requests are read.";
    "queued.max.requests" Int "500" (1..) fixed
        "The number of queued requests allowed for data-plane, before blocking the network threads.";
    "replica.fetch.max.bytes" Int "1048576" (0..) fixed
        "The number of bytes of messages to attempt to fetch for each partition.";
    "replica.fetch.wait.max.ms" Int "500" any fixed
        "The maximum wait time for each fetcher request issued by follower replicas.";
    "replica.lag.time.max.ms" Long "30000" any fixed
        "If a follower hasn't sent any fetch requests or hasn't consumed up to the leader's log end offset for at least this time, the leader will remove the follower from ISR.";
    "replica.selector.class" String - any fixed
        "The fully qualified class name that implements ReplicaSelector.";
    "request.timeout.ms" Int "30000" any fixed
        "The configuration controls the maximum amount of time the client will wait for the response of a request.";
    "sasl.client.callback.handler.class" Class - any fixed
        "The fully qualified name of a SASL client callback handler class that implements the AuthenticateCallbackHandler interface.";
    "sasl.enabled.mechanisms" List "GSSAPI" any one
        "The list of SASL mechanisms enabled in the Kafka server.";
    "sasl.jaas.config" Password - any one
        "JAAS login context parameters for SASL connections in the format used by JAAS configuration files.";
    "sasl.kerberos.kinit.cmd" String "/usr/bin/kinit" any one
        "Kerberos kinit command path.";
    "sasl.kerberos.min.time.before.relogin" Long "60000" any one
        "Login thread sleep time between refresh attempts.";
    "sasl.kerberos.principal.to.local.rules" List "DEFAULT" any one
        "A list of rules for mapping from principal names to short names (typically operating system usernames).";
    "sasl.kerberos.service.name" String - any one
        "The Kerberos principal name that Kafka runs as.";
    "sasl.kerberos.ticket.renew.jitter" Double "0.05" any one
        "Percentage of random jitter added to the renewal time.";
    "sasl.kerberos.ticket.renew.window.factor" Double "0.8" any one
        "Login thread will sleep until the specified window factor of time from last refresh to ticket's expiry has been reached, at which time it will try to renew the ticket.";
    "sasl.login.callback.handler.class" Class - any fixed
        "The fully qualified name of a SASL login callback handler class that implements the AuthenticateCallbackHandler interface.";
    "sasl.login.class" Class - any fixed
        "The fully qualified name of a class that implements the Login interface.";
    "sasl.login.refresh.buffer.seconds" Short "300" any one
        "The amount of buffer time before credential expiration to maintain when refreshing a credential, in seconds.";
    "sasl.login.refresh.min.period.seconds" Short "60" any one
        "The desired minimum time for the login refresh thread to wait before refreshing a credential, in seconds.";
    "sasl.login.refresh.window.factor" Double "0.8" any one
        "Login refresh thread will sleep until the specified window factor relative to the credential's lifetime has been reached, at which time it will try to refresh the credential.";
    "sasl.login.refresh.window.jitter" Double "0.05" any one
        "The maximum amount of random jitter relative to the credential's lifetime that is added to the login refresh thread's sleep time.";
    "sasl.mechanism.controller.protocol" String "GSSAPI" any fixed
        "SASL mechanism used for communication with controllers.";
    "sasl.mechanism.inter.broker.protocol" String "GSSAPI" any one
        "SASL mechanism used for inter-broker communication.";
    "sasl.server.callback.handler.class" Class - any fixed
        "The fully qualified name of a SASL server callback handler class that implements the AuthenticateCallbackHandler interface.";
    "sasl.server.max.receive.size" Int "524288" any fixed
        "The maximum receive size allowed before and during initial SASL authentication.";
    "security.inter.broker.protocol" String "PLAINTEXT" ["PLAINTEXT" "SSL" "SASL_PLAINTEXT" "SASL_SSL"] fixed
        "Security protocol used to communicate between brokers.";
    "socket.connection.setup.timeout.max.ms" Long "30000" any fixed
        "The maximum amount of time the client will wait for the socket connection to be established.";
    "socket.connection.setup.timeout.ms" Long "10000" any fixed
        "The amount of time the client will wait for the socket connection to be established.";
    "socket.listen.backlog.size" Int "50" (1..) fixed
        "The maximum number of pending connections on the socket.";
    "socket.receive.buffer.bytes" Int "102400" any fixed
        "The SO_RCVBUF buffer of the socket server sockets.";
    "socket.request.max.bytes" Int "104857600" (1..) fixed
        "The maximum number of bytes in a socket request.";
    "socket.send.buffer.bytes" Int "102400" any fixed
        "The SO_SNDBUF buffer of the socket server sockets.";
    "ssl.allow.dn.changes" Boolean "false" any fixed
        "Indicates whether changes to the certificate distinguished name should be allowed during a dynamic reconfiguration of certificates or not.";
    "ssl.allow.san.changes" Boolean "false" any fixed
        "Indicates whether changes to the certificate subject alternative names should be allowed during a dynamic reconfiguration of certificates or not.";
    "ssl.cipher.suites" List "" any one
        "A list of cipher suites.";
    "ssl.client.auth" String "none" ["required" "requested" "none"] one
        "Configures kafka broker to request client authentication.";
    "ssl.enabled.protocols" List "TLSv1.2,TLSv1.3" any one
        "The list of protocols enabled for SSL connections.";
    "ssl.endpoint.identification.algorithm" String "https" any one
        "The endpoint identification algorithm to validate server hostname using server certificate.";
    "ssl.engine.factory.class" Class - any one
        "The class of type org.apache.kafka.common.security.auth.SslEngineFactory to provide SSLEngine objects.";
    "ssl.key.password" Password - any one
        "The password of the private key in the key store file or the PEM key specified in 'ssl.keystore.key'.";
    "ssl.keymanager.algorithm" String "SunX509" any one
        "The algorithm used by key manager factory for SSL connections.";
    "ssl.keystore.certificate.chain" Password - any one
        "Certificate chain in the format specified by 'ssl.keystore.type'.";
    "ssl.keystore.key" Password - any one
        "Private key in the format specified by 'ssl.keystore.type'.";
    "ssl.keystore.location" String - any one
        "The location of the key store file.";
    "ssl.keystore.password" Password - any one
        "The store password for the key store file.";
    "ssl.keystore.type" String "JKS" any one
        "The file format of the key store file.";
    "ssl.principal.mapping.rules" String "DEFAULT" any fixed
        "A list of rules for mapping from distinguished name from the client certificate to short name.";
    "ssl.protocol" String "TLSv1.3" any one
        "The SSL protocol used to generate the SSLContext.";
    "ssl.provider" String - any one
        "The name of the security provider used for SSL connections.";
    "ssl.secure.random.implementation" String - any one
        "The SecureRandom PRNG implementation to use for SSL cryptography operations.";
    "ssl.trustmanager.algorithm" String "PKIX" any one
        "The algorithm used by trust manager factory for SSL connections.";
    "ssl.truststore.certificates" Password - any one
        "Trusted certificates in the format specified by 'ssl.truststore.type'.";
    "ssl.truststore.location" String - any one
        "The location of the trust store file.";
    "ssl.truststore.password" Password - any one
        "The password for the trust store file.";
    "ssl.truststore.type" String "JKS" any one
        "The file format of the trust store file.";
    "transaction.abort.timed.out.transaction.cleanup.interval.ms" Int "10000" (1..) fixed
        "The interval at which to rollback transactions that have timed out.";
    "transaction.max.timeout.ms" Int "900000" (1..) fixed
        "The maximum allowed timeout for transactions.";
    "transaction.partition.verification.enable" Boolean "true" any all
        "Enable verification that checks that the partition has been added to the transaction before writing transactional records to the partition.";
    "transaction.remove.expired.transaction.cleanup.interval.ms" Int "3600000" (1..) fixed
        "The interval at which to remove transactions that have expired due to transactional.id.expiration.ms passing.";
    "transaction.state.log.load.buffer.size" Int "5242880" (1..) fixed
        "Batch size for reading from the transaction log segments when loading producer ids and transactions into the cache (soft-limit, overridden if records are too large).";
    "transaction.state.log.min.isr" Int "2" (1..) fixed
        "The minimum number of replicas that must acknowledge a write to transaction topic in order to be considered successful.";
    "transaction.state.log.num.partitions" Int "50" (1..) fixed
        "The number of partitions for the transaction topic (should not change after deployment).";
    "transaction.state.log.replication.factor" Short "3" (1..) fixed
        "The replication factor for the transaction topic (set higher to ensure availability).";
    "transaction.state.log.segment.bytes" Int "104857600" (1..) fixed
        "The transaction topic segment bytes should be kept relatively small in order to facilitate faster log compaction and cache loads.";
    "transaction.two.phase.commit.enable" Boolean "false" any fixed
        "Allow participation in Two-Phase Commit (2PC) transactions with an external transaction coordinator.";
    "transactional.id.expiration.ms" Int "604800000" (1..) fixed
        "The time in ms that the transaction coordinator will wait without receiving any transaction status updates for the current transaction before expiring its transactional id.";
    "unclean.leader.election.enable" Boolean "false" any all
        "Indicates whether to enable replicas not in the ISR set to be elected as leader as a last resort, even though doing so may result in data lossNote: In KRaft mode, when enabling this config dynamically, it needs to wait …";
}
