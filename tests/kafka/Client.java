import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.consumer.ConsumerGroupMetadata;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * Kafka's own client, told by a test what to do: kafka.sh run Client.java BOOTSTRAP_SERVERS. tests/support/java.rs speaks to it.
 *
 * A line on stdin is a command, its fields parted by tabs. Each but send is answered by lines of fields, and then by "ok".
 * Bytes are in hex, null is "-"; headers are NAME=VALUE, parted by commas. Any failure ends the program.
 *
 *   topic NAME PARTITIONS          returns when every partition's leader answers
 *   size TOPIC                     its bytes in all replicas' logs
 *   producer ID NAME=VALUE...      with these settings
 *   send ID TOPIC PARTITION TIMESTAMP KEY VALUE HEADERS
 *   flush ID                       PARTITION OFFSET of each record sent since the last flush
 *   begin ID | commit ID | abort ID
 *   offset ID GROUP TOPIC PARTITION OFFSET         sent to the open transaction
 *   ends TOPIC ISOLATION_LEVEL     PARTITION OFFSET
 *   read TOPIC ISOLATION_LEVEL     up to these ends: PARTITION OFFSET TIMESTAMP KEY VALUE HEADERS
 */
public final class Client {
    private static final HexFormat HEX = HexFormat.of();
    private static final PrintStream OUT = new PrintStream(System.out, false);

    private final String servers;
    private final Admin admin;
    private final Map<String, KafkaProducer<byte[], byte[]>> producers = new HashMap<>();
    private final Map<String, List<Future<RecordMetadata>>> sent = new HashMap<>();
    private final Map<String, KafkaConsumer<byte[], byte[]>> consumers = new HashMap<>();

    private Client(String servers) {
        this.servers = servers;
        this.admin = Admin.create(settings());
    }

