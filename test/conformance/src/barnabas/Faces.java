package barnabas;

import static org.mockito.ArgumentMatchers.any;
import static org.mockito.ArgumentMatchers.anyInt;
import static org.mockito.ArgumentMatchers.anyString;
import static org.mockito.Mockito.doAnswer;
import static org.mockito.Mockito.doNothing;
import static org.mockito.Mockito.doReturn;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.concurrent.ExecutionException;
import java.util.stream.Collectors;
import kafka.log.LogManager;
import kafka.network.SocketServer;
import kafka.raft.KafkaRaftManager;
import kafka.server.BrokerServer;
import kafka.server.ControllerServer;
import kafka.server.KafkaApis;
import kafka.server.KafkaConfig;
import kafka.server.ReplicaManager;
import kafka.server.SharedServer;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.controller.Controller;
import org.apache.kafka.coordinator.group.GroupCoordinator;
import org.apache.kafka.metadata.BrokerState;
import org.apache.kafka.metadata.KRaftMetadataCache;
import org.apache.kafka.metadata.LeaderAndIsr;

/**
 * What tests that hold a broker or a controller object ask of it, answered for a broker in another process: its
 * config, port, state, and what its metadata says of topics. Anything else fails and says what was asked:
 * such a test reaches into the JVM.
 */
public final class Faces {
    private Faces() {
    }

    public static BrokerServer broker(Cluster cluster, int id, Properties properties) {
        BrokerServer face = Insides.face(BrokerServer.class);
        KafkaConfig config = KafkaConfig.fromProps(properties);
        SocketServer socketServer = socketServer(cluster.port(id));
        KRaftMetadataCache metadata = metadata(cluster);
        doReturn(config).when(face).config();
        doReturn(socketServer).when(face).socketServer();
        doReturn(metadata).when(face).metadataCache();
        GroupCoordinator groups = groupCoordinator(config);
        doReturn(groups).when(face).groupCoordinator();
        Insides insides = new Insides(cluster, id);
        LogManager logManager = insides.logManager();
        ReplicaManager replicaManager = insides.replicaManager(logManager);
        KafkaApis requestProcessor = insides.requestProcessor(metadata);
        SharedServer sharedServer = Insides.sharedServer();
        doReturn(logManager).when(face).logManager();
        doReturn(replicaManager).when(face).replicaManager();
        doReturn(requestProcessor).when(face).dataPlaneRequestProcessor();
        doReturn(sharedServer).when(face).sharedServer();
        doReturn(cluster.port(id)).when(face).boundPort(any());
        doReturn(scala.Option.empty()).when(face).authorizerPlugin();
        doAnswer(call -> !cluster.alive(id)).when(face).isShutdown();
        doAnswer(call -> cluster.alive(id) ? BrokerState.RUNNING : BrokerState.SHUTTING_DOWN)
            .when(face).brokerState();
        doAnswer(call -> clusterId(cluster)).when(face).clusterId();
        doAnswer(call -> {
            cluster.stop(id);
            return null;
        }).when(face).shutdown();
        doAnswer(call -> {
            cluster.stop(id);
            return null;
        }).when(face).shutdown(any());
        doAnswer(call -> {
            cluster.start(id);
            return null;
        }).when(face).startup();
        doNothing().when(face).awaitShutdown();
        return face;
    }

    /** A controller: any broker answers for it. */
    public static ControllerServer controller(Cluster cluster, Properties properties) {
        ControllerServer face = Insides.face(ControllerServer.class);
        int port = cluster.port(cluster.ids().iterator().next());
        KafkaConfig config = KafkaConfig.fromProps(properties);
        SocketServer socketServer = socketServer(port);
        doReturn(config).when(face).config();
        doReturn(socketServer).when(face).socketServer();
        KafkaRaftManager<?> raftManager = Insides.raftManager();
        Controller active = Insides.activeController();
        doReturn(raftManager).when(face).raftManager();
        doReturn(active).when(face).controller();
        doReturn(scala.Option.empty()).when(face).authorizerPlugin();
        doAnswer(call -> clusterId(cluster)).when(face).clusterId();
        return face;
    }

    private static SocketServer socketServer(int port) {
        SocketServer face = Insides.face(SocketServer.class);
        doReturn(port).when(face).boundPort(any());
        return face;
    }

