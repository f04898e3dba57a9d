package config

import (
	"strings"
	"sync"
)

// Settings of Kafka 2.8 to 4.4 that have no row here, by why. Names are facts that a configuration may hold;
// each is accepted, and named once at the start.

// readElsewhere are settings without a row of their own that Load reads together with others.
const readElsewhere = `advertised.host.name advertised.port controller.listener.names controller.quorum.bootstrap.servers
controller.quorum.voters host.name port process.roles`

var unusedNames = []struct{ why, names string }{
	{"is for ZooKeeper, whose place the keeper takes", `
zookeeper.clientCnxnSocket zookeeper.connection.timeout.ms zookeeper.max.in.flight.requests
zookeeper.metadata.migration.enable zookeeper.metadata.migration.min.batch.size zookeeper.set.acl
zookeeper.ssl.cipher.suites zookeeper.ssl.client.enable zookeeper.ssl.crl.enable
zookeeper.ssl.enabled.protocols zookeeper.ssl.endpoint.identification.algorithm
zookeeper.ssl.keystore.location zookeeper.ssl.keystore.password zookeeper.ssl.keystore.type
zookeeper.ssl.ocsp.enable zookeeper.ssl.protocol zookeeper.ssl.truststore.location
zookeeper.ssl.truststore.password zookeeper.ssl.truststore.type zookeeper.sync.time.ms
`},
	{"is for the quorum of controllers or the metadata version; the keeper holds the metadata here", `
broker.heartbeat.interval.ms broker.id.generation.enable control.plane.listener.name
controller.performance.always.log.threshold.ms controller.performance.sample.period.ms
controller.quorum.append.linger.ms controller.quorum.auto.join.enable
controller.quorum.election.backoff.max.ms
controller.quorum.election.timeout.ms controller.quorum.fetch.max.bytes
controller.quorum.fetch.snapshot.max.bytes controller.quorum.fetch.timeout.ms
controller.quorum.request.timeout.ms controller.quorum.retry.backoff.ms controller.socket.timeout.ms
early.start.listeners eligible.leader.replicas.enable initial.broker.registration.timeout.ms
inter.broker.protocol.version internal.metadata.delete.delay.millis
internal.metadata.log.segment.bytes internal.metadata.max.batch.size.in.bytes metadata.log.dir
metadata.log.max.record.bytes.between.snapshots metadata.log.max.snapshot.interval.ms
metadata.log.segment.bytes metadata.log.segment.ms metadata.max.idle.interval.ms
metadata.max.retention.bytes metadata.max.retention.ms
server.max.startup.time.ms unstable.api.versions.enable unstable.feature.versions.enable
unstable.metadata.versions.enable
`},
	{"is for SASL or access control, which are not served yet", `
allow.everyone.if.no.acl.found authorizer.class.name connection.failed.authentication.delay.ms
connections.max.reauth.ms delegation.token.expiry.check.interval.ms delegation.token.expiry.time.ms
delegation.token.master.key delegation.token.max.lifetime.ms delegation.token.secret.key
password.encoder.cipher.algorithm password.encoder.iterations password.encoder.key.length
password.encoder.keyfactory.algorithm password.encoder.old.secret password.encoder.secret
principal.builder.class sasl.client.callback.handler.class sasl.enabled.mechanisms sasl.jaas.config
sasl.kerberos.kinit.cmd sasl.kerberos.min.time.before.relogin sasl.kerberos.principal.to.local.rules
sasl.kerberos.service.name sasl.kerberos.ticket.renew.jitter
sasl.kerberos.ticket.renew.window.factor sasl.login.callback.handler.class sasl.login.class
sasl.login.connect.timeout.ms sasl.login.read.timeout.ms sasl.login.refresh.buffer.seconds
sasl.login.refresh.min.period.seconds sasl.login.refresh.window.factor
sasl.login.refresh.window.jitter sasl.login.retry.backoff.max.ms sasl.login.retry.backoff.ms
sasl.mechanism.controller.protocol sasl.mechanism.inter.broker.protocol
sasl.oauthbearer.allow.unverified.audience sasl.oauthbearer.allow.unverified.issuer
sasl.oauthbearer.assertion.algorithm sasl.oauthbearer.assertion.claim.aud
sasl.oauthbearer.assertion.claim.exp.seconds sasl.oauthbearer.assertion.claim.iss
sasl.oauthbearer.assertion.claim.jti.include sasl.oauthbearer.assertion.claim.nbf.seconds
sasl.oauthbearer.assertion.claim.sub sasl.oauthbearer.assertion.file
sasl.oauthbearer.assertion.private.key.file sasl.oauthbearer.assertion.private.key.passphrase
sasl.oauthbearer.assertion.template.file sasl.oauthbearer.client.credentials.client.id
sasl.oauthbearer.client.credentials.client.secret sasl.oauthbearer.clock.skew.seconds
sasl.oauthbearer.expected.audience sasl.oauthbearer.expected.issuer
sasl.oauthbearer.jwks.endpoint.refresh.ms sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms
sasl.oauthbearer.jwks.endpoint.retry.backoff.ms sasl.oauthbearer.jwks.endpoint.url
sasl.oauthbearer.jwt.retriever.class sasl.oauthbearer.jwt.validator.class sasl.oauthbearer.scope
sasl.oauthbearer.scope.claim.name sasl.oauthbearer.sub.claim.name
sasl.oauthbearer.token.endpoint.url sasl.server.callback.handler.class sasl.server.max.receive.size
ssl.principal.mapping.rules super.users
`},
	{"is for tiered storage, which Barnabas does not have", `
follower.fetch.last.tiered.offset.enable remote.fetch.max.wait.ms
remote.list.offsets.request.timeout.ms remote.log.index.file.cache.total.size.bytes
remote.log.index.file.cache.ttl.ms remote.log.manager.copier.thread.pool.size
remote.log.manager.copy.max.bytes.per.second remote.log.manager.copy.quota.window.num
remote.log.manager.copy.quota.window.size.seconds remote.log.manager.expiration.thread.pool.size
remote.log.manager.fetch.max.bytes.per.second remote.log.manager.fetch.quota.window.num
remote.log.manager.fetch.quota.window.size.seconds remote.log.manager.follower.thread.pool.size
remote.log.manager.task.interval.ms remote.log.manager.task.retry.backoff.max.ms
remote.log.manager.task.retry.backoff.ms remote.log.manager.task.retry.jitter
remote.log.manager.thread.pool.size remote.log.metadata.custom.metadata.max.bytes
remote.log.metadata.manager.class.name remote.log.metadata.manager.class.path
remote.log.metadata.manager.impl.prefix remote.log.metadata.manager.listener.name
remote.log.reader.max.pending.tasks remote.log.reader.threads remote.log.storage.manager.class.name
remote.log.storage.manager.class.path remote.log.storage.manager.impl.prefix
remote.log.storage.system.enable
`},
	{"is for transactions, which are not served yet", `
add.partitions.to.txn.retry.backoff.max.ms add.partitions.to.txn.retry.backoff.ms
transaction.abort.timed.out.transaction.cleanup.interval.ms transaction.max.timeout.ms
transaction.partition.verification.enable transaction.remove.expired.transaction.cleanup.interval.ms
transaction.state.log.load.buffer.size transaction.state.log.min.isr
transaction.state.log.num.partitions transaction.state.log.replication.factor
transaction.state.log.segment.bytes transaction.two.phase.commit.enable
transactional.id.expiration.ms
`},
	{"is for consumer, share or streams groups of the new protocols, which are not served yet", `
errors.deadletterqueue.auto.create.topics.enable errors.deadletterqueue.topic.name.prefix
group.consumer.assignment.interval.ms group.consumer.assignor.offload.enable
group.consumer.assignors group.consumer.heartbeat.interval.ms
group.consumer.max.assignment.interval.ms group.consumer.max.heartbeat.interval.ms
group.consumer.max.session.timeout.ms group.consumer.max.size group.consumer.migration.policy
group.consumer.min.assignment.interval.ms group.consumer.min.heartbeat.interval.ms
group.consumer.min.session.timeout.ms group.consumer.regex.refresh.interval.ms
group.consumer.session.timeout.ms group.coordinator.append.linger.ms
group.coordinator.cached.buffer.max.bytes group.coordinator.new.enable
group.coordinator.rebalance.protocols group.share.assignment.interval.ms
group.share.assignor.offload.enable group.share.assignors group.share.delivery.count.limit
group.share.dlq.manager.class.name group.share.heartbeat.interval.ms
group.share.initialize.retry.interval.ms group.share.max.assignment.interval.ms
group.share.max.delivery.count.limit group.share.max.heartbeat.interval.ms
group.share.max.partition.max.record.locks group.share.max.record.lock.duration.ms
group.share.max.session.timeout.ms group.share.max.share.sessions group.share.max.size
group.share.min.assignment.interval.ms group.share.min.delivery.count.limit
group.share.min.heartbeat.interval.ms group.share.min.partition.max.record.locks
group.share.min.record.lock.duration.ms group.share.min.session.timeout.ms
group.share.partition.max.record.locks group.share.persister.class.name
group.share.record.lock.duration.ms group.share.session.timeout.ms
group.streams.acceptable.recovery.lag group.streams.assignment.interval.ms
group.streams.assignor.offload.enable group.streams.assignors group.streams.heartbeat.interval.ms
group.streams.initial.rebalance.delay.ms group.streams.max.assignment.interval.ms
group.streams.max.heartbeat.interval.ms group.streams.max.session.timeout.ms group.streams.max.size
group.streams.max.standby.replicas group.streams.max.warmup.replicas
group.streams.min.assignment.interval.ms group.streams.min.heartbeat.interval.ms
group.streams.min.session.timeout.ms group.streams.min.task.offset.interval.ms
group.streams.num.standby.replicas group.streams.num.warmup.replicas
group.streams.rack.aware.assignment.tags group.streams.session.timeout.ms
group.streams.task.offset.interval.ms group.streams.topology.description.plugin.class
share.coordinator.append.linger.ms share.coordinator.cached.buffer.max.bytes
share.coordinator.cold.partition.snapshot.interval.ms share.coordinator.load.buffer.size
share.coordinator.snapshot.update.records.per.snapshot
share.coordinator.state.topic.compression.codec share.coordinator.state.topic.min.isr
share.coordinator.state.topic.num.partitions share.coordinator.state.topic.prune.interval.ms
share.coordinator.state.topic.replication.factor share.coordinator.state.topic.segment.bytes
share.coordinator.threads share.coordinator.write.timeout.ms
share.fetch.purgatory.purge.interval.requests
`},
	{"is for quotas, throttles or telemetry, which are not served yet", `
alter.log.dirs.replication.quota.window.num alter.log.dirs.replication.quota.window.size.seconds
client.quota.callback.class controller.quota.window.num controller.quota.window.size.seconds
quota.consumer.default
quota.producer.default quota.window.num quota.window.size.seconds
replication.quota.window.num
replication.quota.window.size.seconds telemetry.max.bytes
`},
	{"sizes a thread pool or a buffer of Kafka that Barnabas does not have", `
background.threads delete.records.purgatory.purge.interval.requests
fetch.purgatory.purge.interval.requests group.coordinator.background.threads
group.coordinator.threads 
num.io.threads num.network.threads num.replica.alter.log.dirs.threads num.replica.fetchers
producer.purgatory.purge.interval.requests
`},
	{"names a class of the Java virtual machine, or its metrics; Barnabas has none", `
alter.config.policy.class.name auto.include.jmx.reporter config.providers
create.topic.policy.class.name kafka.csv.metrics.reporter.enabled
kafka.metrics.polling.interval.secs kafka.metrics.reporters metric.reporters metrics.num.samples
metrics.recording.level metrics.sample.window.ms security.providers
ssl.engine.factory.class ssl.keymanager.algorithm ssl.provider ssl.secure.random.implementation
ssl.trustmanager.algorithm
`},
	{"is for copying between brokers and moving leaders, which Barnabas does by rules of its own", `
controlled.shutdown.max.retries controlled.shutdown.retry.backoff.ms
cordoned.log.dirs leader.imbalance.per.broker.percentage
log.dir.failure.timeout.ms replica.lag.max.messages
replica.socket.receive.buffer.bytes socket.connection.setup.timeout.max.ms
socket.connection.setup.timeout.ms unclean.leader.election.interval.ms
`},
	{"allows a renewed certificate to have other names, which is always allowed here", `
ssl.allow.dn.changes ssl.allow.san.changes
`},
	{"has gone from Kafka itself", `
log.message.downconversion.enable log.message.format.version
log.message.timestamp.difference.max.ms offsets.commit.required.acks
`},
}

// unusedSettings maps each of these names to why it has no effect; "" for those that Load reads.
var unusedSettings = sync.OnceValue(func() map[string]string {
	names := map[string]string{}
	for _, group := range unusedNames {
		for _, name := range strings.Fields(group.names) {
			names[name] = group.why
		}
	}
	for _, name := range strings.Fields(readElsewhere) {
		names[name] = ""
	}
	return names
})
