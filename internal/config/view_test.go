package config

import (
	"fmt"
	"maps"
	"math"
	"strings"
	"testing"
	"time"
)

func TestLayers(t *testing.T) {
	static := mustLoad(t, "log.retention.hours=2\nlog.retention.minutes=90\nlog.roll.jitter.hours=1\n", nil).View()
	cluster := static.WithDynamic(map[string]string{"log.retention.ms": "5000", "max.connections": "7"}, nil)
	broker := cluster.WithDynamic(map[string]string{"log.retention.ms": "5000"}, map[string]string{"log.retention.ms": "4000"})
	topic := broker.ForTopic(map[string]string{"retention.ms": "3000", "cleanup.policy": "compact, delete"})
	for _, c := range []struct {
		name string
		view *View
		want int64
	}{
		{"default", Defaults(), 7 * 24 * 3_600_000}, {"static", static, 90 * 60_000}, {"cluster", cluster, 5000},
		{"broker", broker, 4000}, {"topic", topic, 3000}, {"the topic's broker", topic.Broker(), 4000},
	} {
		if got := RetentionMs.In(c.view); got != c.want {
			t.Errorf("%s: retention.ms is %d, want %d", c.name, got, c.want)
		}
	}
	if got := SegmentJitterMs.In(static); got != 3_600_000 {
		t.Errorf("segment.jitter.ms is %d", got)
	}
	if got := CleanupPolicy.In(topic); strings.Join(got, "+") != "compact+delete" {
		t.Errorf("cleanup.policy is %v", got)
	}
	if got := MaxConnections.In(cluster); got != 7 {
		t.Errorf("max.connections is %d", got)
	}
	if got := MaxConnections.In(broker); got != 20000 {
		t.Errorf("max.connections of another view is %d", got)
	}
}

func TestInvalidDynamicValueIsPassedOver(t *testing.T) {
	v := Defaults().WithDynamic(map[string]string{"log.retention.ms": "5000"}, map[string]string{"log.retention.ms": "soon"})
	if got := RetentionMs.In(v); got != 5000 {
		t.Errorf("retention.ms is %d", got)
	}
	if got := RetentionMs.In(v.ForTopic(map[string]string{"retention.ms": "later"})); got != 5000 {
		t.Errorf("the topic's retention.ms is %d", got)
	}
}

func TestViewsAreCheap(t *testing.T) {
	v := Defaults()
	if v.ForTopic(nil) != v {
		t.Error("a topic without settings of its own has a View of its own")
	}
	topic := v.ForTopic(map[string]string{"retention.ms": "3000"})
	allocations := testing.AllocsPerRun(100, func() {
		_ = RetentionMs.In(topic)
		_ = GroupInitialRebalanceDelay.In(v)
		_ = CleanupPolicy.In(topic)
	})
	if allocations != 0 {
		t.Errorf("reading settings allocates %.0f times", allocations)
	}
}

func TestDurations(t *testing.T) {
	v := mustLoad(t, "connections.max.idle.ms=-1\nlog.retention.check.interval.ms=9223372036854775807\n", nil).View()
	if got := ConnectionsMaxIdle.In(v); got != -1 {
		t.Errorf("connections.max.idle.ms is %v", got)
	}
	if got := RetentionCheckInterval.In(v); got != 1<<63-1 {
		t.Errorf("log.retention.check.interval.ms is %v", got)
	}
	if got := OffsetsRetention.In(v); got != 7*24*time.Hour {
		t.Errorf("offsets.retention.minutes is %v", got)
	}
}

func TestAuto(t *testing.T) {
	v := Defaults()
	for replicas, want := range map[int]int{1: 1, 2: 1, 3: 2, 5: 2} {
		if got := MinISR(v, replicas); got != want {
			t.Errorf("%d replicas need %d in sync, want %d", replicas, got, want)
		}
	}
	if got := MinISR(v.ForTopic(map[string]string{"min.insync.replicas": "4"}), 3); got != 4 {
		t.Errorf("what is said is not honoured: %d", got)
	}
	for brokers, want := range map[int]int{0: 1, 1: 1, 2: 2, 3: 3, 9: 3} {
		if got := ReplicationFactor(DefaultReplicationFactor.In(v), brokers); got != want {
			t.Errorf("%d brokers make %d replicas, want %d", brokers, got, want)
		}
	}
	if _, err := MinInsyncReplicas.Parse("auto"); err == nil {
		t.Error("a topic can be given auto, which Kafka refuses")
	}
	if b := mustLoad(t, "min.insync.replicas=auto\n", nil); MinISR(b.View(), 3) != 2 {
		t.Error("a broker can't be given auto")
	}
	if b := mustLoad(t, "barnabas.data.budget.bytes=auto\n", nil); DataBudget.In(b.View()) != Auto {
		t.Error("a volume's budget can't be left to the file system")
	}
}

