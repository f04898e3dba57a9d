package api

import (
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"barnabas/internal/ident"
	"barnabas/internal/wire"

	"github.com/twmb/franz-go/pkg/kmsg"
)

var kafkaAddress = flag.String("kafka", "",
	"have the conversations with Apache Kafka at this address, and keep what it answered in testdata")

// answersAsKafka compares a conversation with a broker line by line with the one that Apache Kafka 4.4.0 had, but for words of it that
// are left out; with -kafka it has it with that Kafka, and keeps what it hears.
func answersAsKafka(
	t *testing.T, file string, talk func(*testing.T, func(kmsg.Request) kmsg.Response) string, start func() *memoryBroker, leftOut ...string,
) {
	t.Helper()
	if *kafkaAddress != "" {
		must(t, os.WriteFile(file, []byte(talk(t, dialKafka(t, *kafkaAddress).ask)), 0o644))
		return
	}
	b := start()
	got := strings.Split(talk(t, func(request kmsg.Request) kmsg.Response {
		return decode[kmsg.Response](t, request, b.begin(request).wait(t))
	}), "\n")
	text, err := os.ReadFile(file)
	must(t, err)
	heard := string(text)
	for _, words := range leftOut {
		heard = strings.ReplaceAll(heard, words, "")
	}
	want := strings.Split(heard, "\n")
	for i := range max(len(got), len(want)) {
		if line(got, i) != line(want, i) {
			t.Errorf("answer %d\ngot  %s\nwant %s", i+1, line(got, i), line(want, i))
		}
	}
}

func line(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return "nothing"
}

// masked are fields that differ from run to run, or tell of the broker's own set-up.
var masked = map[string]bool{
	"ClusterID": true, "Host": true, "Port": true, "Dir": true, "TotalBytes": true, "UsableBytes": true,
	"SessionID": true, "FinalizedFeaturesEpoch": true, "FinalizedFeatures": true, "SupportedFeatures": true,
	"ApiKeys": true, "IsDefault": true,
}

func mask(value any) any {
	switch value := value.(type) {
	case map[string]any:
		for name := range value {
			if masked[name] {
				delete(value, name)
				continue
			}
			value[name] = mask(value[name])
		}
		if id, ok := value["TopicID"].([]any); ok {
			value["TopicID"] = strings.Trim(fmt.Sprint(id), "[0 ]") != ""
		}
		if _, ok := value["RelativeOffset"]; ok {
			delete(value, "ErrorMessage") // tells the time
		}
		delete(value, "UnknownTags")
		delete(value, "Version")
	case []any:
		for i := range value {
			value[i] = mask(value[i])
		}
		if len(value) > 0 {
			if _, numbers := value[0].(float64); !numbers {
				slices.SortFunc(value, func(a, b any) int {
					left, _ := json.Marshal(a)
					right, _ := json.Marshal(b)
					return strings.Compare(string(left), string(right))
				})
			}
		}
	}
	return value
}

// talker asks in every version that it is told, and notes the answers, a line each.
type talker struct {
	t    *testing.T
	asks func(kmsg.Request) kmsg.Response
	out  strings.Builder
	id   ident.TopicID // of the topic that is talked of
}

func (k *talker) ask(name string, version int16, request kmsg.Request) kmsg.Response {
	k.t.Helper()
	request.SetVersion(version)
	response := k.asks(request)
	k.note(name, version, response)
	return response
}

func (k *talker) note(name string, version int16, response kmsg.Response) {
	text, err := json.Marshal(response)
	must(k.t, err)
	var value any
	must(k.t, json.Unmarshal(text, &value))
	text, err = json.Marshal(mask(value))
	must(k.t, err)
	fmt.Fprintf(&k.out, "%s v%d %s\n", name, version, text)
}

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
