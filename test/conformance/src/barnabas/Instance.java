package barnabas;

import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
import kafka.server.ControllerServer;
import kafka.server.KafkaBroker;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.consumer.GroupProtocol;
import org.apache.kafka.common.acl.AccessControlEntry;
import org.apache.kafka.common.acl.AclBindingFilter;
import org.apache.kafka.common.network.ListenerName;
import org.apache.kafka.common.security.auth.SecurityProtocol;
import org.apache.kafka.common.test.ClusterInstance;
import org.apache.kafka.common.test.api.ClusterConfig;
import org.apache.kafka.common.test.api.Type;
import org.apache.kafka.server.authorizer.Authorizer;
import org.apache.kafka.server.fault.FaultHandlerException;
import org.opentest4j.TestAbortedException;

/** The cluster that Kafka's newer tests ask for by annotation, made of brokers of Barnabas. */
public final class Instance implements ClusterInstance {
    private static final long WAIT_MS = 60_000;
    private static final int CONTROLLER_ID = 3000;
    /** What Kafka's kit gives every broker; a test counts on its being too little for two threads. */
    private static final String KIT_DEDUPE_BUFFER = "2097152";
    private final ClusterConfig config;
    private Cluster cluster;
    private boolean started;
    private boolean stopped;
    private final Map<Integer, KafkaBroker> brokers = new TreeMap<>();
    private final Map<Integer, ControllerServer> controllers = new HashMap<>();

    public Instance(ClusterConfig config) {
        this.config = config;
    }

    @Override
    public void start() {
        if (started) {
            return;
        }
        if (config.brokerSecurityProtocol() != SecurityProtocol.PLAINTEXT) {
            throw new TestAbortedException("wants " + config.brokerSecurityProtocol());
        }
        Map<Integer, Map<String, String>> properties = new TreeMap<>();
        for (int id = 0; id < config.numBrokers(); id++) {
            Map<String, String> asked = new HashMap<>(config.serverProperties());
            asked.putAll(config.perServerOverrideProperties().getOrDefault(id, Map.of()));
            asked.putIfAbsent("log.cleaner.dedupe.buffer.size", KIT_DEDUPE_BUFFER);
            properties.put(id, asked);
        }
        cluster = new Cluster(clientListener().value(), properties, config.numDisksPerBroker());
        started = true;
        cluster.start();
        properties.forEach((id, asked) -> brokers.put(id, Faces.broker(cluster, id, forKafka(id, asked))));
        controllers.put(CONTROLLER_ID, Faces.controller(cluster, forKafka(0, properties.get(0))));
    }

    /** The properties as Kafka's own configuration class wants them. */
    private Properties forKafka(int id, Map<String, String> asked) {
        return Harness.kafkaProperties(cluster, id, clientListener(), asked);
    }

    @Override
    public void stop() {
        if (cluster != null && !stopped) {
            cluster.close();
        }
        stopped = true;
    }

    /** The last lines of every process, empty where none was started. */
    public String logs() {
        return cluster == null ? "" : cluster.logs();
    }

    @Override
    public boolean started() {
        return started;
    }

    @Override
    public boolean stopped() {
        return stopped;
    }

    @Override
    public void shutdownBroker(int id) {
        cluster.stop(id);
    }

    @Override
    public void startBroker(int id) {
        cluster.start(id);
    }

    @Override
    public void waitForReadyBrokers() {
        cluster.awaitAll();
    }

    @Override
    public Type type() {
        return config.clusterTypes().iterator().next();
    }

    @Override
    public ClusterConfig config() {
        return config;
    }

    @Override
    public Map<Integer, KafkaBroker> brokers() {
        return brokers;
    }

    @Override
    public Map<Integer, ControllerServer> controllers() {
        return controllers;
    }

    @Override
    public Set<Integer> controllerIds() {
        return controllers.keySet();
    }

    @Override
    public ListenerName clientListener() {
        return config.brokerListenerName();
    }

    @Override
    public ListenerName controllerListenerName() {
        return config.controllerListenerName();
    }

    @Override
    public String bootstrapServers() {
        return cluster.bootstrap();
    }

    @Override
    public String bootstrapControllers() {
        return cluster.bootstrap();
    }

    @Override
    public String clusterId() {
        return Faces.clusterId(cluster);
    }

    /** The protocol of KIP-848 has an issue of its own. */
    @Override
    public Set<GroupProtocol> supportedGroupProtocols() {
        return Set.of(GroupProtocol.CLASSIC);
    }

    @Override
    public Optional<FaultHandlerException> firstFatalException() {
        return Optional.empty();
    }

    @Override
    public Optional<FaultHandlerException> firstNonFatalException() {
        return Optional.empty();
    }

    @Override
    public List<Integer> brokerBoundPorts() {
        return cluster.ids().stream().map(cluster::port).collect(Collectors.toList());
    }

    @Override
    public List<Integer> controllerBoundPorts() {
        return List.of(brokerBoundPorts().get(0));
    }

    /** Partitions whose replicas are all on stopped brokers have no leader: Kafka's harness counts them like the others. */
    @Override
    public void waitTopicCreation(String topic, int partitions) throws InterruptedException {
        Harness.until("all know " + partitions + " partitions of " + topic + ", and who leads them", WAIT_MS,
            () -> cluster.settled(topic, partitions));
    }

    @Override
    public void waitTopicDeletion(String topic) throws InterruptedException {
        Harness.until("topic " + topic + " is gone", WAIT_MS, () -> {
            try (Admin admin = cluster.admin()) {
                return !admin.listTopics().names().get().contains(topic);
            }
        });
    }

    /** Every broker answers from an image that it has awaited: there is nothing to wait for. */
    @Override
    public void ensureConsistentMetadata(Collection<KafkaBroker> brokers, Collection<ControllerServer> controllers) {
    }

    @Override
    public List<Authorizer> authorizers() {
        return List.of();
    }

    @Override
    public void waitAcls(AclBindingFilter filter, Collection<AccessControlEntry> entries) {
        throw new TestAbortedException("wants ACLs");
    }
}
