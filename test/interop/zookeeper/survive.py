"""One kazoo session, with an ephemeral node, a watch and a lock, across the loss of keepers: survive.py HOSTS FIFO.

It says where it is, and goes on when a line comes from the fifo: a keeper has been killed, another one wiped. What was
written before must be there after, and the session must be the same."""
import sys
import threading

from kazoo.client import KazooClient
from kazoo.exceptions import NodeExistsError
from kazoo.retry import KazooRetry

HOSTS, GO = sys.argv[1], open(sys.argv[2])
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


changed = threading.Event()


@zk.DataWatch("/survive/later")  # kazoo leaves its watches anew by itself where it has been cut off
def later(data, stat):
    if stat:
        changed.set()


write(100)
print("100 written through the first keeper", flush=True)
assert GO.readline() == "killed\n"
write(100)
check()
try:
    retry(lambda: zk.create("/survive/later"))
except NodeExistsError:
    pass
assert changed.wait(PATIENCE), "the watch does not hear of it"
print("200 there after the keeper was killed, in the same session, with its watch", flush=True)
assert GO.readline() == "wiped\n"
write(100)
check()
retry(lock.release)
print("300 there after another keeper was wiped", flush=True)
zk.stop()
