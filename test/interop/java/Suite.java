import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.CooperativeStickyAssignor;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.RangeAssignor;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.SslAuthenticationException;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * The interop suite for the Java clients, old and new: it uses what the clients of 2.8 and of 4.4
 * both have. Usage: BOOTSTRAP=host:port java -cp ... Suite NAME. A case prints "ok NAME"; the first
 * difference ends the run with its story.
 */
public final class Suite {
    static final int RECORDS = 900;
    static final Duration DEADLINE = Duration.ofSeconds(60);
    /** The records are of now: of records of long ago the broker's next round of retention leaves nothing. */
    static final long STARTED_MS = System.currentTimeMillis();
    static final String BOOTSTRAP = System.getenv("BOOTSTRAP");
    static final Map<String, Object> connection = new HashMap<>();
    static String name;
    static Admin admin;

    public static void main(String[] args) throws Exception {
        name = args[0];
        admin = Admin.create(client());
        for (String codec : Arrays.asList("none", "gzip", "snappy", "lz4", "zstd")) {
            checkCodec(codec);
        }
        checkGroup("eager", RangeAssignor.class.getName());
        checkGroup("cooperative", CooperativeStickyAssignor.class.getName());
        checkAdmin();
        admin.close();
        if (System.getenv("BOOTSTRAP_TLS") != null) {
            checkTLS(System.getenv("BOOTSTRAP_TLS"), System.getenv("TLS_FILES"));
        }
    }

    /** A listener that wants a certificate refuses who shows none, and serves who shows one. */
    static void checkTLS(String address, String files) throws Exception {
        connection.put("bootstrap.servers", address);
        connection.put("security.protocol", "SSL");
        connection.put("ssl.truststore.type", "PEM");
        connection.put("ssl.truststore.location", files + "/ca.pem");
        try (Admin stranger = Admin.create(client())) {
            stranger.listTopics().names().get();
            check(false, "a client without a certificate is served");
        } catch (ExecutionException e) {
            check(e.getCause() instanceof SslAuthenticationException, "a client without a certificate meets %s", e.getCause());
        }
        connection.put("ssl.keystore.type", "PKCS12");
        connection.put("ssl.keystore.location", files + "/client.p12");
        connection.put("ssl.keystore.password", "changeit");
        admin = Admin.create(client());
        checkCodec("lz4");
        admin.close();
        say("TLS: certificates of both ends are looked at");
    }

    static void checkCodec(String codec) throws Exception {
        String topic = create("codec-" + codec, 3, Collections.emptyMap());
        List<ProducerRecord<byte[], byte[]>> sent = records(topic, RECORDS, 3);
        produce(sent, codec);
        Map<Integer, List<ConsumerRecord<byte[], byte[]>>> got = consume(topic, 3, RECORDS);
        Map<Integer, Integer> next = new HashMap<>();
        for (ProducerRecord<byte[], byte[]> want : sent) {
            int at = next.merge(want.partition(), 1, Integer::sum) - 1;
            ConsumerRecord<byte[], byte[]> have = got.get(want.partition()).get(at);
            check(have.offset() == at, "offset %d at place %d", have.offset(), at);
            check(Arrays.equals(want.key(), have.key()), "%s: keys differ at %s", codec, have);
            check(Arrays.equals(want.value(), have.value()), "%s: values differ at %s", codec, have);
            check(want.timestamp() == have.timestamp(), "%s: timestamps differ at %s", codec, have);
            check(headers(want.headers()).equals(headers(have.headers())), "%s: headers at %s", codec, have);
        }
        say("codec " + codec + ": " + RECORDS + " records alike");
    }

