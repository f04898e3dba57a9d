"""kafka-python behind the functions that suite.py asks for."""

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, NewPartitions, NewTopic

NAME = "kafka-python"
TIMEOUT_MS = 60_000
connection = {}
admin = None


def connect(address):
    global admin
    connection["bootstrap_servers"] = address
    admin = KafkaAdminClient(**connection, request_timeout_ms=TIMEOUT_MS)


def secure(address, files):
    connection.update(
        security_protocol="SSL",
        ssl_cafile=f"{files}/ca.pem",
        ssl_certfile=f"{files}/client.pem",
        ssl_keyfile=f"{files}/client.key",
    )
    connect(address)


def produce(topic, records, codec):
    producer = KafkaProducer(
        **connection,
        acks="all",
        compression_type=None if codec == "none" else codec,
        linger_ms=5,
    )
    sent = [
        producer.send(topic, value, key, headers, partition, timestamp)
        for partition, key, value, headers, timestamp in records
    ]
    producer.flush(TIMEOUT_MS / 1000)
    for future in sent:
        future.get(TIMEOUT_MS / 1000)
    producer.close()


def consume(topic, partitions, count):
    consumer = KafkaConsumer(**connection, enable_auto_commit=False)
    consumer.assign([TopicPartition(topic, p) for p in range(partitions)])
    consumer.seek_to_beginning()
    got = []
    while len(got) < count:
        batch = consumer.poll(TIMEOUT_MS)
        assert batch, f"only {len(got)} of {count} records came"
        got += [
            (r.partition, r.offset, r.key, r.value, list(r.headers), r.timestamp)
            for records in batch.values()
            for r in records
        ]
    consumer.close()
    return got


class Member:
    def __init__(self, group, topic):
        self.consumer = KafkaConsumer(
            topic,
            **connection,
            group_id=group,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            session_timeout_ms=45_000,
            heartbeat_interval_ms=200,
        )

    def poll(self):
        batch = self.consumer.poll(100)
        return [(r.partition, r.offset) for records in batch.values() for r in records]

    def assignment(self):
        return self.consumer.assignment()

    def commit(self):
        self.consumer.commit()

    def close(self):
        self.consumer.close(autocommit=False)


def create_topic(name, partitions, config):
    admin.create_topics([NewTopic(name, partitions, 1, topic_configs=config)])


def topics():
    return {t["name"]: len(t["partitions"]) for t in admin.describe_topics()}


def config(topic):
    described = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)], config_filter="all")
    return {name: entry["value"] for name, entry in described["topic"][topic].items()}


def alter_config(topic, name, value):
    admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, {name: value})])


def add_partitions(topic, count):
    admin.create_partitions({topic: NewPartitions(count)})


def delete_topic(name):
    admin.delete_topics([name])


def groups():
    return [group["group_id"] for group in admin.list_groups()]
