"""The interop suite for Python's clients.

Usage: BOOTSTRAP=host:port python suite.py confluent|kafka_python|aiokafka

Every client is driven through a module of the same name with the same few functions, so that each
case reads once and runs on all. A case prints "ok NAME"; the first difference ends the run with its story.
"""

import importlib
import os
import sys
import time
import uuid

CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]
PARTITIONS = 3
RECORDS = 900
DEADLINE_S = 60
# The records are of now: of records of long ago the broker's next round of retention leaves nothing.
STARTED_MS = int(time.time() * 1000)


def records(count, partitions):
    """count records that differ in everything a record has: key, value, headers, timestamp."""
    made = []
    for i in range(count):
        key = None if i % 7 == 0 else f"key-{i}".encode()
        value = f"野猪套天下第一 {i} ".encode() + b"x" * (i % 257)
        headers = [("i", str(i).encode()), ("empty", b"")] if i % 3 == 0 else []
        made.append((i % partitions, key, value, headers, STARTED_MS + i))
    return made


def check_codecs(client, codecs):
    for codec in codecs:
        topic = f"py-{client.NAME}-{codec}-{uuid.uuid4().hex[:8]}"
        client.create_topic(topic, PARTITIONS, {})
        sent = records(RECORDS, PARTITIONS)
        client.produce(topic, sent, codec)
        got = client.consume(topic, PARTITIONS, len(sent))
        for partition in range(PARTITIONS):
            want = [r[1:] for r in sent if r[0] == partition]
            have = [r for r in got if r[0] == partition]
            offsets = [r[1] for r in have]
            assert offsets == list(range(len(want))), f"{codec}: partition {partition}: offsets {offsets[:5]}…"
            for w, h in zip(want, have):
                assert w == h[2:], f"{codec}: sent {w!r}, got {h[2:]!r}"
        print(f"ok {client.NAME} codec {codec}: {len(got)} records alike")


def check_group(client):
    topic, group = f"py-{client.NAME}-group-{uuid.uuid4().hex[:8]}", f"g-{uuid.uuid4().hex[:8]}"
    client.create_topic(topic, 6, {})
    members = [client.Member(group, topic)]
    until(lambda: len(poll_all(members)[0].assignment()) == 6, "the first member gets all 6 partitions")
    members.append(client.Member(group, topic))
    until(
        lambda: sorted(len(m.assignment()) for m in poll_all(members)) == [3, 3],
        "a second member gets half of the partitions",
    )
    sent = records(600, 6)
    client.produce(topic, sent, "none")
    seen = set()
    until(lambda: len(collect(members, seen)) == 600, "the two members read all 600 records")
    for member in members:
        member.commit()
    members.pop().close()
    until(
        lambda: len(poll_all(members)[0].assignment()) == 6,
        "the first member gets the partitions of the one that left",
    )
    assert group in client.groups(), f"{group} is missing from the list of groups {client.groups()}"
    members.pop().close()

    late = client.Member(group, topic)
    client.produce(topic, [(5, b"k", b"after", [], STARTED_MS)], "none")
    fresh = set()
    until(lambda: collect([late], fresh), "a member that comes later reads on")
    assert fresh == {(5, 100)}, f"committed offsets were not honoured: {sorted(fresh)[:5]}"
    late.close()
    print(f"ok {client.NAME} group: rebalanced in and out, resumed at the committed offsets")


def check_admin(client):
    topic = f"py-{client.NAME}-admin-{uuid.uuid4().hex[:8]}"
    client.create_topic(topic, 1, {"retention.ms": "3600000"})
    until(lambda: topic in client.topics(), "the topic is listed")
    assert client.config(topic)["retention.ms"] == "3600000", client.config(topic)
    client.alter_config(topic, "retention.ms", "7200000")
    until(lambda: client.config(topic)["retention.ms"] == "7200000", "the altered config is described")
    client.add_partitions(topic, 4)
    until(lambda: client.topics().get(topic) == 4, "the topic has 4 partitions")
    client.delete_topic(topic)
    until(lambda: topic not in client.topics(), "the topic is gone")
    print(f"ok {client.NAME} admin: create, describe, alter, add partitions, delete")


def poll_all(members):
    for member in members:
        member.poll()
    return members


def collect(members, seen):
    for member in members:
        for position in member.poll():
            assert position not in seen, f"{position} was read twice"
            seen.add(position)
    return seen


def until(condition, what):
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, f"not within {DEADLINE_S} s: {what}"
        time.sleep(0.02)


def main():
    client = importlib.import_module(sys.argv[1] + "_client")
    client.connect(os.environ["BOOTSTRAP"])
    check_codecs(client, CODECS)
    check_group(client)
    check_admin(client)
    if "BOOTSTRAP_TLS" in os.environ and hasattr(client, "secure"):
        client.secure(os.environ["BOOTSTRAP_TLS"], os.environ["TLS_FILES"])
        check_codecs(client, ["gzip"])
        print(f"ok {client.NAME} TLS: certificates of both ends are looked at")


if __name__ == "__main__":
    main()
