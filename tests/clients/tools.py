"""Kafka's own command line tools: tools.py BOOTSTRAP PREFIX. The jars are those of ../kafka/kafka.sh."""

import base64
import json
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from checks import PATIENCE_S, SASL, Checks, equal, eventually, in_each_codec

SERVERS, PREFIX = sys.argv[1:3]
# What isn't the tools' own matter is done by librdkafka.
ADMIN = AdminClient({"bootstrap.servers": SERVERS})

HERE = Path(__file__).parent
TOPICS = "org.apache.kafka.tools.TopicCommand"
CONFIGS = "kafka.admin.ConfigCommand"
GROUPS = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand"
OFFSETS = "org.apache.kafka.tools.GetOffsetShell"
DELETE_RECORDS = "org.apache.kafka.tools.DeleteRecordsCommand"
PRODUCER = "org.apache.kafka.tools.ConsoleProducer"
CONSUMER = "org.apache.kafka.tools.consumer.ConsoleConsumer"
ASSIGNORS = {"range": "RangeAssignor", "cooperative-sticky": "CooperativeStickyAssignor"}


def name(what):
    return f"{PREFIX}-tools-{what}"


def create(topic, partitions):
    ADMIN.create_topics([NewTopic(topic, partitions, 1)])[topic].result(PATIENCE_S)


def java(*args):
    command = [HERE.parent / "kafka" / "kafka.sh", "run", HERE / "Tools.java", *args]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def call(tool, *args, text="", servers=SERVERS):
    """Its exit code, and what it prints on either."""
    with tempfile.NamedTemporaryFile("w") as file:
        file.write(text)
        file.flush()
        print(*[file.name, tool, "--bootstrap-server", servers, *args], sep="\t", file=ONE_BY_ONE.stdin, flush=True)
        code, out, errors = ONE_BY_ONE.stdout.readline().rstrip("\n").split("\t")
    return int(code), base64.b64decode(out).decode(), base64.b64decode(errors).decode()


def run(tool, *args, text="", servers=SERVERS):
    """What it prints on stdout."""
    code, out, errors = call(tool, *args, text=text, servers=servers)
    assert code == 0, f"{tool} {' '.join(args)} ended with {code}: {out}{errors}"
    return out


def lines(values):
    return "".join(f"{value}\n" for value in values)


def consume(topic, count, *args):
    settings = ["--command-property", "auto.offset.reset=earliest"]
    return run(CONSUMER, "--topic", topic, "--max-messages", str(count), "--timeout-ms", str(1000 * PATIENCE_S), *settings, *args).split()


def topics():
    """Created, described, given more partitions."""
    topic = name("topics")
    run(TOPICS, "--create", "--topic", topic, "--partitions", "1", "--replication-factor", "1", "--config", "retention.ms=12345")
    run(TOPICS, "--alter", "--topic", topic, "--partitions", "3")

    # Each broker learns of it by itself.
    def described():
        found = run(TOPICS, "--describe", "--topic", topic)
        return all(part in found for part in ("PartitionCount: 3", "retention.ms=12345", "Partition: 2\tLeader: "))

    eventually(described, "three partitions and the setting")
    assert topic in run(TOPICS, "--list").split(), "it is not listed"


def codecs():
    topic = name("codecs")
    create(topic, 1)
    wanted = in_each_codec(lambda codec, values: run(PRODUCER, "--topic", topic, "--compression-codec", codec, text=lines(values)))
    equal(consume(topic, len(wanted), "--from-beginning"), wanted, "what was read")


def idempotent():
    topic = name("idempotent")
    create(topic, 3)
    run(PRODUCER, "--topic", topic, "--command-property", "enable.idempotence=true", text=lines(range(3000)))
    equal(sorted(map(int, consume(topic, 3000, "--from-beginning"))), list(range(3000)), "what was read")


class Members:
    """Console consumers: two in a group, a group an assignor."""

    def __init__(self):
        producer = Producer({"bootstrap.servers": SERVERS})
        commands = []
        for assignor, strategy in ASSIGNORS.items():
            topic = name(assignor)
            create(topic, 4)
            for n in range(400):
                producer.produce(topic, f"{assignor}-{n};", partition=n % 4)
            settings = [
                f"partition.assignment.strategy=org.apache.kafka.clients.consumer.{strategy}", "auto.offset.reset=earliest",
                "heartbeat.interval.ms=500",
            ]
            settings = [word for setting in settings for word in ("--command-property", setting)]
            group = ["--topic", topic, "--group", name(f"group-{assignor}")]
            commands += 2 * ["\t".join([CONSUMER, "--bootstrap-server", SERVERS, *group, *settings])]
        equal(producer.flush(PATIENCE_S), 0, "records not acknowledged")
        self.values = []
        self.process = java(*commands)
        self.thread = threading.Thread(target=self.read)
        self.thread.start()

    def read(self):
        for line in self.process.stdout:
            # They share one stdout, on which newlines may fall where they like.
            self.values += [value.strip() for value in line.split(";")]

    def check(self, assignor):
        """Each of the two owns half, and all is read."""
        group = name(f"group-{assignor}")

        def halves():
            found = ADMIN.describe_consumer_groups([group])[group].result(PATIENCE_S)
            counts = [len(member.assignment.topic_partitions) for member in found.members]
            return (found.state.name, counts) == ("STABLE", [2, 2])

        eventually(halves, "each of the two owns half")
        wanted = {f"{assignor}-{n}" for n in range(400)}
        eventually(lambda: wanted <= set(self.values), "all is read")
        rows = [line.split() for line in run(GROUPS, "--describe", "--members", "--group", group).splitlines() if line.startswith(group)]
        equal([row[-1] for row in rows], ["2", "2"], "partitions of each member, as the tool tells")
        state = run(GROUPS, "--describe", "--state", "--group", group)
        assert "Stable" in state and f" {assignor} " in state, state
        assert group in run(GROUPS, "--list").split(), "it is not listed"

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        finally:
            self.thread.join()


