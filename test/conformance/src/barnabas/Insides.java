package barnabas;

import static org.mockito.ArgumentMatchers.any;
import static org.mockito.ArgumentMatchers.anyBoolean;
import static org.mockito.Mockito.doAnswer;
import static org.mockito.Mockito.doReturn;
import static org.mockito.Mockito.mock;
import static org.mockito.Mockito.withSettings;

import java.io.File;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import kafka.log.LogManager;
import kafka.raft.KafkaRaftManager;
import kafka.server.KafkaApis;
import kafka.server.ReplicaManager;
import kafka.server.SharedServer;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.requests.MetadataRequest;
import org.apache.kafka.common.requests.MetadataResponse;
import org.apache.kafka.controller.Controller;
import org.apache.kafka.image.loader.MetadataLoader;
import org.apache.kafka.metadata.LeaderAndIsr;
import org.apache.kafka.metadata.MetadataCache;
import org.apache.kafka.raft.LogOffsetMetadata;
import org.apache.kafka.raft.RaftLog;
import org.apache.kafka.server.IntegrationTestUtils;
import org.apache.kafka.storage.internals.log.UnifiedLog;
import org.mockito.stubbing.Answer;
import scala.Option;
import scala.jdk.javaapi.CollectionConverters;

/**
 * What tests ask of the parts of a broker object: which partitions it leads, which directories it has, where a log
 * starts and ends. Answered from the broker's directories and over the protocol; see {@link Faces}.
 */
final class Insides {
    private static final Answer<Object> UNKNOWN = call -> {
        if (call.getMethod().getName().equals("toString")) {
            return "a stand-in for " + call.getMethod().getDeclaringClass().getSimpleName();
        }
        throw new UnsupportedOperationException("the test reaches into the JVM: " + call.getMethod());
    };

    private final Cluster cluster;
    private final int id;

    Insides(Cluster cluster, int id) {
        this.cluster = cluster;
        this.id = id;
    }

    static <T> T face(Class<T> type) {
        return mock(type, withSettings().defaultAnswer(UNKNOWN).stubOnly());
    }

    LogManager logManager() {
        LogManager face = face(LogManager.class);
        doReturn(CollectionConverters.asScala(directories()).toSeq()).when(face).liveLogDirs();
        doReturn(false).when(face).getLog$default$2();
        doAnswer(call -> log(call.getArgument(0))).when(face).getLog(any(), anyBoolean());
        return face;
    }

    ReplicaManager replicaManager(LogManager logManager) {
        ReplicaManager face = face(ReplicaManager.class);
        doReturn(logManager).when(face).logManager();
        doAnswer(call -> log(call.getArgument(0))).when(face).localLog(any());
        doAnswer(call -> log(call.getArgument(0)).get()).when(face).localLogOrException(any());
        doAnswer(call -> log(call.getArgument(0))).when(face).getLog(any());
        doAnswer(call -> partition(call.getArgument(0))).when(face).onlinePartition(any());
        return face;
    }

    /** The partition if this broker has a replica of it, as the metadata says. */
    private Option<kafka.cluster.Partition> partition(TopicPartition tp) {
        Optional<LeaderAndIsr> state = Faces.leaderAndIsr(cluster, tp.topic(), tp.partition());
        if (state.isEmpty() || !cluster.alive(id) || directory(tp).isEmpty()) {
            return Option.empty();
        }
        kafka.cluster.Partition face = face(kafka.cluster.Partition.class);
        int leader = state.get().leader();
        Option<Object> known = leader < 0 ? Option.empty() : Option.apply(leader);
        doReturn(known).when(face).leaderReplicaIdOpt();
        doReturn(leader == id ? known : Option.empty()).when(face).leaderIdIfLocal();
        doAnswer(call -> leader == id ? log(tp) : Option.empty()).when(face).leaderLogIfLocal();
        doAnswer(call -> log(tp)).when(face).log();
        doAnswer(call -> leaderEpoch(tp)).when(face).getLeaderEpoch();
        return Option.apply(face);
    }

    private int leaderEpoch(TopicPartition tp) throws IOException {
        MetadataRequest request = new MetadataRequest.Builder(List.of(tp.topic()), false).build();
        MetadataResponse answer = IntegrationTestUtils.connectAndReceive(request, cluster.port(id));
        return answer.data().topics().find(tp.topic()).partitions().stream()
            .filter(partition -> partition.partitionIndex() == tp.partition()).findFirst().orElseThrow().leaderEpoch();
    }

    private Option<UnifiedLog> log(TopicPartition tp) {
        Optional<File> directory = directory(tp);
        if (directory.isEmpty()) {
            return Option.empty();
        }
        UnifiedLog face = face(UnifiedLog.class);
        doReturn(directory.get()).when(face).dir();
        doAnswer(call -> offset(tp, OffsetSpec.earliest())).when(face).logStartOffset();
        doAnswer(call -> offset(tp, OffsetSpec.latest())).when(face).logEndOffset();
        doAnswer(call -> offset(tp, OffsetSpec.latest())).when(face).highWatermark();
        doAnswer(call -> Stream.of(directory.get().listFiles()).filter(file -> file.getName().endsWith(".log"))
            .mapToLong(File::length).sum()).when(face).size();
        return Option.apply(face);
    }

    private long offset(TopicPartition tp, OffsetSpec spec) throws InterruptedException, ExecutionException {
        try (Admin admin = cluster.admin()) {
            return admin.listOffsets(Map.of(tp, spec)).partitionResult(tp).get().offset();
        }
    }

    private List<File> directories() {
        return cluster.dirs(id).stream().map(File::new).collect(Collectors.toList());
    }

    private Optional<File> directory(TopicPartition tp) {
        return directories().stream().map(dir -> new File(dir, tp.toString())).filter(File::isDirectory).findFirst();
    }

    /** A request processor knows its broker; KIP-848 has an issue of its own. */
    KafkaApis requestProcessor(MetadataCache metadata) {
        KafkaApis face = face(KafkaApis.class);
        doReturn(id).when(face).brokerId();
        doReturn(metadata).when(face).metadataCache();
        doReturn(false).when(face).isConsumerGroupProtocolEnabled();
        doAnswer(call -> Faces.clusterId(cluster)).when(face).clusterId();
        return face;
    }

    /** Tests wait until a broker has applied all of the controller's log; brokers here wait for it themselves. */
    static SharedServer sharedServer() {
        MetadataLoader loader = face(MetadataLoader.class);
        doReturn(Long.MAX_VALUE).when(loader).lastAppliedOffset();
        SharedServer face = face(SharedServer.class);
        doReturn(loader).when(face).loader();
        return face;
    }

    static KafkaRaftManager<?> raftManager() {
        RaftLog log = face(RaftLog.class);
        doReturn(new LogOffsetMetadata(0)).when(log).endOffset();
        KafkaRaftManager<?> face = face(KafkaRaftManager.class);
        doReturn(log).when(face).raftLog();
        return face;
    }

    static Controller activeController() {
        Controller face = face(Controller.class);
        doReturn(true).when(face).isActive();
        return face;
    }
}
