package group

import (
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"time"

	"barnabas/internal/coordinator"
	"barnabas/internal/ident"
)

// The bytes were written by Apache Kafka 4.4.0's own classes (OffsetCommitValue, GroupMetadataValue …).
const (
	kafkaOffsetKey       = "0001000367727000066f726465727300000007"
	kafkaOffsetValue4    = "0004000000000000002a00000003066dc3a974610000018bcfe5680000"
	kafkaOffsetValue4ID  = "0004000000000000002a00000003066dc3a974610000018bcfe568000100100102030405060708090a0b0c0d0e0f10"
	kafkaOffsetValue3    = "0003000000000000002a0000000300056dc3a974610000018bcfe56800"
	kafkaOffsetValue2    = "0002000000000000002a00056dc3a974610000018bcfe56800"
	kafkaOffsetValue1    = "0001000000000000002a00056dc3a974610000018bcfe568000000018bcff323a0"
	kafkaOffsetValue0    = "0000000000000000002a00056dc3a974610000018bcfe56800"
	kafkaGroupKey        = "00020003677270"
	kafkaGroupValue4     = "000409636f6e73756d6572000000050672616e676504632d310000018bcfe568000304632d31026902630b2f3132372e302e302e310000ea6000002710040000010309080004642d320001052f3a3a31000493e00000afc801010000"
	kafkaGroupValue3     = "00030008636f6e73756d657200000005000572616e67650003632d310000018bcfe56800000000020003632d31000169000163000a2f3132372e302e302e310000ea6000002710000000030000010000000209080003642d32ffff000000042f3a3a31000493e00000afc80000000000000000"
	kafkaGroupValue2     = "00020008636f6e73756d657200000005000572616e67650003632d310000018bcfe56800000000020003632d31000163000a2f3132372e302e302e310000ea6000002710000000030000010000000209080003642d32000000042f3a3a31000493e00000afc80000000000000000"
	kafkaGroupValue1     = "00010008636f6e73756d657200000005000572616e67650003632d31000000020003632d31000163000a2f3132372e302e302e310000ea6000002710000000030000010000000209080003642d32000000042f3a3a31000493e00000afc80000000000000000"
	kafkaGroupValue0     = "00000008636f6e73756d657200000005000572616e67650003632d31000000020003632d31000163000a2f3132372e302e302e3100002710000000030000010000000209080003642d32000000042f3a3a310000afc80000000000000000"
	kafkaEmptyGroupValue = "0003000000000000ffffffff0000018bcfe5680000000000"

	goldenMs = 1_700_000_000_000
)

