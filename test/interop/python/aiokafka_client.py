"""aiokafka behind the functions that suite.py asks for: one event loop, run for each call."""

import asyncio

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

NAME = "aiokafka"
TIMEOUT_MS = 60_000
bootstrap = None
admin = None
loop = asyncio.new_event_loop()
asyncio.set_event_loop(loop)


def run(coroutine):
    return loop.run_until_complete(coroutine)


def connect(address):
    global bootstrap, admin
    bootstrap = address

    async def start():
        client = AIOKafkaAdminClient(bootstrap_servers=address, request_timeout_ms=TIMEOUT_MS)
        await client.start()
        return client

    admin = run(start())


def produce(topic, records, codec):
    async def send():
        producer = AIOKafkaProducer(
            bootstrap_servers=bootstrap,
            acks="all",
            enable_idempotence=True,
            compression_type=None if codec == "none" else codec,
        )
        await producer.start()
        sent = [
            await producer.send(topic, value, key, partition, timestamp, headers)
            for partition, key, value, headers, timestamp in records
        ]
        await asyncio.gather(*sent)
        await producer.stop()

    run(send())


def consume(topic, partitions, count):
    async def read():
        consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
        await consumer.start()
        consumer.assign([TopicPartition(topic, p) for p in range(partitions)])
        await consumer.seek_to_beginning()
        got = []
        while len(got) < count:
            batch = await consumer.getmany(timeout_ms=TIMEOUT_MS)
            assert batch, f"only {len(got)} of {count} records came"
            got += [
                (r.partition, r.offset, r.key, r.value, list(r.headers), r.timestamp)
                for records in batch.values()
                for r in records
            ]
        await consumer.stop()
        return got

    return run(read())


class Member:
    def __init__(self, group, topic):
        async def start():
            consumer = AIOKafkaConsumer(
                topic,
                bootstrap_servers=bootstrap,
                group_id=group,
                auto_offset_reset="earliest",
                enable_auto_commit=False,
                session_timeout_ms=45_000,
                heartbeat_interval_ms=200,
            )
            # start() waits for the first assignment, which needs every member's loop to run.
            task = asyncio.ensure_future(consumer.start())
            await asyncio.sleep(0.2)
            return consumer, task

        self.consumer, self.started = run(start())

    def poll(self):
        async def some():
            if not self.started.done():
                await asyncio.sleep(0.1)
                return {}
            return await self.consumer.getmany(timeout_ms=100)

        return [(r.partition, r.offset) for records in run(some()).values() for r in records]

    def assignment(self):
        return self.consumer.assignment()

    def commit(self):
        run(self.consumer.commit())

    def close(self):
        run(self.consumer.stop())


def create_topic(name, partitions, config):
    run(admin.create_topics([NewTopic(name, partitions, 1, topic_configs=config)]))


def topics():
    described = run(admin.describe_topics())
    return {t["topic"]: len(t["partitions"]) for t in described}


def config(topic):
    (response,) = run(admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)]))
    (resource,) = response.resources
    return {entry[0]: entry[1] for entry in resource[4]}


def alter_config(topic, name, value):
    run(admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, {name: value})]))


def add_partitions(topic, count):
    run(admin.create_partitions({topic: NewPartitions(count)}))


def delete_topic(name):
    run(admin.delete_topics([name]))


def groups():
    return [group[0] for group in run(admin.list_consumer_groups())]
