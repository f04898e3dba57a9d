package config

import (
	"slices"
	"strings"
	"sync"
)

// Of Kafka's settings that have no row here, those that Kafka lets change while it runs. Tools set
// them, so they are kept although most do nothing. Three do: leader.replication.throttled.rate,
// follower.replication.throttled.rate and replica.alter.log.dirs.io.max.bytes.per.second, which in Kafka
// too no file has (internal/broker/throttle.go).

const dynamicInKafka = `
background.threads config.providers cordoned.log.dirs errors.deadletterqueue.auto.create.topics.enable
errors.deadletterqueue.topic.name.prefix follower.fetch.last.tiered.offset.enable
follower.replication.throttled.rate group.consumer.assignment.interval.ms
group.consumer.assignor.offload.enable group.coordinator.cached.buffer.max.bytes
group.share.assignment.interval.ms group.share.assignor.offload.enable
group.streams.assignment.interval.ms group.streams.assignor.offload.enable
leader.replication.throttled.rate 
metric.reporters num.io.threads num.network.threads num.replica.fetchers principal.builder.class
remote.fetch.max.wait.ms remote.list.offsets.request.timeout.ms
remote.log.index.file.cache.total.size.bytes remote.log.manager.copier.thread.pool.size
remote.log.manager.copy.max.bytes.per.second remote.log.manager.expiration.thread.pool.size
remote.log.manager.fetch.max.bytes.per.second remote.log.manager.follower.thread.pool.size
remote.log.reader.threads replica.alter.log.dirs.io.max.bytes.per.second sasl.enabled.mechanisms
sasl.jaas.config sasl.kerberos.kinit.cmd sasl.kerberos.min.time.before.relogin
sasl.kerberos.principal.to.local.rules sasl.kerberos.service.name sasl.kerberos.ticket.renew.jitter
sasl.kerberos.ticket.renew.window.factor sasl.login.refresh.buffer.seconds
sasl.login.refresh.min.period.seconds sasl.login.refresh.window.factor
sasl.login.refresh.window.jitter sasl.mechanism.inter.broker.protocol
share.coordinator.cached.buffer.max.bytes ssl.cipher.suites ssl.client.auth ssl.enabled.protocols
ssl.endpoint.identification.algorithm ssl.engine.factory.class ssl.key.password
ssl.keymanager.algorithm ssl.keystore.certificate.chain ssl.keystore.key ssl.keystore.location
ssl.keystore.password ssl.keystore.type ssl.protocol ssl.provider ssl.secure.random.implementation
ssl.trustmanager.algorithm ssl.truststore.certificates ssl.truststore.location
ssl.truststore.password ssl.truststore.type transaction.partition.verification.enable`

const listenerSecurityInKafka = `
ssl.key.password ssl.keystore.certificate.chain ssl.keystore.key ssl.keystore.location
ssl.keystore.password ssl.keystore.type ssl.truststore.certificates ssl.truststore.location
ssl.truststore.password ssl.truststore.type`

const secretInKafka = `
sasl.jaas.config ssl.key.password ssl.keystore.certificate.chain ssl.keystore.key ssl.keystore.password
ssl.truststore.certificates ssl.truststore.password`

var dynamicNames = sync.OnceValue(func() map[string]bool {
	names := map[string]bool{}
	for _, name := range strings.Fields(dynamicInKafka) {
		names[name] = true
	}
	return names
})

// fixedInKafka reports whether a name without a row is a setting of Kafka 4.4 that needs a restart there. Names
// that only older versions had are nobody's, and allowed like those of plug-ins.
func fixedInKafka(name string) bool {
	why, real := unusedSettings()[name]
	return real && why != "" && !dynamicNames()[name] &&
		!strings.HasPrefix(name, "zookeeper.")
}

func listenerSecurity(name string) bool {
	return slices.Contains(strings.Fields(listenerSecurityInKafka), name)
}

// dynamicPerBroker reports whether Kafka changes a setting without a row for one broker only.
func dynamicPerBroker(name string) bool {
	return dynamicNames()[name] && (strings.HasPrefix(name, "ssl.") || strings.HasPrefix(name, "sasl.") ||
		name == "cordoned.log.dirs" || name == "principal.builder.class")
}

// dynamicUnlisted reports whether Kafka lets a setting without a row change while it runs.
func dynamicUnlisted(name string) bool {
	return dynamicNames()[listenerPrefix().ReplaceAllString(name, "")]
}

// Secret reports whether the value of a broker's setting must not be shown.
func Secret(name string) bool {
	if d := server[name]; d != nil {
		return d.Sensitive()
	}
	return sensitiveUnlisted(name)
}

// sensitiveUnlisted reports whether the value of a setting without a row must not be shown: Kafka
// shows neither secrets nor what it doesn't know.
func sensitiveUnlisted(name string) bool {
	base := listenerPrefix().ReplaceAllString(name, "")
	_, real := unusedSettings()[base]
	real = real || server[base] != nil
	return !real && !dynamicNames()[base] || slices.Contains(strings.Fields(secretInKafka), base)
}