// show writes an entry as name=value source [synonyms].
func show(entries []Entry, name string) string {
	value := func(v *string) string {
		if v == nil {
			return "null"
		}
		return *v
	}
	for _, e := range entries {
		if e.Name != name {
			continue
		}
		s := fmt.Sprintf("%s=%s %d %v", e.Name, value(e.Value), e.Source, e.ReadOnly)
		for _, y := range e.Synonyms {
			s += fmt.Sprintf(" %s=%s:%d", y.Name, value(y.Value), y.Source)
		}
		return s
	}
	return "none"
}

func TestDescribe(t *testing.T) {
	v := mustLoad(t, "log.retention.hours=2\nbroker.id=4\nmin.insync.replicas=1\n", nil).View().
		WithDynamic(map[string]string{"log.retention.ms": "5000", "custom": "secret?"}, map[string]string{"log.retention.ms": "4000"})
	topic := v.ForTopic(map[string]string{"retention.ms": "3000", "cleanup.policy": "compact, delete"})
	for _, c := range []struct {
		entries []Entry
		want    string
	}{
		{topic.DescribeTopic(3), "retention.ms=3000 1 false retention.ms=3000:1 log.retention.ms=4000:2 log.retention.ms=5000:3 log.retention.hours=2:4 log.retention.hours=168:5"},
		{topic.DescribeTopic(3), "cleanup.policy=compact,delete 1 false cleanup.policy=compact, delete:1 log.cleanup.policy=delete:5"},
		{topic.DescribeTopic(3), "segment.ms=604800000 5 false"},
		{topic.DescribeTopic(3), "min.insync.replicas=1 4 false min.insync.replicas=1:4 min.insync.replicas=2:5"},
		{topic.DescribeTopic(3), "leader.replication.throttled.replicas= 5 false"},
		{topic.DescribeTopic(3), "min.cleanable.dirty.ratio=0.5 5 false log.cleaner.min.cleanable.ratio=0.5:5"},
		{Defaults().DescribeTopic(3), "min.insync.replicas=2 5 false min.insync.replicas=2:5"},
		{Defaults().DescribeTopic(1), "min.insync.replicas=1 5 false min.insync.replicas=1:5"},
		{v.DescribeBroker(2), "log.retention.ms=4000 2 false log.retention.ms=4000:2 log.retention.ms=5000:3 log.retention.hours=2:4 log.retention.hours=168:5"},
		{Defaults().DescribeBroker(1), "log.retention.ms=null 5 false"},
		{v.DescribeBroker(2), "log.retention.hours=2 4 true log.retention.hours=2:4 log.retention.hours=168:5"},
		{v.DescribeBroker(2), "log.retention.minutes=null 5 true"},
		{mustLoad(t, "log.retention.hours=2\n", nil).View().DescribeTopic(3), "retention.ms=7200000 5 false"},
		{v.DescribeBroker(2), "node.id=4 4 true node.id=4:4 node.id=-1:5"},
		{v.DescribeBroker(2), "broker.id=4 4 true broker.id=4:4 broker.id=-1:5"},
		{v.DescribeBroker(2), "default.replication.factor=2 5 true default.replication.factor=2:5"},
		{v.DescribeBroker(2), "advertised.listeners=null 5 true"},
		{v.DescribeClusterDefaults(), "log.retention.ms=5000 3 false log.retention.ms=5000:3"},
		{v.DescribeClusterDefaults(), "custom=null 3 true custom=null:3"},
	} {
		name, _, _ := strings.Cut(c.want, "=")
		if got := show(c.entries, name); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
	if got := show(v.DescribeTopic(1), "internal.segment.bytes"); got != "none" {
		t.Errorf("an internal setting shows: %s", got)
	}
}

func TestNearest(t *testing.T) {
	for name, want := range map[string]string{
		"num.partitons": "num.partitions", "log.retention.hour": "log.retention.hours", "lsiteners": "listeners",
		"ssl.keystore.loction": "ssl.keystore.location", "something.else.entirely": "", "x": "",
	} {
		if got := nearest(name); got != want {
			t.Errorf("nearest to %s is %q, want %q", name, got, want)
		}
	}
}

func TestProperties(t *testing.T) {
	settings, problems := readProperties("f", []byte("\ufeff# c\r\n! c\r\na=1\r\n  b : two words \n\nc = x\\\n   y\\\\\nd\n"+
		"e=${a}\nf=\\u91ce\ng=野猪\na=2\nh=\\u12\n#=\\\nlast=1\\"))
	got := ""
	for _, s := range settings {
		got += fmt.Sprintf("%s %s=%s\n", s.where, s.name, s.value)
	}
	want := `f:3 a=1
f:4 b=two words
f:6 c=xy\
f:8 d=
f:9 e=${a}
f:10 f=野
f:11 g=野猪
f:12 a=2
f:15 last=1
`
	if got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	if len(problems) != 1 || problems[0].Where != "f:13" {
		t.Errorf("problems: %v", problems)
	}
	latin, _ := readProperties("f", []byte("a=caf\xe9\n"))
	if len(latin) != 1 || latin[0].value != "café" {
		t.Errorf("latin: %v", latin)
	}
}

func FuzzProperties(f *testing.F) {
	f.Add([]byte("a=1\nb:2\\\n 3\n# c\n"))
	f.Add([]byte("listeners=PLAINTEXT://:9092\r\n\\u0041=\\t\n=\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		settings, problems := readProperties("f", data)
		if most := strings.Count(strings.ReplaceAll(string(data), "\r", "\n"), "\n") + 1; len(settings)+len(problems) > most {
			t.Errorf("%d settings and %d problems in %d lines", len(settings), len(problems), most)
		}
		for _, s := range settings {
			if s.name == "" || s.where == "" {
				t.Errorf("a setting without a name or a place: %+v", s)
			}
		}
	})
}

// FuzzEnvironment gives one variable of any name and value: it must never panic, and never run anything.
func FuzzEnvironment(f *testing.F) {
	for _, s := range []string{"KAFKA_LISTENERS=PLAINTEXT://:9092", "KAFKA_CREATE_TOPICS=a:1:1", "KAFKA_ZOOKEEPER_CONNECT=etcd://a/b",
		"KAFKA_ADVERTISED_PORT=1", "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP=A:PLAINTEXT", "KAFKA_PORT=tcp://1", "KAFKA_HTTP_LISTENER=none",
		"ZOO_SERVERS=server.1=a:1:2;3", "KAFKA_MAX_CONNECTIONS_PER_IP_OVERRIDES=a:1", "KAFKA___=1", "KAFKA_CREATE_TOPICS_SEPARATOR=$'\\n'"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, variable string) {
		s := Sources{Env: []string{variable, "KAFKA_PROTOCOL_NAME=X"},
			Run:      func(string) (string, error) { return "out", nil },
			Hostname: func() (string, error) { return "h", nil }}
		b, _, err := Load(s)
		if err == nil && len(b.Listeners) == 0 {
			t.Error("a broker without a listener")
		}
		if k, _, err := LoadKeeper(s); err == nil && k.ID == 0 {
			t.Error("a keeper without a number")
		}
	})
}

