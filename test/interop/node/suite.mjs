// The interop suite for kafkajs. Usage: BOOTSTRAP=host:port node suite.mjs
// A case prints "ok NAME"; the first difference ends the run with its story.

import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { createRequire } from 'node:module'
import { setTimeout as pause } from 'node:timers/promises'

const require = createRequire(import.meta.url)
const { Kafka, CompressionTypes, CompressionCodecs, ConfigResourceTypes, logLevel } = require('kafkajs')
const lz4 = require('lz4-napi')
const { ZstdCodec } = require('zstd-codec')

const DEADLINE_MS = 60_000
// The records are of now: of records of long ago the broker's next round of retention leaves nothing.
const STARTED_MS = Date.now()
const kafka = new Kafka({
  clientId: 'interop',
  brokers: process.env.BOOTSTRAP.split(','),
  logLevel: logLevel.NOTHING,
})
const admin = kafka.admin()

// installCodecs gives kafkajs, which brings gzip only, the other three.
async function installCodecs() {
  const zstd = await new Promise(resolve => ZstdCodec.run(module => resolve(new module.Streaming())))
  CompressionCodecs[CompressionTypes.Snappy] = require('kafkajs-snappy')
  CompressionCodecs[CompressionTypes.LZ4] = () => ({
    compress: async encoder => lz4.compressFrameSync(encoder.buffer),
    decompress: async buffer => lz4.decompressFrameSync(buffer),
  })
  CompressionCodecs[CompressionTypes.ZSTD] = () => ({
    compress: async encoder => Buffer.from(zstd.compress(encoder.buffer)),
    decompress: async buffer => Buffer.from(zstd.decompress(buffer)),
  })
}

const unique = name => `js-${name}-${randomUUID().slice(0, 8)}`

function records(count, partitions) {
  return Array.from({ length: count }, (_, i) => ({
    partition: i % partitions,
    key: i % 7 === 0 ? null : `key-${i}`,
    value: `野猪套天下第一 ${i} ${'x'.repeat(i % 257)}`,
    headers: i % 3 === 0 ? { i: String(i) } : {},
    timestamp: String(STARTED_MS + i),
  }))
}

async function produce(topic, messages, compression, idempotent = true) {
  const producer = kafka.producer({ idempotent, maxInFlightRequests: 1 })
  await producer.connect()
  await producer.send({ topic, messages, compression, acks: -1 })
  await producer.disconnect()
}

const text = bytes => (bytes === null ? null : bytes.toString())

function read({ partition, message }) {
  const headers = Object.fromEntries(Object.entries(message.headers ?? {}).map(([k, v]) => [k, text(v)]))
  return {
    partition,
    offset: Number(message.offset),
    key: text(message.key),
    value: text(message.value),
    headers,
    timestamp: message.timestamp,
  }
}

// Member is one consumer of a group that remembers what it read and what it is assigned.
class Member {
  constructor(groupId, seen) {
    this.seen = seen
    this.assigned = []
    this.consumer = kafka.consumer({ groupId, sessionTimeout: 45_000, heartbeatInterval: 200, maxWaitTimeInMs: 100 })
    this.consumer.on('consumer.group_join', e => {
      this.assigned = Object.values(e.payload.memberAssignment).flat()
    })
  }

  async start(topic) {
    await this.consumer.connect()
    await this.consumer.subscribe({ topic, fromBeginning: true })
    await this.consumer.run({
      autoCommitThreshold: 1,
      eachMessage: async event => {
        const record = read(event)
        const place = `${record.partition}@${record.offset}`
        assert(!this.seen.has(place), `${place} was read twice`)
        this.seen.set(place, record)
      },
    })
    return this
  }

  stop() {
    return this.consumer.disconnect()
  }
}

async function until(condition, what) {
  const deadline = Date.now() + DEADLINE_MS
  while (!(await condition())) {
    assert(Date.now() < deadline, `not within ${DEADLINE_MS} ms: ${what}`)
    await pause(20)
  }
}

