"""librdkafka, through confluent-kafka: confluent.py BOOTSTRAP PREFIX"""

import sys
import threading
import time

from confluent_kafka import (
    OFFSET_BEGINNING, Consumer, ConsumerGroupTopicPartitions, KafkaError, KafkaException, Producer, TopicPartition,
)
from confluent_kafka.admin import AdminClient, ConfigResource, NewPartitions, NewTopic, ResourceType

from checks import PATIENCE_S, SASL, Checks, equal, eventually, in_each_codec

SERVERS, PREFIX = sys.argv[1:3]
ADMIN = AdminClient({"bootstrap.servers": SERVERS})


def name(what):
    return f"{PREFIX}-confluent-{what}"


def create(topic, partitions):
    ADMIN.create_topics([NewTopic(topic, partitions, 1)])[topic].result(PATIENCE_S)


def produce(topic, values, partition=-1, timestamp=0, **settings):
    failures = []
    producer = Producer({"bootstrap.servers": SERVERS, **settings})

    def told(error, _message):
        if error:
            failures.append(error)

    for value in values:
        producer.produce(topic, value.encode(), key=value.encode(), partition=partition, timestamp=timestamp, on_delivery=told)
        producer.poll(0)
    equal(producer.flush(PATIENCE_S), 0, "records not acknowledged")
    equal(failures, [], "failures")


def consumer(group, **settings):
    return Consumer({
        "bootstrap.servers": SERVERS, "group.id": group, "auto.offset.reset": "earliest", "enable.auto.commit": False,
        "session.timeout.ms": 10000, "heartbeat.interval.ms": 500, "fetch.wait.max.ms": 100, **settings,
    })


def read(reader, count):
    values, end = [], time.monotonic() + PATIENCE_S
    while len(values) < count:
        assert time.monotonic() < end, f"{len(values)} of {count} records came"
        message = reader.poll(0.2)
        if message is not None:
            assert not message.error(), message.error()
            values.append(message.value().decode())
    return values


def read_all(topic, partitions, count):
    reader = consumer(name("reader"))
    reader.assign([TopicPartition(topic, p, OFFSET_BEGINNING) for p in range(partitions)])
    values = read(reader, count)
    reader.close()
    return values


def codecs():
    topic = name("codecs")
    create(topic, 1)
    wanted = in_each_codec(lambda codec, values: produce(topic, values, **{"compression.type": codec, "linger.ms": 20}))
    equal(read_all(topic, 1, len(wanted)), wanted, "what was read")


def idempotent():
    topic = name("idempotent")
    create(topic, 3)
    values = [str(n) for n in range(3000)]
    produce(topic, values, **{"enable.idempotence": True})
    equal(sorted(read_all(topic, 3, 3000), key=int), values, "what was read")


def shared_by(strategy):
    """Two members: each owns half, and all is read once."""
    topic, group = name(strategy), name(f"group-{strategy}")
    create(topic, 4)
    produce(topic, [str(n) for n in range(400)])
    members = [consumer(group, **{"partition.assignment.strategy": strategy}) for _ in range(2)]
    values, owned, stop = [[], []], [0, 0], threading.Event()

    def run(index):
        members[index].subscribe([topic])
        while not stop.is_set():
            message = members[index].poll(0.05)
            if message is not None and not message.error():
                values[index].append(message.value())
            else:
                owned[index] = len(members[index].assignment())

    threads = [threading.Thread(target=run, args=(index,)) for index in range(2)]
    for thread in threads:
        thread.start()
    try:
        eventually(lambda: owned == [2, 2], "each of the two owns half")
        eventually(lambda: len(set(values[0] + values[1])) == 400, "all is read")
        described = ADMIN.describe_consumer_groups([group])[group].result(PATIENCE_S)
        equal((described.state.name, len(described.members)), ("STABLE", 2), "the group")
        equal(described.partition_assignor, strategy, "the assignor")
        listed = ADMIN.list_consumer_groups().result(PATIENCE_S)
        assert group in [g.group_id for g in listed.valid], listed.valid
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        for member in members:
            member.close()


def resumes():
    topic, group = name("resumes"), name("group-resumes")
    create(topic, 1)
    produce(topic, [str(n) for n in range(10)])
    first = consumer(group)
    first.subscribe([topic])
    read(first, 4)
    first.commit(offsets=[TopicPartition(topic, 0, 4, metadata="so far")], asynchronous=False)
    first.close()
    second = consumer(group)
    second.subscribe([topic])
    equal(read(second, 6), [str(n) for n in range(4, 10)], "what was read behind the commit")
    found = second.committed([TopicPartition(topic, 0)], PATIENCE_S)[0]
    equal((found.offset, found.metadata), (4, "so far"), "what is committed")
    second.close()
    asked = ADMIN.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)])[group].result(PATIENCE_S)
    equal([(p.partition, p.offset) for p in asked.topic_partitions], [(0, 4)], "what the admin sees committed")
    eventually(lambda: ADMIN.describe_consumer_groups([group])[group].result(PATIENCE_S).state.name == "EMPTY", "it is empty")
    ADMIN.delete_consumer_groups([group])[group].result(PATIENCE_S)


