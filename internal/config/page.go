package config

import (
	"fmt"
	"strings"
)

// Page is the reference page of all settings, in Markdown: docs/configuration.md, which a test keeps current.
func Page() string {
	var b strings.Builder
	b.WriteString(pageHead)
	b.WriteString("\n## Settings of a broker\n\n")
	b.WriteString("| name | type | default | valid | update | what it does |\n|---|---|---|---|---|---|\n")
	for _, name := range sortedKeys(server) {
		if d := server[name]; d.Name == name {
			writeRow(&b, d)
		}
	}
	b.WriteString("\n## Settings of a topic\n\n")
	b.WriteString("A topic that does not have one of these uses the broker's setting in the last column, best name first.\n\n")
	b.WriteString("| name | type | default | valid | what it does | the broker's |\n|---|---|---|---|---|---|\n")
	for _, name := range sortedKeys(topics) {
		writeTopicRow(&b, topics[name])
	}
	b.WriteString("\n## Settings of Kafka without a meaning here\n\n")
	b.WriteString("A configuration may have them; the broker names each once when it starts. `authorizer.class.name` is refused, because nobody would be kept out.\n\n")
	for _, group := range unusedNames {
		fmt.Fprintf(&b, "- What %s: `%s`.\n", group.why, strings.Join(strings.Fields(group.names), "`, `"))
	}
	return b.String()
}

func writeRow(b *strings.Builder, d *Def) {
	fmt.Fprintf(b, "| `%s` | %s | %s | %s | %s | %s |\n",
		d.Name, d.Kind, d.pageDefault(), code(d.check.valid), d.Update, d.pageDoc())
}

func writeTopicRow(b *strings.Builder, d *Def) {
	names := make([]string, len(d.Family))
	for i, s := range d.Family {
		names[i] = "`" + s.Name + "`"
	}
	fmt.Fprintf(b, "| `%s` | %s | %s | %s | %s | %s |\n",
		d.Name, d.Kind, d.pageDefault(), code(d.check.valid), d.pageDoc(), strings.Join(names, ", "))
}

func (d *Def) pageDefault() string {
	switch {
	case d.Null:
		return "null"
	case d.Default == "":
		return "empty"
	}
	return code(d.Default)
}

func (d *Def) pageDoc() string {
	doc := strings.ReplaceAll(d.Doc, "|", `\|`)
	if d.Why != "" {
		doc += fmt.Sprintf(" (Kafka's default is `%s`. %s)", d.Kafka, d.Why)
	}
	if len(d.Aliases) > 0 {
		doc += " Also called `" + strings.Join(d.Aliases, "`, `") + "`."
	}
	return doc
}

func code(s string) string {
	if s == "" {
		return ""
	}
	return "`" + s + "`"
}

const pageHead = `# Configuration

This page is written from the table of settings in ` + "`internal/config`" + `; do not edit it: ` + "`go test ./internal/config -update`" + ` writes it anew.

## Where settings come from

A later source wins over an earlier one:

1. the defaults below;
2. a properties file, as Kafka's ` + "`server.properties`" + `: nothing in it is expanded; it is UTF-8, or else ISO 8859-1;
3. the environment;
4. ` + "`--override name=value`" + ` on the command line;
5. dynamic settings, which ` + "`kafka-configs`" + ` stores in the cluster's metadata: for all brokers, then for one broker, then for a topic.

All mistakes in the first four are reported together, each with its file and line or its variable. A setting of Kafka
that has no meaning here is named once, with the reason. A name that nobody knows is named with the nearest real one. With nothing
configured the broker listens on 127.0.0.1:9092, keeps its data in ` + "`data`" + ` of the working directory, and runs its own keeper.

## The environment

The variables of the common images are read as these images read them:

| variable | meaning |
|---|---|
| ` + "`KAFKA_LOG_DIRS`, `KAFKA_CFG_LOG_DIRS`" + ` | ` + "`log.dirs`" + `: a dot for an underscore, an underscore for two, a dash for three |
| ` + "`KAFKA_ADVERTISED_HOST_NAME`, `KAFKA_ADVERTISED_PORT`" + ` | what the first listener advertises where ` + "`KAFKA_ADVERTISED_LISTENERS`" + ` is not given |
| ` + "`KAFKA_HOST_NAME`, `KAFKA_PORT`" + ` | where the broker listens, where ` + "`KAFKA_LISTENERS`" + ` is not given |
| ` + "`KAFKA_PROTOCOL_NAME`, `KAFKA_ADVERTISED_PROTOCOL_NAME`" + ` | two listeners, one at each of these addresses, where ` + "`KAFKA_LISTENER_SECURITY_PROTOCOL_MAP`" + ` is given |
| ` + "`KAFKA_ADVERTISED_LISTENERS`" + ` alone | the broker listens on the same ports, on every address |
| ` + "`KAFKA_CREATE_TOPICS`" + ` | topics to create: ` + "`name:partitions:replicas[:cleanup.policy]`" + `, separated by commas or by ` + "`KAFKA_CREATE_TOPICS_SEPARATOR`" + ` |
| ` + "`HOSTNAME_COMMAND`, `PORT_COMMAND`, `BROKER_ID_COMMAND`, `RACK_COMMAND`" + ` | commands whose output is the advertised host name, the port, the broker's number, its rack; ` + "`_{HOSTNAME_COMMAND}` and `_{PORT_COMMAND}`" + ` in any value stand for the first two |
| ` + "`KAFKA_ZOOKEEPER_CONNECT`" + ` | the keepers |
| ` + "`CLUSTER_ID`, `KAFKA_KRAFT_CLUSTER_ID`" + ` | ` + "`cluster.id`" + ` |
| ` + "`KAFKA_HEAP_OPTS`, `KAFKA_JMX_PORT`, `KAFKA_LOG4J_LOGGERS`" + ` … | named once, and without effect |
| ` + "`KAFKA_PORT=tcp://10.0.0.1:9092`, `KAFKA_SERVICE_1_SERVICE_HOST`" + ` … | set by Kubernetes for each Service, and left alone |

An empty variable is one that is not there.

A keeper reads ` + "`ZOO_MY_ID`, `ZOO_SERVERS`, `ZOO_DATA_DIR`, `ZOO_TICK_TIME`, `ZOO_MAX_CLIENT_CNXNS`, `ZOO_4LW_COMMANDS_WHITELIST`, `ZOO_CFG_EXTRA`" + `, or a
` + "`zoo.cfg`" + `; and ` + "`ZOO_HTTP_LISTENER`" + `.
`
