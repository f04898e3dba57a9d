package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// fill gives every field of a message a random value: the round trip must bring it back.
func fill(r *rand.Rand, v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if r.IntN(3) == 0 {
			return
		}
		v.Set(reflect.New(v.Type().Elem()))
		fill(r, v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			if name := v.Type().Field(i).Name; name != "Version" && name != "UnknownTags" {
				fill(r, v.Field(i))
			}
		}
	case reflect.Slice:
		n := r.IntN(4)
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			fill(r, v.Index(i))
		}
	case reflect.Array:
		for i := range v.Len() {
			fill(r, v.Index(i))
		}
	case reflect.String:
		v.SetString("abcdefghij"[:r.IntN(10)])
	case reflect.Bool:
		v.SetBool(r.IntN(2) == 0)
	case reflect.Float64:
		v.SetFloat(r.Float64())
	case reflect.Uint8, reflect.Uint16, reflect.Uint32:
		v.SetUint(r.Uint64N(1 << 8))
	default:
		v.SetInt(int64(r.Uint64N(1<<7)) - 1)
	}
}

// eachRequest visits every version of every key that has a schema, with random content.
func eachRequest(t *testing.T, times int, visit func(t *testing.T, h Header, request kmsg.Request)) {
	r := rand.New(rand.NewPCG(1, 2))
	for key := range requestSchemas {
		request := kmsg.RequestForKey(key)
		for version := range request.MaxVersion() + 1 {
			for range times {
				request := kmsg.RequestForKey(key)
				fill(r, reflect.ValueOf(request).Elem())
				request.SetVersion(version)
				visit(t, Header{Key: key, Version: version}, request)
			}
		}
	}
}

// lowest are the versions below which Kafka 4.4, and so a schema, has nothing to say.
var lowest = map[int16]int16{
	0: 3, 1: 4, 2: 1, 8: 2, 9: 1, 19: 2, 20: 1, 23: 2, 27: 1, 29: 1, 30: 1, 31: 1, 32: 1, 34: 1, 35: 1,
	76: 1, 77: 1, 78: 1, 79: 1,
}

// TestSchemasAgreeWithKmsg: each schema ends exactly where kmsg's message does, at every version, and every
// shorter body is refused.
func TestSchemasAgreeWithKmsg(t *testing.T) {
	eachRequest(t, 8, func(t *testing.T, h Header, request kmsg.Request) {
		if h.Version < lowest[h.Key] {
			return
		}
		if got := IsFlexible(h.Key, h.Version); got != request.IsFlexible() {
			t.Fatalf("%s v%d: flexible %v", kmsg.NameForKey(h.Key), h.Version, got)
		}
		body := request.AppendTo(nil)
		if left, err := scan(h, body); err != nil || left != 0 {
			t.Fatalf("%s v%d: %d of %d bytes left, %v", kmsg.NameForKey(h.Key), h.Version, left, len(body), err)
		}
		if len(body) == 0 {
			return
		}
		if err := CheckBody(h.Key, h.Version, body[:len(body)-1]); !errors.Is(err, ErrMalformed) {
			t.Fatalf("%s v%d: a body without its last byte: %v", kmsg.NameForKey(h.Key), h.Version, err)
		}
	})
}

// scan is CheckBody that tells how many bytes it left.
func scan(h Header, body []byte) (left int, err error) {
	if err := CheckBody(h.Key, h.Version, body); err != nil {
		return 0, err
	}
	shape := schemaOf(h.Key)
	s := scanner{
		src: body, version: h.Version, flexible: IsFlexible(h.Key, h.Version), budget: maxElements(len(body)),
	}
	s.skipStruct(shape.fields)
	return len(s.src), nil
}

