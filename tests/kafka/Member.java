import java.io.PrintStream;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.stream.Collectors;
import org.apache.kafka.clients.consumer.CommitFailedException;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.RebalanceInProgressException;
import org.apache.kafka.common.errors.WakeupException;
import org.apache.kafka.common.serialization.StringDeserializer;

/**
 * A member of a group: kafka.sh run Member.java BOOTSTRAP_SERVERS GROUP TOPIC ASSIGNOR. tests/support/peer.rs starts it and reads
 * what it prints: a line for whatever happens to it, as tests/support/journal.rs writes them. It closes at the end of its stdin.
 */
public final class Member implements ConsumerRebalanceListener {
    private static final PrintStream OUT = System.out;
    private static final Map<String, String> ASSIGNORS = Map.of("range", "RangeAssignor", "roundrobin", "RoundRobinAssignor",
        "sticky", "StickyAssignor", "cooperative-sticky", "CooperativeStickyAssignor");

    private final KafkaConsumer<String, String> consumer;
    /** What was handed out since the last commit. */
    private final Map<TopicPartition, OffsetAndMetadata> handed = new HashMap<>();
    private volatile boolean closing;

    private Member(String[] args) {
        Properties settings = new Properties();
        settings.put("bootstrap.servers", args[0]);
        settings.put("group.id", args[1]);
        settings.put("partition.assignment.strategy", "org.apache.kafka.clients.consumer." + ASSIGNORS.get(args[3]));
        settings.put("group.protocol", "classic");
        settings.put("auto.offset.reset", "earliest");
        settings.put("enable.auto.commit", "false");
        settings.put("session.timeout.ms", "6000");
        settings.put("heartbeat.interval.ms", "300");
        settings.put("max.poll.records", "20");
        consumer = new KafkaConsumer<>(settings, new StringDeserializer(), new StringDeserializer());
        consumer.subscribe(List.of(args[2]), this);
    }

    public static void main(String[] args) throws Exception {
        Member member = new Member(args);
        Thread watcher = new Thread(() -> {
            try {
                while (System.in.read() >= 0) { }
            } catch (java.io.IOException error) {
                // As the end of it.
            }
            member.closing = true;
            member.consumer.wakeup();
        });
        watcher.setDaemon(true);
        watcher.start();
        member.run();
    }

    private void run() {
        try {
            while (!closing) {
                for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofMillis(500))) {
                    say("record", record.topic(), record.partition(), record.offset(), record.value().strip());
                    handed.put(new TopicPartition(record.topic(), record.partition()), new OffsetAndMetadata(record.offset() + 1));
                }
                commit();
            }
        } catch (WakeupException closes) {
            // The user asks for it.
        }
        commit();
        consumer.close();
    }

    private void commit() {
        if (handed.isEmpty()) {
            return;
        }
        try {
            consumer.commitSync(handed);
            handed.forEach((at, offset) -> say("committed", at.topic(), at.partition(), offset.offset()));
            handed.clear();
        } catch (RebalanceInProgressException error) {
            // Once more when the rebalance is over, or when the partitions are revoked.
        } catch (CommitFailedException error) {
            say("failed", error.toString().replaceAll("\\s", " "));
            handed.clear();
        }
    }

    @Override
    public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
        say("assigned", names(partitions));
    }

    @Override
    public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
        commit();
        say("revoked", names(partitions));
    }

    @Override
    public void onPartitionsLost(Collection<TopicPartition> partitions) {
        handed.keySet().removeAll(partitions);
        say("lost", names(partitions));
    }

    private static String names(Collection<TopicPartition> partitions) {
        return partitions.stream().map(at -> at.topic() + ":" + at.partition()).collect(Collectors.joining(","));
    }

    private static synchronized void say(Object... fields) {
        StringBuilder line = new StringBuilder().append(ChronoUnit.MICROS.between(Instant.EPOCH, Instant.now()));
        for (Object field : fields) {
            line.append('\t').append(field);
        }
        OUT.println(line);
        OUT.flush();
    }
}