def times():
    topic = name("times")
    create(topic, 1)
    now = int(time.time() * 1000) - 100_000
    for n in range(5):
        produce(topic, [str(n)], timestamp=now + 1000 * n)
    reader = consumer(name("times-reader"))
    found = [reader.offsets_for_times([TopicPartition(topic, 0, now + at)], PATIENCE_S)[0].offset for at in (0, 1500, 4000)]
    equal(found, [0, 2, 4], "offsets by time")
    equal(reader.offsets_for_times([TopicPartition(topic, 0, now + 9999)], PATIENCE_S)[0].offset, -1, "beyond the last")
    equal(reader.get_watermark_offsets(TopicPartition(topic, 0), PATIENCE_S), (0, 5), "the ends")
    reader.close()


def configs():
    topic = name("configs")
    ADMIN.create_topics([NewTopic(topic, 1, 1, config={"retention.ms": "12345"})])[topic].result(PATIENCE_S)
    resource = ConfigResource(ResourceType.TOPIC, topic)

    def described():
        try:
            return ADMIN.describe_configs([resource])[resource].result(PATIENCE_S)
        except KafkaException as error:
            # Each broker learns of it by itself.
            equal(error.args[0].code(), KafkaError.UNKNOWN_TOPIC_OR_PART, "the error")

    entries = eventually(described, "it is described")
    equal(entries["retention.ms"].value, "12345", "retention.ms")
    equal(entries["max.message.bytes"].value, "1048588", "max.message.bytes")


def partitions():
    topic = name("partitions")
    create(topic, 1)
    ADMIN.create_partitions([NewPartitions(topic, 3)])[topic].result(PATIENCE_S)
    eventually(lambda: len(ADMIN.list_topics(topic, PATIENCE_S).topics[topic].partitions) == 3, "three partitions")
    for partition in range(3):
        produce(topic, [str(partition)], partition=partition)
    equal(sorted(read_all(topic, 3, 3)), ["0", "1", "2"], "what was read")


def deletions():
    topic = name("deletions")
    create(topic, 1)
    produce(topic, [str(n) for n in range(10)])
    deleted = ADMIN.delete_records([TopicPartition(topic, 0, 6)])
    equal(list(deleted.values())[0].result(PATIENCE_S).low_watermark, 6, "the log's start")
    equal(read_all(topic, 1, 4), ["6", "7", "8", "9"], "what is left")
    ADMIN.delete_topics([topic])[topic].result(PATIENCE_S)
    eventually(lambda: topic not in ADMIN.list_topics(timeout=PATIENCE_S).topics, "the topic is gone")


def unknown_topic():
    topic = name("unknown")
    reader = consumer(name("unknown-reader"), **{"allow.auto.create.topics": False})
    reader.subscribe([topic])
    message = eventually(lambda: reader.poll(0.2), "an error")
    equal(message.error().code(), KafkaError.UNKNOWN_TOPIC_OR_PART, "the error")
    reader.close()
    try:
        ADMIN.delete_topics([topic])[topic].result(PATIENCE_S)
    except KafkaException as error:
        equal(error.args[0].code(), KafkaError.UNKNOWN_TOPIC_OR_PART, "the admin's error")
    else:
        raise AssertionError("a topic that is not there was deleted")


def sasl():
    for mechanism in ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"):
        told = []
        settings = {"bootstrap.servers": SASL, "security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": mechanism, "sasl.username": "alice"}
        admin = AdminClient({**settings, "sasl.password": "alice-secret"})
        admin.create_topics([NewTopic(name(f"sasl-{mechanism}"), 1, 1)])[name(f"sasl-{mechanism}")].result(PATIENCE_S)
        refused = Producer({**settings, "sasl.password": "wrong", "error_cb": told.append})
        eventually(lambda: refused.poll(0.1) or KafkaError._AUTHENTICATION in [error.code() for error in told], "a wrong password is refused")


checks = Checks()
checks.run("codecs", codecs)
checks.run("idempotent", idempotent)
checks.run("range", lambda: shared_by("range"))
checks.run("cooperative-sticky", lambda: shared_by("cooperative-sticky"))
checks.run("resumes", resumes)
checks.run("times", times)
checks.run("configs", configs)
checks.run("partitions", partitions)
checks.run("deletions", deletions)
checks.run("unknown-topic", unknown_topic)
checks.run("sasl", sasl)
checks.end()