// TestRoundTrip: header and body come back as they were, in both ways of decoding.
func TestRoundTrip(t *testing.T) {
	eachRequest(t, 2, func(t *testing.T, h Header, request kmsg.Request) {
		if h.Version < lowest[h.Key] {
			return
		}
		formatter := kmsg.NewRequestFormatter(kmsg.FormatterClientID("me"))
		frame := formatter.AppendRequest(nil, request, 77)[4:]
		got, body, err := ParseHeader(frame)
		want := Header{Key: h.Key, Version: h.Version, CorrelationID: 77, ClientID: "me"}
		if err != nil || got != want {
			t.Fatalf("header %+v, %v, want %+v", got, err, want)
		}
		for _, decode := range []func(Header, []byte) (kmsg.Request, error){Decode, DecodeInPlace} {
			back, err := decode(got, body)
			if err != nil {
				t.Fatalf("%s v%d: %v", kmsg.NameForKey(h.Key), h.Version, err)
			}
			if !bytes.Equal(back.AppendTo(nil), body) {
				t.Fatalf("%s v%d: differs after a round trip", kmsg.NameForKey(h.Key), h.Version)
			}
		}
	})
}

// TestHostileCounts: counts that kmsg would believe are refused before it sees them.
func TestHostileCounts(t *testing.T) {
	manyTags := binary.AppendUvarint(nil, 1<<32-1)
	fetch := append(make([]byte, 21), 1, 1, 1) // up to an empty rack
	for _, test := range []struct {
		name    string
		key     int16
		version int16
		body    []byte
	}{
		{"array of 2 billion", 3, 1, []byte{0x7f, 0xff, 0xff, 0xff, 0}},
		{"array longer than the body", 3, 1, []byte{0, 0, 0, 9, 0, 0}},
		{"negative length", 3, 1, []byte{0xff, 0xff, 0xff, 0xfe}},
		{"four billion tags", 18, 3, append([]byte{1, 1}, manyTags...)},
		{"tag longer than the body", 18, 3, []byte{1, 1, 1, 9, 200}},
		{"varint without end", 18, 3, bytes.Repeat([]byte{0x80}, 30)},
		{"tags in a known tag", 1, 17, append(fetch, 1, 1, 17, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 255, 255, 255, 255, 15)},
		{"nothing", 0, 9, nil},
		{"unknown key", 4000, 0, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := CheckBody(test.key, test.version, test.body)
			if !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrUnsupported) {
				t.Fatalf("error %v", err)
			}
		})
	}
}

func TestElementsAreBounded(t *testing.T) {
	body := binary.BigEndian.AppendUint32(nil, maxRequestElements+1)
	body = append(body, make([]byte, 2*(maxRequestElements+1))...) // as many empty names
	body = append(body, 1)                                         // allow auto-creation
	if err := CheckBody(3, 4, body); !errors.Is(err, ErrMalformed) {
		t.Fatalf("error %v", err)
	}
}

func TestHeaders(t *testing.T) {
	for _, test := range []struct {
		name  string
		frame []byte
		want  Header
		ok    bool
	}{
		{"short", []byte{0, 18, 0}, Header{}, false},
		{"no client id", []byte{0, 18, 0, 0, 0, 0, 0, 5}, Header{Key: 18, CorrelationID: 5}, false},
		{"null client id", []byte{0, 18, 0, 0, 0, 0, 0, 5, 0xff, 0xff}, Header{Key: 18, CorrelationID: 5}, true},
		{"client id too long", []byte{0, 18, 0, 0, 0, 0, 0, 5, 0, 9, 'x'}, Header{Key: 18, CorrelationID: 5}, false},
		{"controlled shutdown 0", []byte{0, 7, 0, 0, 0, 0, 0, 5}, Header{Key: 7, CorrelationID: 5}, true},
		{"flexible without tags", []byte{0, 18, 0, 3, 0, 0, 0, 5, 0, 1, 'x'}, Header{Key: 18, Version: 3, CorrelationID: 5, ClientID: "x"}, false},
		{"flexible", []byte{0, 18, 0, 3, 0, 0, 0, 5, 0, 1, 'x', 1, 7, 1, 9}, Header{Key: 18, Version: 3, CorrelationID: 5, ClientID: "x"}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, _, err := ParseHeader(test.frame)
			if got != test.want || (err == nil) != test.ok {
				t.Fatalf("%+v, %v", got, err)
			}
		})
	}
}

// onDisk is a File of the operating system; inMemory has none behind it.
type onDisk struct{ *os.File }

func (f onDisk) OS() *os.File { return f.File }

type inMemory struct{ *bytes.Reader }

func (inMemory) OS() *os.File { return nil }

