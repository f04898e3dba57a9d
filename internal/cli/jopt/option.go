package jopt

import (
	"fmt"
	"strconv"
)

// Option is what all handles have in common.
type Option interface {
	Name() string
	Set() bool
}

func (o *option) Name() string   { return o.names[0] }
func (o *option) Set() bool      { return o.seen }
func (o *option) String() string { return o.names[0] }

// Flag is an option without an argument.
type Flag struct{ *option }

// Flag declares an option without an argument.
func (p *Parser) Flag(name, help string) *Flag {
	return &Flag{p.add(&option{names: []string{name}, help: help})}
}

// Text is an option with a string argument.
type Text struct {
	*option
	p *Parser
}

// Text declares an option that requires a string argument, named metavar in the help.
func (p *Parser) Text(name, metavar, help string) *Text {
	o := &option{names: []string{name}, arity: required, kind: "String", metavar: metavar, help: help}
	return &Text{p.add(o), p}
}

// OptionalText declares an option that may stand alone or have a string argument.
func (p *Parser) OptionalText(name, metavar, help string) *Text {
	o := &option{names: []string{name}, arity: optional, kind: "String", metavar: metavar, help: help}
	return &Text{p.add(o), p}
}

// Default sets the value that Value returns when the option was not given.
func (t *Text) Default(value string) *Text {
	t.fallback = value
	return t
}

// Or lets the option be given under another name, without a warning.
func (t *Text) Or(name string) *Text {
	t.p.alias(t.option, name, false)
	return t
}

// Deprecates lets the option be given under its old name, with a warning.
func (t *Text) Deprecates(name string) *Text {
	t.p.alias(t.option, name, true)
	return t
}

// Value returns the argument, the default, or "". Two arguments are an error.
func (t *Text) Value() (string, error) { return t.single() }

// Must returns what Value returns and drops the error; for use after Check.
func (t *Text) Must() string {
	value, _ := t.single()
	return value
}

// Values returns every argument given, in order.
func (t *Text) Values() []string { return t.values }

func (o *option) single() (string, error) {
	switch len(o.values) {
	case 0:
		return o.fallback, nil
	case 1:
		return o.values[0], nil
	}
	return "", sayf("Found multiple arguments for option %s, but you asked for only one", o)
}

// Int is an option with a 32-bit number.
type Int struct{ *number }

// Long is an option with a 64-bit number.
type Long struct{ *number }

type number struct {
	*option
	p    *Parser
	bits int
}

// Int declares an option that requires a 32-bit number.
func (p *Parser) Int(name, metavar, help string) *Int {
	return &Int{p.number(name, metavar, help, "Integer", 32)}
}

// Long declares an option that requires a 64-bit number.
func (p *Parser) Long(name, metavar, help string) *Long {
	return &Long{p.number(name, metavar, help, "Long", 64)}
}

func (p *Parser) number(name, metavar, help, kind string, bits int) *number {
	o := &option{names: []string{name}, arity: required, kind: kind, metavar: metavar, help: help}
	return &number{p.add(o), p, bits}
}

// Default sets the value that Value returns when the option was not given.
func (n *Int) Default(value int32) *Int {
	n.fallback = strconv.Itoa(int(value))
	return n
}

// Default sets the value that Value returns when the option was not given.
func (n *Long) Default(value int64) *Long {
	n.fallback = strconv.FormatInt(value, 10)
	return n
}

// Deprecates lets the option be given under its old name, with a warning.
func (n *Long) Deprecates(name string) *Long {
	n.p.alias(n.option, name, true)
	return n
}

// Value returns the number, the default, or 0.
func (n *number) Value() (int64, error) {
	text, err := n.single()
	if err != nil || text == "" && len(n.values) == 0 {
		return 0, err
	}
	value, err := strconv.ParseInt(text, 10, n.bits)
	if err != nil {
		return 0, sayf("Cannot parse argument '%s' of option %s", text, n.option)
	}
	return value, nil
}

// Must returns what Value returns and drops the error; for use after Check.
func (n *number) Must() int64 {
	value, _ := n.Value()
	return value
}

// Check returns the first error of value among the options, so that Must may be used after it.
func Check(options ...Option) error {
	for _, o := range options {
		var err error
		switch o := o.(type) {
		case *Text:
			_, err = o.Value()
		case *Int:
			_, err = o.Value()
		case *Long:
			_, err = o.Value()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// sayf is fmt.Errorf for what a person gets to read as it is, in joptsimple's words.
func sayf(format string, args ...any) error { return fmt.Errorf(format, args...) }