    static void checkGroup(String protocol, String assignor) throws Exception {
        String topic = create("group-" + protocol, 6, Collections.emptyMap());
        String group = unique("g");
        Set<String> seen = new HashSet<>();
        KafkaConsumer<byte[], byte[]> first = member(group, topic, assignor);
        until("the first member gets all 6 partitions", () -> {
            poll(first, seen);
            return first.assignment().size() == 6;
        });
        KafkaConsumer<byte[], byte[]> second = member(group, topic, assignor);
        until("a second member gets half of the partitions", () -> {
            poll(first, seen);
            poll(second, seen);
            return first.assignment().size() == 3 && second.assignment().size() == 3;
        });
        produce(records(topic, 600, 6), "none");
        until("the two members read all 600 records", () -> {
            poll(first, seen);
            poll(second, seen);
            return seen.size() == 600;
        });
        first.commitSync();
        second.commitSync();
        check(admin.describeConsumerGroups(Collections.singleton(group)).all().get().get(group).members().size() == 2,
            "the group is described with its two members");
        second.close();
        until("the first member gets the partitions of the one that left", () -> {
            poll(first, seen);
            return first.assignment().size() == 6;
        });
        first.close();

        produce(Collections.singletonList(new ProducerRecord<>(topic, 5, null, bytes("after"))), "none");
        KafkaConsumer<byte[], byte[]> late = member(group, topic, assignor);
        Set<String> fresh = new HashSet<>();
        until("a member that comes later reads on", () -> poll(late, fresh) > 0);
        check(fresh.equals(Collections.singleton("5@100")), "committed offsets were not honoured: %s", fresh);
        late.close();
        admin.deleteConsumerGroups(Collections.singleton(group)).all().get();
        say("group, " + protocol + ": rebalanced in and out, resumed at the committed offsets");
    }

    static void checkAdmin() throws Exception {
        String topic = create("admin", 1, Collections.singletonMap("retention.ms", "3600000"));
        ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
        check(retention(resource).equals("3600000"), "retention.ms is %s", retention(resource));
        AlterConfigOp set = new AlterConfigOp(new ConfigEntry("retention.ms", "7200000"), AlterConfigOp.OpType.SET);
        admin.incrementalAlterConfigs(Collections.singletonMap(resource, Collections.singleton(set))).all().get();
        until("the altered config is described", () -> retention(resource).equals("7200000"));
        admin.createPartitions(Collections.singletonMap(topic, NewPartitions.increaseTo(4))).all().get();
        produce(records(topic, 40, 4), "none");
        TopicPartition zero = new TopicPartition(topic, 0);
        long low = admin.deleteRecords(Collections.singletonMap(zero, RecordsToDelete.beforeOffset(5)))
            .lowWatermarks().get(zero).get().lowWatermark();
        check(low == 5, "the low watermark after deleting records is %d", low);
        admin.deleteTopics(Collections.singleton(topic)).all().get();
        until("the topic is gone", () -> !admin.listTopics().names().get().contains(topic));
        say("admin: create, describe, alter, add partitions, delete records, delete");
    }

    static String create(String purpose, int partitions, Map<String, String> configs) throws Exception {
        String topic = unique(name + "-" + purpose);
        NewTopic wanted = new NewTopic(topic, partitions, (short) 1).configs(configs);
        admin.createTopics(Collections.singleton(wanted)).all().get();
        return topic;
    }

