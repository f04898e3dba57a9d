package kafka.integration;

import barnabas.Cluster;
import barnabas.Faces;
import barnabas.Harness;
import java.io.File;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.TreeMap;
import java.util.concurrent.ExecutionException;
import java.util.stream.Collectors;
import kafka.server.BrokerServer;
import kafka.server.ControllerServer;
import kafka.server.KafkaBroker;
import kafka.server.KafkaConfig;
import kafka.server.QuorumTestHarness;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ListTopicsOptions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.admin.TopicListing;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.acl.AccessControlEntry;
import org.apache.kafka.common.errors.TopicExistsException;
import org.apache.kafka.common.network.ListenerName;
import org.apache.kafka.common.resource.ResourcePattern;
import org.apache.kafka.common.security.auth.SecurityProtocol;
import org.apache.kafka.common.utils.Time;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.TestInfo;
import org.opentest4j.TestAbortedException;
import scala.Option;
import scala.collection.Seq;
import scala.collection.mutable.ArrayBuffer;
import scala.collection.mutable.Buffer;
import scala.jdk.javaapi.CollectionConverters;

/**
 * Stands in the place of Kafka's harness of this name, from which its older tests inherit their brokers: the
 * configurations that a test generates are started as brokers of Barnabas.
 */
public abstract class KafkaServerTestHarness extends QuorumTestHarness {
    private static final long WAIT_MS = 60_000;
    private Seq<KafkaConfig> instanceConfigs;
    private final ArrayBuffer<KafkaBroker> brokers = new ArrayBuffer<>();
    private final List<ControllerServer> controllers = new ArrayList<>();
    private boolean[] alive;
    private Cluster cluster;

    public abstract Seq<KafkaConfig> generateConfigs();

    public Seq<KafkaConfig> configs() {
        if (instanceConfigs == null) {
            instanceConfigs = generateConfigs();
        }
        return instanceConfigs;
    }

    public Seq<KafkaConfig> instanceConfigs() {
        return instanceConfigs;
    }

    public void instanceConfigs_$eq(Seq<KafkaConfig> value) {
        instanceConfigs = value;
    }

    @Override
    @BeforeEach
    public void setUp(TestInfo info) {
        super.setUp(info);
        if (securityProtocol() != SecurityProtocol.PLAINTEXT) {
            throw new TestAbortedException("wants " + securityProtocol());
        }
        configureSecurityBeforeServersStart(info);
        startCluster();
        configureSecurityAfterServersStart();
    }

    private void startCluster() {
        Map<Integer, Map<String, String>> properties = new TreeMap<>();
        for (KafkaConfig config : CollectionConverters.asJava(configs())) {
            Map<String, String> asked = new HashMap<>();
            config.originals().forEach((key, value) -> asked.put(key, String.valueOf(value)));
            properties.put(config.brokerId(), asked);
        }
        cluster = new Cluster(listenerName().value(), properties, 1);
        alive = new boolean[properties.size()];
        java.util.Arrays.fill(alive, true);
        cluster.start();
        properties.forEach((id, asked) ->
            brokers.addOne(Faces.broker(cluster, id, Harness.kafkaProperties(cluster, id, listenerName(), asked))));
        int first = cluster.ids().iterator().next();
        controllers.add(Faces.controller(cluster,
            Harness.kafkaProperties(cluster, first, listenerName(), properties.get(first))));
    }

    @Override
    @AfterEach
    public void tearDown() {
        if (cluster != null) {
            cluster.close();
        }
        super.tearDown();
    }

    @Override
    public Seq<ControllerServer> controllerServers() {
        return CollectionConverters.asScala(controllers).toSeq();
    }

    public Buffer<KafkaBroker> brokers() {
        return brokers;
    }

    public Buffer<KafkaBroker> servers() {
        return brokers;
    }

    public Buffer<BrokerServer> brokerServers() {
        ArrayBuffer<BrokerServer> typed = new ArrayBuffer<>();
        CollectionConverters.asJava(brokers).forEach(broker -> typed.addOne((BrokerServer) broker));
        return typed;
    }

