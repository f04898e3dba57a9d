package barnabas;

import java.util.Map;
import java.util.Properties;
import java.util.concurrent.Callable;
import org.apache.kafka.common.network.ListenerName;

/** What the two kinds of test harness share. */
public final class Harness {
    private Harness() {
    }

    /** The properties of a broker that Kafka's configuration class reads without complaint. */
    public static Properties kafkaProperties(Cluster cluster, int id, ListenerName listener, Map<String, String> asked) {
        Properties properties = new Properties();
        properties.putAll(asked);
        properties.setProperty("process.roles", "broker");
        properties.setProperty("node.id", "" + id);
        properties.setProperty("broker.id", "" + id);
        properties.setProperty("controller.quorum.voters", "3000@localhost:1");
        properties.setProperty("controller.listener.names", "CONTROLLER");
        properties.setProperty("listeners", listener.value() + "://localhost:" + cluster.port(id));
        properties.setProperty("advertised.listeners", listener.value() + "://localhost:" + cluster.port(id));
        properties.setProperty("inter.broker.listener.name", listener.value());
        properties.setProperty("listener.security.protocol.map", listener.value() + ":PLAINTEXT,CONTROLLER:PLAINTEXT");
        properties.setProperty("log.dirs", String.join(",", cluster.dirs(id)));
        properties.remove("security.inter.broker.protocol");
        properties.remove("control.plane.listener.name");
        properties.remove("early.start.listeners");
        return properties;
    }

    public static void until(String what, long timeoutMs, Callable<Boolean> condition) throws InterruptedException {
        long deadline = System.currentTimeMillis() + timeoutMs;
        try {
            while (!condition.call()) {
                if (System.currentTimeMillis() > deadline) {
                    throw new AssertionError("not within " + timeoutMs + " ms: " + what);
                }
                Thread.sleep(10);
            }
        } catch (InterruptedException | RuntimeException e) {
            throw e;
        } catch (Exception e) {
            throw new IllegalStateException(what, e);
        }
    }
}
