// Package argp reads command lines the way some of Kafka's tools do: those that are built on the
// Java library argparse4j and not on joptsimple (package jopt). There an option may be shortened as
// long as it stays unambiguous, a value may be a negative number but no other word with a dash, and
// a word that belongs to no option is an error. Help goes to standard output and is no failure.
package argp

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// ErrHelp says that the help was asked for.
var ErrHelp = errors.New("help was asked for")

// UsageError is a mistake in the command line that is answered with the usage.
type UsageError struct {
	Message string
	Parser  *Parser
}

func (e *UsageError) Error() string { return e.Message }

// Parser holds the declared options of one tool, or of one of its subcommands.
type Parser struct {
	// Name is what the tool calls itself; for a subcommand "tool command".
	Name string
	// Intro is what the help says that the tool does.
	Intro string

	options []*Option
	groups  []*group
}

// group is options of which at most one may be given.
type group struct {
	options  []*Option
	required bool
}

// New returns a parser that knows -h and --help.
func New(name, intro string) *Parser {
	p := &Parser{Name: name, Intro: intro}
	p.Flag("--help", "show this help message and exit").Or("-h")
	return p
}

// Kinds of values, by the names that errors give them.
const (
	textKind    = ""
	integerKind = "Integer"
	longKind    = "Long"
	doubleKind  = "Double"
)

// Option is one declared option and, after Parse, what was given for it.
type Option struct {
	names    []string // the long one first
	metavar  string
	help     string
	kind     string
	flag     bool
	many     bool // one option takes several words
	repeated bool // the option may be given several times
	required bool
	choices  []string
	fallback string
	values   []string
	set      bool
}

func (p *Parser) add(o *Option) *Option {
	p.options = append(p.options, o)
	return o
}

// Flag declares an option without a value.
func (p *Parser) Flag(name, help string) *Option {
	return p.add(&Option{names: []string{name}, help: help, flag: true})
}

// Text declares an option with a value.
func (p *Parser) Text(name, metavar, help string) *Option {
	return p.add(&Option{names: []string{name}, metavar: metavar, help: help})
}

// Int declares an option with a 32-bit number.
func (p *Parser) Int(name, metavar, help string) *Option {
	return p.add(&Option{names: []string{name}, metavar: metavar, help: help, kind: integerKind})
}

// Long declares an option with a 64-bit number.
func (p *Parser) Long(name, metavar, help string) *Option {
	return p.add(&Option{names: []string{name}, metavar: metavar, help: help, kind: longKind})
}

// Double declares an option with a number that may have a fraction.
func (p *Parser) Double(name, metavar, help string) *Option {
	return p.add(&Option{names: []string{name}, metavar: metavar, help: help, kind: doubleKind})
}

// Exclusive declares that at most one of the options may be given, or exactly one if required.
func (p *Parser) Exclusive(required bool, options ...*Option) {
	p.groups = append(p.groups, &group{options, required})
}

// Or lets the option be given under another name.
func (o *Option) Or(name string) *Option { o.names = append(o.names, name); return o }

// Required makes it an error to leave the option out.
func (o *Option) Required() *Option { o.required = true; return o }

// Default is the value of an option that was left out.
func (o *Option) Default(value string) *Option { o.fallback = value; return o }

// Choices bounds the values.
func (o *Option) Choices(values ...string) *Option { o.choices = values; return o }

// Many lets the option take all words up to the next option.
func (o *Option) Many() *Option { o.many = true; return o }

// Repeated lets the option be given several times.
func (o *Option) Repeated() *Option { o.repeated = true; return o }

// Set says whether the option was given.
func (o *Option) Set() bool { return o.set }

// Values are the words given.
func (o *Option) Values() []string { return o.values }

// Value is the last word given, or the default.
func (o *Option) Value() string {
	if len(o.values) == 0 {
		return o.fallback
	}
	return o.values[len(o.values)-1]
}

// Number is Value as a number; Parse has made sure that it is one. It is 0 without value and default.
func (o *Option) Number() int64 {
	n, _ := strconv.ParseInt(o.Value(), 10, 64)
	return n
}

// Float is Value as a number with a fraction.
func (o *Option) Float() float64 {
	f, _ := strconv.ParseFloat(o.Value(), 64)
	return f
}

// Usagef returns a *UsageError for this parser.
func (p *Parser) Usagef(format string, args ...any) error {
	return &UsageError{Message: fmt.Sprintf(format, args...), Parser: p}
}

