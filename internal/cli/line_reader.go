package cli

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
)

// lineReader turns lines of text into records, as kafka-console-producer's reader does:
// headers, key and value in one line, set apart by separators of one's choice.
type lineReader struct {
	topic            string
	parseKey         bool
	keySeparator     string
	parseHeaders     bool
	headersDelimiter string
	headersSeparator *regexp.Regexp
	headerSeparator  string
	ignoreError      bool
	nullMarker       *string

	prompt func()
	input  *bufio.Reader
	line   int
}

func newLineReader(topic string, props properties, input io.Reader) (*lineReader, error) {
	get := func(key, fallback string) string {
		if value, ok := props[key]; ok {
			return value
		}
		return fallback
	}
	is := func(key string) bool { return strings.EqualFold(strings.TrimSpace(props[key]), "true") }
	headers := get("headers.separator", ",")
	pattern, err := regexp.Compile(headers)
	if err != nil {
		return nil, fmt.Errorf("headers.separator: %w", err)
	}
	r := &lineReader{
		topic: topic, input: bufio.NewReaderSize(input, 64<<10), prompt: func() {},
		parseKey: is("parse.key"), parseHeaders: is("parse.headers"), ignoreError: is("ignore.error"),
		keySeparator: get("key.separator", "\t"), headersDelimiter: get("headers.delimiter", "\t"),
		headersSeparator: pattern, headerSeparator: get("headers.key.separator", ":"),
	}
	marker, hasMarker := props["null.marker"]
	if hasMarker {
		r.nullMarker = &marker
	}
	type pair struct{ a, b, names string }
	pairs := []pair{
		{r.headersDelimiter, headers, "headers.delimiter and headers.separator"},
		{r.headersDelimiter, r.headerSeparator, "headers.delimiter and headers.key.separator"},
		{headers, r.headerSeparator, "headers.separator and headers.key.separator"},
	}
	if hasMarker {
		pairs = append(pairs,
			pair{r.keySeparator, marker, "null.marker and key.separator"},
			pair{headers, marker, "null.marker and headers.separator"},
			pair{r.headersDelimiter, marker, "null.marker and headers.delimiter"},
			pair{r.headerSeparator, marker, "null.marker and headers.key.separator"})
	}
	for _, p := range pairs {
		if p.a == p.b {
			return nil, errors.New(p.names + " may not be equal")
		}
	}
	return r, nil
}

// next reads one record; io.EOF ends them. A last line without its newline counts.
func (r *lineReader) next() (*kgo.Record, error) {
	r.line++
	r.prompt()
	line, err := r.input.ReadBytes('\n')
	if err != nil && (len(line) == 0 || !errors.Is(err, io.EOF)) {
		return nil, err
	}
	line = bytes.TrimSuffix(bytes.TrimSuffix(line, []byte{'\n'}), []byte{'\r'})
	return r.record(line)
}

func (r *lineReader) record(line []byte) (*kgo.Record, error) {
	record := &kgo.Record{Topic: r.topic}
	headers, rest, found, err := r.cut(r.parseHeaders, line, line, r.headersDelimiter, "headers delimiter")
	if err != nil {
		return nil, err
	}
	if found && !r.isNull(headers) {
		if record.Headers, err = r.headers(string(headers)); err != nil {
			return nil, err
		}
	}
	key, value, found, err := r.cut(r.parseKey, line, rest, r.keySeparator, "key separator")
	if err != nil {
		return nil, err
	}
	if found && !r.isNull(key) {
		record.Key = key
	}
	if !r.isNull(value) {
		record.Value = value
	}
	return record, nil
}

// cut takes the part before the separator off rest; without one, that is an error or rest stays.
func (r *lineReader) cut(wanted bool, line, rest []byte, separator, name string) (part, after []byte, found bool, err error) {
	if !wanted {
		return nil, rest, false, nil
	}
	part, after, found = bytes.Cut(rest, []byte(separator))
	if !found && !r.ignoreError {
		return nil, nil, false, sayf("No %s found on line number %d: '%s'", name, r.line, line)
	}
	if !found {
		return nil, rest, false, nil
	}
	return part, after, true, nil
}

func (r *lineReader) isNull(text []byte) bool {
	return r.nullMarker != nil && string(text) == *r.nullMarker
}

func (r *lineReader) headers(text string) ([]kgo.RecordHeader, error) {
	var headers []kgo.RecordHeader
	for _, pair := range r.headersSeparator.Split(text, -1) {
		key, value, found := strings.Cut(pair, r.headerSeparator)
		switch {
		case !found && !r.ignoreError:
			return nil, sayf("No header key separator found in pair '%s' on line number %d", pair, r.line)
		case !found:
			headers = append(headers, kgo.RecordHeader{Key: pair})
			continue
		case r.isNull([]byte(key)):
			return nil, sayf("Header keys should not be equal to the null marker '%s' as they can't be null",
				key)
		}
		header := kgo.RecordHeader{Key: key, Value: []byte(value)}
		if r.isNull(header.Value) {
			header.Value = nil
		}
		headers = append(headers, header)
	}
	return headers, nil
}
