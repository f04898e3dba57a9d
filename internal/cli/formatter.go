package cli

import (
	"bufio"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// formatter shows a record.
type formatter interface {
	write(w *bufio.Writer, record *kgo.Record) error
}

const (
	formatterPackage = "org.apache.kafka.tools.consumer."
	defaultFormatter = formatterPackage + "DefaultMessageFormatter"
)

// formatters lists the classes by the names that Kafka gave them over the years.
var formatters = []struct {
	names []string
	build func(env *Env, props properties) formatter
}{
	{[]string{defaultFormatter, "kafka.tools.DefaultMessageFormatter"}, newPlainFormatter},
	{[]string{formatterPackage + "LoggingMessageFormatter", "kafka.tools.LoggingMessageFormatter"}, newLoggingFormatter},
	{[]string{formatterPackage + "NoOpMessageFormatter", "kafka.tools.NoOpMessageFormatter"},
		func(*Env, properties) formatter { return silentFormatter{} }},
	{[]string{formatterPackage + "OffsetsMessageFormatter", "kafka.coordinator.group.GroupMetadataManager$OffsetsMessageFormatter",
		"kafka.server.OffsetManager$OffsetsMessageFormatter"},
		func(*Env, properties) formatter { return coordinatorFormatter{kind: offsetCommitKind} }},
	{[]string{formatterPackage + "GroupMetadataMessageFormatter", "kafka.coordinator.group.GroupMetadataManager$GroupMetadataMessageFormatter"},
		func(*Env, properties) formatter { return coordinatorFormatter{kind: groupMetadataKind} }},
}

func formatterNames() []string {
	var names []string
	for _, f := range formatters {
		names = append(names, f.names[0])
	}
	return names
}

// newFormatter finds a formatter by its class name, with or without the package.
func newFormatter(env *Env, class string, props properties) (formatter, error) {
	for _, f := range formatters {
		for _, name := range f.names {
			if class == name || class == strings.TrimPrefix(name, formatterPackage) {
				return f.build(env, props), nil
			}
		}
	}
	return nil, fmt.Errorf("%s: there is no such formatter; there are %s", class,
		strings.Join(formatterNames(), ", "))
}

type silentFormatter struct{}

func (silentFormatter) write(*bufio.Writer, *kgo.Record) error { return nil }

// plainFormatter is Kafka's DefaultMessageFormatter: chosen fields, tabs between.
type plainFormatter struct {
	timestamp, partition, offset, delivery, epoch, headers, key, value bool

	keySeparator, lineSeparator, headersSeparator, nullLiteral string

	keyText, valueText, headerText deserializer
}

func newPlainFormatter(env *Env, props properties) formatter {
	is := func(name string, fallback bool) bool {
		if text, set := props[name]; set {
			return strings.EqualFold(strings.TrimSpace(text), "true")
		}
		return fallback
	}
	get := func(name, fallback string) string {
		if text, set := props[name]; set {
			return text
		}
		return fallback
	}
	return &plainFormatter{
		timestamp: is("print.timestamp", false), partition: is("print.partition", false),
		offset: is("print.offset", false), delivery: is("print.delivery", false), epoch: is("print.epoch", false),
		headers: is("print.headers", false), key: is("print.key", false), value: is("print.value", true),
		keySeparator: get("key.separator", "\t"), lineSeparator: get("line.separator", "\n"),
		headersSeparator: get("headers.separator", ","), nullLiteral: get("null.literal", "null"),
		keyText:    findDeserializer(env, props["key.deserializer"]),
		valueText:  findDeserializer(env, props["value.deserializer"]),
		headerText: findDeserializer(env, props["headers.deserializer"]),
	}
}

func (f *plainFormatter) write(w *bufio.Writer, r *kgo.Record) error {
	fields := []struct {
		wanted bool
		write  func() error
	}{
		{f.timestamp, func() error { return writeText(w, timestampText(r)) }},
		{f.partition, func() error { return writeText(w, "Partition:"+strconv.Itoa(int(r.Partition))) }},
		{f.offset, func() error { return writeText(w, "Offset:"+strconv.FormatInt(r.Offset, 10)) }},
		{f.delivery, func() error { return writeText(w, "Delivery:NOT_PRESENT") }},
		{f.epoch, func() error { return writeText(w, "Epoch:"+epochText(r)) }},
		{f.headers, func() error { return f.writeHeaders(w, r.Headers) }},
		{f.key, func() error { return f.writeData(w, f.keyText, r.Key) }},
		{f.value, func() error { return f.writeData(w, f.valueText, r.Value) }},
	}
	written := false
	for _, field := range fields {
		if !field.wanted {
			continue
		}
		if written {
			w.WriteString(f.keySeparator)
		}
		if err := field.write(); err != nil {
			return err
		}
		written = true
	}
	if written {
		w.WriteString(f.lineSeparator)
	}
	return nil
}

func writeText(w *bufio.Writer, text string) error {
	_, err := w.WriteString(text)
	return err
}

func timestampText(r *kgo.Record) string {
	switch r.Attrs.TimestampType() {
	case 0:
		return "CreateTime:" + strconv.FormatInt(r.Timestamp.UnixMilli(), 10)
	case 1:
		return "LogAppendTime:" + strconv.FormatInt(r.Timestamp.UnixMilli(), 10)
	}
	return "NO_TIMESTAMP"
}

func epochText(r *kgo.Record) string {
	if r.LeaderEpoch < 0 {
		return "NOT_PRESENT"
	}
	return strconv.Itoa(int(r.LeaderEpoch))
}

func (f *plainFormatter) writeHeaders(w *bufio.Writer, headers []kgo.RecordHeader) error {
	if len(headers) == 0 {
		return writeText(w, "NO_HEADERS")
	}
	for i, header := range headers {
		if i > 0 {
			w.WriteString(f.headersSeparator)
		}
		w.WriteString(header.Key + ":")
		if err := f.writeData(w, f.headerText, header.Value); err != nil {
			return err
		}
	}
	return nil
}

func (f *plainFormatter) writeData(w *bufio.Writer, text deserializer, data []byte) error {
	switch {
	case data == nil:
		return writeText(w, f.nullLiteral)
	case text == nil:
		_, err := w.Write(data)
		return err
	}
	decoded, err := text(data)
	if err != nil {
		return err
	}
	return writeText(w, decoded)
}

// loggingFormatter shows as the default does and also logs, on standard error.
type loggingFormatter struct {
	formatter
	env *Env
}

func newLoggingFormatter(env *Env, props properties) formatter {
	return loggingFormatter{newPlainFormatter(env, props), env}
}

func (f loggingFormatter) write(w *bufio.Writer, r *kgo.Record) error {
	text := func(data []byte) string {
		if data == nil {
			return "null"
		}
		return string(data)
	}
	f.env.warnf("INFO %s, key:%s, value:%s\n", timestampText(r), text(r.Key), text(r.Value))
	return f.formatter.write(w, r)
}

// jsonFormatter shows a record as one line of JSON; bytes that are no UTF-8 lose their shape, as
// the Go encoder replaces them.
type jsonFormatter struct{}

func (jsonFormatter) write(w *bufio.Writer, r *kgo.Record) error {
	text := func(data []byte) *string {
		if data == nil {
			return nil
		}
		s := string(data)
		return &s
	}
	type header struct {
		Key   string  `json:"key"`
		Value *string `json:"value"`
	}
	line := struct {
		Topic     string    `json:"topic"`
		Partition int32     `json:"partition"`
		Offset    int64     `json:"offset"`
		Timestamp time.Time `json:"timestamp"`
		Headers   []header  `json:"headers,omitempty"`
		Key       *string   `json:"key"`
		Value     *string   `json:"value"`
	}{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Timestamp: r.Timestamp.UTC(), Key: text(r.Key), Value: text(r.Value)}
	for _, h := range r.Headers {
		line.Headers = append(line.Headers, header{h.Key, text(h.Value)})
	}
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(line)
}
