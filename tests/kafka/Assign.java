// Java's own assignors, as judges of ours: reads groups from stdin, prints what each member gets.
//
//   in:   group ASSIGNOR                         range, roundrobin, sticky or cooperative-sticky
//         topic NAME RACKS...                    a word a partition: its replicas' racks with commas, or -
//         member ID INSTANCE RACK GENERATION USERDATA TOPICS OWNED      - for none; USERDATA in hex; OWNED as topic:partition,...
//         end
//   out:  member ID OWNED                        for each member
//         end                                    or: failed EXCEPTION, where Java itself failed
import java.io.*;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor.*;
import org.apache.kafka.common.*;

public class Assign {
    private static final Map<String, Node> nodes = new HashMap<>();

    public static void main(String[] args) throws IOException {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        PrintStream out = new PrintStream(new BufferedOutputStream(new FileOutputStream(FileDescriptor.out)), false, StandardCharsets.UTF_8);
        String assignor = null;
        List<PartitionInfo> partitions = new ArrayList<>();
        Map<String, Subscription> members = new HashMap<>();
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String[] words = line.split(" ");
            switch (words[0]) {
                case "group": assignor = words[1]; partitions.clear(); members.clear(); break;
                case "topic": for (int p = 0; p < words.length - 2; p++) partitions.add(partition(words[1], p, words[p + 2])); break;
                case "member": members.put(words[1], member(words)); break;
                case "end": assign(assignor, partitions, members, out); break;
                default: throw new IllegalArgumentException(line);
            }
        }
        out.flush();
    }

    private static void assign(String name, List<PartitionInfo> partitions, Map<String, Subscription> members, PrintStream out) {
        ConsumerPartitionAssignor assignor = switch (name) {
            case "range" -> new RangeAssignor();
            case "roundrobin" -> new RoundRobinAssignor();
            case "sticky" -> new StickyAssignor();
            case "cooperative-sticky" -> new CooperativeStickyAssignor();
            default -> throw new IllegalArgumentException(name);
        };
        try {
            Cluster cluster = new Cluster("cluster", nodes.values(), partitions, Set.of(), Set.of());
            assignor.assign(cluster, new GroupSubscription(members)).groupAssignment().forEach((id, assignment) -> {
                StringJoiner owned = new StringJoiner(",");
                assignment.partitions().forEach(tp -> owned.add(tp.topic() + ":" + tp.partition()));
                out.println("member " + id + " " + (owned.length() == 0 ? "-" : owned));
            });
            out.println("end");
        } catch (RuntimeException e) {
            out.println("failed " + e);
        }
    }

    private static PartitionInfo partition(String topic, int number, String racks) {
        Node[] replicas = Arrays.stream(racks.equals("-") ? new String[0] : racks.split(","))
            .map(rack -> nodes.computeIfAbsent(rack, r -> new Node(nodes.size(), "host", 9092, r))).toArray(Node[]::new);
        return new PartitionInfo(topic, number, replicas.length == 0 ? null : replicas[0], replicas, replicas);
    }

    private static Subscription member(String[] words) {
        List<TopicPartition> owned = new ArrayList<>();
        for (String partition : list(words[7])) {
            String[] parts = partition.split(":");
            owned.add(new TopicPartition(parts[0], Integer.parseInt(parts[1])));
        }
        ByteBuffer userData = optional(words[5]).map(hex -> ByteBuffer.wrap(HexFormat.of().parseHex(hex))).orElse(null);
        int generation = optional(words[4]).map(Integer::parseInt).orElse(-1);
        Subscription subscription = new Subscription(list(words[6]), userData, owned, generation, optional(words[3]));
        subscription.setGroupInstanceId(optional(words[2]));
        return subscription;
    }

    private static Optional<String> optional(String word) {
        return word.equals("-") ? Optional.empty() : Optional.of(word);
    }

    private static List<String> list(String word) {
        return word.equals("-") ? List.of() : List.of(word.split(","));
    }
}
