import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.InputStreamReader;
import java.io.OutputStreamWriter;
import java.io.PrintWriter;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * A load of numbered records, as test/trials/numbers has it, and a reader of one, for test/robustness/cluster. What happens is
 * told line by line on the standard output; the end of the standard input ends both.
 *
 * <pre>
 * Traffic write BOOTSTRAP TOPIC PARTITIONS RATE   a NUMBER PARTITION OFFSET | f NUMBER ERROR | end COUNT
 * Traffic read BOOTSTRAP TOPIC PARTITIONS         r PARTITION OFFSET NUMBER
 * </pre>
 *
 * Whom a vanished broker owes an answer gives it up after three seconds; everything else is as the clients have it by default.
 */
public final class Traffic {
    static final int SIZE = 256;
    static volatile boolean ended;
    static PrintWriter out;

    public static void main(String[] args) throws Exception {
        out = new PrintWriter(new BufferedWriter(new OutputStreamWriter(System.out)));
        Thread input = new Thread(Traffic::awaitEnd);
        input.setDaemon(true);
        input.start();
        int partitions = Integer.parseInt(args[3]);
        if (args[0].equals("write")) {
            write(args[1], args[2], partitions, Integer.parseInt(args[4]));
        } else {
            read(args[1], args[2], partitions);
        }
        out.flush();
    }

    static void awaitEnd() {
        try (BufferedReader in = new BufferedReader(new InputStreamReader(System.in))) {
            while (in.readLine() != null) {
                continue;
            }
        } catch (java.io.IOException e) {
            say("input: " + e);
        }
        ended = true;
    }

    static Map<String, Object> client(String bootstrap) {
        Map<String, Object> config = new HashMap<>();
        config.put("bootstrap.servers", bootstrap);
        config.put("request.timeout.ms", 3000);
        config.put("socket.connection.setup.timeout.ms", 1000);
        return config;
    }

    static void write(String bootstrap, String topic, int partitions, int rate) throws Exception {
        Map<String, Object> config = client(bootstrap);
        config.put("acks", "all");
        config.put("enable.idempotence", true);
        config.put("delivery.timeout.ms", 300_000);
        long number = 0;
        try (KafkaProducer<byte[], byte[]> producer =
                 new KafkaProducer<>(config, new ByteArraySerializer(), new ByteArraySerializer())) {
            long began = System.nanoTime();
            while (!ended) {
                long due = (System.nanoTime() - began) * rate / 1_000_000_000L;
                for (; number < due && !ended; number++) {
                    offer(producer, topic, (int) (number % partitions), number);
                }
                synchronized (out) {
                    out.flush();
                }
                Thread.sleep(5);
            }
            producer.flush();
        }
        say("end " + number);
    }

    static void offer(KafkaProducer<byte[], byte[]> producer, String topic, int partition, long number) {
        byte[] value = ByteBuffer.allocate(SIZE).putLong(number).array();
        producer.send(new ProducerRecord<>(topic, partition, null, value), (at, error) -> {
            if (error == null) {
                say("a " + number + " " + at.partition() + " " + at.offset());
            } else {
                say("f " + number + " " + error.toString().replace('\n', ' '));
            }
        });
    }

    static void read(String bootstrap, String topic, int partitions) {
        List<TopicPartition> all = new ArrayList<>();
        for (int p = 0; p < partitions; p++) {
            all.add(new TopicPartition(topic, p));
        }
        Map<String, Object> config = client(bootstrap);
        config.put("auto.offset.reset", "none"); // to be sent back to the beginning is an error, and is told
        try (KafkaConsumer<byte[], byte[]> consumer =
                 new KafkaConsumer<>(config, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            consumer.assign(all);
            all.forEach(p -> consumer.seek(p, 0));
            while (!ended) {
                for (ConsumerRecord<byte[], byte[]> r : consumer.poll(Duration.ofMillis(100))) {
                    say("r " + r.partition() + " " + r.offset() + " " + ByteBuffer.wrap(r.value()).getLong());
                }
                synchronized (out) {
                    out.flush();
                }
            }
        }
    }

    static void say(String line) {
        synchronized (out) {
            out.println(line);
        }
    }
}