// TestSend: bytes and ranges arrive in order, whether copied or sent by the kernel.
func TestSend(t *testing.T) {
	content := make([]byte, 3*sendfileFrom+5)
	for i := range content {
		content[i] = byte(i * 7)
	}
	path := filepath.Join(t.TempDir(), "00.log")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	disk, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer disk.Close()
	for name, file := range map[string]File{"disk": onDisk{disk}, "memory": inMemory{bytes.NewReader(content)}} {
		t.Run(name, func(t *testing.T) {
			released := false
			r := BeginReply(Header{CorrelationID: 3}, false)
			want := []byte{0, 0, 0, 3}
			for i, part := range []Range{
				{file, 10, 100}, {file, 5, 2*sendfileFrom + 1}, {file, 0, 0}, {file, 7, sendfileFrom - 1}, {file, 0, len(content)},
			} {
				r.Append(func(b []byte) []byte { return append(b, byte(i)) })
				r.AppendRange(part)
				want = append(append(want, byte(i)), content[part.Position:][:part.Length]...)
			}
			r.Append(func(b []byte) []byte { return append(b, "end"...) })
			want = append(want, "end"...)
			r.OnFree(releaser(func() { released = true }))
			r = r.End()
			got := send(t, &r)
			if !bytes.Equal(got[4:], want) || int(binary.BigEndian.Uint32(got)) != len(want) {
				t.Fatalf("%d bytes arrived, want %d, or they differ", len(got)-4, len(want))
			}
			if r.Free(); !released || !r.IsZero() {
				t.Fatal("not freed")
			}
		})
	}
}

// TestSendFreesItsBufferOnce: what is gathered may outgrow its first buffer, which is then free already.
func TestSendFreesItsBufferOnce(t *testing.T) {
	r := BeginReply(Header{}, false)
	for range 3 {
		r.AppendRange(Range{inMemory{bytes.NewReader(make([]byte, 5000))}, 0, 5000})
	}
	r = r.End()
	defer r.Free()
	if err := r.SendTo(&bytes.Buffer{}); err != nil {
		t.Fatal(err)
	}
	first, second := NewBuffer(0), NewBuffer(0)
	if first == second {
		t.Fatal("one buffer has two owners")
	}
}

// TestSendTruncated: a file that ends inside a range is an error, and no wrong bytes.
func TestSendTruncated(t *testing.T) {
	r := BeginReply(Header{}, false)
	r.AppendRange(Range{inMemory{bytes.NewReader(make([]byte, 10))}, 5, 6})
	r = r.End()
	client, server := net.Pipe()
	defer client.Close()
	if err := r.SendTo(server); err == nil {
		t.Fatal("no error")
	}
}

func send(t *testing.T, r *Reply) []byte {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	failed := make(chan error, 1)
	go func() {
		c, err := l.Accept()
		if err == nil {
			err = r.SendTo(c)
			c.Close()
		}
		failed <- err
	}()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var got bytes.Buffer
	if _, err := got.ReadFrom(c); err != nil {
		t.Fatal(err)
	}
	if err := <-failed; err != nil {
		t.Fatal(err)
	}
	return got.Bytes()
}

// FuzzRequest: whatever a client sends, parsing neither panics nor takes more than its share, and what is
// accepted can be written again.
func FuzzRequest(f *testing.F) {
	r := rand.New(rand.NewPCG(3, 4))
	for key := range requestSchemas {
		request := kmsg.RequestForKey(key)
		for version := lowest[key]; version <= request.MaxVersion(); version++ {
			fill(r, reflect.ValueOf(request).Elem())
			request.SetVersion(version)
			f.Add(kmsg.NewRequestFormatter().AppendRequest(nil, request, 1)[4:])
		}
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		h, body, err := ParseHeader(frame)
		if err != nil {
			return
		}
		if request := kmsg.RequestForKey(h.Key); request == nil || h.Version < lowest[h.Key] || h.Version > request.MaxVersion() {
			return
		}
		request, err := Decode(h, body)
		if err != nil {
			return
		}
		request.AppendTo(nil)
	})
}

// releaser is a function that releases.
type releaser func()

func (r releaser) Release() { r() }