def resumes():
    topic, group = name("resumes"), name("group-resumes")
    create(topic, 1)
    run(PRODUCER, "--topic", topic, text=lines(range(10)))
    equal(consume(topic, 4, "--group", group), ["0", "1", "2", "3"], "what was read first")
    equal(consume(topic, 5, "--group", group), ["4", "5", "6", "7", "8"], "what was read behind the commit")
    rows = [line.split() for line in run(GROUPS, "--describe", "--group", group).splitlines() if line.startswith(group)]
    equal([row[:6] for row in rows], [[group, topic, "0", "9", "10", "1"]], "group, topic, partition, committed, end and lag")
    reset = run(GROUPS, "--reset-offsets", "--group", group, "--topic", topic, "--to-offset", "7", "--execute")
    assert group in reset, reset
    equal(consume(topic, 3, "--group", group), ["7", "8", "9"], "what was read behind the reset")
    assert "successful" in run(GROUPS, "--delete", "--group", group), "it is not deleted"


def times():
    topic = name("times")
    create(topic, 1)
    now = int(time.time() * 1000) - 100_000
    producer = Producer({"bootstrap.servers": SERVERS})
    for n in range(5):
        producer.produce(topic, str(n), timestamp=now + 1000 * n)
        equal(producer.flush(PATIENCE_S), 0, "records not acknowledged")
    for at, offset in ((now + 1500, 2), (-1, 5)):
        equal(run(OFFSETS, "--topic", topic, "--time", str(at)).strip(), f"{topic}:0:{offset}", "the offset by time")


def configs():
    topic = name("configs")
    create(topic, 1)
    entity = ["--entity-type", "topics", "--entity-name", topic]
    run(CONFIGS, "--alter", *entity, "--add-config", "retention.ms=54321")

    def described():
        found = run(CONFIGS, "--describe", "--all", *entity)
        return "retention.ms=54321 " in found and "max.message.bytes=1048588 " in found

    eventually(described, "the altered setting, and a default")


def deletions():
    topic = name("deletions")
    create(topic, 1)
    run(PRODUCER, "--topic", topic, text=lines(range(10)))
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump({"partitions": [{"topic": topic, "partition": 0, "offset": 6}], "version": 1}, file)
        file.flush()
        found = run(DELETE_RECORDS, "--offset-json-file", file.name)
        assert "low_watermark: 6" in found, found
    equal(consume(topic, 4, "--from-beginning"), ["6", "7", "8", "9"], "what is left")
    run(TOPICS, "--delete", "--topic", topic)
    eventually(lambda: topic not in ADMIN.list_topics(timeout=PATIENCE_S).topics, "the topic is gone")


def unknown_topic():
    topic = name("unknown")
    code, out, errors = call(TOPICS, "--describe", "--topic", topic)
    equal(code, 1, "the exit code")
    assert f"Topic '{topic}' does not exist as expected" in out + errors, out + errors


def sasl():
    topic, mechanism = name("sasl"), "SCRAM-SHA-512"

    def settings(password):
        login = f'org.apache.kafka.common.security.scram.ScramLoginModule required username="alice" password="{password}";'
        return f"security.protocol=SASL_PLAINTEXT\nsasl.mechanism={mechanism}\nsasl.jaas.config={login}\n"

    with tempfile.TemporaryDirectory() as place:
        files = {}
        for password in ("alice-secret", "wrong"):
            files[password] = str(Path(place, password))
            Path(files[password]).write_text(settings(password))
        run(TOPICS, "--command-config", files["alice-secret"], "--create", "--topic", topic, "--partitions", "1", servers=SASL)
        run(PRODUCER, "--command-config", files["alice-secret"], "--topic", topic, text=lines(["secret"]), servers=SASL)
        code, out, errors = call(TOPICS, "--command-config", files["wrong"], "--list", servers=SASL)
        equal(code, 1, "the exit code where the password is wrong")
        assert "Authentication failed" in out + errors, out + errors


checks = Checks()
members = Members()
ONE_BY_ONE = java()
checks.run("topics", topics)
checks.run("codecs", codecs)
checks.run("idempotent", idempotent)
for assignor in ASSIGNORS:
    checks.run(assignor, lambda: members.check(assignor))
members.stop()
checks.run("resumes", resumes)
checks.run("times", times)
checks.run("configs", configs)
checks.run("deletions", deletions)
checks.run("unknown-topic", unknown_topic)
checks.run("sasl", sasl)
ONE_BY_ONE.stdin.close()
equal(ONE_BY_ONE.wait(PATIENCE_S), 0, "the exit code of the JVM")
checks.end()
