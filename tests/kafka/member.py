"""A member of a group, of librdkafka: python member.py BOOTSTRAP_SERVERS GROUP TOPIC ASSIGNOR, with the package confluent-kafka.

tests/support/peer.rs starts it and reads what it prints: a line for whatever happens to it, as tests/support/journal.rs writes them.
It closes at the end of its stdin.
"""

import select
import sys
import time

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

servers, group, topic, assignor = sys.argv[1:]
handed = {}


def say(*fields):
    print(time.time_ns() // 1000, *fields, sep="\t", flush=True)


def names(partitions):
    return ",".join(f"{at.topic}:{at.partition}" for at in partitions)


def commit(consumer):
    """What was handed out since the last commit."""
    if not handed:
        return
    offsets = [TopicPartition(topic, partition, offset) for (topic, partition), offset in handed.items()]
    try:
        for at in consumer.commit(offsets=offsets, asynchronous=False):
            if at.error:
                say("failed", at.error)
            else:
                say("committed", at.topic, at.partition, at.offset)
        handed.clear()
    except KafkaException as error:
        if error.args[0].code() not in (KafkaError.REBALANCE_IN_PROGRESS, KafkaError.ILLEGAL_GENERATION):
            say("failed", error)
            handed.clear()


def on_assign(consumer, partitions):
    say("assigned", names(partitions))


def on_revoke(consumer, partitions):
    commit(consumer)
    say("revoked", names(partitions))


def on_lost(consumer, partitions):
    for at in partitions:
        handed.pop((at.topic, at.partition), None)
    say("lost", names(partitions))


consumer = Consumer({
    "bootstrap.servers": servers,
    "group.id": group,
    "partition.assignment.strategy": assignor,
    "auto.offset.reset": "earliest",
    "enable.auto.commit": False,
    "session.timeout.ms": 6000,
    "heartbeat.interval.ms": 300,
})
consumer.subscribe([topic], on_assign=on_assign, on_revoke=on_revoke, on_lost=on_lost)
while not (select.select([sys.stdin], [], [], 0)[0] and not sys.stdin.buffer.read1()):
    count = 0
    record = consumer.poll(0.1)
    while record is not None and count < 20:
        if record.error():
            say("failed", record.error())
        else:
            say("record", record.topic(), record.partition(), record.offset(), record.value().decode().strip())
            handed[record.topic(), record.partition()] = record.offset() + 1
        count += 1
        record = consumer.poll(0) if count < 20 else None
    commit(consumer)
commit(consumer)
consumer.close()
