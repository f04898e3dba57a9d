import java.util.concurrent.TimeUnit;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.recipes.cache.CuratorCache;
import org.apache.curator.framework.recipes.cache.CuratorCacheListener;
import org.apache.curator.retry.RetryForever;

/** What dashboards do: Curator's cache over /brokers, which tells every change of it until standard input ends. */
public class Dashboard {
    static synchronized void tell(String line) {
        System.out.println(line);
        System.out.flush();
    }

    public static void main(String[] args) throws Exception {
        try (CuratorFramework c = CuratorFrameworkFactory.newClient(args[0], 20000, 30000, new RetryForever(100))) {
            c.start();
            if (!c.blockUntilConnected(60, TimeUnit.SECONDS)) {
                throw new AssertionError("not connected");
            }
            try (CuratorCache cache = CuratorCache.build(c, "/brokers")) {
                cache.listenable().addListener(CuratorCacheListener.builder()
                    .forCreates(node -> tell("created " + node.getPath()))
                    .forDeletes(node -> tell("deleted " + node.getPath()))
                    .forInitialized(() -> tell("initialized")).build());
                cache.start();
                while (System.in.read() >= 0) {
                }
            }
        }
    }
}