    public Seq<KafkaBroker> aliveBrokers() {
        return CollectionConverters.asScala(CollectionConverters.asJava(brokers).stream()
            .filter(broker -> !broker.isShutdown()).collect(Collectors.toList())).toSeq();
    }

    public boolean[] alive() {
        return alive;
    }

    public void alive_$eq(boolean[] value) {
        alive = value;
    }

    public void configureSecurityBeforeServersStart(TestInfo info) {
    }

    public void configureSecurityAfterServersStart() {
    }

    public Option<KafkaBroker> serverForId(int id) {
        return brokers.find(broker -> broker.config().brokerId() == id);
    }

    public int boundPort(KafkaBroker broker) {
        return broker.boundPort(listenerName());
    }

    public String bootstrapServers(ListenerName listener) {
        return cluster.bootstrap();
    }

    public ListenerName bootstrapServers$default$1() {
        return listenerName();
    }

    public SecurityProtocol securityProtocol() {
        return SecurityProtocol.PLAINTEXT;
    }

    public ListenerName listenerName() {
        return ListenerName.forSecurityProtocol(securityProtocol());
    }

    public Option<File> trustStoreFile() {
        return Option.empty();
    }

    public Option<Properties> serverSaslProperties() {
        return Option.empty();
    }

    public Option<Properties> clientSaslProperties() {
        return Option.empty();
    }

    public Time brokerTime(int id) {
        return Time.SYSTEM;
    }

    public void recreateBrokers(boolean reconfigure, boolean startup) {
        cluster.close();
        brokers.clear();
        controllers.clear();
        if (reconfigure) {
            instanceConfigs = null;
        }
        startCluster();
    }

    public boolean recreateBrokers$default$1() {
        return false;
    }

    public boolean recreateBrokers$default$2() {
        return false;
    }

    public int killRandomBroker() {
        int index = new java.util.Random().nextInt(alive.length);
        killBroker(index);
        return index;
    }

    public void killBroker(int index) {
        if (alive[index]) {
            brokers.apply(index).shutdown();
            alive[index] = false;
        }
    }

    public void killBroker(int index, Duration timeout) {
        killBroker(index);
    }

    public void startBroker(int index) {
        if (!alive[index]) {
            brokers.apply(index).startup();
            alive[index] = true;
        }
    }

    public void restartDeadBrokers(boolean reconfigure) {
        List<Integer> dead = new ArrayList<>();
        for (int index = 0; index < alive.length; index++) {
            if (!alive[index]) {
                dead.add(brokers.apply(index).config().brokerId());
                alive[index] = true;
            }
        }
        cluster.start(dead);
    }

    public boolean restartDeadBrokers$default$1() {
        return false;
    }

    public void createOffsetsTopic(ListenerName listener, Properties adminConfig) {
        KafkaConfig config = configs().head();
        NewTopic topic = new NewTopic("__consumer_offsets",
            config.groupCoordinatorConfig().offsetsTopicPartitions(),
            config.groupCoordinatorConfig().offsetsTopicReplicationFactor());
        create(topic.configs(Map.of("cleanup.policy", "compact")));
    }

    public ListenerName createOffsetsTopic$default$1() {
        return listenerName();
    }

    public Properties createOffsetsTopic$default$2() {
        return new Properties();
    }

    public scala.collection.immutable.Map<Object, Object> createTopic(String topic, int partitions, int replicas,
            Properties config, ListenerName listener, Properties adminConfig) {
        Map<String, String> settings = new HashMap<>();
        config.forEach((key, value) -> settings.put(key.toString(), value.toString()));
        return create(new NewTopic(topic, partitions, (short) replicas).configs(settings));
    }

    public int createTopic$default$2() {
        return 1;
    }

    public int createTopic$default$3() {
        return 1;
    }

    public Properties createTopic$default$4() {
        return new Properties();
    }

