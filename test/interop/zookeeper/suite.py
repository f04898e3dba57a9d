"""kazoo's recipes against keepers: suite.py HOSTS. The clients of one recipe are connected to different keepers."""
import sys
import threading

from kazoo.client import KazooClient
from kazoo.exceptions import BadVersionError, NoAuthError, NoNodeError, NodeExistsError, RolledBackError
from kazoo.recipe.barrier import Barrier
from kazoo.recipe.counter import Counter
from kazoo.recipe.queue import LockingQueue, Queue
from kazoo.security import make_digest_acl

HOSTS = sys.argv[1].split(",")
PATIENCE = 60


def client(n=0, **options):
    """A client that comes to the n-th keeper first."""
    order = HOSTS[n % len(HOSTS):] + HOSTS[:n % len(HOSTS)]
    zk = KazooClient(",".join(order), randomize_hosts=False, timeout=20, **options)
    zk.start(timeout=PATIENCE)
    return zk


def nodes(zk):
    assert zk.create("/py", b"one") == "/py"
    try:
        zk.create("/py")
        raise AssertionError("created twice")
    except NodeExistsError:
        pass
    stat = zk.set("/py", b"two", version=0)
    assert stat.version == 1, stat
    try:
        zk.set("/py", b"three", version=0)
        raise AssertionError("an old version was taken")
    except BadVersionError:
        pass
    path, stat = zk.create("/py/n-", sequence=True, include_data=True)
    assert path == "/py/n-0000000000" and stat.czxid == stat.mzxid, (path, stat)
    assert zk.get_children("/py", include_data=True)[1].numChildren == 1
    zk.ensure_path("/py/a/b/c")
    zk.delete("/py/a", recursive=True)
    try:
        zk.get("/py/a")
        raise AssertionError("it is still there")
    except NoNodeError:
        pass
    transaction = zk.transaction()
    transaction.check("/py", 1)
    transaction.create("/py/t", b"x")
    transaction.set_data("/py", b"three")
    results = transaction.commit()
    assert results[1] == "/py/t" and results[2].version == 2, results
    transaction = zk.transaction()
    transaction.create("/py/u")
    transaction.delete("/py/nowhere")
    results = transaction.commit()
    assert isinstance(results[0], RolledBackError) and isinstance(results[1], NoNodeError), results


def acls(zk):
    ann = client(auth_data=[("digest", "ann:secret")])
    ann.create("/private", b"x", acl=[make_digest_acl("ann", "secret", all=True)])
    for forbidden in (lambda: zk.get("/private"), lambda: zk.set("/private", b"y"), lambda: zk.create("/private/z")):
        try:
            forbidden()
            raise AssertionError("it was allowed")
        except NoAuthError:
            pass
    assert ann.get("/private")[0] == b"x"
    ann.delete("/private")
    ann.stop()


def watches(zk):
    other = client(1)
    seen, changed = [], threading.Event()
    other.ensure_path("/watched")
    zk.sync("/watched")

    @zk.DataWatch("/watched")
    def data_changed(data, stat):
        seen.append(data)
        if data == b"3":
            changed.set()

    for value in (b"1", b"2", b"3"):
        other.set("/watched", value)
    assert changed.wait(PATIENCE) and seen[-1] == b"3", seen
    gone = threading.Event()
    other.create("/watched/e", ephemeral=True)
    zk.sync("/watched")
    assert zk.exists("/watched/e", watch=lambda event: gone.set())
    other.stop()
    assert gone.wait(PATIENCE), "an ephemeral node outlives its session"


def locks(zk):
    total, inside = [0], threading.Lock()

    def work(n):
        mine = client(n)
        for _ in range(5):
            with mine.Lock("/lock", str(n)):
                assert inside.acquire(blocking=False), "two hold the lock"
                total[0] += 1
                inside.release()
        mine.stop()

    run(work, 4)
    assert total[0] == 20, total
    semaphore = zk.Semaphore("/semaphore", max_leases=2)
    with semaphore:
        assert len(semaphore.lease_holders()) == 1


def elections(zk):
    led = []

    def stand(n):
        mine = client(n)
        mine.Election("/election", str(n)).run(lambda: led.append(n))
        mine.stop()

    run(stand, 3)
    assert sorted(led) == [0, 1, 2], led


def queues(zk):
    queue = Queue(zk, "/queue")
    for i in range(10):
        queue.put(str(i).encode())
    other = client(2)
    other.sync("/queue")
    theirs = Queue(other, "/queue")
    assert [theirs.get() for _ in range(10)] == [str(i).encode() for i in range(10)]
    locking = LockingQueue(zk, "/locking")
    locking.put_all([b"a", b"b"])
    other.sync("/locking")
    theirs = LockingQueue(other, "/locking")
    assert theirs.get(timeout=PATIENCE) == b"a" and theirs.consume()
    assert locking.get(timeout=PATIENCE) == b"b" and locking.consume()
    other.stop()


def counters(zk):
    def add(n):
        mine = client(n)
        counter = mine.Counter("/counter")
        for _ in range(10):
            counter += 1
        mine.stop()

    run(add, 3)
    zk.sync("/counter")
    assert Counter(zk, "/counter").value == 30, Counter(zk, "/counter").value


def barriers(zk):
    barrier = Barrier(zk, "/barrier")
    barrier.create()
    other = client(1)
    threading.Timer(0.1, lambda: Barrier(other, "/barrier").remove()).start()
    assert barrier.wait(PATIENCE)
    other.stop()


def run(work, count):
    """Has work(n) done by threads at once, and lets what fails in them fail here."""
    failed = []

    def guarded(n):
        try:
            work(n)
        except BaseException as e:
            failed.append(e)

    threads = [threading.Thread(target=guarded, args=(n,)) for n in range(count)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    if failed:
        raise failed[0]


zk = client()
for test in (nodes, acls, watches, locks, elections, queues, counters, barriers):
    test(zk)
    print("ok", test.__name__, flush=True)
zk.stop()
