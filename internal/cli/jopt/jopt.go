// Package jopt reads command lines the way Kafka's shell tools do. Those are built on the Java
// library joptsimple, whose habits scripts depend on: a long option may start with one dash or
// two, its argument may follow "=" or come next, an option that wants an argument swallows
// whatever comes next even if it looks like an option, and words that belong to no option are
// let through.
//
// A tool declares its options on a Parser, keeps the typed handles it gets back, calls Parse
// once and then asks the handles. Parse reports errors of form; the handles report errors of
// value the first time they are asked, as the original does.
package jopt

import (
	"errors"
	"fmt"
	"strings"
)

// Errors that Parse returns for the two options that every tool has.
var (
	ErrHelp    = errors.New("help was asked for")
	ErrVersion = errors.New("version was asked for")
)

// UsageError is a mistake in the command line that is answered with the list of options.
type UsageError struct {
	Message string
	Parser  *Parser
}

func (e *UsageError) Error() string { return e.Message }

type arity int

const (
	none arity = iota
	optional
	required
)

// option is one declared option, under one or more names; the first is the one shown.
type option struct {
	names    []string
	old      map[string]bool // names that still work but warn
	arity    arity
	kind     string // String, Integer, Long: what the help shows
	metavar  string
	help     string
	fallback string
	seen     bool
	warned   bool
	values   []string
}

// Parser holds the declared options of one tool.
type Parser struct {
	// Intro is the sentence that --help begins with.
	Intro string
	// Warn receives one line for each deprecated name used; nil drops them.
	Warn func(string)

	options []*option
	byName  map[string]*option
	help    *Flag
	version *Flag
	rest    []string
	argc    int
}

// New returns a parser that knows --help and --version.
func New(intro string) *Parser {
	p := &Parser{Intro: intro, byName: map[string]*option{}}
	p.help = p.Flag("help", "Print usage information.")
	p.version = p.Flag("version", "Display the version of Kafka whose tools this one matches.")
	return p
}

func (p *Parser) add(o *option) *option {
	p.options = append(p.options, o)
	for _, name := range o.names {
		p.byName[name] = o
	}
	return o
}

func (p *Parser) alias(o *option, name string, deprecated bool) {
	o.names = append(o.names, name)
	p.byName[name] = o
	if deprecated {
		if o.old == nil {
			o.old = map[string]bool{}
		}
		o.old[name] = true
	}
}

// Parse reads args. It returns ErrHelp or ErrVersion when one of those options is present, and a
// *UsageError when an option is unknown or lacks its argument.
func (p *Parser) Parse(args []string) error {
	p.argc = len(args)
	for len(args) > 0 {
		word := args[0]
		args = args[1:]
		if word == "--" {
			p.rest = append(p.rest, args...)
			break
		}
		if !looksLikeOption(word) {
			p.rest = append(p.rest, word)
			continue
		}
		var err error
		if args, err = p.parseOption(word, args); err != nil {
			return err
		}
	}
	if p.help.Set() {
		return ErrHelp
	}
	if p.version.Set() {
		return ErrVersion
	}
	return nil
}

func (p *Parser) parseOption(word string, args []string) ([]string, error) {
	name, value, attached := strings.Cut(strings.TrimLeft(word, "-"), "=")
	o := p.byName[name]
	if o == nil {
		return nil, p.Usagef("%s is not a recognized option", p.unknownName(word, name))
	}
	o.seen = true
	if o.old[name] && p.Warn != nil && !o.warned {
		o.warned = true
		p.Warn(fmt.Sprintf("Warning: --%s is deprecated and will be removed in a future version. "+
			"Use --%s instead.", name, o.names[0]))
	}
	switch {
	case o.arity == none:
	case attached:
		o.values = append(o.values, value)
	case o.arity == required && len(args) == 0:
		return nil, p.Usagef("Option %s requires an argument", o)
	case o.arity == required, len(args) > 0 && !looksLikeOption(args[0]):
		o.values = append(o.values, args[0])
		args = args[1:]
	}
	return args, nil
}

// unknownName is what the error calls an option that nobody declared: a word with a single dash
// is read as a cluster of one-letter options, and its first letter is blamed.
func (p *Parser) unknownName(word, name string) string {
	if strings.HasPrefix(word, "--") || name == "" {
		return name
	}
	return name[:1]
}

func looksLikeOption(word string) bool {
	return len(word) > 1 && word[0] == '-' && word != "--"
}

// Empty says that the command line had no word at all.
func (p *Parser) Empty() bool { return p.argc == 0 }

// Rest returns the words that belonged to no option.
func (p *Parser) Rest() []string { return p.rest }

// Usagef returns a *UsageError for this parser.
func (p *Parser) Usagef(format string, args ...any) error {
	return &UsageError{Message: fmt.Sprintf(format, args...), Parser: p}
}

// Required returns a *UsageError naming the first of the options that was not given.
func (p *Parser) Required(options ...Option) error {
	for _, o := range options {
		if !o.Set() {
			return p.Usagef("Missing required argument %q", "["+o.Name()+"]")
		}
	}
	return nil
}

// Exclusive returns a *UsageError if used was given together with any of the others.
func (p *Parser) Exclusive(used Option, others ...Option) error {
	if !used.Set() {
		return nil
	}
	for _, o := range others {
		if o.Name() != used.Name() && o.Set() {
			return p.Usagef("Option %q can't be used with option %q",
				"["+used.Name()+"]", "["+o.Name()+"]")
		}
	}
	return nil
}

// ExactlyOne returns a *UsageError with the message unless exactly one of the options was given.
func (p *Parser) ExactlyOne(message string, options ...Option) error {
	if Count(options...) != 1 {
		return p.Usagef("%s", message)
	}
	return nil
}

// Count says how many of the options were given.
func Count(options ...Option) int {
	n := 0
	for _, o := range options {
		if o.Set() {
			n++
		}
	}
	return n
}
