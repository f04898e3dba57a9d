"""librdkafka, through confluent-kafka, behind the functions that suite.py asks for."""

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    ResourceType,
)

NAME = "confluent"
TIMEOUT_S = 60
connection = {}
admin = None


def connect(address):
    global admin
    connection["bootstrap.servers"] = address
    admin = AdminClient({**connection})


def secure(address, files):
    connection.update(
        {
            "security.protocol": "SSL",
            "ssl.ca.location": f"{files}/ca.pem",
            "ssl.certificate.location": f"{files}/client.pem",
            "ssl.key.location": f"{files}/client.key",
        }
    )
    connect(address)


def produce(topic, records, codec):
    failed = []
    producer = Producer(
        {
            **connection,
            "compression.type": codec,
            "enable.idempotence": True,
            "linger.ms": 5,
        }
    )
    for partition, key, value, headers, timestamp in records:
        producer.produce(
            topic,
            value,
            key,
            partition,
            timestamp=timestamp,
            headers=headers,
            on_delivery=lambda err, _: err and failed.append(err),
        )
    left = producer.flush(TIMEOUT_S)
    assert not failed and not left, f"{left} not delivered, {failed[:1]}"


def consume(topic, partitions, count):
    consumer = Consumer({**connection, "group.id": "none", "enable.auto.commit": False})
    consumer.assign([TopicPartition(topic, p, 0) for p in range(partitions)])
    got = []
    while len(got) < count:
        batch = consumer.consume(min(500, count - len(got)), TIMEOUT_S)
        assert batch, f"only {len(got)} of {count} records came"
        got += [read(message) for message in batch]
    consumer.close()
    return got


def read(message):
    if message.error():
        raise KafkaException(message.error())
    return (
        message.partition(),
        message.offset(),
        message.key(),
        message.value(),
        message.headers() or [],
        message.timestamp()[1],
    )


class Member:
    def __init__(self, group, topic):
        self.consumer = Consumer(
            {
                **connection,
                "group.id": group,
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
                "session.timeout.ms": 45_000,
                "heartbeat.interval.ms": 200,
                "partition.assignment.strategy": "cooperative-sticky",
            }
        )
        self.consumer.subscribe([topic])

    def poll(self):
        return [read(message)[:2] for message in self.consumer.consume(200, 0.1)]

    def assignment(self):
        return self.consumer.assignment()

    def commit(self):
        self.consumer.commit(asynchronous=False)

    def close(self):
        self.consumer.close()


def create_topic(name, partitions, config):
    for future in admin.create_topics([NewTopic(name, partitions, 1, config=config)]).values():
        future.result(TIMEOUT_S)


def topics():
    return {name: len(t.partitions) for name, t in admin.list_topics(timeout=TIMEOUT_S).topics.items()}


def config(topic):
    (future,) = admin.describe_configs([ConfigResource(ResourceType.TOPIC, topic)]).values()
    return {name: entry.value for name, entry in future.result(TIMEOUT_S).items()}


def alter_config(topic, name, value):
    entry = ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
    for future in admin.incremental_alter_configs([resource]).values():
        future.result(TIMEOUT_S)


def add_partitions(topic, count):
    for future in admin.create_partitions([NewPartitions(topic, count)]).values():
        future.result(TIMEOUT_S)


def delete_topic(name):
    for future in admin.delete_topics([name]).values():
        future.result(TIMEOUT_S)


def groups():
    return [group.group_id for group in admin.list_consumer_groups().result(TIMEOUT_S).valid]