func FuzzCreateTopics(f *testing.F) {
	f.Add("mytopic:2:1")
	f.Add("a:1:1:compact,b::,c")
	f.Fuzz(func(t *testing.T, value string) {
		topics, err := parseTopics(value)
		if err != nil {
			return
		}
		names := map[string]bool{}
		for _, topic := range topics {
			if topic.Partitions == 0 || topic.Replicas == 0 || topic.Name == "" {
				t.Errorf("%q: %+v", value, topic)
			}
			names[topic.Name] = true
		}
		if len(maps.Collect(maps.All(names))) != len(topics) {
			t.Errorf("%q: a topic twice", value)
		}
	})
}

func TestDescribeUnlistedSettings(t *testing.T) {
	view := Defaults().WithDynamic(
		map[string]string{"plugin.setting": "1", "num.io.threads": "3"},
		map[string]string{
			"listener.name.internal.ssl.keystore.location": "/k", "listener.name.internal.ssl.key.password": "secret",
			"num.io.threads": "4",
		})
	got := map[string]string{}
	for _, e := range view.DescribeBroker(1) {
		if server[e.Name] != nil {
			continue
		}
		value := "null"
		if e.Value != nil {
			value = *e.Value
		}
		got[e.Name] = fmt.Sprintf("%s %d %t %d", value, e.Source, e.ReadOnly, len(e.Synonyms))
	}
	want := map[string]string{
		"plugin.setting": "null 3 true 1",
		"num.io.threads": "4 2 false 2",
		"listener.name.internal.ssl.keystore.location": "/k 2 false 1",
		"listener.name.internal.ssl.key.password":      "null 2 false 1",
	}
	if !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// What Java prints of such numbers (17, Double.toString).
func TestNumbersOfMessages(t *testing.T) {
	for value, want := range map[any]string{
		int64(7): "7", 1.5: "1.5", -2.0: "-2.0", 0.0: "0.0", 1048576.0: "1048576.0", 1e7: "1.0E7", 12345678.5: "1.23456785E7", 0.001: "0.001",
		0.00012: "1.2E-4", 1e300: "1.0E300", math.Inf(1): "Infinity", math.Inf(-1): "-Infinity",
	} {
		if got := javaNumber(value); got != want {
			t.Errorf("%v is printed as %s, want %s", value, got, want)
		}
	}
}
