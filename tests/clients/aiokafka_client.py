"""aiokafka: aiokafka_client.py BOOTSTRAP PREFIX"""

import asyncio
import sys
import time

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from aiokafka.structs import OffsetAndMetadata

from checks import CODECS, PATIENCE_S, Checks, equal

SERVERS, PREFIX = sys.argv[1:3]
UNKNOWN_TOPIC_OR_PARTITION = 3


def name(what):
    return f"{PREFIX}-aiokafka-{what}"


async def eventually(condition, what):
    """Waits until `await condition()` gives something that is true."""
    end = time.monotonic() + PATIENCE_S
    while not await condition():
        assert time.monotonic() < end, f"not within {PATIENCE_S} s: {what}"
        await asyncio.sleep(0.02)


async def create(admin, topic, partitions, **configs):
    """Answers come with codes, which nobody but the caller looks at."""
    answer = await admin.create_topics([NewTopic(topic, partitions, 1, topic_configs=configs)])
    equal([error[:2] for error in answer.topic_errors], [(topic, 0)], "its creation")

    async def is_led():
        found = (await admin.describe_topics([topic]))[0]
        return found["error_code"] == 0 and all(p["leader"] >= 0 for p in found["partitions"])

    await eventually(is_led, "the topic has leaders")


async def produce(topic, values, partition=None, timestamp=None, **settings):
    async with AIOKafkaProducer(bootstrap_servers=SERVERS, **settings) as producer:
        sent = [
            await producer.send(topic, value.encode(), key=value.encode(), partition=partition, timestamp_ms=timestamp)
            for value in values
        ]
        await asyncio.wait_for(asyncio.gather(*sent), PATIENCE_S)


def consumer(group, *topics, **settings):
    return AIOKafkaConsumer(*topics, **{
        "bootstrap_servers": SERVERS, "group_id": group, "auto_offset_reset": "earliest", "enable_auto_commit": False,
        "session_timeout_ms": 10000, "heartbeat_interval_ms": 500, "fetch_max_wait_ms": 100, **settings,
    })


async def read(reader, count):
    async def values():
        return [(await reader.getone()).value.decode() for _ in range(count)]

    return await asyncio.wait_for(values(), PATIENCE_S)


async def read_all(topic, partitions, count):
    reader = consumer(None)
    await reader.start()
    try:
        places = [TopicPartition(topic, p) for p in range(partitions)]
        reader.assign(places)
        await reader.seek_to_beginning(*places)
        return await read(reader, count)
    finally:
        await reader.stop()


async def codecs(admin):
    topic = name("codecs")
    await create(admin, topic, 1)
    wanted = []
    for codec in CODECS:
        values = [f"{codec}-{n}" for n in range(500)]
        await produce(topic, values, compression_type=None if codec == "none" else codec, linger_ms=20)
        wanted += values
    equal(await read_all(topic, 1, len(wanted)), wanted, "what was read")


async def idempotent(admin):
    topic = name("idempotent")
    await create(admin, topic, 3)
    values = [str(n) for n in range(3000)]
    await produce(topic, values, enable_idempotence=True)
    equal(sorted(await read_all(topic, 3, 3000), key=int), values, "what was read")


async def shared_by(admin, assignor):
    """Two members: each owns half, and all is read once."""
    topic, group = name(assignor.name), name(f"group-{assignor.name}")
    await create(admin, topic, 4)
    await produce(topic, [str(n) for n in range(400)])
    members = [consumer(group, topic, partition_assignment_strategy=[assignor]) for _ in range(2)]
    values = set()

    async def run(member):
        await member.start()
        try:
            async for record in member:
                values.add(record.value)
        finally:
            await member.stop()

    async def halves():
        return [len(member.assignment()) for member in members] == [2, 2]

    async def all_read():
        return len(values) == 400

    tasks = [asyncio.create_task(run(member)) for member in members]
    try:
        await eventually(halves, "each of the two owns half")
        await eventually(all_read, "all is read")
        [[_error, found, state, kind, protocol, of_it, *_]] = (await admin.describe_consumer_groups([group]))[0].groups
        equal((found, state, kind, protocol, len(of_it)), (group, "Stable", "consumer", assignor.name, 2), "the group")
        listed = await admin.list_consumer_groups()
        assert group in [g[0] for g in listed], listed
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def resumes(admin):
    topic, group = name("resumes"), name("group-resumes")
    place = TopicPartition(topic, 0)
    await create(admin, topic, 1)
    await produce(topic, [str(n) for n in range(10)])
    first = consumer(group, topic)
    await first.start()
    equal(await read(first, 4), ["0", "1", "2", "3"], "what was read first")
    await first.commit({place: OffsetAndMetadata(4, "so far")})
    await first.stop()
    second = consumer(group, topic)
    await second.start()
    equal(await read(second, 6), [str(n) for n in range(4, 10)], "what was read behind the commit")
    equal(await second.committed(place), 4, "what is committed")
    await second.stop()
    equal(await admin.list_consumer_group_offsets(group), {place: OffsetAndMetadata(4, "so far")}, "what the admin sees committed")