    /** Tests create the offsets topic themselves, with the settings that a broker would give it. */
    private static GroupCoordinator groupCoordinator(KafkaConfig config) {
        GroupCoordinator face = Insides.face(GroupCoordinator.class);
        Properties settings = new Properties();
        settings.setProperty("cleanup.policy", "compact");
        settings.setProperty("compression.type", "producer");
        settings.setProperty("segment.bytes", "" + config.groupCoordinatorConfig().offsetsTopicSegmentBytes());
        doReturn(settings).when(face).groupMetadataTopicConfigs();
        return face;
    }

    private static KRaftMetadataCache metadata(Cluster cluster) {
        KRaftMetadataCache face = Insides.face(KRaftMetadataCache.class);
        doAnswer(call -> describe(cluster, call.getArgument(0)).map(t -> t.partitions().size()))
            .when(face).numPartitions(anyString());
        doAnswer(call -> describe(cluster, call.getArgument(0)).isPresent())
            .when(face).contains(anyString());
        doAnswer(call -> describe(cluster, call.getArgument(0)).map(TopicDescription::topicId)
            .orElse(Uuid.ZERO_UUID)).when(face).getTopicId(anyString());
        doAnswer(call -> topicIds(cluster)).when(face).topicNamesToIds();
        doAnswer(call -> topicIds(cluster).entrySet().stream()
            .collect(Collectors.toMap(Map.Entry::getValue, Map.Entry::getKey))).when(face).topicIdsToNames();
        doAnswer(call -> topicIds(cluster).keySet()).when(face).getAllTopics();
        doAnswer(call -> leaderAndIsr(cluster, call.getArgument(0), call.getArgument(1)))
            .when(face).getLeaderAndIsr(anyString(), anyInt());
        doAnswer(call -> leader(cluster, call.getArgument(0), call.getArgument(1)))
            .when(face).getPartitionLeaderEndpoint(anyString(), anyInt(), any());
        doAnswer(call -> ownSettings(cluster, new ConfigResource(ConfigResource.Type.TOPIC, call.getArgument(0))))
            .when(face).topicConfig(anyString());
        doAnswer(call -> ownSettings(cluster, call.getArgument(0))).when(face).config(any());
        doAnswer(call -> nodes(cluster)).when(face).getAliveBrokerNodes(any());
        doAnswer(call -> cluster.alive(call.getArgument(0))).when(face).hasAliveBroker(anyInt());
        return face;
    }

    static Optional<LeaderAndIsr> leaderAndIsr(Cluster cluster, String topic, int partition) {
        return describe(cluster, topic).filter(t -> partition < t.partitions().size())
            .map(t -> t.partitions().get(partition))
            .map(p -> new LeaderAndIsr(p.leader() == null ? -1 : p.leader().id(),
                p.isr().stream().map(Node::id).collect(Collectors.toList())));
    }

    private static Optional<Node> leader(Cluster cluster, String topic, int partition) {
        return describe(cluster, topic).filter(t -> partition < t.partitions().size())
            .map(t -> t.partitions().get(partition).leader());
    }

    /** What was set for the resource itself. */
    private static Properties ownSettings(Cluster cluster, ConfigResource resource) {
        Properties own = new Properties();
        try (Admin admin = cluster.admin()) {
            admin.describeConfigs(List.of(resource)).all().get().get(resource).entries().stream()
                .filter(entry -> entry.source() == ConfigEntry.ConfigSource.DYNAMIC_TOPIC_CONFIG
                    || entry.source() == ConfigEntry.ConfigSource.DYNAMIC_BROKER_CONFIG)
                .forEach(entry -> own.setProperty(entry.name(), entry.value()));
            return own;
        } catch (ExecutionException | InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    private static Optional<TopicDescription> describe(Cluster cluster, String topic) {
        try (Admin admin = cluster.admin()) {
            return Optional.of(admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic));
        } catch (ExecutionException e) {
            return Optional.empty();
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    private static Map<String, Uuid> topicIds(Cluster cluster) {
        try (Admin admin = cluster.admin()) {
            return admin.listTopics(new org.apache.kafka.clients.admin.ListTopicsOptions().listInternal(true))
                .listings().get().stream().collect(Collectors.toMap(t -> t.name(), t -> t.topicId()));
        } catch (ExecutionException | InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    private static List<Node> nodes(Cluster cluster) {
        try (Admin admin = cluster.admin()) {
            return List.copyOf(admin.describeCluster().nodes().get());
        } catch (ExecutionException | InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    static String clusterId(Cluster cluster) {
        try (Admin admin = cluster.admin()) {
            return admin.describeCluster().clusterId().get();
        } catch (ExecutionException | InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }
}