// Parse reads args. It returns ErrHelp when the help is asked for, and otherwise a *UsageError for
// the first thing that is wrong.
func (p *Parser) Parse(args []string) error {
	var words []string // that belong to no option
	for len(args) > 0 {
		word := args[0]
		args = args[1:]
		if !looksLikeOption(word) {
			words = append(words, word)
			continue
		}
		name, value, attached := strings.Cut(word, "=")
		o, err := p.find(name)
		if err != nil {
			return err
		}
		if o == nil {
			return p.Usagef("unrecognized arguments: '%s'", word)
		}
		if o == p.options[0] {
			return ErrHelp
		}
		values := []string{value}
		if !attached {
			values, args = o.take(args)
		}
		if err := p.assign(o, values, attached); err != nil {
			return err
		}
	}
	if err := p.complete(); err != nil {
		return err
	}
	if len(words) > 0 {
		return p.Usagef("unrecognized arguments: '%s'", strings.Join(words, " "))
	}
	return nil
}

// looksLikeOption tells an option from a value: -1 and -0.5 are values.
func looksLikeOption(word string) bool {
	if len(word) < 2 || word[0] != '-' {
		return false
	}
	_, err := strconv.ParseFloat(word, 64)
	return err != nil
}

// find finds an option by its name or by the beginning of it.
func (p *Parser) find(name string) (*Option, error) {
	var found []*Option
	var names []string
	for _, o := range p.options {
		for _, known := range o.names {
			if known == name {
				return o, nil
			}
			if strings.HasPrefix(name, "--") && strings.HasPrefix(known, name) {
				found, names = append(found, o), append(names, known)
			}
		}
	}
	switch len(found) {
	case 0:
		return nil, nil
	case 1:
		return found[0], nil
	}
	return nil, p.Usagef("ambiguous option: %s could match %s", name, strings.Join(names, ", "))
}

// take splits off the words that are the option's.
func (o *Option) take(args []string) (words, rest []string) {
	n := 0
	for n < len(args) && !looksLikeOption(args[n]) && !o.flag && (n == 0 || o.many) {
		n++
	}
	return args[:n], args[n:]
}

func (p *Parser) assign(o *Option, words []string, attached bool) error {
	switch {
	case o.flag && attached:
		return p.Usagef("argument %s: ignored explicit argument '%s'", o.title(), words[0])
	case !o.flag && len(words) == 0 && o.many:
		return p.Usagef("argument %s: expected at least one argument", o.title())
	case !o.flag && len(words) == 0:
		return p.Usagef("argument %s: expected one argument", o.title())
	}
	for _, g := range p.groups {
		for _, other := range g.options {
			if g.has(o) && other != o && other.set {
				return p.Usagef("argument %s: not allowed with argument %s", o.title(), other.title())
			}
		}
	}
	for _, word := range words {
		if err := o.check(word); err != nil {
			return p.Usagef("argument %s: %v", o.title(), err)
		}
	}
	o.set = true
	if !o.repeated {
		o.values = nil
	}
	o.values = append(o.values, words...)
	return nil
}

func (g *group) has(o *Option) bool {
	for _, member := range g.options {
		if member == o {
			return true
		}
	}
	return false
}

func (o *Option) check(word string) error {
	var err error
	switch o.kind {
	case integerKind:
		_, err = strconv.ParseInt(word, 10, 32)
	case longKind:
		_, err = strconv.ParseInt(word, 10, 64)
	case doubleKind:
		_, err = strconv.ParseFloat(word, 64)
	}
	if err != nil {
		return fmt.Errorf("could not convert '%s' to %s (For input string: \"%s\")", word, o.kind, word)
	}
	if len(o.choices) > 0 && !o.allows(word) {
		return fmt.Errorf("invalid choice: '%s' (choose from {%s})", word, strings.Join(o.choices, ","))
	}
	return nil
}

func (o *Option) allows(word string) bool {
	for _, choice := range o.choices {
		if choice == word {
			return true
		}
	}
	return false
}

// complete looks for options that are missing.
func (p *Parser) complete() error {
	for _, o := range p.options {
		if o.required && !o.set {
			return p.Usagef("argument %s is required", o.title())
		}
	}
	for _, g := range p.groups {
		given := false
		var names []string
		for _, o := range g.options {
			given = given || o.set
			names = append(names, o.names[0])
		}
		if g.required && !given {
			return p.Usagef("one of the arguments %s is required", strings.Join(names, " "))
		}
	}
	return nil
}

func (o *Option) title() string { return strings.Join(o.names, "/") }
