"""One kazoo session, with an ephemeral node, a watch, a lock, an election, a queue and a counter, across the loss of keepers:
survive.py HOSTS.

It says where it is, and goes on when a line comes from the standard input: a keeper has been killed, another one wiped. What was
written before must be there after, and the session must be the same."""
import sys
import threading

from kazoo.client import KazooClient
from kazoo.exceptions import NodeExistsError
from kazoo.retry import KazooRetry

HOSTS, GO = sys.argv[1], sys.stdin
PATIENCE = 90
zk = KazooClient(HOSTS, randomize_hosts=False, timeout=30, connection_retry=KazooRetry(max_tries=-1, max_delay=1))
zk.start(timeout=PATIENCE)
session = zk.client_id[0]
retry = KazooRetry(max_tries=-1, max_delay=0.5, deadline=PATIENCE)
zk.create("/survive", b"0")
zk.create("/survive/me", b"", ephemeral=True)
lock = zk.Lock("/survive/lock")
lock.acquire(timeout=PATIENCE)
written = []
queue = zk.LockingQueue("/survive/queue")
queue.put_all([b"1", b"2", b"3"])
counter = zk.Counter("/survive/counter")
counted = 0
abdicates, leads, succeeds = threading.Event(), threading.Event(), threading.Event()


def reign():
    leads.set()
    assert abdicates.wait(4 * PATIENCE)


other = KazooClient(HOSTS, timeout=30, connection_retry=KazooRetry(max_tries=-1, max_delay=1))
other.start(timeout=PATIENCE)
incumbent = threading.Thread(target=zk.Election("/survive/election", "first").run, args=(reign,), daemon=True)
incumbent.start()
assert leads.wait(PATIENCE), "nobody is elected"
challenger = threading.Thread(target=other.Election("/survive/election", "second").run, args=(succeeds.set,), daemon=True)
challenger.start()


def count():
    """Ten more. An answer that is lost with a keeper is asked for again by kazoo, so that there may be more, and never fewer."""
    global counted
    for _ in range(10):
        retry(counter.__add__, 1)
        counted += 1
    there = retry(lambda: counter.value)
    assert counted <= there <= counted + 2, "%d counted, %d there" % (counted, there)


def take(what):
    """Takes the queue's next item: get leaves it locked, consume takes it away."""
    got = retry(lambda: queue.get(timeout=PATIENCE))
    assert got == what and retry(queue.consume), "the queue has %r where %r is to come" % (got, what)
    assert not succeeds.is_set(), "a second one is elected while the first one leads"


def write(count):
    for _ in range(count):
        name = "/survive/n%04d" % len(written)
        try:
            retry(zk.create, name, b"x")
        except NodeExistsError:
            pass  # the attempt before took place, and its answer was lost
        written.append(name)


def check():
    retry(lambda: zk.sync("/survive"))
    assert zk.client_id[0] == session, "the session is another one"
    stat = retry(lambda: zk.exists("/survive/me"))
    assert stat and stat.ephemeralOwner == session, stat
    there = set(retry(lambda: zk.get_children("/survive")))
    lost = [n for n in written if n.rsplit("/", 1)[1] not in there]
    assert not lost, "lost: %s" % lost
    count()


changed = threading.Event()


@zk.DataWatch("/survive/later")  # kazoo leaves its watches anew by itself where it has been cut off
def later(data, stat):
    if stat:
        changed.set()


write(100)
take(b"1")
count()
print("kazoo: 100 written through the first keeper", flush=True)
assert GO.readline() == "killed\n"
write(100)
check()
try:
    retry(lambda: zk.create("/survive/later"))
except NodeExistsError:
    pass
assert changed.wait(PATIENCE), "the watch does not hear of it"
take(b"2")
print("kazoo: 200 there after the keeper was killed, in the same session, with its watch, lock, queue, counter and election", flush=True)
assert GO.readline() == "wiped\n"
write(100)
check()
take(b"3")
retry(lock.release)
abdicates.set()
assert succeeds.wait(PATIENCE), "nobody comes after the one that led"
print("kazoo: 300 there after another keeper was wiped, and the election goes on", flush=True)
other.stop()
zk.stop()
