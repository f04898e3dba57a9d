package cli

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

func TestLineReader(t *testing.T) {
	for _, c := range []struct{ name, props, input, want string }{
		{"values alone", "", "a\nb\r\nc", "nil=a | nil=b | nil=c"},
		{"an empty line is an empty value", "", "\n", "nil="},
		{"any script", "", "野猪套天下第一\n", "nil=野猪套天下第一"},
		{"key and value", "parse.key=true", "k\tv\tw\n", "k=v\tw"},
		{"another separator", "parse.key=true key.separator=::", "k::v\n", "k=v"},
		{"no key, no error", "parse.key=true ignore.error=true", "v\n", "nil=v"},
		{"headers", "parse.headers=true", "h:1,g:2\tv\n", "[h=1 g=2]nil=v"},
		{"headers, key and value", "parse.headers=true parse.key=true headers.delimiter=| key.separator=;",
			"h:1|k;v\n", "[h=1]k=v"},
		{"nulls", "parse.headers=true parse.key=true null.marker=N", "h:N\tN\tN\nN\tk\tv\n", "[h=nil]nil=nil | k=v"},
		{"a header without a value", "parse.headers=true ignore.error=true", "h\tv\n", "[h=nil]nil=v"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := newLineReader("t", properties{}.add(strings.Fields(c.props)), strings.NewReader(c.input))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for {
				record, err := r.next()
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, recordText(record))
			}
			if text := strings.Join(got, " | "); text != c.want {
				t.Errorf("got %q, want %q", text, c.want)
			}
		})
	}
}

func recordText(r *kgo.Record) string {
	text := func(b []byte) string {
		if b == nil {
			return "nil"
		}
		return string(b)
	}
	var headers []string
	for _, h := range r.Headers {
		headers = append(headers, h.Key+"="+text(h.Value))
	}
	prefix := ""
	if len(headers) > 0 {
		prefix = fmt.Sprint(headers)
	}
	return prefix + text(r.Key) + "=" + text(r.Value)
}

func TestLineReaderErrors(t *testing.T) {
	for props, want := range map[string]string{
		"parse.key=true":                      "No key separator found on line number 1: 'line'",
		"parse.headers=true":                  "No headers delimiter found on line number 1: 'line'",
		"headers.delimiter=,":                 "headers.delimiter and headers.separator may not be equal",
		"null.marker=:":                       "null.marker and headers.key.separator may not be equal",
		"parse.headers=true key.separator=x ": "No headers delimiter found on line number 1: 'line'",
	} {
		r, err := newLineReader("t", properties{}.add(strings.Fields(props)), strings.NewReader("line\n"))
		if err == nil {
			_, err = r.next()
		}
		if err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", props, err, want)
		}
	}
}

// shown is what the formatter prints of the records.
func shown(t *testing.T, class string, props string, records ...*kgo.Record) string {
	t.Helper()
	env := &Env{Stdout: io.Discard, Stderr: io.Discard}
	f, err := newFormatter(env, class, properties{}.add(strings.Split(props, " ")))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	w := bufio.NewWriter(&b)
	for _, r := range records {
		if err := f.write(w, r); err != nil {
			t.Fatal(err)
		}
	}
	w.Flush()
	return b.String()
}

func TestPlainFormatter(t *testing.T) {
	full := &kgo.Record{
		Key: []byte("k"), Value: []byte("v"), Partition: 2, Offset: 7, LeaderEpoch: 3, Timestamp: time.UnixMilli(1000),
		Headers: []kgo.RecordHeader{{Key: "h", Value: []byte("1")}, {Key: "g"}},
	}
	bare := &kgo.Record{LeaderEpoch: -1, Timestamp: time.UnixMilli(5)}
	for _, c := range []struct{ props, want string }{
		{"", "v\nnull\n"},
		{"print.key=true", "k\tv\nnull\tnull\n"},
		{"print.key=true print.value=false", "k\nnull\n"},
		{"print.value=false", ""},
		{"print.key=true key.separator== null.literal=- line.separator=;", "k=v;-=-;"},
		{"print.timestamp=true print.partition=true print.offset=true print.epoch=true print.headers=true",
			"CreateTime:1000\tPartition:2\tOffset:7\tEpoch:3\th:1,g:null\tv\n" +
				"CreateTime:5\tPartition:0\tOffset:0\tEpoch:NOT_PRESENT\tNO_HEADERS\tnull\n"},
		{"print.headers=true print.value=false headers.separator=;", "h:1;g:null\nNO_HEADERS\n"},
	} {
		if got := shown(t, defaultFormatter, c.props, full, bare); got != c.want {
			t.Errorf("%s:\ngot  %q\nwant %q", c.props, got, c.want)
		}
	}
}

