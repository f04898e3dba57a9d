package barnabas;

import java.io.IOException;
import java.io.OutputStream;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.common.message.MetadataResponseData.MetadataResponsePartition;
import org.apache.kafka.common.message.MetadataResponseData.MetadataResponseTopic;
import org.apache.kafka.common.requests.MetadataRequest;
import org.apache.kafka.common.requests.MetadataResponse;
import org.apache.kafka.server.IntegrationTestUtils;

/**
 * Brokers of Barnabas as processes, started with the properties a test asks for. One alone has its keeper inside;
 * several share one beside them, so that a test may stop any of them. Ports and directories stay the same over a restart.
 */
public final class Cluster {
    private static final long START_TIMEOUT_MS = 20_000;
    private static final long STOP_TIMEOUT_MS = 10_000;
    private static final int FIRST_PORT = 10_000;
    private static final int LAST_PORT = 32_000;
    /** Runs beside each other begin at different places. */
    private static final AtomicInteger NEXT_PORT = new AtomicInteger(new Random().nextInt(LAST_PORT - FIRST_PORT));
    /** Properties of Kafka's own controllers and of the harness, which are no broker's business here. */
    private static final Set<String> DROPPED = Set.of(
        "node.id", "broker.id", "process.roles", "listeners", "advertised.listeners", "inter.broker.listener.name",
        "security.inter.broker.protocol", "listener.security.protocol.map", "control.plane.listener.name",
        "log.dir", "log.dirs", "metric.reporters", "unstable.api.versions.enable",
        "unstable.feature.versions.enable", "early.start.listeners");

    /** Every process started: none outlives this one, even where a test's set-up fails halfway. */
    private static final Set<Process> STARTED = ConcurrentHashMap.newKeySet();

    static {
        Runtime.getRuntime().addShutdownHook(new Thread(() -> STARTED.forEach(Process::destroyForcibly)));
    }

    private final String binary = System.getProperty("barnabas.binary");
    private final String listener;
    private final Map<Integer, Node> nodes = new TreeMap<>();
    private final Path home;
    private final int keeperPort;
    private Process keeper;

    /** One broker: what it was asked for, where it is, and its process while it runs. */
    private static final class Node {
        final int id;
        final int port;
        final Path dir;
        final Properties settings;
        Process process;

        Node(int id, int port, Path dir, Properties settings) {
            this.id = id;
            this.port = port;
            this.dir = dir;
            this.settings = settings;
        }

        boolean alive() {
            return process != null && process.isAlive();
        }
    }

