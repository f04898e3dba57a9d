"""MirrorMaker 2 from one Barnabas to another: topics with their partitions and settings, records, and the offsets of a group,
which goes on at the mirror with the first record that it has not had."""
import os

from processes import Broker, JAVA, Process, ends, main, once, say, tool, until, work

SETTINGS = """
clusters=A,B
A->B.enabled=true
A->B.topics=orders.*
A->B.groups=app
B->A.enabled=false
B->A.emit.heartbeats.enabled=false
replication.factor=1
checkpoints.topic.replication.factor=1
heartbeats.topic.replication.factor=1
offset-syncs.topic.replication.factor=1
offset.storage.replication.factor=1
status.storage.replication.factor=1
config.storage.replication.factor=1
refresh.topics.interval.seconds=1
refresh.groups.interval.seconds=1
sync.topic.configs.interval.seconds=1
sync.topic.acls.interval.seconds=1
sync.group.offsets.enabled=true
sync.group.offsets.interval.seconds=1
emit.checkpoints.interval.seconds=1
offset.lag.max=0
B.offset.flush.interval.ms=500
dedicated.mode.enable.internal.rest=false
plugin.discovery=service_load
"""


def produce(address, topic, first, last):
    text = "".join("k%d:v%d\n" % (n, n) for n in range(first, last + 1))
    tool("kafka-console-producer", address, "--topic", topic, "--reader-property", "parse.key=true",
         "--reader-property", "key.separator=:", text=text)


def records(address, topic):
    """Key and value of all records, by partition."""
    found = {}
    for partition, end in ends(address, topic).items():
        found[partition] = [] if end == 0 else tool(
            "kafka-console-consumer", address, "--topic", topic, "--partition", partition, "--offset", "earliest",
            "--max-messages", end, "--formatter-property", "print.key=true").splitlines()
    return found


def mirrored(a, b, topic):
    """B has what A has, each record at least once and in A's order."""
    return {p: once(all) for p, all in records(b, "A." + topic).items()} == records(a, topic)


def described(address, topic):
    """A topic's number of partitions, and its settings."""
    words = tool("kafka-topics", address, "--describe", "--topic", topic).splitlines()[0].split("\t")
    about = dict(word.split(": ", 1) for word in words if ": " in word)
    return int(about["PartitionCount"]), dict(c.split("=", 1) for c in about.get("Configs", "").split(",") if "=" in c)


def committed(address, topic):
    """The offsets of the group, by partition."""
    rows = [row.split() for row in tool("kafka-consumer-groups", address, "--describe", "--group", "app").splitlines()]
    return {int(row[2]): int(row[3]) for row in rows if row[1:2] == [topic] and row[3] != "-"}


def has(about, partitions, **settings):
    """Whether a topic is so; the settings' names with _ for their dots."""
    return about[0] == partitions and {k.replace("_", "."): v for k, v in settings.items()}.items() <= about[1].items()


def suite():
    source, target = Broker("A"), Broker("B")
    a, b = source.address, target.address
    until("both brokers answer", lambda: [tool("kafka-topics", at, "--list") or True for at in (a, b)])
    tool("kafka-topics", a, "--create", "--topic", "orders", "--partitions", 3, "--config", "retention.ms=123456789",
         "--config", "segment.bytes=10485760")
    produce(a, "orders", 1, 300)
    tool("kafka-console-consumer", a, "--topic", "orders", "--group", "app", "--from-beginning", "--max-messages", 300)
    had = committed(a, "orders")
    assert had == ends(a, "orders"), had

    config = os.path.join(work, "mirror.properties")
    with open(config, "w") as f:
        f.write(SETTINGS + "A.bootstrap.servers=%s\nB.bootstrap.servers=%s\n" % (a, b))
    Process("mirror", JAVA + ["org.apache.kafka.connect.mirror.MirrorMaker", config]).start()
    until("300 records are mirrored", lambda: mirrored(a, b, "orders"))
    until("the topic is as its original", lambda: has(
        described(b, "A.orders"), 3, retention_ms="123456789", segment_bytes="10485760"))
    until("the group's offsets are mirrored", lambda: committed(b, "A.orders") == had)

    tool("kafka-topics", a, "--alter", "--topic", "orders", "--partitions", 5)
    tool("kafka-configs", a, "--alter", "--topic", "orders", "--add-config", "max.message.bytes=2000000")
    tool("kafka-topics", a, "--create", "--topic", "orders2", "--partitions", 1)
    until("partitions and settings follow", lambda: has(described(b, "A.orders"), 5, max_message_bytes="2000000"))
    target.kill()
    say("the target is killed")
    produce(a, "orders", 301, 500)
    produce(a, "orders2", 1, 10)
    target.start()
    until("500 records are mirrored", lambda: mirrored(a, b, "orders"))
    until("and those of a topic that is new", lambda: mirrored(a, b, "orders2"))

    at, end = committed(b, "A.orders"), ends(b, "A.orders")
    new = sum(end[p] - at.get(p, 0) for p in end)
    got = tool("kafka-console-consumer", b, "--topic", "A.orders", "--group", "app", "--from-beginning", "--max-messages", new)
    want = {"v%d" % n for n in range(301, 501)}
    assert set(got.split()) == want, "the group goes on at the mirror with %s" % sorted(set(got.split()) ^ want)[:5]
    print("ok mirror: topics, settings, the target killed, and a group that goes on; %d records, %d of them twice" % (
        sum(end.values()), sum(end.values()) - 500))


main(suite)
