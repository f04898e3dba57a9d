package config

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/magiconair/properties"
)

// given is one setting as a source gives it.
type given struct {
	name, value string
	where       string // file:line, or the name of a variable
}

// readProperties reads a Java properties file. Nothing in it is expanded. A later line of the same name wins, as in
// Java. What can't be read is a problem of its line, and the other lines still count.
func readProperties(file string, data []byte) ([]given, []Problem) {
	var settings []given
	var problems []Problem
	for _, line := range logicalLines(data) {
		where := fmt.Sprintf("%s:%d", file, line.number)
		name, value, err := readProperty(line.text)
		if err != nil {
			problems = append(problems, Problem{Where: where, Message: err.Error()})
			continue
		}
		settings = append(settings, given{name, value, where})
	}
	return settings, problems
}

var errNoName = errors.New("a value without a name")

func readProperty(line []byte) (name, value string, err error) {
	loader := properties.Loader{Encoding: properties.UTF8, DisableExpansion: true}
	if !utf8.Valid(line) {
		loader.Encoding = properties.ISO_8859_1 // what Java reads everything as
	}
	p, err := loader.LoadBytes(line)
	if err != nil {
		return "", "", fmt.Errorf("can't be read: %s", strings.TrimPrefix(err.Error(), "properties: "))
	}
	keys := p.Keys()
	if len(keys) != 1 || keys[0] == "" {
		return "", "", errNoName
	}
	value, _ = p.Get(keys[0])
	return keys[0], strings.TrimSpace(value), nil
}

type logicalLine struct {
	text   []byte
	number int // of its first line, from 1
}

// logicalLines joins lines that end in a backslash with the next, and drops blank ones and comments.
// The reader of properties does that too, but does not tell where a line came from.
func logicalLines(data []byte) []logicalLine {
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	data = bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n"))
	data = bytes.ReplaceAll(data, []byte("\r"), []byte("\n"))
	var lines []logicalLine
	var open *logicalLine
	for i, text := range bytes.Split(data, []byte("\n")) {
		if open == nil {
			trimmed := bytes.TrimLeft(text, " \t\f")
			if len(trimmed) == 0 || trimmed[0] == '#' || trimmed[0] == '!' {
				continue
			}
			open = &logicalLine{number: i + 1}
			text = trimmed
		} else {
			text = bytes.TrimLeft(text, " \t\f")
		}
		slashes := len(text) - len(bytes.TrimRight(text, `\`))
		if slashes%2 == 1 {
			open.text = append(open.text, text[:len(text)-1]...)
			continue
		}
		open.text = append(open.text, text...)
		lines = append(lines, *open)
		open = nil
	}
	if open != nil {
		lines = append(lines, *open)
	}
	return lines
}
