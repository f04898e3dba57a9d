package api

import (
	"encoding/json"
	"fmt"
	"regexp"
	"sort"
	"strings"
	"sync"
	"testing"

	"barnabas/internal/group"
	"barnabas/internal/ident"
	"barnabas/internal/record"

	"github.com/twmb/franz-go/pkg/kmsg"
)

const groupsFile = "testdata/groups.kafka-4.4.txt"

// TestGroupsAnswerAsKafka has a conversation about groups and offsets, in all versions, and compares each
// answer with the one that Apache Kafka 4.4.0 gave. An answer is shown as JSON, its lists sorted,
// random identities by number.
func TestGroupsAnswerAsKafka(t *testing.T) {
	start := func() *memoryBroker {
		b := newBroker(t, nil)
		config := group.DefaultConfig()
		config.InitialRebalanceDelay = 0
		b.Groups = group.New(group.Options{Config: config, Partitions: func() int32 { return 1 }})
		t.Cleanup(b.Groups.Close)
		b.Groups.Elect(0, 1, &offsetsLog{})
		return b
	}
	answersAsKafka(t, groupsFile, converse, start)
}

// offsetsLog is the log of the one partition of the groups, in memory.
type offsetsLog struct {
	mu  sync.Mutex
	end record.Offset
}

func (l *offsetsLog) Append(batch []byte) (record.Offset, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.end += record.Offset(record.Batch(batch).Count())
	return l.end, nil
}

func (l *offsetsLog) HighWatermark() record.Offset {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.end
}

func (l *offsetsLog) Read(record.Offset, int) ([]byte, error)   { return nil, nil }
func (l *offsetsLog) StartOffset() record.Offset                { return 0 }
func (l *offsetsLog) EndOffset() record.Offset                  { return 0 }
func (l *offsetsLog) Watch(record.Offset, func()) (stop func()) { return func() {} }

// conversation asks and notes the answers.
type conversation struct {
	t     *testing.T
	asks  func(kmsg.Request) kmsg.Response
	out   strings.Builder
	names map[string]string
	topic ident.TopicID // of the topic t
}

var uuids = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)

// ask asks and notes what is answered under a name.
func (c *conversation) ask(name string, request kmsg.Request) kmsg.Response {
	response := c.asks(request)
	text, _ := json.Marshal(response)
	text = uuids.ReplaceAllFunc(text, func(id []byte) []byte {
		if c.names[string(id)] == "" {
			c.names[string(id)] = fmt.Sprintf("id%d", len(c.names)+1)
		}
		return []byte(c.names[string(id)])
	})
	var value any
	_ = json.Unmarshal(text, &value)
	text, _ = json.Marshal(tidy(value))
	fmt.Fprintf(&c.out, "%s v%d %s\n", name, request.GetVersion(), text)
	return response
}

// tidy leaves out what differs from run to run.
func tidy(value any) any {
	switch value := value.(type) {
	case map[string]any:
		delete(value, "UnknownTags")
		delete(value, "Version")
		if id, ok := value["TopicID"].([]any); ok {
			value["TopicID"] = strings.Trim(fmt.Sprint(id), "[0 ]") != ""
		}
		for name := range value {
			value[name] = tidy(value[name])
		}
	case []any:
		for i := range value {
			value[i] = tidy(value[i])
		}
		sort.Slice(value, func(i, j int) bool {
			a, _ := json.Marshal(value[i])
			b, _ := json.Marshal(value[j])
			return string(a) < string(b)
		})
	}
	return value
}

// each calls f with each version.
func each(from, to int16, f func(version int16)) {
	for version := from; version <= to; version++ {
		f(version)
	}
}