func TestDeserializers(t *testing.T) {
	for _, c := range []struct{ class, data, want string }{
		{"StringDeserializer", "6869", "hi"},
		{"IntegerDeserializer", "ffffffff", "-1"},
		{"LongDeserializer", "0000000000000100", "256"},
		{"ShortDeserializer", "0007", "7"},
		{"DoubleDeserializer", "3ff8000000000000", "1.5"},
		{"DoubleDeserializer", "4202a05f20000000", "1.0E10"},
		{"DoubleDeserializer", "4059000000000000", "100.0"},
		{"FloatDeserializer", "3dcccccd", "0.1"},
		{"BooleanDeserializer", "01", "true"},
		{"BytesDeserializer", "6100ff5c", `a\x00\xFF\x5C`},
		{"VoidDeserializer", "", "null"},
	} {
		data, err := hex.DecodeString(c.data)
		if err != nil {
			t.Fatal(err)
		}
		record := &kgo.Record{Value: data}
		got := shown(t, defaultFormatter, "value.deserializer="+serializationPackage+c.class, record)
		if got != c.want+"\n" {
			t.Errorf("%s of %s: %q, want %q", c.class, c.data, got, c.want)
		}
	}
	if _, err := deserializers["LongDeserializer"]([]byte{1}); err == nil ||
		err.Error() != "Size of data received by LongDeserializer is not 8" {
		t.Errorf("a short long: %v", err)
	}
}

// TestCoordinatorFormatter decodes records that Apache Kafka 4.4 wrote, to what Kafka's own
// formatters print of them.
func TestCoordinatorFormatter(t *testing.T) {
	unhex := func(text string) []byte {
		data, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	commit := &kgo.Record{
		Key: unhex("0001" + "00056c69766532" + "000474657374" + "00000000"),
		Value: unhex("0004" + "0000000000000007" + "ffffffff" + "01" + "000001a20333e943" +
			"01" + "00" + "10" + "5ca6b2d5aa3845298c04bc437c0165ec"),
	}
	wantCommit := `{"key":{"type":1,"data":{"group":"live2","topic":"test","partition":0}},"value":{"version":4,"data":` +
		`{"offset":7,"leaderEpoch":-1,"metadata":"","commitTimestamp":1795350063427,"topicId":"XKay1ao4RSmMBLxDfAFl7A"}}}`
	group := &kgo.Record{
		Key: unhex("0002" + "00026731"),
		Value: unhex("00030008636f6e73756d657200000001000572616e67650035636f6e736f6c652d636f6e73756d65722d396535393537" +
			"66332d333734382d343930612d383234312d376662616436343433376162000001a20322a8c4000000010035636f6e736f6c652d" +
			"636f6e73756d65722d39653539353766332d333734382d343930612d383234312d376662616436343433376162ffff0010636f6e" +
			"736f6c652d636f6e73756d6572000a2f3132372e302e302e31000493e00000afc80000001a000300000001000474657374ffffff" +
			"ff00000000ffffffffffff000000180003000000010004746573740000000100000000ffffffff"),
	}
	wantGroup := `{"key":{"type":2,"data":{"group":"g1"}},"value":{"version":3,"data":{"protocolType":"consumer",` +
		`"generation":1,"protocol":"range","leader":"console-consumer-9e5957f3-3748-490a-8241-7fbad64437ab",` +
		`"currentStateTimestamp":1795348932804,"members":[{"memberId":"console-consumer-9e5957f3-3748-490a-8241-7fbad64437ab",` +
		`"groupInstanceId":null,"clientId":"console-consumer","clientHost":"/127.0.0.1","rebalanceTimeout":300000,` +
		`"sessionTimeout":45000,"subscription":"AAMAAAABAAR0ZXN0/////wAAAAD///////8=",` +
		`"assignment":"AAMAAAABAAR0ZXN0AAAAAQAAAAD/////"}]}}}`
	tombstone := &kgo.Record{Key: commit.Key}
	wantTombstone := `{"key":{"type":1,"data":{"group":"live2","topic":"test","partition":0}},"value":null}`

	offsets := formatterPackage + "OffsetsMessageFormatter"
	if got := shown(t, offsets, "", commit, group, tombstone); got != wantCommit+wantTombstone {
		t.Errorf("offsets:\ngot  %s\nwant %s", got, wantCommit+wantTombstone)
	}
	old := "kafka.coordinator.group.GroupMetadataManager$GroupMetadataMessageFormatter"
	if got := shown(t, old, "", commit, group, tombstone); got != wantGroup {
		t.Errorf("groups:\ngot  %s\nwant %s", got, wantGroup)
	}
}

func TestCoordinatorFormatterRefusesShortRecords(t *testing.T) {
	for cut := 2; cut < 22; cut++ {
		value := make([]byte, 22)
		value[1] = 3
		record := &kgo.Record{Key: []byte("\x00\x01\x00\x01g\x00\x01t\x00\x00\x00\x00"), Value: value[:cut]}
		w := bufio.NewWriter(io.Discard)
		if err := (coordinatorFormatter{kind: offsetCommitKind}).write(w, record); !errors.Is(err, errShortRecord) {
			t.Errorf("a value of %d bytes: %v", cut, err)
		}
	}
}