func unhex(t testing.TB, s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestOffsetRecordIsKafkas(t *testing.T) {
	id := ident.TopicID{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}
	o := offset{offset: 42, leaderEpoch: 3, metadata: "méta", commitMs: goldenMs, expireMs: -1}
	key := offsetKey{group: "grp", topic: "orders", partition: 7}
	withID, expiring := o, o
	withID.topicID = id
	expiring.expireMs = goldenMs + 900_000
	for _, c := range []struct {
		name, want string
		o          offset
	}{
		{"plain", kafkaOffsetValue4, o},
		{"with a topic id", kafkaOffsetValue4ID, withID},
		{"with an expiry", kafkaOffsetValue1, expiring},
	} {
		r := offsetRecord(key, c.o)
		if got := hex.EncodeToString(r.Key); got != kafkaOffsetKey {
			t.Errorf("%s: key\ngot  %s\nwant %s", c.name, got, kafkaOffsetKey)
		}
		if got := hex.EncodeToString(r.Value); got != c.want {
			t.Errorf("%s: value\ngot  %s\nwant %s", c.name, got, c.want)
		}
	}
}

func TestOffsetRecordOfEveryVersion(t *testing.T) {
	full := offset{offset: 42, leaderEpoch: 3, metadata: "méta", commitMs: goldenMs, expireMs: -1}
	old := full
	old.leaderEpoch = -1
	expiring := old
	expiring.expireMs = goldenMs + 900_000
	for value, want := range map[string]offset{
		kafkaOffsetValue4: full,
		kafkaOffsetValue3: full,
		kafkaOffsetValue2: old,
		kafkaOffsetValue1: expiring,
		kafkaOffsetValue0: old,
	} {
		if got, err := decodeOffset(unhex(t, value)); err != nil || got != want {
			t.Errorf("%s\ngot  %+v, %v\nwant %+v", value, got, err, want)
		}
	}
}

// goldenGroup is the group of Kafka's bytes.
func goldenGroup() *group {
	m := newMachine(machineOptions{config: &Config{}, logger: discard, counters: &Counters{}})
	g := newGroup(m, "grp", time.UnixMilli(goldenMs))
	rangeName, instance := "range", "i"
	g.generation, g.protocol = 5, &rangeName
	for _, mb := range []*member{
		{
			id: "c-1", instanceID: &instance, client: Client{"c", "/127.0.0.1"},
			rebalanceTimeout: time.Minute, sessionTimeout: 10 * time.Second,
			protocols: []protocol{{Name: "range", Metadata: []byte{0, 0, 1}}}, assignment: []byte{9, 8},
		},
		{
			id: "d-2", client: Client{"", "/::1"},
			rebalanceTimeout: 5 * time.Minute, sessionTimeout: 45 * time.Second,
			protocols: []protocol{{Name: "range"}},
		},
	} {
		mb.protocolType = consumerType
		g.add(mb)
	}
	return g
}

func TestGroupRecordIsKafkas(t *testing.T) {
	r := groupRecord(goldenGroup(), (*member).assigned)
	if got := hex.EncodeToString(r.Key); got != kafkaGroupKey {
		t.Errorf("key\ngot  %s\nwant %s", got, kafkaGroupKey)
	}
	if got := hex.EncodeToString(r.Value); got != kafkaGroupValue3 {
		t.Errorf("value\ngot  %s\nwant %s", got, kafkaGroupValue3)
	}
	empty := newGroup(goldenGroup().m, "grp", time.UnixMilli(goldenMs))
	if got := hex.EncodeToString(emptyGroupRecord(empty).Value); got != kafkaEmptyGroupValue {
		t.Errorf("empty\ngot  %s\nwant %s", got, kafkaEmptyGroupValue)
	}
}

func TestGroupRecordOfEveryVersion(t *testing.T) {
	for version, value := range []string{
		kafkaGroupValue0, kafkaGroupValue1, kafkaGroupValue2, kafkaGroupValue3, kafkaGroupValue4,
	} {
		m := goldenGroup().m
		if err := m.replayGroup(groupKey{"grp"}, unhex(t, value)); err != nil {
			t.Fatalf("version %d: %v", version, err)
		}
		g := m.groups["grp"]
		expected := goldenGroup()
		expected.state = stable
		for _, mb := range expected.members {
			if version < 3 {
				mb.instanceID = nil
			}
			if version < 1 { // which had one timeout for both
				mb.rebalanceTimeout = mb.sessionTimeout
			}
		}
		if got, want := durable(g), durable(expected); got != want {
			t.Errorf("version %d\ngot  %s\nwant %s", version, got, want)
		}
		if g.stateSince.IsZero() != (version < 2) {
			t.Errorf("version %d: state since %v", version, g.stateSince)
		}
	}
}

// FuzzReplay: no record, however malformed, breaks the machine.
func FuzzReplay(f *testing.F) {
	for _, value := range []string{
		kafkaOffsetValue0, kafkaOffsetValue1, kafkaOffsetValue3, kafkaOffsetValue4, kafkaOffsetValue4ID,
	} {
		f.Add(unhex(f, kafkaOffsetKey), unhex(f, value))
	}
	for _, value := range []string{kafkaGroupValue0, kafkaGroupValue3, kafkaGroupValue4, kafkaEmptyGroupValue} {
		f.Add(unhex(f, kafkaGroupKey), unhex(f, value))
	}
	f.Fuzz(func(t *testing.T, key, value []byte) {
		m := goldenGroup().m
		m.Replay(coordinator.Record{Key: key, Value: value})
		now := time.UnixMilli(goldenMs)
		m.Loaded(now)
		for range 100 {
			at := m.Deadline()
			if at.IsZero() {
				break
			}
			o := m.Tick(at)
			if o.Applied != nil {
				o.Applied(nil)
			} else {
				for _, r := range o.Records {
					m.Replay(r)
				}
			}
		}
	})
}

// A count of tagged fields is not believed: these would be walked for half a minute.
func TestTagsThatAreNotThere(t *testing.T) {
	began := time.Now()
	for name, decode := range map[string]func(string) error{
		kafkaOffsetValue4: func(value string) error { _, err := decodeOffset(unhex(t, value)); return err },
		kafkaGroupValue4:  func(value string) error { _, err := decodeGroup(unhex(t, value)); return err },
	} {
		if err := decode(name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		cut := strings.TrimSuffix(name, "00")
		if cut == name {
			t.Fatalf("%s does not end with a count of 0", name)
		}
		if err := decode(cut + "ffffffff0f"); !errors.Is(err, errBadRecord) {
			t.Errorf("%s with 2^32-1 tags: %v", name, err)
		}
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("took %s", took)
	}
}

// The partitions are what Java's String.hashCode and Kafka's Utils.abs give.
func TestPartitionFor(t *testing.T) {
	for _, c := range []struct {
		group     string
		of50, of3 int32
	}{
		{"g", 3, 1}, {"group", 47, 2}, {"my-consumer-group", 13, 1}, {"", 0, 0}, {"野猪", 38, 1},
		{"😀x", 39, 1}, {"野猪套天下第一", 7, 2}, {"x-negative", 26, 1}, {"polygenelubricants", 0, 0}, {"console-consumer-12345", 6, 0},
	} {
		if of50, of3 := partitionFor(c.group, 50), partitionFor(c.group, 3); of50 != c.of50 || of3 != c.of3 {
			t.Errorf("%q: partition %d of 50 and %d of 3, want %d and %d", c.group, of50, of3, c.of50, c.of3)
		}
	}
}

func TestSubscription(t *testing.T) {
	for _, bad := range []string{
		"", "0000", "ffff00000000", "0000ffffffff", "00007fffffff", "000000000001", "0000000000010005aa",
		"000000000001ffff",
	} {
		if topics, ok := subscription(unhex(t, bad)); ok {
			t.Errorf("%q is read as %v", bad, topics)
		}
	}
	if topics, ok := subscription(append(subscribe("a", "bc"), 1, 2, 3)); !ok || len(topics) != 2 {
		t.Errorf("got %v, %v", topics, ok)
	}
}
