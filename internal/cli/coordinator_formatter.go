package cli

import (
	"bufio"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"barnabas/internal/ident"
)

// The types of keys in __consumer_offsets that the formatters show.
const (
	offsetCommitKind  = "offset"
	groupMetadataKind = "group"
)

// coordinatorFormatter shows the records of __consumer_offsets of one kind as JSON, in the form of
// Kafka's formatters: one object after another, with nothing between. Other kinds are left out.
type coordinatorFormatter struct {
	kind string
	// decodeMembers shows what members of consumer groups ask for and are given, not their bytes.
	decodeMembers bool
}

var errShortRecord = errors.New("the record of __consumer_offsets is too short")

func (f coordinatorFormatter) write(w *bufio.Writer, record *kgo.Record) error {
	if record.Key == nil {
		return nil
	}
	key := &recordReader{data: record.Key}
	kind := key.int16()
	keyJSON := &object{}
	switch {
	case f.kind == offsetCommitKind && (kind == 0 || kind == 1):
		keyJSON.text("group", key.string()).text("topic", key.string()).number("partition", int64(key.int32()))
	case f.kind == groupMetadataKind && kind == 2:
		keyJSON.text("group", key.string())
	default:
		return nil
	}
	line := &object{}
	line.raw("key", (&object{}).number("type", int64(kind)).raw("data", keyJSON.String()).String())
	value := &recordReader{data: record.Value}
	if record.Value == nil {
		line.raw("value", "null")
	} else {
		version := value.int16()
		data := f.value(value, version)
		line.raw("value", (&object{}).number("version", int64(version)).raw("data", data).String())
	}
	if key.failed || value.failed {
		return errShortRecord
	}
	return writeText(w, line.String())
}

func (f coordinatorFormatter) value(r *recordReader, version int16) string {
	switch {
	case version < 0 || version > 4:
		return `"unknown"`
	case f.kind == offsetCommitKind:
		return offsetCommitValue(r, version)
	}
	return groupMetadataValue(r, version, f.decodeMembers)
}

func offsetCommitValue(r *recordReader, version int16) string {
	r.flexible = version >= 4
	o := (&object{}).number("offset", r.int64())
	if version >= 3 {
		o.number("leaderEpoch", int64(r.int32()))
	}
	o.text("metadata", r.string()).number("commitTimestamp", r.int64())
	if version == 1 {
		o.number("expireTimestamp", r.int64())
	}
	if r.flexible {
		for tag, data := range r.tags() {
			if id := (ident.TopicID{}); tag == 0 && len(data) == len(id) {
				copy(id[:], data)
				o.text("topicId", id.String())
			}
		}
	}
	return o.String()
}

func groupMetadataValue(r *recordReader, version int16, decode bool) string {
	r.flexible = version >= 4
	protocol := r.string()
	subscription, assignment := inBase64, inBase64
	if decode && protocol == "consumer" {
		subscription, assignment = memberSubscription, memberAssignment
	}
	o := (&object{}).text("protocolType", protocol).number("generation", int64(r.int32()))
	o.nullable("protocol", r.nullableString()).nullable("leader", r.nullableString())
	if version >= 2 {
		o.number("currentStateTimestamp", r.int64())
	}
	var members []string
	for range r.length() {
		if r.failed {
			break
		}
		m := (&object{}).text("memberId", r.string())
		if version >= 3 {
			m.nullable("groupInstanceId", r.nullableString())
		}
		m.text("clientId", r.string()).text("clientHost", r.string())
		if version >= 1 {
			m.number("rebalanceTimeout", int64(r.int32()))
		}
		m.number("sessionTimeout", int64(r.int32()))
		m.raw("subscription", subscription(r.bytes())).raw("assignment", assignment(r.bytes()))
		if r.flexible {
			r.tags()
		}
		members = append(members, m.String())
	}
	return o.raw("members", "["+strings.Join(members, ",")+"]").String()
}

func inBase64(data []byte) string { return quote(base64.StdEncoding.EncodeToString(data)) }

// object is JSON with its fields in the order in which they were added.
type object struct{ b strings.Builder }

func (o *object) raw(name, value string) *object {
	if o.b.Len() > 0 {
		o.b.WriteByte(',')
	}
	o.b.WriteString(quote(name) + ":" + value)
	return o
}

func (o *object) number(name string, n int64) *object { return o.raw(name, strconv.FormatInt(n, 10)) }
func (o *object) text(name, value string) *object     { return o.raw(name, quote(value)) }

func (o *object) nullable(name string, value *string) *object {
	if value == nil {
		return o.raw(name, "null")
	}
	return o.text(name, *value)
}

func (o *object) String() string { return "{" + o.b.String() + "}" }

func quote(text string) string {
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(text) // a string always encodes
	return strings.TrimSuffix(b.String(), "\n")
}

// recordReader reads the fields of a coordinator's record. Past the end it returns zeros and notes
// that it failed.
type recordReader struct {
	data     []byte
	flexible bool
	failed   bool
}

func (r *recordReader) take(n int) []byte {
	if n < 0 || n > len(r.data) {
		r.failed, r.data = true, nil
		return make([]byte, min(max(n, 0), 8))
	}
	part := r.data[:n]
	r.data = r.data[n:]
	return part
}

func (r *recordReader) int16() int16 { return int16(binary.BigEndian.Uint16(r.take(2))) }
func (r *recordReader) int32() int32 { return int32(binary.BigEndian.Uint32(r.take(4))) }
func (r *recordReader) int64() int64 { return int64(binary.BigEndian.Uint64(r.take(8))) }

func (r *recordReader) uvarint() int {
	n, size := binary.Uvarint(r.data)
	if size <= 0 || n > 1<<31 {
		r.failed, r.data = true, nil
		return 0
	}
	r.data = r.data[size:]
	return int(n)
}

func (r *recordReader) nullableString() *string {
	n := 0
	if r.flexible {
		n = r.uvarint() - 1
	} else {
		n = int(r.int16())
	}
	if n < 0 {
		return nil
	}
	text := string(r.take(n))
	return &text
}

func (r *recordReader) string() string {
	if text := r.nullableString(); text != nil {
		return *text
	}
	return ""
}

// length reads the length of an array or of bytes; that of null is 0.
func (r *recordReader) length() int { return max(r.nullableLength(), 0) }

// nullableLength reads the length of an array or of bytes; that of null is below 0.
func (r *recordReader) nullableLength() int {
	n := 0
	if r.flexible {
		n = r.uvarint() - 1
	} else {
		n = int(r.int32())
	}
	if n > len(r.data) {
		r.failed = true
		return 0
	}
	return n
}

func (r *recordReader) bytes() []byte { return r.take(r.length()) }

func (r *recordReader) tags() map[int][]byte {
	tags := map[int][]byte{}
	for range r.uvarint() {
		if r.failed {
			break
		}
		tag := r.uvarint()
		tags[tag] = r.take(r.uvarint())
	}
	return tags
}
