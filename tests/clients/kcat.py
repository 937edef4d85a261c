"""kcat: kcat.py BOOTSTRAP PREFIX. It creates no topics; librdkafka's admin, of the other package, does."""

import json
import re
import subprocess
import sys
import threading

from confluent_kafka.admin import AdminClient, NewTopic

from checks import PATIENCE_S, SASL, Checks, equal, eventually, in_each_codec

SERVERS, PREFIX = sys.argv[1:3]
ADMIN = AdminClient({"bootstrap.servers": SERVERS})


def name(what):
    return f"{PREFIX}-kcat-{what}"


def create(topic, partitions):
    ADMIN.create_topics([NewTopic(topic, partitions, 1)])[topic].result(PATIENCE_S)


def kcat(*args, text=None, servers=SERVERS):
    """What it prints."""
    done = subprocess.run(["kcat", "-b", servers, *args], input=text, capture_output=True, text=True, timeout=PATIENCE_S)
    assert done.returncode == 0, f"kcat {' '.join(args)} ended with {done.returncode}: {done.stderr}"
    return done.stdout


def lines(values):
    return "".join(f"{value}\n" for value in values)


def metadata():
    topic = name("metadata")
    create(topic, 3)
    for args in ([], ["-t", topic]):
        found = json.loads(kcat("-L", "-J", *args))
        equal(len(found["brokers"]) >= 1, True, "brokers")
        [led] = [t["partitions"] for t in found["topics"] if t["topic"] == topic]
        equal(sorted(p["partition"] for p in led), [0, 1, 2], "the partitions")


def codecs():
    topic = name("codecs")
    create(topic, 1)
    wanted = in_each_codec(lambda codec, values: kcat("-P", "-t", topic, "-z", codec, "-X", "linger.ms=20", text=lines(values)))
    equal(kcat("-C", "-t", topic, "-o", "beginning", "-e", "-q"), lines(wanted), "what was read")


def idempotent():
    topic = name("idempotent")
    create(topic, 3)
    values = [str(n) for n in range(3000)]
    kcat("-P", "-t", topic, "-X", "enable.idempotence=true", text=lines(values))
    found = kcat("-C", "-t", topic, "-o", "beginning", "-e", "-q").split()
    equal(sorted(found, key=int), values, "what was read")


class Member:
    """kcat as a member of a group; what it owns and what it has read."""

    def __init__(self, group, topic, strategy):
        self.owned, self.values = set(), []
        self.process = subprocess.Popen(
            ["kcat", "-b", SERVERS, "-u", "-X", f"partition.assignment.strategy={strategy}", "-X", "auto.offset.reset=earliest",
             "-X", "heartbeat.interval.ms=500", "-X", "fetch.wait.max.ms=100", "-G", group, topic],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        self.threads = [threading.Thread(target=self.read), threading.Thread(target=self.watch)]
        for thread in self.threads:
            thread.start()

    def read(self):
        for line in self.process.stdout:
            self.values.append(line.strip())

    def watch(self):
        """`... rebalanced (memberid m): assigned: t [0], t [1]`; cooperative: `... incremental assignment of 2 partition(s) ...: t [0], t [1]`"""
        for line in self.process.stderr:
            print(line, end="", file=sys.stderr)
            partitions = set(map(int, re.findall(r"\[(\d+)\]", line)))
            if "assign" in line:
                self.owned |= partitions
            elif "revoke" in line:
                self.owned -= partitions

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        finally:
            for thread in self.threads:
                thread.join()


def shared_by(strategy):
    """Two members: each owns half, and all is read."""
    topic, group = name(strategy), name(f"group-{strategy}")
    create(topic, 4)
    kcat("-P", "-t", topic, text=lines(range(400)))
    members = [Member(group, topic, strategy) for _ in range(2)]
    try:
        eventually(lambda: [len(member.owned) for member in members] == [2, 2], "each of the two owns half")
        equal(members[0].owned | members[1].owned, {0, 1, 2, 3}, "what both own")
        eventually(lambda: len(set(members[0].values + members[1].values)) == 400, "all is read")
    finally:
        for member in members:
            member.stop()


def resumes():
    topic, group = name("resumes"), name("group-resumes")
    create(topic, 1)
    kcat("-P", "-t", topic, text=lines(range(10)))
    settings = ["-q", "-X", "auto.offset.reset=earliest", "-X", "heartbeat.interval.ms=500", "-G", group]
    equal(kcat("-c", "4", *settings, topic), lines(range(4)), "what was read first")
    equal(kcat("-c", "6", *settings, topic), lines(range(4, 10)), "what was read behind the commit")


def times():
    topic = name("times")
    create(topic, 1)
    for n in range(3):
        kcat("-P", "-t", topic, text=lines([n]))
    stamps = [json.loads(line)["ts"] for line in kcat("-C", "-t", topic, "-o", "beginning", "-e", "-q", "-J").splitlines()]
    equal((len(stamps), stamps == sorted(set(stamps))), (3, True), "each record is younger than the one before")
    for offset, stamp in enumerate(stamps):
        equal(kcat("-Q", "-t", f"{topic}:0:{stamp}").strip(), f"{topic} [0] offset {offset}", "the offset by time")
    equal(kcat("-C", "-t", topic, "-o", f"s@{stamps[1]}", "-e", "-q"), lines([1, 2]), "what was read from a time on")


def unknown_topic():
    topic = name("unknown")
    found = json.loads(kcat("-L", "-J", "-X", "allow.auto.create.topics=false", "-t", topic))["topics"]
    equal([(t["topic"], t["error"]) for t in found], [(topic, "Broker: Unknown topic or partition")], "the error")


def sasl():
    """PLAIN only: kcat comes with a librdkafka whose SCRAM Kafka 4 refuses, as it repeats its nonce."""
    topic = name("sasl")

    def settings(password):
        return {"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "PLAIN", "sasl.username": "alice", "sasl.password": password}

    def args(password):
        return [word for setting, value in settings(password).items() for word in ("-X", f"{setting}={value}")]

    admin = AdminClient({"bootstrap.servers": SASL, **settings("alice-secret")})
    admin.create_topics([NewTopic(topic, 1, 1)])[topic].result(PATIENCE_S)
    kcat(*args("alice-secret"), "-P", "-t", topic, text=lines(["secret"]), servers=SASL)
    equal(kcat(*args("alice-secret"), "-C", "-t", topic, "-o", "beginning", "-e", "-q", servers=SASL), "secret\n", "what was read")
    done = subprocess.run(["kcat", "-b", SASL, *args("wrong"), "-L", "-m", "5"], capture_output=True, text=True, timeout=PATIENCE_S)
    assert done.returncode != 0, "a wrong password was taken"
    assert "uthentication fail" in done.stderr, f"no clear error: {done.stderr}"


checks = Checks()
checks.run("metadata", metadata)
checks.run("codecs", codecs)
checks.run("idempotent", idempotent)
checks.run("range", lambda: shared_by("range"))
checks.run("cooperative-sticky", lambda: shared_by("cooperative-sticky"))
checks.run("resumes", resumes)
checks.run("times", times)
checks.run("unknown-topic", unknown_topic)
checks.run("sasl", sasl)
checks.end()