    public static void main(String[] args) throws Exception {
        Client client = new Client(args[0]);
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in), 1 << 16);
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String[] fields = line.split("\t", -1);
            client.run(fields);
            if (!fields[0].equals("send")) {
                OUT.println("ok");
                OUT.flush();
            }
        }
        // Not closed: an open transaction is to stay open, and nobody waits for what was not flushed.
        Runtime.getRuntime().halt(0);
    }

    @SuppressWarnings("removal")
    private void run(String[] f) throws Exception {
        switch (f[0]) {
            case "topic" -> create(f[1], Integer.parseInt(f[2]));
            case "size" -> OUT.println(size(f[1]));
            case "producer" -> start(f);
            case "send" -> sent.get(f[1]).add(producers.get(f[1]).send(new ProducerRecord<>(f[2],
                f[3].equals("-") ? null : Integer.valueOf(f[3]), Long.valueOf(f[4]), bytes(f[5]), bytes(f[6]), headers(f[7]))));
            case "flush" -> flush(f[1]);
            case "begin" -> producers.get(f[1]).beginTransaction();
            case "commit" -> producers.get(f[1]).commitTransaction();
            case "abort" -> producers.get(f[1]).abortTransaction();
            case "offset" -> producers.get(f[1]).sendOffsetsToTransaction(
                Map.of(new TopicPartition(f[3], Integer.parseInt(f[4])), new OffsetAndMetadata(Long.parseLong(f[5]))),
                new ConsumerGroupMetadata(f[2], -1, "", Optional.empty()));
            case "ends" -> ends(consumer(f[2]), f[1]).forEach((at, offset) -> OUT.println(at.partition() + "\t" + offset));
            case "read" -> read(consumer(f[2]), f[1]);
            default -> throw new IllegalArgumentException(f[0]);
        }
    }

    private Properties settings() {
        Properties settings = new Properties();
        settings.put("bootstrap.servers", servers);
        return settings;
    }

    private void create(String topic, int partitions) throws Exception {
        admin.createTopics(List.of(new NewTopic(topic, Optional.of(partitions), Optional.empty()))).all().get();
        // Until all leaders answer: one that does not lead yet refuses a producer's first batch and then may take the second, for it
        // knows no number of this producer. Java's producer sends the first again and again then, in vain (KAFKA-15591).
        Map<TopicPartition, OffsetSpec> all = new HashMap<>();
        for (int partition = 0; partition < partitions; partition++) {
            all.put(new TopicPartition(topic, partition), OffsetSpec.latest());
        }
        while (true) {
            try {
                admin.listOffsets(all).all().get();
                return;
            } catch (ExecutionException error) {
                if (!(error.getCause() instanceof UnknownTopicOrPartitionException)) {
                    throw error;
                }
                Thread.sleep(20);
            }
        }
    }

    private long size(String topic) throws Exception {
        List<Integer> brokers = admin.describeCluster().nodes().get().stream().map(node -> node.id()).toList();
        return admin.describeLogDirs(brokers).allDescriptions().get().values().stream()
            .flatMap(dirs -> dirs.values().stream()).flatMap(dir -> dir.replicaInfos().entrySet().stream())
            .filter(replica -> replica.getKey().topic().equals(topic)).mapToLong(replica -> replica.getValue().size()).sum();
    }

    private void start(String[] f) {
        Properties settings = settings();
        for (String setting : List.of(f).subList(2, f.length)) {
            String[] parts = setting.split("=", 2);
            settings.put(parts[0], parts[1]);
        }
        var producer = new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer());
        if (settings.containsKey("transactional.id")) {
            producer.initTransactions();
        }
        producers.put(f[1], producer);
        sent.put(f[1], new ArrayList<>());
    }

    private void flush(String id) throws Exception {
        producers.get(id).flush();
        for (Future<RecordMetadata> future : sent.put(id, new ArrayList<>())) {
            RecordMetadata metadata = future.get();
            OUT.println(metadata.partition() + "\t" + metadata.offset());
        }
    }

    private KafkaConsumer<byte[], byte[]> consumer(String isolationLevel) {
        return consumers.computeIfAbsent(isolationLevel, level -> {
            Properties settings = settings();
            settings.put("isolation.level", level);
            return new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer());
        });
    }

    /** Where the log ends for this consumer, which is assigned all partitions of the topic. */
    private static Map<TopicPartition, Long> ends(KafkaConsumer<byte[], byte[]> consumer, String topic) {
        consumer.assign(consumer.partitionsFor(topic).stream().map(p -> new TopicPartition(topic, p.partition())).toList());
        return consumer.endOffsets(consumer.assignment());
    }

    private static void read(KafkaConsumer<byte[], byte[]> consumer, String topic) {
        Map<TopicPartition, Long> ends = ends(consumer, topic);
        consumer.seekToBeginning(ends.keySet());
        while (!ends.entrySet().stream().allMatch(end -> consumer.position(end.getKey()) >= end.getValue())) {
            for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofSeconds(1))) {
                OUT.println(record.partition() + "\t" + record.offset() + "\t" + record.timestamp() + "\t"
                    + hex(record.key()) + "\t" + hex(record.value()) + "\t" + headers(record.headers()));
            }
        }
    }

    private static byte[] bytes(String hex) {
        return hex.equals("-") ? null : HEX.parseHex(hex);
    }

    private static String hex(byte[] bytes) {
        return bytes == null ? "-" : HEX.formatHex(bytes);
    }

    private static List<Header> headers(String text) {
        List<Header> headers = new ArrayList<>();
        for (String header : text.isEmpty() ? new String[0] : text.split(",")) {
            String[] parts = header.split("=", -1);
            String name = new String(bytes(parts[0]), StandardCharsets.UTF_8);
            headers.add(new RecordHeader(name, bytes(parts[1])));
        }
        return headers;
    }

    private static String headers(Iterable<Header> headers) {
        List<String> texts = new ArrayList<>();
        for (Header header : headers) {
            texts.add(hex(header.key().getBytes(StandardCharsets.UTF_8)) + "=" + hex(header.value()));
        }
        return String.join(",", texts);
    }
}
