package broker

import (
	"encoding/binary"
	"encoding/json"
	"hash/crc32"

	"barnabas/internal/metadata"
)

// The bytes of a journal (docs/formats/keeper.md): a line that says what it goes on from, and records behind it.

// journalHead is the first line of a journal, as JSON.
type journalHead struct {
	Version  int    `json:"version"`
	Ensemble string `json:"ensemble"`
	// From is the revision from which on it has everything, 0 where it begins with a whole Image.
	From metadata.Revision `json:"from"`
}

const journalVersion = 1

func encodeJournalHead(head journalHead) []byte {
	line, err := json.Marshal(head)
	if err != nil {
		panic(err) // numbers and a string
	}
	return append(line, '\n')
}

// Kinds of records, and of what is in one.
const (
	changeRecord = 1 // what has changed from one revision to another
	wholeRecord  = 2 // all there is at a revision

	putEntry    = 1
	deleteEntry = 2
)

// frameSize is what stands before a record: its length and its CRC-32C, big-endian.
const frameSize = 8

// appendChange is the record of what made an Image; nothing where that is none of the business of those who come later.
func appendChange(to []byte, of string, from, revision metadata.Revision, events []metadata.Event) []byte {
	to = appendRecordHead(to, changeRecord, of, from, revision)
	empty := len(to)
	for i := range events {
		switch e := &events[i]; {
		case !metadata.Lasting(e.Key):
		case e.Deleted:
			to = appendField(append(to, deleteEntry), e.Key)
		default:
			to = appendField(appendField(append(to, putEntry), e.Key), e.Value)
		}
	}
	if len(to) == empty {
		return to[:0]
	}
	return framed(to)
}

// appendWhole is the record of all that an Image has.
func appendWhole(to []byte, of string, image *metadata.Image) []byte {
	to = appendRecordHead(to, wholeRecord, of, 0, image.Revision())
	for key, value := range image.Contents() {
		to = appendField(appendField(append(to, putEntry), key), value)
	}
	return framed(to)
}

func appendRecordHead(to []byte, kind byte, of string, from, revision metadata.Revision) []byte {
	to = append(append(to, make([]byte, frameSize)...), kind)
	to = appendField(to, of)
	to = binary.AppendUvarint(to, uint64(from))
	return binary.AppendUvarint(to, uint64(revision))
}

func appendField[T string | []byte](to []byte, field T) []byte {
	return append(binary.AppendUvarint(to, uint64(len(field))), field...)
}

// framed fills in the frame of a record.
func framed(record []byte) []byte {
	binary.BigEndian.PutUint32(record, uint32(len(record)-frameSize))
	binary.BigEndian.PutUint32(record[4:], crc32.Checksum(record[frameSize:], castagnoli))
	return record
}

// journalRecord is one of a journal.
type journalRecord struct {
	kind           byte
	of             string
	from, revision metadata.Revision
	events         []metadata.Event
}

// decodeRecord reads one. The events keep the memory.
func decodeRecord(body []byte) (r journalRecord, err error) {
	d := fields{rest: body}
	r.kind, r.of = d.byte(), string(d.field())
	r.from, r.revision = metadata.Revision(d.number()), metadata.Revision(d.number())
	for len(d.rest) > 0 {
		e := metadata.Event{Deleted: d.byte() == deleteEntry}
		e.Key = string(d.field())
		if !e.Deleted {
			e.Value = d.field()
		}
		e.Modified, e.Created = r.revision, r.revision
		r.events = append(r.events, e)
	}
	if d.failed || r.kind != changeRecord && r.kind != wholeRecord {
		return r, errKnownBroken
	}
	return r, nil
}

// fields reads numbers and fields until one is wrong; then failed is set and all that follows is empty.
type fields struct {
	rest   []byte
	failed bool
}

func (d *fields) fail() { d.rest, d.failed = nil, true }

func (d *fields) byte() (b byte) {
	if len(d.rest) == 0 {
		d.fail()
		return 0
	}
	b, d.rest = d.rest[0], d.rest[1:]
	return b
}

func (d *fields) number() uint64 {
	n, size := binary.Uvarint(d.rest)
	if size <= 0 || n > 1<<63-1 {
		d.fail()
		return 0
	}
	d.rest = d.rest[size:]
	return n
}

func (d *fields) field() []byte {
	n := d.number()
	if n > uint64(len(d.rest)) {
		d.fail()
		return nil
	}
	field := d.rest[:n:n]
	d.rest = d.rest[n:]
	return field
}