    /** A cluster whose brokers have the ids and the properties given, none of them started. */
    public Cluster(String listener, Map<Integer, Map<String, String>> properties, int dirsPerBroker) {
        this.listener = listener;
        try {
            home = Files.createTempDirectory("barnabas-conformance");
            keeperPort = properties.size() > 1 ? freePort() : 0;
            for (Map.Entry<Integer, Map<String, String>> entry : properties.entrySet()) {
                nodes.put(entry.getKey(), node(entry.getKey(), entry.getValue(), dirsPerBroker));
            }
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    private Node node(int id, Map<String, String> asked, int dirsPerBroker) throws IOException {
        int port = freePort();
        Path dir = Files.createDirectories(home.resolve("broker-" + id));
        Properties settings = new Properties();
        asked.forEach((key, value) -> {
            if (!DROPPED.contains(key) && !key.startsWith("controller.") && !key.startsWith("metadata.log.")) {
                settings.setProperty(key, value);
            }
        });
        settings.setProperty("broker.id", "" + id);
        settings.setProperty("listeners", listener + "://localhost:" + port);
        settings.setProperty("listener.security.protocol.map", listener + ":PLAINTEXT");
        settings.setProperty("inter.broker.listener.name", listener);
        settings.setProperty("http.listener", "");
        List<String> dirs = new ArrayList<>();
        int wanted = Math.max(dirsPerBroker, asked.getOrDefault("log.dirs", "").split(",").length);
        for (int d = 0; d < wanted; d++) {
            dirs.add(dir.resolve("data-" + d).toString());
        }
        settings.setProperty("log.dirs", String.join(",", dirs));
        settings.setProperty("keeper.listener", "");
        // Tests stop brokers and look at what is missing then; here a broker that stops has it copied elsewhere first, so that
        // of a partition with one replica another broker is the leader afterwards.
        settings.putIfAbsent("controlled.shutdown.enable", "false");
        if (keeperPort > 0) {
            settings.setProperty("zookeeper.connect", "127.0.0.1:" + keeperPort);
        }
        return new Node(id, port, dir, settings);
    }

    public void start() {
        start(nodes.keySet());
    }

    /** Starts the broker again on its old port and directories. */
    public void start(int id) {
        start(Set.of(id));
    }

    /** Starts brokers together, on their old ports and directories if they were there before. */
    public void start(Collection<Integer> ids) {
        if (keeperPort > 0 && keeper == null) {
            launchKeeper();
        }
        List<Node> started = ids.stream().map(nodes::get).filter(node -> !node.alive()).collect(Collectors.toList());
        started.forEach(this::launch);
        started.forEach(node -> awaitPort(node.process, node.port, node.dir));
        awaitAll();
    }

    private void launchKeeper() {
        try {
            Path dir = Files.createDirectories(home.resolve("keeper"));
            String servers = "server.1=127.0.0.1:" + freePort() + ":" + freePort() + ";" + keeperPort;
            keeper = process(dir, "keeper", "--id", "1", "--servers", servers, "--data-dir", dir.resolve("data").toString(),
                "--override", "clientPortAddress=127.0.0.1", "--override", "http.listener=none");
            awaitPort(keeper, keeperPort, dir);
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    private Process process(Path dir, String... arguments) throws IOException {
        List<String> command = new ArrayList<>(List.of(binary));
        command.addAll(List.of(arguments));
        Process process = new ProcessBuilder(command).redirectErrorStream(true)
            .redirectOutput(ProcessBuilder.Redirect.appendTo(dir.resolve("log").toFile())).start();
        STARTED.add(process);
        process.onExit().thenAccept(STARTED::remove);
        return process;
    }

    private void launch(Node node) {
        Path file = node.dir.resolve("server.properties");
        try {
            try (OutputStream out = Files.newOutputStream(file)) {
                node.settings.store(out, null);
            }
            node.process = process(node.dir, "server", file.toString());
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    private static void awaitPort(Process process, int port, Path dir) {
        long deadline = System.currentTimeMillis() + START_TIMEOUT_MS;
        while (true) {
            try (Socket socket = new Socket()) {
                socket.connect(new InetSocketAddress("localhost", port), 1000);
                return;
            } catch (IOException e) {
                if (!process.isAlive() || System.currentTimeMillis() > deadline) {
                    throw new IllegalStateException(dir.getFileName() + " did not start:\n" + log(dir));
                }
                pause();
            }
        }
    }

    /** Waits until each of the brokers that run knows of all of them. */
    public void awaitAll() {
        List<Node> running = nodes.values().stream().filter(Node::alive).collect(Collectors.toList());
        long deadline = System.currentTimeMillis() + START_TIMEOUT_MS;
        for (Node node : running) {
            while (known(node) < running.size()) {
                if (System.currentTimeMillis() > deadline) {
                    throw new IllegalStateException("the brokers don't see each other:\n" + logs());
                }
                pause();
            }
        }
    }

    /** How many brokers a broker knows of. */
    private static int known(Node node) {
        try {
            return ask(node, List.of()).brokers().size();
        } catch (IOException e) {
            return 0;
        }
    }

    private static MetadataResponse ask(Node node, List<String> topics) throws IOException {
        return IntegrationTestUtils.connectAndReceive(new MetadataRequest.Builder(topics, false).build(), node.port);
    }

    /**
     * Whether every broker that runs knows so many partitions of the topic, and who leads each of them: a broker that
     * runs, or nobody where no replica does.
     */
    public boolean settled(String topic, int partitions) {
        return nodes.values().stream().filter(Node::alive).allMatch(node -> {
            try {
                MetadataResponseTopic found = ask(node, List.of(topic)).data().topics().find(topic);
                return found != null && found.errorCode() == 0 && found.partitions().size() == partitions
                    && found.partitions().stream().allMatch(this::settled);
            } catch (IOException e) {
                return false;
            }
        });
    }

    private boolean settled(MetadataResponsePartition partition) {
        return partition.leaderId() < 0 ? partition.replicaNodes().stream().noneMatch(this::alive) : alive(partition.leaderId());
    }

    /** Ends the broker as SIGTERM does. */
    public void stop(int id) {
        Node node = nodes.get(id);
        if (node.process == null) {
            return;
        }
        node.process.destroy();
        try {
            if (!node.process.waitFor(STOP_TIMEOUT_MS, TimeUnit.MILLISECONDS)) {
                node.process.destroyForcibly().waitFor();
                throw new IllegalStateException("broker " + id + " did not stop within " + STOP_TIMEOUT_MS + " ms");
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** Ends every broker at once and removes what they wrote, which -Dbarnabas.keep=true leaves. */
    public void close() {
        nodes.values().stream().filter(Node::alive).forEach(node -> node.process.destroyForcibly());
        for (Node node : nodes.values()) {
            if (node.process != null) {
                node.process.onExit().join();
            }
        }
        if (keeper != null) {
            keeper.destroyForcibly().onExit().join();
        }
        if (Boolean.getBoolean("barnabas.keep")) {
            return;
        }
        try (Stream<Path> paths = Files.walk(home)) {
            paths.sorted(Comparator.reverseOrder()).forEach(path -> path.toFile().delete());
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    public Set<Integer> ids() {
        return nodes.keySet();
    }

    public int port(int id) {
        return nodes.get(id).port;
    }

    public boolean alive(int id) {
        return nodes.get(id).alive();
    }

    public List<String> dirs(int id) {
        return List.of(nodes.get(id).settings.getProperty("log.dirs").split(","));
    }

    public String bootstrap() {
        return nodes.values().stream().map(node -> "localhost:" + node.port).collect(Collectors.joining(","));
    }

    public Admin admin() {
        return Admin.create(Map.of("bootstrap.servers", bootstrap()));
    }

    /** The last lines that every process wrote. */
    public String logs() {
        return Stream.concat(Stream.of(home.resolve("keeper")), nodes.values().stream().map(node -> node.dir))
            .map(dir -> dir.getFileName() + ":\n" + log(dir)).collect(Collectors.joining("\n"));
    }

    private static String log(Path dir) {
        try {
            List<String> lines = Files.readAllLines(dir.resolve("log"));
            return String.join("\n", lines.subList(Math.max(0, lines.size() - 40), lines.size()));
        } catch (IOException e) {
            return "no log: " + e;
        }
    }

    /**
     * A port that nobody listens on, given once. It is below those that systems take for the near ends of connections, or one
     * of these would have it before the broker does.
     */
    private static int freePort() {
        for (int tried = 0; tried < LAST_PORT - FIRST_PORT; tried++) {
            int port = FIRST_PORT + Math.floorMod(NEXT_PORT.getAndIncrement(), LAST_PORT - FIRST_PORT);
            try (ServerSocket socket = new ServerSocket()) {
                socket.setReuseAddress(true);
                socket.bind(new InetSocketAddress("127.0.0.1", port));
                return port;
            } catch (IOException e) {
                continue; // taken
            }
        }
        throw new IllegalStateException("no port is free");
    }

    private static void pause() {
        try {
            Thread.sleep(5);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
