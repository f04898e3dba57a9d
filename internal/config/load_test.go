package config

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// load loads what a test gives, on a machine called "pod-1".
func load(t *testing.T, properties string, env []string, overrides ...string) (*Broker, []Notice, error) {
	t.Helper()
	s := Sources{Env: env, Overrides: overrides, Hostname: func() (string, error) { return "pod-1", nil }}
	if properties != "" {
		s.File = filepath.Join(t.TempDir(), "server.properties")
		if err := os.WriteFile(s.File, []byte(properties), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b, notices, err := Load(s)
	if err != nil && s.File != "" {
		err = errors.New(strings.ReplaceAll(err.Error(), s.File, "server.properties"))
	}
	return b, notices, err
}

func mustLoad(t *testing.T, properties string, env []string, overrides ...string) *Broker {
	t.Helper()
	b, _, err := load(t, properties, env, overrides...)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestNothingConfigured(t *testing.T) {
	b := mustLoad(t, "", nil)
	want := []Listener{{Name: "PLAINTEXT", Host: "127.0.0.1", Port: 9092,
		AdvertisedHost: "127.0.0.1", AdvertisedPort: 9092, Protocol: "PLAINTEXT"}}
	if !reflect.DeepEqual(b.Listeners, want) {
		t.Errorf("listeners are %+v", b.Listeners)
	}
	if b.NodeID != -1 || b.HTTP != "127.0.0.1:8080" || !b.HTTPByDefault || !reflect.DeepEqual(b.LogDirs, []string{"data"}) ||
		len(b.Keepers.Servers) != 0 || b.InterBroker != "PLAINTEXT" || len(b.Topics) != 0 {
		t.Errorf("got %+v", b)
	}
}

func TestLaterSourcesWin(t *testing.T) {
	file := "num.partitions=2\nlog.retention.hours=1\nbroker.rack=a\n"
	env := []string{"KAFKA_NUM_PARTITIONS=3", "KAFKA_BROKER_RACK="}
	b := mustLoad(t, file, env, "num.partitions=4")
	if n := NumPartitions.In(b.View()); n != 4 {
		t.Errorf("num.partitions is %d", n)
	}
	if b.Rack != "a" {
		t.Errorf("an empty variable changed the rack to %q", b.Rack)
	}
	if n := NumPartitions.In(mustLoad(t, file, env).View()); n != 3 {
		t.Errorf("num.partitions of the environment is %d", n)
	}
	if n := RetentionMs.In(b.View()); n != 3_600_000 {
		t.Errorf("retention.ms is %d", n)
	}
}

func TestAllMistakesTogether(t *testing.T) {
	_, _, err := load(t, `# a comment
num.partitions=many
log.dirs = /a, \
   /a
listeners=PLAINTEXT://0.0.0.0:9092,SASL_SSL://:9093

advertised.listeners=PLAINTEXT://0.0.0.0:9092
authorizer.class.name=org.example.Authorizer
`, []string{"KAFKA_LOG_CLEANUP_POLICY=shred", "KAFKA_CREATE_TOPICS=a:b:c"}, "min.insync.replicas=0",
		"log.cleaner.dedupe.buffer.size=1048576", "nonsense")
	if err == nil {
		t.Fatal("no error")
	}
	want := []string{
		"server.properties:2: Invalid value many for configuration num.partitions: Not a number of type INT",
		"server.properties:3: log.dirs: /a is there twice",
		"server.properties:5: listeners: listener SASL_SSL wants SASL_SSL, and only PLAINTEXT and SSL are served yet: SASL comes in a later release",
		"server.properties:7: advertised.listeners: PLAINTEXT advertises 0.0.0.0, which no client can dial: give the address that clients use",
		"server.properties:8: authorizer.class.name: access control is not served yet, and this broker would let everyone in",
		`KAFKA_CREATE_TOPICS: barnabas.create.topics: "a:b:c": b is not a number of partitions`,
		"KAFKA_LOG_CLEANUP_POLICY: Invalid value shred for configuration log.cleanup.policy: String must be one of: compact, delete",
		"--override log.cleaner.dedupe.buffer.size: must be more than 1048576 for each of log.cleaner.threads",
		"--override min.insync.replicas: Invalid value 0 for configuration min.insync.replicas: Value must be at least 1",
		"--override nonsense: want name=value",
	}
	if got := strings.Split(err.Error(), "\n"); !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestNotices(t *testing.T) {
	_, notices, err := load(t, `num.network.threads=3
listener.name.internal.ssl.principal.mapping.rules=/x
num.partitons=3
retention.ms=5
brand.new.thing=1
confluent.license=x
`, []string{"KAFKA_HEAP_OPTS=-Xmx1g", "KAFKA_HOME=/opt/kafka", "KAFKA_LOG_RETENTION_HUORS=3", "KAFKA_PORT=tcp://10.0.0.1:9092",
		"KAFKA_SERVICE_1_SERVICE_HOST=10.0.0.1", "KAFKA_SERVICE_1_PORT_9092_TCP_ADDR=10.0.0.1"})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, n := range notices {
		got = append(got, filepath.Base(n.String()))
		if nobodys := strings.Contains(n.Message, "is not a setting"); n.Known == nobodys {
			t.Errorf("%s: known is %v", n.Name, n.Known)
		}
	}
	want := []string{
		"KAFKA_HEAP_OPTS is for a Java virtual machine; Barnabas has none",
		"server.properties:5: brand.new.thing is not a setting of Kafka or of Barnabas",
		"server.properties:6: confluent.license is of another vendor's Kafka",
		"server.properties:2: listener.name.internal.ssl.principal.mapping.rules is for SASL or access control, which are not served yet",
		"KAFKA_LOG_RETENTION_HUORS: log.retention.huors is not a setting; did you mean log.retention.hours?",
		"server.properties:1: num.network.threads sizes a thread pool or a buffer of Kafka that Barnabas does not have",
		"server.properties:3: num.partitons is not a setting; did you mean num.partitions?",
		"server.properties:4: retention.ms is not a setting; did you mean log.retention.ms?",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestListeners(t *testing.T) {
	for _, c := range []struct{ name, file, want string }{
		{"every address advertises the machine's name", "listeners=PLAINTEXT://0.0.0.0:9092",
			"PLAINTEXT 0.0.0.0:9092 pod-1:9092"},
		{"an empty host is every address", "listeners=PLAINTEXT://:9092", "PLAINTEXT :9092 pod-1:9092"},
		{"one address advertises itself", "listeners=PLAINTEXT://10.1.2.3:9092", "PLAINTEXT 10.1.2.3:9092 10.1.2.3:9092"},
		{"IPv6", "listeners=PLAINTEXT://[::1]:9092", "PLAINTEXT ::1:9092 ::1:9092"},
		{"IPv6 every address", "listeners=PLAINTEXT://[::]:9092", "PLAINTEXT :::9092 pod-1:9092"},
		{"advertised without a host", "listeners=PLAINTEXT://:9092\nadvertised.listeners=PLAINTEXT://:30901", "PLAINTEXT :9092 pod-1:30901"},
		{"advertised alone", "advertised.listeners=PLAINTEXT://kafka:9092", "PLAINTEXT :9092 kafka:9092"},
		{"two, one of them advertised", "listeners=A://:9092,B://127.0.0.1:9093\nadvertised.listeners=A://x:1\n" +
			"listener.security.protocol.map=A:PLAINTEXT,b:plaintext\ninter.broker.listener.name=B",
			"A :9092 x:1; B 127.0.0.1:9093 127.0.0.1:9093"},
		{"old host and port", "host.name=10.0.0.9\nport=9999", "PLAINTEXT 10.0.0.9:9999 10.0.0.9:9999"},
		{"old advertised host", "advertised.host.name=outside", "PLAINTEXT :9092 outside:9092"},
		{"old advertised port", "listeners=PLAINTEXT://10.0.0.9:9092\nadvertised.port=1234", "PLAINTEXT 10.0.0.9:9092 10.0.0.9:1234"},
		{"a controller's listener is left out", "process.roles=broker,controller\ncontroller.quorum.voters=1@localhost:9093\n" +
			"listeners=PLAINTEXT://:9092,CONTROLLER://:9093\ncontroller.listener.names=CONTROLLER", "PLAINTEXT :9092 pod-1:9092"},

		{"no port", "listeners=PLAINTEXT://a", `! server.properties:1: listeners: "PLAINTEXT://a": missing port in address`},
		{"a port too large", "listeners=PLAINTEXT://a:65536", `! server.properties:1: listeners: "PLAINTEXT://a:65536": 65536 is not a port`},
		{"no protocol", "listeners=A://:1", "! listener.security.protocol.map: no security protocol for listener A: add A:PLAINTEXT or A:SSL"},
		{"one port twice", "listeners=PLAINTEXT://:1,B://:1\nlistener.security.protocol.map=B:PLAINTEXT,PLAINTEXT:PLAINTEXT",
			"! server.properties:1: listeners: PLAINTEXT and B have one port, 1"},
		{"one name twice", "listeners=PLAINTEXT://:1,PLAINTEXT://:2", "! server.properties:1: listeners: two listeners are called PLAINTEXT"},
		{"advertised and not there", "listeners=PLAINTEXT://:1\nadvertised.listeners=PLAINTEXT://h:1,B://h:2",
			"! server.properties:2: advertised.listeners: B is advertised, and listeners has no B"},
		{"a listener for brokers that is not there", "inter.broker.listener.name=B", "! server.properties:1: inter.broker.listener.name: there is no listener B"},
		{"a controller alone", "process.roles=controller", "! server.properties:1: has no broker in it: a controller alone is a keeper here, run `barnabas keeper`"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, _, err := load(t, c.file, nil)
			var got string
			if err != nil {
				got = "! " + err.Error()
			} else {
				got = strings.Join(listenerLines(b), "; ")
			}
			if got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func listenerLines(b *Broker) []string {
	var list []string
	for _, l := range b.Listeners {
		list = append(list, l.Name+" "+l.Host+":"+itoa(l.Port)+" "+l.AdvertisedHost+":"+itoa(l.AdvertisedPort))
	}
	return list
}

func TestKeepers(t *testing.T) {
	for _, c := range []struct {
		address string
		want    Keepers
		wrong   bool
	}{
		{address: ""},
		{address: "zoo1:2181,zoo2:2181,zoo3:2181", want: Keepers{Servers: []string{"zoo1:2181", "zoo2:2181", "zoo3:2181"}}},
		{address: "zoo1, zoo2:99/kafka/", want: Keepers{Servers: []string{"zoo1:2181", "zoo2:99"}, Chroot: "/kafka"}},
		{address: "etcd://e1:2379,e2/x", want: Keepers{Servers: []string{"e1:2379", "e2:2379"}, Chroot: "/x", Etcd: true}},
		{address: "etcd://me:p%40ss@e1,e2", want: Keepers{
			Servers: []string{"e1:2379", "e2:2379"}, Etcd: true, User: "me", Password: "p@ss"}},
		{address: "etcd://me@e1", want: Keepers{Servers: []string{"e1:2379"}, Etcd: true, User: "me"}},
		{address: "etcd://:secret@e1", wrong: true},
		{address: "etcd://me:%zz@e1", wrong: true},
		{address: "me:secret@zoo1", wrong: true},
		{address: "[::1],[::2]:5", want: Keepers{Servers: []string{"[::1]:2181", "[::2]:5"}}},
		{address: "zoo1/kafka,zoo2/kafka", wrong: true},
		{address: "zoo1:2181:3", wrong: true},
		{address: ":2181", wrong: true},
		{address: "http://zoo1", wrong: true},
		{address: "/kafka", wrong: true},
		{address: "zoo1,,zoo2", wrong: true},
	} {
		got, err := ParseKeepers(c.address)
		if (err != nil) != c.wrong || err == nil && !reflect.DeepEqual(got, c.want) {
			t.Errorf("%q: got %+v, %v", c.address, got, err)
		}
	}
}

func TestKeepersSecrets(t *testing.T) {
	b := mustLoad(t, "zookeeper.connect=etcd://me:secret@e1\nkeeper.password=other\nkeeper.tls.ca=/ca.pem\n", nil)
	want := Keepers{
		Servers: []string{"e1:2379"}, Etcd: true, User: "me", Password: "other", TLS: &KeeperTLSFiles{CA: "/ca.pem"},
	}
	if !reflect.DeepEqual(b.Keepers, want) {
		t.Errorf("got %+v", b.Keepers)
	}
	entries := b.View().DescribeBroker(1)
	for name, want := range map[string]string{
		"zookeeper.connect": "zookeeper.connect=etcd://me:[hidden]@e1 4 true zookeeper.connect=etcd://me:[hidden]@e1:4",
		"keeper.password":   "keeper.password=null 4 true keeper.password=null:4",
	} {
		if got := show(entries, name); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	if _, _, err := Load(Sources{Overrides: []string{"keeper.tls.key=/key.pem"}}); err == nil {
		t.Error("a key without a certificate is taken")
	}
}