async def times(admin):
    topic = name("times")
    place = TopicPartition(topic, 0)
    await create(admin, topic, 1)
    now = int(time.time() * 1000) - 100_000
    for n in range(5):
        await produce(topic, [str(n)], timestamp=now + 1000 * n)
    reader = consumer(None, topic)
    await reader.start()
    try:
        found = [(await reader.offsets_for_times({place: now + at}))[place].offset for at in (0, 1500, 4000)]
        equal(found, [0, 2, 4], "offsets by time")
        equal((await reader.offsets_for_times({place: now + 9999}))[place], None, "beyond the last")
        ends = ((await reader.beginning_offsets([place]))[place], (await reader.end_offsets([place]))[place])
        equal(ends, (0, 5), "the ends")
    finally:
        await reader.stop()


async def configs(admin):
    topic = name("configs")
    await create(admin, topic, 1, **{"retention.ms": "12345"})
    found = {}

    async def described():
        [answer] = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
        [[code, _message, _kind, _name, entries]] = answer.resources
        # Each broker learns of it by itself.
        assert code in (0, UNKNOWN_TOPIC_OR_PARTITION), code
        found.update((entry[0], entry[1]) for entry in entries)
        return code == 0

    await eventually(described, "its settings")
    equal((found["retention.ms"], found["max.message.bytes"]), ("12345", "1048588"), "the settings")


async def partitions(admin):
    topic = name("partitions")
    await create(admin, topic, 1)
    await admin.create_partitions({topic: NewPartitions(3)})

    async def three():
        return len((await admin.describe_topics([topic]))[0]["partitions"]) == 3

    await eventually(three, "three partitions")
    for partition in range(3):
        await produce(topic, [str(partition)], partition=partition)
    equal(sorted(await read_all(topic, 3, 3)), ["0", "1", "2"], "what was read")


async def deletions(admin):
    topic = name("deletions")
    place = TopicPartition(topic, 0)
    await create(admin, topic, 1)
    await produce(topic, [str(n) for n in range(10)])
    equal(await admin.delete_records({place: RecordsToDelete(6)}), {place: 6}, "the log's start")
    equal(await read_all(topic, 1, 4), ["6", "7", "8", "9"], "what is left")
    answer = await admin.delete_topics([topic])
    equal(answer.topic_error_codes, [(topic, 0)], "its deletion")

    async def gone():
        return topic not in await admin.list_topics()

    await eventually(gone, "the topic is gone")


async def unknown_topic(admin):
    topic = name("unknown")
    answer = await admin.delete_topics([topic])
    equal(answer.topic_error_codes, [(topic, UNKNOWN_TOPIC_OR_PARTITION)], "the deletion of what is not there")
    found = (await admin.describe_topics([topic]))[0]
    equal((found["error_code"], found["partitions"]), (UNKNOWN_TOPIC_OR_PARTITION, []), "the description of what is not there")


async def main():
    admin = AIOKafkaAdminClient(bootstrap_servers=SERVERS)
    await admin.start()
    checks = Checks()
    await checks.run_async("codecs", codecs(admin))
    await checks.run_async("idempotent", idempotent(admin))
    await checks.run_async("range", shared_by(admin, RangePartitionAssignor))
    await checks.run_async("sticky", shared_by(admin, StickyPartitionAssignor))
    await checks.run_async("resumes", resumes(admin))
    await checks.run_async("times", times(admin))
    await checks.run_async("configs", configs(admin))
    await checks.run_async("partitions", partitions(admin))
    await checks.run_async("deletions", deletions(admin))
    await checks.run_async("unknown-topic", unknown_topic(admin))
    await admin.close()
    checks.end()


asyncio.run(main())
