package api

import (
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"

	"barnabas/internal/group"
	"barnabas/internal/ident"
	"barnabas/internal/record"
	"barnabas/internal/wire"

	"github.com/twmb/franz-go/pkg/kmsg"
)

var kafkaAddress = flag.String("kafka", "",
	"have the conversation about groups with Apache Kafka at this address, and keep what it answered")

const conversationFile = "testdata/groups.kafka-4.4.txt"

// TestGroupsAnswerAsKafka has a conversation about groups and offsets, in all versions, and compares each
// answer with the one that Apache Kafka 4.4.0 gave. An answer is shown as JSON, its lists sorted,
// random identities by number.
func TestGroupsAnswerAsKafka(t *testing.T) {
	if *kafkaAddress != "" {
		remote := dialKafka(t, *kafkaAddress)
		must(t, os.WriteFile(conversationFile, []byte(converse(t, remote.ask)), 0o644))
		return
	}
	b := newBroker(t, nil)
	config := group.DefaultConfig()
	config.InitialRebalanceDelay = 0
	b.Groups = group.New(group.Options{Config: config, Partitions: func() int32 { return 1 }})
	defer b.Groups.Close()
	b.Groups.Elect(0, 1, &offsetsLog{})
	got := converse(t, func(request kmsg.Request) kmsg.Response {
		request.SetVersion(request.GetVersion())
		return decode[kmsg.Response](t, request, b.begin(request).wait(t))
	})
	want, err := os.ReadFile(conversationFile)
	must(t, err)
	gotLines, wantLines := strings.Split(got, "\n"), strings.Split(string(want), "\n")
	for i := range max(len(gotLines), len(wantLines)) {
		if i >= len(gotLines) || i >= len(wantLines) || gotLines[i] != wantLines[i] {
			t.Fatalf("answer %d\ngot  %s\nwant %s", i+1, line(gotLines, i), line(wantLines, i))
		}
	}
}

func line(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return "nothing"
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

// kafka is a connection to a broker.
type kafka struct {
	t           *testing.T
	connection  net.Conn
	formatter   *kmsg.RequestFormatter
	correlation int32
}

func dialKafka(t *testing.T, address string) *kafka {
	connection, err := net.Dial("tcp", address)
	must(t, err)
	t.Cleanup(func() { connection.Close() })
	return &kafka{
		t: t, connection: connection,
		formatter: kmsg.NewRequestFormatter(kmsg.FormatterClientID("test")),
	}
}

func (k *kafka) ask(request kmsg.Request) kmsg.Response {
	k.correlation++
	_, err := k.connection.Write(k.formatter.AppendRequest(nil, request, k.correlation))
	must(k.t, err)
	must(k.t, k.connection.SetReadDeadline(time.Now().Add(patience)))
	var size [4]byte
	_, err = io.ReadFull(k.connection, size[:])
	must(k.t, err)
	frame := make([]byte, binary.BigEndian.Uint32(size[:]))
	_, err = io.ReadFull(k.connection, frame)
	must(k.t, err)
	body, response := frame[4:], request.ResponseKind()
	if response.IsFlexible() && request.Key() != wire.KeyApiVersions {
		body = body[1:]
	}
	must(k.t, response.ReadFrom(body))
	return response
}

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
