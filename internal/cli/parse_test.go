package cli

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestParseAddConfig(t *testing.T) {
	for text, want := range map[string]map[string]string{
		"a=1":                                 {"a": "1"},
		"a=1,b=2":                             {"a": "1", "b": "2"},
		" a = 1 , b = 2 ":                     {"a": "1", "b": "2"},
		"cleanup.policy=[compact,delete],a=1": {"cleanup.policy": "compact,delete", "a": "1"},
		"a=[x=1,y=2],b=3":                     {"a": "x=1,y=2", "b": "3"},
		"a=":                                  {"a": ""},
	} {
		got, err := parseAddConfig(text)
		if err != nil || !maps.Equal(got, want) {
			t.Errorf("%s: %v, %v, want %v", text, got, err, want)
		}
	}
	for _, bad := range []string{"a", "a=1,b", "a=1=2", "a!=1"} {
		if got, err := parseAddConfig(bad); err == nil {
			t.Errorf("%s was taken as %v", bad, got)
		}
	}
}

func TestParseAssignment(t *testing.T) {
	got, err := parseAssignment("1:2, 2:3,3:1")
	if want := [][]int32{{1, 2}, {2, 3}, {3, 1}}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v, %v", got, err)
	}
	for text, want := range map[string]string{
		"1:1":   "Partition replica lists may not contain duplicate entries: 1",
		"1:2,3": "Partition 1 has different replication factor: [3]",
		"x":     `For input string: "x"`,
	} {
		if _, err := parseAssignment(text); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

func TestIncludeList(t *testing.T) {
	for _, c := range []struct {
		list, topics string
	}{
		{"a", "a"}, {"a,b.*", "a b bb"}, {`"a.c"`, "abc a.c"}, {`a\.c`, "a.c"}, {"x", ""},
	} {
		pattern, err := includeList(c.list)
		if err != nil {
			t.Fatal(err)
		}
		var matched []string
		for _, topic := range []string{"a", "b", "bb", "abc", "a.c", "aab"} {
			if pattern.MatchString(topic) {
				matched = append(matched, topic)
			}
		}
		if got := strings.Join(matched, " "); got != c.topics {
			t.Errorf("%s matches %q, want %q", c.list, got, c.topics)
		}
	}
	if _, err := includeList("("); err == nil {
		t.Error("a broken expression was taken")
	}
}

func TestParseDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"P1D": 24 * time.Hour, "PT1H": time.Hour, "PT2M3.5S": 2*time.Minute + 3500*time.Millisecond,
		"P1DT1H": 25 * time.Hour, "-PT1S": -time.Second, "pt1s": time.Second, "PT-5S": -5 * time.Second,
	} {
		if got, err := parseDuration(text); err != nil || got != want {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for _, bad := range []string{"", "P", "PT", "P1DT", "1H", "PT1X", "PT1.5H"} {
		if got, err := parseDuration(bad); err == nil {
			t.Errorf("%q was taken as %v", bad, got)
		}
	}
}

func TestResetPlanReadsWhatItWrites(t *testing.T) {
	plan := resetPlan{"g": {{"a", 0}: 1, {"a", 1}: 2, {`b"c,d`, 0}: 3}}
	for _, single := range []bool{true, false} {
		group := ""
		if single {
			group = "g"
		}
		got, err := readPlan(strings.NewReader(plan.csv(single)), group)
		if err != nil || !reflect.DeepEqual(got, plan) {
			t.Errorf("single %t: %v, %v", single, got, err)
		}
	}
	if got := (resetPlan{"g": {{"a", 0}: 1}}).csv(true); got != "a,0,1\n" {
		t.Errorf("%q", got)
	}
}

func TestPartitionRules(t *testing.T) {
	for _, c := range []struct{ spec, allowed string }{
		{"a", "a-0 a-1 a-2 a-3"}, {"a:1", "a-1"}, {"a:1-3", "a-1 a-2"}, {"a:2-", "a-2 a-3"}, {"a:-2", "a-0 a-1"},
		{":3", "a-3 b-3"}, {".*:0", "a-0 b-0"},
	} {
		rule, err := parsePartitionRule(c.spec)
		if err != nil {
			t.Fatal(err)
		}
		var allowed []string
		for _, topic := range []string{"a", "b"} {
			for p := range int32(4) {
				if rule.allows(topic, p) {
					allowed = append(allowed, fmt.Sprintf("%s-%d", topic, p))
				}
			}
		}
		if got := strings.Join(allowed, " "); got != c.allowed {
			t.Errorf("%s allows %q, want %q", c.spec, got, c.allowed)
		}
	}
	if _, err := parsePartitionRule("a:b"); err == nil {
		t.Error("a:b was taken")
	}
}

func TestParseDeletions(t *testing.T) {
	got, err := parseDeletions([]byte(`{"partitions":[{"topic":"a","partition":1,"offset":-1}],"version":1}`))
	if err != nil || !maps.Equal(got, partitionOffsets{{"a", 1}: -1}) {
		t.Errorf("%v, %v", got, err)
	}
	for text, want := range map[string]string{
		`{`: "The input string is not a valid JSON", `{}`: "Missing partitions field",
		`{"version":2,"partitions":[]}`:                "Not supported version field value 2",
		`{"partitions":[{"topic":"a","partition":1}]}`: "Every partition needs",
		`{"partitions":[{"topic":"a","partition":1,"offset":1},{"topic":"a","partition":1,"offset":2}]}`: "contains duplicate topic partitions: a-1",
	} {
		if _, err := parseDeletions([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

func TestReleaseLevels(t *testing.T) {
	for version, want := range map[string]string{
		"3.3-IV3": "map[eligible.leader.replicas.version:0 group.version:0 kraft.version:0 metadata.version:7 share.version:0 streams.version:0 transaction.version:0]",
		"4.0":     "map[eligible.leader.replicas.version:0 group.version:1 kraft.version:1 metadata.version:25 share.version:0 streams.version:0 transaction.version:2]",
		"4.3-IV0": "map[eligible.leader.replicas.version:1 group.version:1 kraft.version:1 metadata.version:30 share.version:1 streams.version:1 transaction.version:2]",
		"4.4":     "map[eligible.leader.replicas.version:1 group.version:1 kraft.version:1 metadata.version:33 share.version:2 streams.version:1 transaction.version:2]",
	} {
		levels, err := releaseLevels(version)
		if got := fmt.Sprint(levels); err != nil || got != want {
			t.Errorf("%s: %s, %v\nwant %s", version, got, err, want)
		}
	}
	if _, err := releaseLevels("9.9"); err == nil {
		t.Error("9.9 was taken")
	}
}

func TestExceptionNames(t *testing.T) {
	for code, want := range map[int16]string{
		3: "UnknownTopicOrPartitionException", 36: "TopicExistsException", 68: "GroupNotEmptyException",
		69: "GroupIdNotFoundException", 40: "InvalidConfigurationException", -1: "UnknownServerException",
		17: "InvalidTopicException", 37: "InvalidPartitionsException", 7: "TimeoutException", 102: "BrokerIdNotRegisteredException",
	} {
		if got := exceptionName(code); got != want {
			t.Errorf("%d: %s, want %s", code, got, want)
		}
	}
}

func TestClientProperties(t *testing.T) {
	path := filepath.Join(t.TempDir(), "client.properties")
	text := "# a comment\nsecurity.protocol=SASL_PLAINTEXT\nsasl.mechanism=SCRAM-SHA-256\n" +
		"sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required \\\n" +
		"  username=\"u\" password=\"p\\\\\"w\";\nacks=1\nfoo.bar=${x}\nlinger.ms : 5\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	props, err := loadProperties(path)
	if err != nil {
		t.Fatal(err)
	}
	opts, unknown, err := props.options()
	if err != nil || len(opts) == 0 {
		t.Fatal(err)
	}
	if !slices.Equal(unknown, []string{"foo.bar"}) {
		t.Errorf("unknown %q", unknown)
	}
	for text, want := range map[string]string{
		"acks=2":                                "Invalid value 2 for configuration acks: String must be one of: all, -1, 0, 1",
		"compression.type=foo":                  "String must be one of: none, gzip, snappy, lz4, zstd",
		"linger.ms=x":                           "not a number of milliseconds",
		"isolation.level=x":                     "read_committed, read_uncommitted",
		"security.protocol=X":                   "must be one of PLAINTEXT, SSL",
		"security.protocol=SASL_SSL":            "sasl.mechanism is not set",
		"partition.assignment.strategy=com.Foo": "Class com.Foo could not be found",
	} {
		if _, _, err := (properties{}).add([]string{text}).options(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

func TestResetOffsetNames(t *testing.T) {
	for _, good := range []string{"earliest", "latest", "none", "by_duration:PT1H"} {
		if _, err := resetOffset(good); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{"first", "by_duration:1h", "by_duration:-PT1H"} {
		if _, err := resetOffset(bad); err == nil {
			t.Errorf("%s was taken", bad)
		}
	}
}
