package cli

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"

	"barnabas/internal/record"
)

// recordDecoder shows a record's key and value; nil is nothing to show.
type recordDecoder func(rec *record.Record) (key, value *string, err error)

const decoderPackage = "org.apache.kafka.tools.api."

// decoders are those that Kafka has, by the name of the class.
var decoders = map[string]func(data []byte) (string, error){
	"StringDecoder": func(data []byte) (string, error) { return string(data), nil },
	"DefaultDecoder": func(data []byte) (string, error) {
		return string(data), nil // Kafka shows the address of the array, which is of no use
	},
	"IntegerDecoder": func(data []byte) (string, error) {
		if len(data) < 4 {
			return "", fmt.Errorf("%d bytes are no integer", len(data))
		}
		return strconv.Itoa(int(int32(binary.BigEndian.Uint32(data)))), nil
	},
	"LongDecoder": func(data []byte) (string, error) {
		if len(data) < 8 {
			return "", fmt.Errorf("%d bytes are no long", len(data))
		}
		return strconv.FormatInt(int64(binary.BigEndian.Uint64(data)), 10), nil
	},
}

func decoderNames() string {
	var names []string
	for name := range decoders {
		names = append(names, name)
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// findDecoder finds a decoder by the class's name with or without the package, which older versions
// of Kafka had elsewhere; "" is the decoder of text.
func findDecoder(class string) (func([]byte) (string, error), error) {
	name := class[strings.LastIndexByte(class, '.')+1:]
	if name == "" {
		name = "StringDecoder"
	}
	if found, ok := decoders[name]; ok {
		return found, nil
	}
	return nil, fmt.Errorf("%s: Java classes can't be loaded here; there are %s", class, decoderNames())
}

func plainRecordDecoder(key, value func([]byte) (string, error)) recordDecoder {
	show := func(decode func([]byte) (string, error), data []byte) (*string, error) {
		if data == nil {
			return nil, nil
		}
		text, err := decode(data)
		return &text, err
	}
	return func(rec *record.Record) (*string, *string, error) {
		k, err := show(key, rec.Key)
		if err != nil {
			return nil, nil, err
		}
		v, err := show(value, rec.Value)
		return k, v, err
	}
}

// decodeOffsetsRecord shows a record of __consumer_offsets as JSON.
func decodeOffsetsRecord(rec *record.Record) (*string, *string, error) {
	if rec.Key == nil {
		return nil, nil, fmt.Errorf("failed to decode message using offset topic decoder (message had a missing key)")
	}
	key := &recordReader{data: rec.Key}
	kind := key.int16()
	data := &object{}
	f := coordinatorFormatter{kind: groupMetadataKind, decodeMembers: true}
	switch kind {
	case 0, 1:
		f.kind = offsetCommitKind
		data.text("group", key.string()).text("topic", key.string()).number("partition", int64(key.int32()))
	case 2:
		data.text("group", key.string())
	default:
		return unknownRecord(kind, rec), nil, nil
	}
	return coordinatorText(rec, kind, key, data, f.value)
}

func unknownRecord(kind int16, rec *record.Record) *string {
	text := fmt.Sprintf("Unknown record type %d at offset %d, skipping.", kind, rec.Offset)
	return &text
}

// coordinatorText puts the JSON of key and value together.
func coordinatorText(rec *record.Record, kind int16, key *recordReader, data *object, value func(*recordReader, int16) string) (*string, *string, error) {
	keyText := (&object{}).text("type", strconv.Itoa(int(kind))).raw("data", data.String()).String()
	valueText := "<DELETE>"
	failed := key.failed
	if rec.Value != nil {
		r := &recordReader{data: rec.Value}
		version := r.int16()
		valueText = (&object{}).text("version", strconv.Itoa(int(version))).raw("data", value(r, version)).String()
		failed = failed || r.failed
	}
	if failed {
		text := fmt.Sprintf("Error at offset %d, skipping. The record is too short", rec.Offset)
		return &text, nil, nil
	}
	return &keyText, &valueText, nil
}

// decodeTransactionRecord shows a record of __transaction_state as JSON.
func decodeTransactionRecord(rec *record.Record) (*string, *string, error) {
	if rec.Key == nil {
		return nil, nil, fmt.Errorf("failed to decode message using transaction log decoder (message had a missing key)")
	}
	key := &recordReader{data: rec.Key}
	kind := key.int16()
	if kind != 0 {
		return unknownRecord(kind, rec), nil, nil
	}
	data := (&object{}).text("transactionalId", key.string())
	return coordinatorText(rec, kind, key, data, transactionValue)
}

// transactionValue shows a TransactionLogValue of version 0 or 1.
func transactionValue(r *recordReader, version int16) string {
	if version < 0 || version > 1 {
		return `"unknown"`
	}
	r.flexible = version >= 1
	o := (&object{}).number("producerId", r.int64())
	producerEpoch, timeout, status := r.int16(), r.int32(), r.take(1)[0]
	partitions := transactionPartitions(r)
	lastUpdate, start := r.int64(), r.int64()
	if r.flexible {
		transactionTags(o, r.tags())
	}
	return o.number("producerEpoch", int64(producerEpoch)).number("transactionTimeoutMs", int64(timeout)).
		number("transactionStatus", int64(int8(status))).raw("transactionPartitions", partitions).
		number("transactionLastUpdateTimestampMs", lastUpdate).number("transactionStartTimestampMs", start).String()
}

// transactionTags adds the tagged fields, which stand behind the producer's id.
func transactionTags(o *object, tags map[int][]byte) {
	for tag, name := range []string{"previousProducerId", "nextProducerId"} {
		if data := tags[tag]; len(data) == 8 {
			o.number(name, int64(binary.BigEndian.Uint64(data)))
		}
	}
}

func transactionPartitions(r *recordReader) string {
	n := r.nullableLength()
	if n < 0 {
		return "null"
	}
	var topics []string
	for range n {
		if r.failed {
			break
		}
		topic := (&object{}).text("topic", r.string())
		var ids []string
		for range r.length() {
			if r.failed {
				break
			}
			ids = append(ids, strconv.Itoa(int(r.int32())))
		}
		if r.flexible {
			r.tags()
		}
		topics = append(topics, topic.raw("partitionIds", array(ids)).String())
	}
	return array(topics)
}

// memberSubscription shows what a member of a consumer group asks for; what can't be read is shown in
// base64.
func memberSubscription(data []byte) string {
	var s kmsg.ConsumerMemberMetadata
	if s.ReadFrom(data) != nil {
		return inBase64(data)
	}
	var topics, owned []string
	for _, topic := range s.Topics {
		topics = append(topics, quote(topic))
	}
	for _, o := range s.OwnedPartitions {
		owned = append(owned, partitionsOf(o.Topic, o.Partitions))
	}
	o := (&object{}).raw("topics", array(topics)).raw("userData", nullableBytes(s.UserData))
	if s.Version >= 1 {
		o.raw("ownedPartitions", array(owned))
	}
	if s.Version >= 2 {
		o.number("generationId", int64(s.Generation))
	}
	if s.Version >= 3 {
		o.nullable("rackId", s.Rack)
	}
	return o.String()
}

// memberAssignment shows what a member of a consumer group was given.
func memberAssignment(data []byte) string {
	var a kmsg.ConsumerMemberAssignment
	if a.ReadFrom(data) != nil {
		return inBase64(data)
	}
	var topics []string
	for _, t := range a.Topics {
		topics = append(topics, partitionsOf(t.Topic, t.Partitions))
	}
	return (&object{}).raw("assignedPartitions", array(topics)).raw("userData", nullableBytes(a.UserData)).String()
}

func partitionsOf(topic string, partitions []int32) string {
	ids := make([]string, len(partitions))
	for i, p := range partitions {
		ids[i] = strconv.Itoa(int(p))
	}
	return (&object{}).text("topic", topic).raw("partitions", array(ids)).String()
}

func nullableBytes(data []byte) string {
	if data == nil {
		return "null"
	}
	return inBase64(data)
}
