import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.recipes.atomic.DistributedAtomicLong;
import org.apache.curator.framework.recipes.barriers.DistributedDoubleBarrier;
import org.apache.curator.framework.recipes.cache.CuratorCache;
import org.apache.curator.framework.recipes.cache.CuratorCacheListener;
import org.apache.curator.framework.recipes.leader.LeaderLatch;
import org.apache.curator.framework.recipes.leader.LeaderSelector;
import org.apache.curator.framework.recipes.leader.LeaderSelectorListenerAdapter;
import org.apache.curator.framework.recipes.locks.InterProcessMutex;
import org.apache.curator.framework.recipes.locks.InterProcessReadWriteLock;
import org.apache.curator.framework.recipes.locks.InterProcessSemaphoreV2;
import org.apache.curator.framework.recipes.locks.Lease;
import org.apache.curator.framework.recipes.nodes.PersistentNode;
import org.apache.curator.framework.recipes.nodes.PersistentTtlNode;
import org.apache.curator.framework.recipes.queue.DistributedPriorityQueue;
import org.apache.curator.framework.recipes.queue.DistributedQueue;
import org.apache.curator.framework.recipes.queue.QueueBuilder;
import org.apache.curator.framework.recipes.queue.QueueConsumer;
import org.apache.curator.framework.recipes.queue.QueueSerializer;
import org.apache.curator.framework.recipes.queue.SimpleDistributedQueue;
import org.apache.curator.framework.recipes.shared.SharedCount;
import org.apache.curator.framework.recipes.shared.VersionedValue;
import org.apache.curator.framework.state.ConnectionState;
import org.apache.curator.retry.RetryForever;
import org.apache.curator.retry.RetryNTimes;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;

/** Curator's recipes against keepers; the clients of one recipe are connected to different keepers. */
public class Suite {
    static final int PATIENCE = 60;
    static String[] hosts;

    static CuratorFramework client(int n) throws Exception {
        List<String> order = new ArrayList<>();
        for (int i = 0; i < hosts.length; i++) {
            order.add(hosts[(n + i) % hosts.length]);
        }
        CuratorFramework c = CuratorFrameworkFactory.newClient(order.get(0), 20000, 30000, new RetryForever(100));
        c.start();
        check(c.blockUntilConnected(PATIENCE, TimeUnit.SECONDS), "client " + n + " is not connected");
        return c;
    }

    static void check(boolean holds, String otherwise) {
        if (!holds) {
            throw new AssertionError(otherwise);
        }
    }

    interface Work {
        void with(CuratorFramework c, int n) throws Exception;
    }

