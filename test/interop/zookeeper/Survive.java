import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Set;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.recipes.atomic.AtomicValue;
import org.apache.curator.framework.recipes.atomic.DistributedAtomicLong;
import org.apache.curator.framework.recipes.cache.CuratorCache;
import org.apache.curator.framework.recipes.cache.CuratorCacheListener;
import org.apache.curator.framework.recipes.leader.LeaderLatch;
import org.apache.curator.framework.recipes.locks.InterProcessMutex;
import org.apache.curator.framework.recipes.queue.DistributedQueue;
import org.apache.curator.framework.recipes.queue.QueueBuilder;
import org.apache.curator.framework.recipes.queue.SimpleDistributedQueue;
import org.apache.curator.retry.RetryForever;
import org.apache.curator.retry.RetryNTimes;
import org.apache.curator.utils.ZookeeperFactory;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.Watcher;
import org.apache.zookeeper.ZooKeeper;
import org.apache.zookeeper.client.HostProvider;
import org.apache.zookeeper.data.Stat;

/**
 * Curator's lock, election, queues, counter and cache across the loss of keepers: Survive HOSTS, where the first keeper will be killed
 * and the second one wiped. Two clients, one at each of these two. A line on the standard input says that it has happened.
 */
public class Survive {
    static final int PATIENCE = 90;

    /** Gives out addresses in the order that they are given in; ZooKeeper's own shuffles them. */
    static final class InOrder implements HostProvider {
        private final List<InetSocketAddress> addresses = new ArrayList<>();
        private int next;

        InOrder(String hosts, int from) {
            String[] each = hosts.split(",");
            for (int i = 0; i < each.length; i++) {
                String[] parts = each[(from + i) % each.length].split(":");
                addresses.add(new InetSocketAddress(parts[0], Integer.parseInt(parts[1])));
            }
        }

        @Override
        public synchronized int size() {
            return addresses.size();
        }

        @Override
        public synchronized InetSocketAddress next(long spinDelay) {
            if (next > 0 && next % addresses.size() == 0 && spinDelay > 0) {
                try {
                    wait(spinDelay);
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                }
            }
            return addresses.get(next++ % addresses.size());
        }

        @Override
        public void onConnected() {
        }

        @Override
        public boolean updateServerList(Collection<InetSocketAddress> servers, InetSocketAddress current) {
            return false;
        }
    }

    static CuratorFramework client(String hosts, int from) throws Exception {
        ZookeeperFactory factory = new ZookeeperFactory() {
            @Override
            public ZooKeeper newZooKeeper(String connect, int timeout, Watcher watcher, boolean readOnly) throws Exception {
                return new ZooKeeper(connect, timeout, watcher, readOnly, new InOrder(hosts, from));
            }
        };
        CuratorFramework c = CuratorFrameworkFactory.builder().connectString(hosts).sessionTimeoutMs(30000).connectionTimeoutMs(30000)
            .retryPolicy(new RetryForever(100)).zookeeperFactory(factory).build();
        c.start();
        Suite.check(c.blockUntilConnected(PATIENCE, TimeUnit.SECONDS), "client " + from + " is not connected");
        return c;
    }

    final CuratorFramework a, b;
    final long sessionA, sessionB;
    final SimpleDistributedQueue simple;
    final DistributedQueue<String> in, out;
    final BlockingQueue<String> got = new LinkedBlockingQueue<>();
    final Set<String> awaited = ConcurrentHashMap.newKeySet();
    final DistributedAtomicLong counter;
    long counted;
    final InterProcessMutex held;
    final CountDownLatch passedOn = new CountDownLatch(1);
    final LeaderLatch[] latches;
    final Set<String> seen = ConcurrentHashMap.newKeySet();
    final CuratorCache cache;

    Survive(String hosts) throws Exception {
        a = client(hosts, 0);
        b = client(hosts, 1);
        sessionA = a.getZookeeperClient().getZooKeeper().getSessionId();
        sessionB = b.getZookeeperClient().getZooKeeper().getSessionId();
        a.create().creatingParentsIfNeeded().withMode(CreateMode.EPHEMERAL).forPath("/passing/a");
        b.create().creatingParentsIfNeeded().withMode(CreateMode.EPHEMERAL).forPath("/passing/b");
        simple = new SimpleDistributedQueue(a, "/passing/simple");
        in = QueueBuilder.builder(a, null, Suite.WORDS, "/passing/queue").buildQueue();
        out = QueueBuilder.builder(b, Suite.into(got), Suite.WORDS, "/passing/queue").lockPath("/passing/queue-locks").buildQueue();
        in.start();
        out.start();
        counter = new DistributedAtomicLong(b, "/passing/counter", new RetryNTimes(1000, 10));
        held = new InterProcessMutex(a, "/passing/lock");
        Suite.check(held.acquire(PATIENCE, TimeUnit.SECONDS), "the lock is not had");
        Thread next = new Thread(() -> {
            try {
                InterProcessMutex theirs = new InterProcessMutex(b, "/passing/lock");
                theirs.acquire();
                passedOn.countDown();
                theirs.release();
            } catch (Exception e) {
                e.printStackTrace();
            }
        });
        next.setDaemon(true);
        next.start();
        latches = new LeaderLatch[] {new LeaderLatch(a, "/passing/latch", "a"), new LeaderLatch(b, "/passing/latch", "b")};
        for (LeaderLatch l : latches) {
            l.start();
        }
        a.createContainers("/passing/cache");
        cache = CuratorCache.build(b, "/passing/cache");
        cache.listenable().addListener(CuratorCacheListener.builder().forCreates(node -> seen.add(node.getPath())).build());
        cache.start();
    }