    public ListenerName createTopic$default$5() {
        return listenerName();
    }

    public Properties createTopic$default$6() {
        return new Properties();
    }

    public scala.collection.immutable.Map<Object, Object> createTopicWithAssignment(String topic,
            scala.collection.Map<Object, Seq<Object>> assignment, ListenerName listener) {
        Map<Integer, List<Integer>> replicas = new HashMap<>();
        CollectionConverters.asJava(assignment).forEach((partition, ids) -> replicas.put((Integer) partition,
            CollectionConverters.asJava(ids).stream().map(id -> (Integer) id).collect(Collectors.toList())));
        return create(new NewTopic(topic, replicas));
    }

    public ListenerName createTopicWithAssignment$default$3() {
        return listenerName();
    }

    /** Creates the topic, waits until every partition is led, and says by whom. */
    private scala.collection.immutable.Map<Object, Object> create(NewTopic topic) {
        try (Admin admin = cluster.admin()) {
            try {
                admin.createTopics(List.of(topic)).all().get();
            } catch (ExecutionException e) {
                if (!(e.getCause() instanceof TopicExistsException)) {
                    throw new IllegalStateException(cluster.logs(), e);
                }
            }
            Map<Object, Object> leaders = new HashMap<>();
            Harness.until("topic " + topic.name() + " is led", WAIT_MS, () -> {
                Optional<TopicDescription> found = Optional.ofNullable(
                    admin.describeTopics(List.of(topic.name())).allTopicNames().get().get(topic.name()));
                found.ifPresent(description -> description.partitions().forEach(partition -> {
                    if (partition.leader() != null) {
                        leaders.put(partition.partition(), partition.leader().id());
                    }
                }));
                return found.isPresent() && leaders.size() == found.get().partitions().size();
            });
            return scala.collection.immutable.Map.from(CollectionConverters.asScala(leaders));
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    public void deleteTopic(String topic, ListenerName listener) {
        try (Admin admin = cluster.admin()) {
            admin.deleteTopics(List.of(topic)).all().get();
            Harness.until(topic + " is gone", WAIT_MS, () -> !admin.listTopics().names().get().contains(topic));
        } catch (ExecutionException | InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    public ListenerName deleteTopic$default$2() {
        return listenerName();
    }

    public scala.collection.immutable.Map<String, Uuid> getTopicIds() {
        try (Admin admin = cluster.admin()) {
            Map<String, Uuid> ids = admin.listTopics(new ListTopicsOptions().listInternal(true)).listings().get().stream()
                .collect(Collectors.toMap(TopicListing::name, TopicListing::topicId));
            return scala.collection.immutable.Map.from(CollectionConverters.asScala(ids));
        } catch (ExecutionException | InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    public scala.collection.immutable.Map<String, Uuid> getTopicIds(Seq<String> names) {
        return getTopicIds();
    }

    public scala.collection.immutable.Map<Uuid, String> getTopicNames() {
        Map<Uuid, String> names = new HashMap<>();
        CollectionConverters.asJava(getTopicIds()).forEach((name, id) -> names.put(id, name));
        return scala.collection.immutable.Map.from(CollectionConverters.asScala(names));
    }

    public void addAndVerifyAcls(scala.collection.immutable.Set<AccessControlEntry> entries, ResourcePattern resource) {
        throw new TestAbortedException("wants ACLs");
    }

    public void removeAndVerifyAcls(scala.collection.immutable.Set<AccessControlEntry> entries, ResourcePattern resource) {
        throw new TestAbortedException("wants ACLs");
    }

    public void waitForUserScramCredentialToAppearOnAllBrokers(String user, String mechanism) {
        throw new TestAbortedException("wants SCRAM");
    }

    /** Every broker answers from an image that it has awaited: there is nothing to wait for. */
    public void ensureConsistentKRaftMetadata() {
    }

    public void changeClientIdConfig(String client, Properties configs) {
        throw new TestAbortedException("wants client quotas");
    }
}