    static void atOnce(int count, Work work) throws Exception {
        List<Throwable> failed = new ArrayList<>();
        List<Thread> threads = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            int n = i;
            Thread t = new Thread(() -> {
                try (CuratorFramework c = client(n)) {
                    work.with(c, n);
                } catch (Throwable e) {
                    synchronized (failed) {
                        failed.add(e);
                    }
                }
            });
            t.start();
            threads.add(t);
        }
        for (Thread t : threads) {
            t.join();
        }
        if (!failed.isEmpty()) {
            throw new AssertionError(failed.get(0));
        }
    }

    static void nodes(CuratorFramework c) throws Exception {
        c.create().creatingParentContainersIfNeeded().forPath("/curator/nodes/a", "1".getBytes());
        c.create().withProtection().withMode(CreateMode.EPHEMERAL_SEQUENTIAL).forPath("/curator/nodes/p-");
        check(c.getChildren().forPath("/curator/nodes").size() == 2, "children");
        c.transaction().forOperations(
            c.transactionOp().check().withVersion(0).forPath("/curator/nodes/a"),
            c.transactionOp().setData().forPath("/curator/nodes/a", "2".getBytes()),
            c.transactionOp().create().forPath("/curator/nodes/b"));
        check(new String(c.getData().forPath("/curator/nodes/a")).equals("2"), "the transaction");
        try {
            c.setData().withVersion(0).forPath("/curator/nodes/a");
            throw new AssertionError("an old version was taken");
        } catch (KeeperException.BadVersionException e) {
            // as it should be
        }
        c.delete().guaranteed().deletingChildrenIfNeeded().forPath("/curator/nodes");
    }

    static void locks() throws Exception {
        AtomicInteger inside = new AtomicInteger();
        AtomicInteger total = new AtomicInteger();
        atOnce(3, (c, n) -> {
            InterProcessMutex lock = new InterProcessMutex(c, "/curator/lock");
            for (int i = 0; i < 5; i++) {
                check(lock.acquire(PATIENCE, TimeUnit.SECONDS), "the lock is not had");
                check(inside.incrementAndGet() == 1, "two hold the lock");
                total.incrementAndGet();
                inside.decrementAndGet();
                lock.release();
            }
        });
        check(total.get() == 15, "the lock was held " + total + " times");
        AtomicInteger reading = new AtomicInteger();
        CountDownLatch all = new CountDownLatch(3);
        atOnce(3, (c, n) -> {
            InterProcessReadWriteLock lock = new InterProcessReadWriteLock(c, "/curator/rw");
            check(lock.readLock().acquire(PATIENCE, TimeUnit.SECONDS), "the read lock is not had");
            reading.incrementAndGet();
            all.countDown();
            check(all.await(PATIENCE, TimeUnit.SECONDS), "readers keep each other out");
            reading.decrementAndGet();
            lock.readLock().release();
            check(lock.writeLock().acquire(PATIENCE, TimeUnit.SECONDS), "the write lock is not had");
            check(reading.get() == 0 && inside.incrementAndGet() == 1, "somebody is in beside a writer");
            inside.decrementAndGet();
            lock.writeLock().release();
        });
        atOnce(3, (c, n) -> {
            InterProcessSemaphoreV2 semaphore = new InterProcessSemaphoreV2(c, "/curator/semaphore", 2);
            Lease lease = semaphore.acquire(PATIENCE, TimeUnit.SECONDS);
            check(lease != null && inside.incrementAndGet() <= 2, "three have two leases");
            inside.decrementAndGet();
            semaphore.returnLease(lease);
        });
    }

    static void elections() throws Exception {
        AtomicInteger leading = new AtomicInteger();
        atOnce(3, (c, n) -> {
            try (LeaderLatch latch = new LeaderLatch(c, "/curator/latch", "" + n)) {
                latch.start();
                check(latch.await(PATIENCE, TimeUnit.SECONDS), "nobody is elected");
                check(leading.incrementAndGet() == 1, "two lead");
                leading.decrementAndGet();
            }
        });
        atOnce(3, (c, n) -> {
            CountDownLatch done = new CountDownLatch(1);
            LeaderSelectorListenerAdapter reign = new LeaderSelectorListenerAdapter() {
                @Override
                public void takeLeadership(CuratorFramework mine) {
                    if (leading.incrementAndGet() == 1) {
                        done.countDown();
                    }
                    leading.decrementAndGet();
                }
            };
            try (LeaderSelector selector = new LeaderSelector(c, "/curator/selector", reign)) {
                selector.start();
                check(done.await(PATIENCE, TimeUnit.SECONDS), "nobody is selected, or two are");
            }
        });
    }

    /** Items are words. */
    static final QueueSerializer<String> WORDS = new QueueSerializer<>() {
        @Override
        public byte[] serialize(String item) {
            return item.getBytes();
        }

        @Override
        public String deserialize(byte[] bytes) {
            return new String(bytes);
        }
    };

    /** A consumer that keeps what it gets. */
    static QueueConsumer<String> into(BlockingQueue<String> got) {
        return new QueueConsumer<>() {
            @Override
            public void consumeMessage(String item) {
                got.add(item);
            }

            @Override
            public void stateChanged(CuratorFramework c, ConnectionState state) {
            }
        };
    }

    static void queues(CuratorFramework c) throws Exception {
        SimpleDistributedQueue simple = new SimpleDistributedQueue(c, "/curator/simple");
        for (int i = 0; i < 10; i++) {
            simple.offer(("" + i).getBytes());
        }
        BlockingQueue<String> got = new LinkedBlockingQueue<>();
        try (CuratorFramework other = client(1)) {
            other.sync().forPath("/curator/simple");
            SimpleDistributedQueue theirs = new SimpleDistributedQueue(other, "/curator/simple");
            for (int i = 0; i < 10; i++) {
                String item = new String(theirs.poll(PATIENCE, TimeUnit.SECONDS));
                check(item.equals("" + i), "item " + i + " of the simple queue is " + item);
            }
            try (DistributedQueue<String> in = QueueBuilder.builder(c, null, WORDS, "/curator/queue").buildQueue();
                 DistributedQueue<String> out = QueueBuilder.builder(other, into(got), WORDS, "/curator/queue")
                     .lockPath("/curator/queue-locks").buildQueue()) {
                in.start();
                for (int i = 0; i < 10; i++) {
                    in.put("" + i);
                }
                check(in.flushPuts(PATIENCE, TimeUnit.SECONDS), "what is put is not there");
                out.start();
                for (int i = 0; i < 10; i++) {
                    String item = got.poll(PATIENCE, TimeUnit.SECONDS);
                    check(("" + i).equals(item), "item " + i + " of the queue is " + item);
                }
            }
            try (DistributedPriorityQueue<String> in = QueueBuilder.builder(c, null, WORDS, "/curator/priorities").buildPriorityQueue(1);
                 DistributedPriorityQueue<String> out =
                     QueueBuilder.builder(other, into(got), WORDS, "/curator/priorities").buildPriorityQueue(1)) {
                in.start();
                for (String item : new String[] {"3", "1", "2"}) {
                    in.put(item, Integer.parseInt(item));
                }
                check(in.flushPuts(PATIENCE, TimeUnit.SECONDS), "what is put by priority is not there");
                out.start();
                for (String want : new String[] {"1", "2", "3"}) {
                    String item = got.poll(PATIENCE, TimeUnit.SECONDS);
                    check(want.equals(item), "by priority comes " + item + " where " + want + " is to");
                }
            }
        }
    }

    static void counters(CuratorFramework c) throws Exception {
        atOnce(3, (mine, n) -> {
            DistributedAtomicLong counter = new DistributedAtomicLong(mine, "/curator/counter", new RetryNTimes(1000, 10));
            for (int i = 0; i < 10; i++) {
                check(counter.increment().succeeded(), "the counter is not counted");
            }
        });
        c.sync().forPath("/curator/counter");
        long value = new DistributedAtomicLong(c, "/curator/counter", new RetryNTimes(10, 10)).get().postValue();
        check(value == 30, "the counter is " + value);
        atOnce(3, (mine, n) -> {
            try (SharedCount shared = new SharedCount(mine, "/curator/shared", 0)) {
                shared.start();
                for (int i = 0; i < 5; ) {
                    VersionedValue<Integer> now = shared.getVersionedValue();
                    if (shared.trySetCount(now, now.getValue() + 1)) {
                        i++;
                    }
                }
            }
        });
        c.sync().forPath("/curator/shared");
        try (SharedCount shared = new SharedCount(c, "/curator/shared", 0)) {
            shared.start();
            check(shared.getCount() == 15, "the shared count is " + shared.getCount());
        }
    }

    static void caches(CuratorFramework c) throws Exception {
        CountDownLatch created = new CountDownLatch(2);
        CountDownLatch deleted = new CountDownLatch(1);
        c.createContainers("/curator/cache");
        try (CuratorCache cache = CuratorCache.build(c, "/curator/cache"); CuratorFramework other = client(1)) {
            cache.listenable().addListener(CuratorCacheListener.builder()
                .forCreates(node -> created.countDown()).forDeletes(node -> deleted.countDown()).build());
            cache.start();
            check(other.sync().forPath("/curator/cache") == null, "sync");
            other.create().orSetData().forPath("/curator/cache/x", "1".getBytes());
            check(created.await(PATIENCE, TimeUnit.SECONDS), "the cache does not hear of a node");
            other.delete().forPath("/curator/cache/x");
            check(deleted.await(PATIENCE, TimeUnit.SECONDS), "the cache does not hear of its end");
        }
    }

    static void persistentNodes(CuratorFramework c) throws Exception {
        try (PersistentNode node = new PersistentNode(c, CreateMode.EPHEMERAL, false, "/curator/persistent", "x".getBytes());
             PersistentTtlNode ttl = new PersistentTtlNode(c, "/curator/ttl", 60000, "y".getBytes())) {
            node.start();
            ttl.start();
            check(node.waitForInitialCreate(PATIENCE, TimeUnit.SECONDS), "the node does not come");
            check(ttl.waitForInitialCreate(PATIENCE, TimeUnit.SECONDS), "the TTL node does not come");
            c.delete().forPath("/curator/persistent");
            long until = System.nanoTime() + TimeUnit.SECONDS.toNanos(PATIENCE);
            while (c.checkExists().forPath("/curator/persistent") == null) {
                check(System.nanoTime() < until, "the node does not come back");
                Thread.sleep(10);
            }
        }
    }

    static void barriers() throws Exception {
        AtomicInteger in = new AtomicInteger();
        atOnce(3, (c, n) -> {
            DistributedDoubleBarrier barrier = new DistributedDoubleBarrier(c, "/curator/barrier", 3);
            in.incrementAndGet();
            check(barrier.enter(PATIENCE, TimeUnit.SECONDS), "the barrier does not open");
            check(in.get() == 3, "the barrier opens too soon");
            check(barrier.leave(PATIENCE, TimeUnit.SECONDS), "the barrier does not let go");
        });
    }

    public static void main(String[] args) throws Exception {
        hosts = args[0].split(",");
        try (CuratorFramework c = client(0)) {
            nodes(c);
            System.out.println("ok nodes");
            locks();
            System.out.println("ok locks");
            elections();
            System.out.println("ok elections");
            queues(c);
            System.out.println("ok queues");
            counters(c);
            System.out.println("ok counters");
            caches(c);
            System.out.println("ok caches");
            persistentNodes(c);
            System.out.println("ok persistent nodes");
            barriers();
            System.out.println("ok barriers");
        }
        System.exit(0);
    }
}
