"""Kafka 2.8's tools with --zookeeper against three keepers and three brokers, which are killed in between:
suite.py BINARY JARS-OF-KAFKA JARS-OF-CURATOR WORK. Beside them watch what dashboards are made of: kazoo and Curator."""
import glob
import os
import queue
import re
import subprocess
import sys
import threading
import time

from kazoo.client import KazooClient
from kazoo.exceptions import NoAuthError
from kazoo.retry import KazooRetry

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.append(os.path.join(HERE, "..", ".."))
from ports import HOST, free_port

BINARY, KAFKA, CURATOR, WORK = sys.argv[1:5]
PATIENCE = 120
JAVA = ["java", "-Xmx128m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]
running = {}


def start(name, args, env=None):
    log = open(os.path.join(WORK, name + ".log"), "ab")
    running[name] = subprocess.Popen([BINARY] + args, stdout=log, stderr=log, env=dict(os.environ, **(env or {})))


def kill(name):
    process = running.pop(name)
    process.kill()
    process.wait()


def until(what, holds):
    deadline = time.time() + PATIENCE
    while True:
        got = holds()
        if got:
            return got
        if time.time() > deadline:
            raise AssertionError("in vain waited for: " + what)
        time.sleep(0.05)


class Keepers:
    def __init__(self):
        self.client = {n: free_port() for n in (1, 2, 3)}
        servers = "".join("server.%d=%s:%d:%d;%s:%d\n" % (n, HOST, free_port(), free_port(), HOST, self.client[n]) for n in (1, 2, 3))
        for n in (1, 2, 3):
            with open(self.file(n), "w") as f:
                f.write("dataDir=%s/keeper%d\n4lw.commands.whitelist=*\nmaxClientCnxns=0\nhttp.listener=%s:0\n%s" % (WORK, n, HOST, servers))
        for n in (1, 2, 3):
            self.start(n)

    def file(self, n):
        return os.path.join(WORK, "keeper%d.cfg" % n)

    def start(self, n):
        start("keeper%d" % n, ["keeper", self.file(n)], {"ZOO_MY_ID": str(n)})

    def hosts(self, first=1):
        order = [first] + [n for n in (1, 2, 3) if n != first]
        return ",".join("%s:%d" % (HOST, self.client[n]) for n in order)


class Broker:
    def __init__(self, number, connect):
        self.name, self.port = "broker%d" % number, free_port()
        self.args = ["server"]
        for setting in ("broker.id=%d" % number, "listeners=PLAINTEXT://%s:%d" % (HOST, self.port), "http.listener=",
                        "log.dirs=%s/%s" % (WORK, self.name), "zookeeper.connect=" + connect, "offsets.topic.num.partitions=1"):
            self.args += ["--override", setting]
        self.start()

    def start(self):
        start(self.name, self.args)


def java(classes, jars, main, *args, **options):
    return subprocess.Popen(JAVA + ["-cp", jars + "/*:" + classes, main] + list(args), stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE, text=True, **options)


class Tools:
    """Kafka's tools in one JVM."""
    NAMES = {
        "kafka-topics": "kafka.admin.TopicCommand", "kafka-configs": "kafka.admin.ConfigCommand",
        "kafka-reassign-partitions": "kafka.admin.ReassignPartitionsCommand",
        "kafka-preferred-replica-election": "kafka.admin.PreferredReplicaLeaderElectionCommand",
    }

    def __init__(self, classes):
        self.jvm = java(classes, KAFKA, "Tools")

    def run(self, line, want=0, says=()):
        words = line.split(" ")
        self.jvm.stdin.write("\t".join([self.NAMES[words[0]]] + words[1:]) + "\n")
        self.jvm.stdin.flush()
        out = []
        for row in iter(self.jvm.stdout.readline, ""):
            if row.startswith("=== "):
                code = int(row[4:])
                break
            out.append(row)
        else:
            raise AssertionError("the tools' JVM has ended")
        out = "".join(out).strip()
        missing = [s for s in ([says] if isinstance(says, str) else says) if s not in out]
        assert code == want and not missing, "%s\nexits with %d, not %d, without %s:\n%s" % (line, code, want, missing, out)
        return out


def ours(line):
    """Barnabas' own tool by Kafka's name, as the recipe calls it in a pod: kafka-topics.sh --zookeeper zoo1:2181 ..."""
    words = line.split(" ")
    tool = os.path.join(WORK, words[0])
    if not os.path.exists(tool):
        os.symlink(os.path.abspath(BINARY), tool)
    return subprocess.run([tool] + words[1:], check=True, stdout=subprocess.PIPE, text=True, timeout=PATIENCE).stdout.strip()


class Lines:
    """What a process says, line by line."""
    def __init__(self, process):
        self.seen, self.queue = [], queue.Queue()
        threading.Thread(target=lambda: [self.queue.put(row.rstrip()) for row in process.stdout], daemon=True).start()

    def wait(self, line):
        deadline = time.time() + PATIENCE
        while line not in self.seen:
            try:
                self.seen.append(self.queue.get(timeout=max(0.01, deadline - time.time())))
            except queue.Empty:
                raise AssertionError("not said: %s, but %s" % (line, self.seen[-20:])) from None
        del self.seen[:self.seen.index(line) + 1]


class Watch:
    """The children of a node as kazoo's watch tells them."""
    def __init__(self, client, path):
        self.names = None
        client.ChildrenWatch(path)(self.changed)

    def changed(self, names):
        self.names = sorted(names)


def topics(tools, keepers, dashboard, watch):
    z = "--zookeeper " + keepers.hosts()
    tools.run("kafka-topics %s --create --topic one --partitions 3 --replication-factor 3 --config retention.ms=3600000" % z, says="Created topic one.")
    dashboard.wait("created /brokers/topics/one/partitions/2/state")
    until("one in the watched list", lambda: "one" in (watch.names or []))
    tools.run("kafka-topics %s --list" % z, says="one")
    # What one keeper has told another one may tell a moment later.
    until("leaders of one", lambda: "Leader: none" not in tools.run(
        "kafka-topics %s --describe --topic one" % z, says=("PartitionCount: 3", "ReplicationFactor: 3", "retention.ms=3600000")))
    tools.run("kafka-topics %s --create --topic one --partitions 1 --replication-factor 1" % z, 1, "Topic 'one' already exists.")
    tools.run("kafka-topics %s --create --topic two --partitions 1 --replication-factor 1 --config nonsense=1" % z, 1, "Unknown topic config name: nonsense")
    tools.run("kafka-topics %s --create --topic two --partitions 1 --replication-factor 4" % z, 1, "Replication factor: 4 larger than available brokers: 3.")
    tools.run("kafka-topics %s --create --topic two --replica-assignment 3:1,1:2" % z, says="Created topic two.")
    tools.run("kafka-topics %s --alter --topic two --partitions 5" % z, says="Adding partitions succeeded!")
    tools.run("kafka-topics %s --describe --topic two" % z, says=("PartitionCount: 5", "Replicas: 3,1"))
    tools.run("kafka-topics %s --alter --topic two --partitions 2" % z, 1, "can only be increased")
    tools.run("kafka-configs %s --entity-type topics --entity-name one --alter --add-config cleanup.policy=compact --delete-config retention.ms" % z,
              says="Completed updating config for entity: topic 'one'.")
    tools.run("kafka-configs %s --entity-type topics --entity-name one --describe" % z, says="are cleanup.policy=compact")
    tools.run("kafka-configs %s --entity-type brokers --entity-name 1 --alter --add-config leader.replication.throttled.rate=99999999" % z,
              says="Completed updating config for entity: brokers '1'.")
    tools.run("kafka-configs %s --entity-type brokers --describe" % z, says="Configs for brokers '1' are leader.replication.throttled.rate=99999999")
    tools.run("kafka-configs %s --entity-type users --entity-name u --alter --add-config producer_byte_rate=1" % z, 1)
    tools.run("kafka-topics %s --delete --topic two" % z, says="Topic two is marked for deletion.")
    dashboard.wait("deleted /brokers/topics/two")
    until("the end of two", lambda: "two" not in tools.run("kafka-topics %s --list" % z))


def recipe(tools, keepers):
    z = "--zookeeper " + keepers.hosts()
    out = ours("kafka-topics.sh --create %s --topic test --partitions 3 --replication-factor 1" % z)
    assert "Created topic test." in out, out
    def alike():
        mine, theirs = ours("kafka-topics.sh --list %s" % z), tools.run("kafka-topics %s --list" % z)
        return mine == theirs and "test" in mine.split("\n")

    until("both tools to list the same topics", alike)
    assert ours("kafka-topics.sh --list %s/kafka" % z) == ""


def moves(tools, keepers):
    z = "--zookeeper " + keepers.hosts(2)
    plan = os.path.join(WORK, "plan.json")
    tools.run("kafka-topics %s --create --topic moved --replica-assignment 1:2" % z)
    with open(plan, "w") as f:
        f.write('{"version":1,"partitions":[{"topic":"moved","partition":0,"replicas":[3,1]}]}')
    tools.run("kafka-reassign-partitions %s --execute --reassignment-json-file %s --throttle 50000000" % (z, plan), says="Successfully started partition reassignment for moved-0")
    until("the end of the reassignment", lambda: "is complete" in tools.run(
        "kafka-reassign-partitions %s --verify --reassignment-json-file %s --preserve-throttles" % (z, plan), says="Status of partition reassignment"))
    tools.run("kafka-reassign-partitions %s --verify --reassignment-json-file %s" % (z, plan), says="Clearing topic-level throttles on topic moved")
    with open(plan, "w") as f:
        f.write('{"partitions":[{"topic":"moved","partition":0}]}')
    tools.run("kafka-preferred-replica-election %s --path-to-json-file %s" % (z, plan), says="Successfully started preferred replica election")
    until("the preferred leader", lambda: re.search(r"Leader: 3\s+Replicas: 3,1", tools.run("kafka-topics %s --describe --topic moved" % z)))


def shell(keepers):
    jvm = java("", KAFKA, "org.apache.zookeeper.ZooKeeperMainWithTlsSupportForKafka", "-server", keepers.hosts(3), stderr=subprocess.STDOUT)
    out, _ = jvm.communicate("ls /brokers/ids\nget /brokers/ids/1\nget /controller\nget /cluster/id\nls /\nset /controller x\nquit\n", timeout=PATIENCE)
    for want in ("[1, 2, 3]", '"endpoints":["PLAINTEXT://%s:' % HOST, '"brokerid":', '"version":"1","id":"', "admin, brokers, cluster, config, consumers, controller",
                 "Authentication is not valid : /controller"):
        assert want in out, "zookeeper-shell does not say %s:\n%s" % (want, out)


def losses(tools, keepers, brokers, dashboard, watch):
    kill(brokers[3].name)
    dashboard.wait("deleted /brokers/ids/3")
    until("broker 3 gone from the watched list", lambda: watch.names == ["1", "2"])
    z = "--zookeeper " + keepers.hosts()
    until("leaders that live", lambda: not re.search(r"Leader: (3|none)\b", tools.run("kafka-topics %s --describe --topic one" % z)))
    until("partitions that lack a replica", lambda: "Topic: one" in tools.run("kafka-topics %s --describe --under-replicated-partitions" % z))
    kill("keeper1")
    tools.run("kafka-topics %s --create --topic later --partitions 2 --replication-factor 2" % z, says="Created topic later.")
    dashboard.wait("created /brokers/topics/later")
    brokers[3].start()
    dashboard.wait("created /brokers/ids/3")
    until("broker 3 in the watched list again", lambda: watch.names == ["1", "2", "3"])
    keepers.start(1)
    until("all in sync", lambda: "Topic:" not in tools.run("kafka-topics %s --describe --under-replicated-partitions" % z))


def chroot(tools, keepers):
    z = "--zookeeper " + keepers.hosts() + "/kafka"
    tools.run("kafka-topics %s --create --topic inside --partitions 1 --replication-factor 1" % z, says="Created topic inside.")
    assert tools.run("kafka-topics %s --list" % z) == "inside"
    assert "inside" not in tools.run("kafka-topics --zookeeper %s --list" % keepers.hosts())


def main():
    classes = os.path.join(WORK, "kafka-classes")
    os.makedirs(classes)
    keepers = Keepers()
    brokers = {n: Broker(n, keepers.hosts(n)) for n in (1, 2, 3)}
    brokers[7] = Broker(7, keepers.hosts() + "/kafka")
    subprocess.run(["javac", "-nowarn", "-cp", KAFKA + "/*:" + CURATOR + "/*", "-d", classes] + glob.glob(HERE + "/*.java"), check=True)
    kazoo = KazooClient(keepers.hosts(2), randomize_hosts=False, timeout=30, connection_retry=KazooRetry(max_tries=-1, max_delay=1))
    kazoo.start(timeout=PATIENCE)
    until("the brokers", lambda: kazoo.exists("/brokers") and kazoo.get_children("/brokers/ids") and len(kazoo.get_children("/brokers/ids")) == 3)
    until("the controller", lambda: kazoo.exists("/controller"))
    until("the other cluster", lambda: kazoo.exists("/kafka/brokers/ids/7") and kazoo.exists("/kafka/controller"))
    ids, names = Watch(kazoo, "/brokers/ids"), Watch(kazoo, "/brokers/topics")
    process = java(classes, CURATOR, "Dashboard", keepers.hosts(3))
    dashboard = Lines(process)
    dashboard.wait("initialized")
    try:
        kazoo.set("/controller", b"x")
        raise AssertionError("the controller was set")
    except NoAuthError:
        pass
    tools = Tools(classes)
    for what, part in (("topics and their settings", lambda: topics(tools, keepers, dashboard, names)),
                       ("beside our own tools", lambda: recipe(tools, keepers)), ("reassignment and election", lambda: moves(tools, keepers)), ("zookeeper-shell", lambda: shell(keepers)),
                       ("a broker and a keeper killed", lambda: losses(tools, keepers, brokers, dashboard, ids)),
                       ("a chroot", lambda: chroot(tools, keepers))):
        began = time.time()
        part()
        print("ok kafka 2.8: %s (%.1f s)" % (what, time.time() - began), flush=True)
    kazoo.stop()
    for jvm in (process, tools.jvm):
        jvm.stdin.close()
        jvm.wait(timeout=PATIENCE)


try:
    main()
except BaseException:
    for name in sorted(glob.glob(WORK + "/*.log")):
        print("-- " + os.path.basename(name))
        print("".join(open(name, errors="replace").readlines()[-15:]))
    raise
finally:
    for name in list(running):
        kill(name)
