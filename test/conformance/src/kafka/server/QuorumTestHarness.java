package kafka.server;

import java.util.Properties;
import java.util.stream.Stream;
import kafka.utils.Logging;
import org.apache.kafka.clients.consumer.GroupProtocol;
import org.apache.kafka.common.security.auth.SecurityProtocol;
import org.apache.kafka.common.utils.Time;
import org.apache.kafka.metadata.storage.Formatter;
import org.apache.kafka.server.common.MetadataVersion;
import org.apache.kafka.server.fault.MockFaultHandler;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.TestInfo;
import org.junit.jupiter.params.provider.Arguments;
import scala.Option;
import scala.collection.Seq;
import scala.jdk.javaapi.CollectionConverters;

/**
 * Stands in the place of Kafka's harness of this name, from which its older tests inherit a controller. Here the
 * first broker has the keeper inside, so that there is nothing to start before the brokers.
 */
public abstract class QuorumTestHarness implements Logging {
    private final MockFaultHandler faultHandler = new MockFaultHandler("quorumTestHarnessFaultHandler");
    private QuorumImplementation implementation;
    private String logIdent = "";
    private String displayName = "";

    /** The protocol of KIP-848 has an issue of its own. */
    public static Stream<Arguments> getTestGroupProtocolParametersAll() {
        return getTestGroupProtocolParametersClassicGroupProtocolOnly();
    }

    public static Stream<Arguments> getTestGroupProtocolParametersClassicGroupProtocolOnly() {
        return Stream.of(Arguments.of("classic"));
    }

    public static Stream<Arguments> getTestGroupProtocolParametersConsumerGroupProtocolOnly() {
        return Stream.of(Arguments.of("consumer"));
    }

    public static void setUpClass() {
    }

    public static void tearDownClass() {
    }

    public static void verifyNoUnexpectedThreads(String context) {
    }

    @BeforeEach
    public void setUp(TestInfo info) {
        displayName = info.getDisplayName();
    }

    @AfterEach
    public void tearDown() {
    }

    public Option<GroupProtocol> maybeGroupProtocolSpecified() {
        if (displayName.contains("groupProtocol=classic")) {
            return Option.apply(GroupProtocol.CLASSIC);
        }
        return displayName.contains("groupProtocol=consumer") ? Option.apply(GroupProtocol.CONSUMER) : Option.empty();
    }

    public GroupProtocol groupProtocolFromTestParameters() {
        return maybeGroupProtocolSpecified().get();
    }

    /** The controllers of the cluster; the harness that has brokers knows them. */
    public abstract Seq<ControllerServer> controllerServers();

    public ControllerServer controllerServer() {
        return controllerServers().head();
    }

    public KafkaBroker createBroker(KafkaConfig config, Time time, boolean startup, Option<String> threadNamePrefix) {
        throw new UnsupportedOperationException("a broker beside the harness");
    }

    public Time createBroker$default$2() {
        return Time.SYSTEM;
    }

    public boolean createBroker$default$3() {
        return true;
    }

    public Option<String> createBroker$default$4() {
        return Option.empty();
    }

    public void shutdownKRaftController() {
        throw new UnsupportedOperationException("the controller stops with its broker");
    }

    public SecurityProtocol controllerListenerSecurityProtocol() {
        return SecurityProtocol.PLAINTEXT;
    }

    public Seq<SecurityProtocol> extraControllerSecurityProtocols() {
        return CollectionConverters.<SecurityProtocol>asScala(java.util.List.of()).toSeq();
    }

    public Seq<Properties> kraftControllerConfigs(TestInfo info) {
        return CollectionConverters.asScala(java.util.List.of(new Properties())).toSeq();
    }

    public MetadataVersion metadataVersion() {
        return MetadataVersion.latestTesting();
    }

    public void addFormatterSettings(Formatter formatter) {
    }

    public QuorumImplementation implementation() {
        return implementation;
    }

    public void implementation_$eq(QuorumImplementation value) {
        implementation = value;
    }

    public MockFaultHandler faultHandler() {
        return faultHandler;
    }

    public QuorumTestHarnessFaultHandlerFactory faultHandlerFactory() {
        return new QuorumTestHarnessFaultHandlerFactory(faultHandler);
    }

    @Override
    public String logIdent() {
        return logIdent;
    }

    @Override
    public void logIdent_$eq(String value) {
        logIdent = value;
    }
}