    static List<ProducerRecord<byte[], byte[]>> records(String topic, int count, int partitions) {
        List<ProducerRecord<byte[], byte[]>> made = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            byte[] key = i % 7 == 0 ? null : bytes("key-" + i);
            char[] padding = new char[i % 257];
            Arrays.fill(padding, 'x');
            byte[] value = bytes("野猪套天下第一 " + i + " " + new String(padding));
            long timestamp = STARTED_MS + i;
            ProducerRecord<byte[], byte[]> record = new ProducerRecord<>(topic, i % partitions, timestamp, key, value);
            if (i % 3 == 0) {
                record.headers().add("i", bytes("" + i)).add("null", null);
            }
            made.add(record);
        }
        return made;
    }

    static void produce(List<ProducerRecord<byte[], byte[]>> records, String codec) throws Exception {
        Map<String, Object> config = client();
        config.put("compression.type", codec);
        config.put("enable.idempotence", true);
        config.put("acks", "all");
        config.put("linger.ms", 5);
        try (KafkaProducer<byte[], byte[]> producer =
                 new KafkaProducer<>(config, new ByteArraySerializer(), new ByteArraySerializer())) {
            List<Future<RecordMetadata>> sent = new ArrayList<>();
            for (ProducerRecord<byte[], byte[]> record : records) {
                sent.add(producer.send(record));
            }
            for (Future<RecordMetadata> future : sent) {
                future.get();
            }
        }
    }

    static Map<Integer, List<ConsumerRecord<byte[], byte[]>>> consume(String topic, int partitions, int count)
            throws Exception {
        Map<Integer, List<ConsumerRecord<byte[], byte[]>>> got = new HashMap<>();
        int[] total = {0};
        try (KafkaConsumer<byte[], byte[]> consumer = consumer(client())) {
            List<TopicPartition> all = new ArrayList<>();
            for (int p = 0; p < partitions; p++) {
                all.add(new TopicPartition(topic, p));
                got.put(p, new ArrayList<>());
            }
            consumer.assign(all);
            consumer.seekToBeginning(all);
            until(count + " records come back", () -> {
                consumer.poll(Duration.ofMillis(100)).forEach(record -> {
                    got.get(record.partition()).add(record);
                    total[0]++;
                });
                return total[0] >= count;
            });
        }
        return got;
    }

    static KafkaConsumer<byte[], byte[]> member(String group, String topic, String assignor) {
        Map<String, Object> config = client();
        config.put("group.id", group);
        config.put("auto.offset.reset", "earliest");
        config.put("enable.auto.commit", false);
        config.put("session.timeout.ms", 45_000);
        config.put("heartbeat.interval.ms", 100);
        config.put("partition.assignment.strategy", assignor);
        KafkaConsumer<byte[], byte[]> consumer = consumer(config);
        consumer.subscribe(Collections.singleton(topic));
        return consumer;
    }

    static KafkaConsumer<byte[], byte[]> consumer(Map<String, Object> config) {
        return new KafkaConsumer<>(config, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }

    static int poll(KafkaConsumer<byte[], byte[]> consumer, Set<String> seen) {
        int[] count = {0};
        consumer.poll(Duration.ofMillis(50)).forEach(record -> {
            String place = record.partition() + "@" + record.offset();
            check(seen.add(place), "%s was read twice", place);
            count[0]++;
        });
        return count[0];
    }

    static String retention(ConfigResource resource) throws Exception {
        return admin.describeConfigs(Collections.singleton(resource)).all().get()
            .get(resource).get("retention.ms").value();
    }

    static Map<String, Object> client() {
        Map<String, Object> config = new HashMap<>();
        config.put("bootstrap.servers", BOOTSTRAP);
        config.putAll(connection);
        return config;
    }

    static String headers(Iterable<Header> headers) {
        StringBuilder text = new StringBuilder();
        for (Header header : headers) {
            text.append(header.key()).append('=').append(Arrays.toString(header.value())).append(' ');
        }
        return text.toString();
    }

    static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    static String unique(String base) {
        return base + "-" + UUID.randomUUID().toString().substring(0, 8);
    }

    static void until(String what, Callable<Boolean> condition) throws Exception {
        long deadline = System.nanoTime() + DEADLINE.toNanos();
        while (!condition.call()) {
            check(System.nanoTime() < deadline, "not within %s: %s", DEADLINE, what);
        }
    }

    static void check(boolean condition, String story, Object... args) {
        if (!condition) {
            throw new AssertionError(String.format(story, args));
        }
    }

    static void say(String what) {
        System.out.println("ok " + name + " " + what);
    }
}