async function checkCodecs() {
  for (const [name, codec] of Object.entries({
    none: CompressionTypes.None,
    gzip: CompressionTypes.GZIP,
    snappy: CompressionTypes.Snappy,
    lz4: CompressionTypes.LZ4,
    zstd: CompressionTypes.ZSTD,
  })) {
    const topic = unique(name)
    await admin.createTopics({ waitForLeaders: true, topics: [{ topic, numPartitions: 3 }] })
    const sent = records(900, 3)
    await produce(topic, sent, codec)
    const seen = new Map()
    const member = await new Member(unique('g'), seen).start(topic)
    await until(() => seen.size === sent.length, `${name}: ${seen.size} of ${sent.length} records came`)
    await member.stop()
    const next = [0, 0, 0]
    for (const record of sent) {
      const offset = next[record.partition]++
      assert.deepEqual(seen.get(`${record.partition}@${offset}`), { ...record, offset })
    }
    console.log(`ok kafkajs codec ${name}: ${seen.size} records alike`)
  }
}

async function checkGroup() {
  const [topic, group, seen] = [unique('group'), unique('g'), new Map()]
  await admin.createTopics({ waitForLeaders: true, topics: [{ topic, numPartitions: 6 }] })
  const first = await new Member(group, seen).start(topic)
  await until(() => first.assigned.length === 6, 'the first member gets all 6 partitions')
  const second = await new Member(group, seen).start(topic)
  await until(() => first.assigned.length === 3 && second.assigned.length === 3, 'a second one gets half')
  await produce(topic, records(600, 6), CompressionTypes.None)
  await until(() => seen.size === 600, 'the two members read all 600 records')
  await second.stop()
  await until(() => first.assigned.length === 6, 'the first gets the partitions of the one that left')
  const { groups } = await admin.listGroups()
  assert(groups.some(g => g.groupId === group), `${group} is missing from the list of groups`)
  const described = await admin.describeGroups([group])
  assert.equal(described.groups[0].members.length, 1)
  await first.stop()

  await produce(topic, [{ partition: 5, value: 'after' }], CompressionTypes.None)
  const fresh = new Map()
  const late = await new Member(group, fresh).start(topic)
  await until(() => fresh.size > 0, 'a member that comes later reads on')
  assert.deepEqual([...fresh.keys()], ['5@100'])
  await late.stop()
  await admin.deleteGroups([group])
  console.log('ok kafkajs group: rebalanced in and out, resumed at the committed offsets')
}

async function checkAdmin() {
  const topic = unique('admin')
  const resource = { type: ConfigResourceTypes.TOPIC, name: topic }
  const retention = async () => {
    const { resources } = await admin.describeConfigs({ resources: [{ ...resource, configNames: ['retention.ms'] }] })
    return resources[0].configEntries[0].configValue
  }
  const partitions = async () => (await admin.fetchTopicMetadata({ topics: [topic] })).topics[0].partitions.length
  await admin.createTopics({
    topics: [{ topic, numPartitions: 1, configEntries: [{ name: 'retention.ms', value: '3600000' }] }],
  })
  assert.equal(await retention(), '3600000')
  await admin.alterConfigs({ resources: [{ ...resource, configEntries: [{ name: 'retention.ms', value: '7200000' }] }] })
  await until(async () => (await retention()) === '7200000', 'the altered config is described')
  await admin.createPartitions({ topicPartitions: [{ topic, count: 4 }] })
  await until(async () => (await partitions()) === 4, 'the topic has 4 partitions')
  await produce(topic, records(40, 4), CompressionTypes.None)
  await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '5' }] })
  const offsets = await admin.fetchTopicOffsets(topic)
  assert.deepEqual(offsets.find(o => o.partition === 0), { partition: 0, offset: '10', low: '5', high: '10' })
  await admin.deleteTopics({ topics: [topic] })
  await until(async () => !(await admin.listTopics()).includes(topic), 'the topic is gone')
  console.log('ok kafkajs admin: create, describe, alter, add partitions, delete records, delete')
}

await installCodecs()
await admin.connect()
await checkCodecs()
await checkGroup()
await checkAdmin()
await admin.disconnect()
