"""Kafka Connect in its distributed mode at the broker BOOTSTRAP: lines of a file go through a topic into another one. The worker
that runs the sink is killed, and its tasks go on at the other; all are stopped, and go on where they were."""
import json
import os
import urllib.request

from processes import HOST, JAVA, Process, ends, free_port, main, once, say, tool, until, work

BROKER = os.environ["BOOTSTRAP"]
SUFFIX = str(os.getpid())
TOPIC, GROUP, SOURCE, SINK = ("connect-%s-%s" % (part, SUFFIX) for part in ("lines", "workers", "source", "sink"))
IN, OUT = os.path.join(work, "in"), os.path.join(work, "out")


class Worker(Process):
    def __init__(self, name):
        self.address = "%s:%d" % (HOST, free_port())
        config = os.path.join(work, name + ".properties")
        with open(config, "w") as f:
            f.write("\n".join([
                "bootstrap.servers=" + BROKER, "group.id=" + GROUP, "listeners=http://" + self.address,
                "plugin.discovery=service_load",
                "key.converter=org.apache.kafka.connect.storage.StringConverter",
                "value.converter=org.apache.kafka.connect.storage.StringConverter",
                "offset.flush.interval.ms=500", "scheduled.rebalance.max.delay.ms=0",
                # A worker that was killed is given up soon, and so is its sink's consumer.
                "session.timeout.ms=6000", "heartbeat.interval.ms=1000",
                "consumer.session.timeout.ms=6000", "consumer.heartbeat.interval.ms=1000",
                "offset.storage.partitions=3", "status.storage.partitions=2"]
                + ["%s.storage.topic=connect-%s-%s" % (kind, kind, SUFFIX) for kind in ("config", "offset", "status")]
                + ["%s.storage.replication.factor=1" % kind for kind in ("config", "offset", "status")]))
        super().__init__(name, JAVA + ["org.apache.kafka.connect.cli.ConnectDistributed", config])
        self.start()

    def ask(self, path, put=None):
        """The REST interface's answer. While workers rebalance it is an error, which until() takes for: not yet."""
        request = urllib.request.Request("http://%s/connectors%s" % (self.address, path))
        if put:
            request.method, request.data = "PUT", json.dumps(put).encode()
            request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def configure(self, name, **settings):
        until(name + " is configured", lambda: self.ask("/%s/config" % name, put=settings))

    def where(self):
        """The worker of each connector and task, once all of them run."""
        found = {}
        for name, about in self.ask("?expand=status").items():
            status = about["status"]
            for part in [dict(status["connector"], id="connector")] + status["tasks"]:
                if part["state"] != "RUNNING":
                    return None
                found[name, part["id"]] = part["worker_id"]
        return found if len(found) == 4 else None

    def kept(self):
        """Both connectors have noted how far they are: at the end of the file, and at that of the topic."""
        source, sink = (self.ask("/%s/offsets" % name)["offsets"] for name in (SOURCE, SINK))
        return ([o["offset"]["position"] for o in source] == [os.path.getsize(IN)]
                and [o["offset"]["kafka_offset"] for o in sink] == [ends(BROKER, TOPIC)[0]])


def lines(first, last):
    return ["line %d" % n for n in range(first, last + 1)]


def append(some):
    with open(IN, "a") as f:
        f.write("".join(line + "\n" for line in some))


def written(after=0):
    """The lines of the file that the sink writes, those of which all has been written."""
    with open(OUT) as f:
        return f.read().split("\n")[after:-1]


def arrive(some, after):
    """Waits for lines, and that nothing from before has come again with them."""
    until("lines to %s are there" % some[-1], lambda: some[-1] in written(after))
    got = written(after)
    assert once(got) == some, "after line %d the sink wrote %s … %s, and not %s … %s" % (after, got[:3], got[-3:], some[:3], some[-3:])


def suite():
    tool("kafka-topics", BROKER, "--create", "--topic", TOPIC, "--partitions", 1, "--replication-factor", 1)
    workers = [Worker("worker1"), Worker("worker2")]
    append(lines(1, 200))
    one = workers[0]
    one.configure(SOURCE, **{"connector.class": "org.apache.kafka.connect.file.FileStreamSourceConnector", "file": IN,
                             "topic": TOPIC, "tasks.max": "1"})
    one.configure(SINK, **{"connector.class": "org.apache.kafka.connect.file.FileStreamSinkConnector", "file": OUT,
                           "topics": TOPIC, "tasks.max": "1"})
    arrive(lines(1, 200), 0)
    groups = tool("kafka-groups", BROKER, "--list")
    assert [GROUP, "Classic", "connect"] in [row.split() for row in groups.splitlines()], groups

    until("offsets are kept", one.kept)
    # With both workers in it: one that was slow to start takes over half of the work when it comes.
    placed = until("both workers have work", lambda: (p := one.where()) and len(set(p.values())) == 2 and p)
    victim, other = sorted(workers, key=lambda w: w.address != placed[SINK, 0])
    before = len(written())
    victim.kill()
    say("the worker of the sink is killed")
    append(lines(201, 400))
    arrive(lines(201, 400), before)
    until("everything runs at the other worker", lambda: (p := other.where()) and set(p.values()) == {other.address})

    until("offsets are kept", other.kept)
    before, end = len(written()), ends(BROKER, TOPIC)[0]
    other.stop()
    append(lines(401, 600))
    victim.start()
    arrive(lines(401, 600), before)
    new = ends(BROKER, TOPIC)[0] - end
    sent = tool("kafka-console-consumer", BROKER, "--topic", TOPIC, "--partition", 0, "--offset", end, "--max-messages", new)
    assert once(sent.splitlines()) == lines(401, 600), "the source began with %s" % sent.splitlines()[:3]
    print("ok connect: a worker killed, and a restart; %d lines, %d of them twice" % (len(written()), len(written()) - 600))


main(suite)
