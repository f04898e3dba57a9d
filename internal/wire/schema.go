package wire

import (
	"fmt"
	"strconv"
	"sync/atomic"
)

// schema is a request's parsed row of requestSchemas.
type schema struct {
	flexibleFrom int16 // -1: never
	fields       []field
}

// field is one field of a struct, or the element of an array (then without versions).
type field struct {
	kind     kind
	size     int   // of a fixed one, bytes
	from, to int16 // the versions that have it
	tag      int   // of a tagged field; -1 otherwise
	nullable bool  // of a struct: a byte says whether it is there
	inner    []field
}

type kind uint8

const (
	fixed kind = iota
	stringField
	bytesField
	arrayField
	structField
)

const lastVersion = 1<<15 - 1

func (f *field) in(version int16) bool { return f.from <= version && version <= f.to }

// schemas holds each row, by its key, once it was parsed: when the key is first seen.
var schemas [numKeys]atomic.Pointer[schema]

// numKeys is one more than the highest key with a row.
const numKeys = 96

// schemaOf returns nil for a key without a row.
func schemaOf(key int16) *schema {
	if key < 0 || key >= numKeys {
		return nil
	}
	if known := schemas[key].Load(); known != nil {
		return known
	}
	text, ok := requestSchemas[key]
	if !ok {
		return nil
	}
	parsed := parseSchema(text)
	schemas[key].Store(parsed)
	return parsed
}

// IsFlexible says whether a request of this version has compact lengths and tagged fields (KIP-482).
func IsFlexible(key, version int16) bool {
	s := schemaOf(key)
	return s != nil && s.flexibleFrom >= 0 && version >= s.flexibleFrom
}

// schemaText parses a row of the table. Rows are constants: a wrong one is a panic in the first test.
type schemaText struct {
	text string
	at   int
}

func parseSchema(text string) *schema {
	p := &schemaText{text: text}
	s := &schema{flexibleFrom: int16(p.number())}
	p.expect(';')
	s.fields = p.fields(0)
	return s
}

func (p *schemaText) peek() byte {
	for p.at < len(p.text) && p.text[p.at] == ' ' {
		p.at++
	}
	if p.at == len(p.text) {
		return 0
	}
	return p.text[p.at]
}

func (p *schemaText) expect(c byte) {
	if p.peek() != c {
		panic(fmt.Sprintf("schema %q: want %q at %d", p.text, c, p.at))
	}
	p.at++
}

func (p *schemaText) number() int {
	p.peek()
	start := p.at
	for p.at < len(p.text) && (p.text[p.at] == '-' && p.at == start || isDigit(p.text[p.at])) {
		p.at++
	}
	n, err := strconv.Atoi(p.text[start:p.at])
	if err != nil {
		panic(fmt.Sprintf("schema %q: want a number at %d", p.text, start))
	}
	return n
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func (p *schemaText) fields(end byte) []field {
	var list []field
	for p.peek() != end {
		tag := -1
		if p.peek() == '#' {
			p.at++
			tag = p.tagNumber()
		}
		f := p.field()
		f.tag = tag
		list = append(list, f)
	}
	return list
}

// tagNumber is one digit, since a field's size may follow it. Requests have no tag past nine.
func (p *schemaText) tagNumber() int {
	p.at++
	return int(p.text[p.at-1] - '0')
}

func (p *schemaText) field() field {
	f := p.kind()
	f.from, f.to = 0, lastVersion
	if p.peek() != '@' {
		return f
	}
	p.at++
	f.from = int16(p.number())
	if p.at < len(p.text) && p.text[p.at] == '-' {
		p.at++
		f.to = int16(p.number())
	}
	return f
}

func (p *schemaText) kind() field {
	c := p.peek()
	p.at++
	switch c {
	case '1', '2', '4', '8':
		return field{kind: fixed, size: int(c - '0')}
	case 'u':
		return field{kind: fixed, size: 16}
	case 's':
		return field{kind: stringField}
	case 'y':
		return field{kind: bytesField}
	case '[':
		element := p.field()
		p.expect(']')
		return field{kind: arrayField, inner: []field{element}}
	case '?':
		p.expect('(')
		return p.structure(true)
	case '(':
		return p.structure(false)
	}
	panic(fmt.Sprintf("schema %q: unknown type %q at %d", p.text, c, p.at-1))
}

func (p *schemaText) structure(nullable bool) field {
	inner := p.fields(')')
	p.expect(')')
	return field{kind: structField, nullable: nullable, inner: inner}
}