    interface Condition {
        boolean holds() throws Exception;
    }

    static void eventually(String what, Condition condition) throws Exception {
        long until = System.nanoTime() + TimeUnit.SECONDS.toNanos(PATIENCE);
        while (!condition.holds()) {
            Suite.check(System.nanoTime() < until, "waited in vain: " + what);
            Thread.sleep(20);
        }
    }

    static void same(CuratorFramework c, String path, long session) throws Exception {
        c.sync().forPath(path);
        Stat stat = c.checkExists().forPath(path);
        Suite.check(stat != null && stat.getEphemeralOwner() == session, path + " is not there, or another session's");
        Suite.check(c.getZookeeperClient().getZooKeeper().getSessionId() == session, "the session of " + path + " is another one");
    }

    /** What each stage does: nothing that was there before may be missing, and all recipes go on. */
    void stage(int number) throws Exception {
        same(a, "/passing/a", sessionA);
        same(b, "/passing/b", sessionB);
        for (int i = 0; i < 10; i++) {
            String item = number + "-" + i;
            awaited.add(item);
            in.put(item);
            simple.offer(item.getBytes());
            Suite.check(counter.increment().succeeded(), "the counter is not counted");
            counted++;
        }
        Suite.check(in.flushPuts(PATIENCE, TimeUnit.SECONDS), "what is put is not there");
        while (!awaited.isEmpty()) { // once or more: an answer that is lost with a keeper is asked for again
            String item = got.poll(PATIENCE, TimeUnit.SECONDS);
            Suite.check(item != null, "never consumed: " + awaited);
            awaited.remove(item);
        }
        AtomicValue<Long> value = counter.get();
        Suite.check(value.succeeded() && value.postValue() >= counted && value.postValue() <= counted + 2,
            counted + " were counted, and " + value.postValue() + " are there");
        a.create().orSetData().forPath("/passing/cache/" + number);
        eventually("the cache to hear of node " + number, () -> seen.contains("/passing/cache/" + number));
        Suite.check(passedOn.getCount() == 1, "two have the lock");
        // A latch lets go of what it leads when its connection is suspended; afterwards one leads again.
        eventually("one leader", () -> latches[0].hasLeadership() != latches[1].hasLeadership());
    }

    void end() throws Exception {
        held.release();
        Suite.check(passedOn.await(PATIENCE, TimeUnit.SECONDS), "nobody gets the lock that is let go");
        int leader = latches[0].hasLeadership() ? 0 : 1;
        latches[leader].close();
        Suite.check(latches[1 - leader].await(PATIENCE, TimeUnit.SECONDS), "nobody comes after the one that led");
        b.sync().forPath("/passing/simple");
        SimpleDistributedQueue theirs = new SimpleDistributedQueue(b, "/passing/simple");
        Set<String> taken = ConcurrentHashMap.newKeySet();
        for (byte[] item = theirs.poll(); item != null; item = theirs.poll()) {
            taken.add(new String(item));
        }
        Suite.check(taken.size() == 30, "of 30 items of the simple queue are left: " + taken);
    }

    public static void main(String[] args) throws Exception {
        BufferedReader go = new BufferedReader(new InputStreamReader(System.in));
        Survive s = new Survive(args[0]);
        s.stage(1);
        System.out.println("Curator: two sessions, a lock, an election, two queues, a counter and a cache");
        Suite.check("killed".equals(go.readLine()), "no keeper is killed");
        s.stage(2);
        System.out.println("Curator: all of them go on after the keeper was killed, in the same sessions");
        Suite.check("wiped".equals(go.readLine()), "no keeper is wiped");
        s.stage(3);
        s.end();
        System.out.println("Curator: and after the other one was wiped; the lock and the lead are handed on");
        System.exit(0);
    }
}
