package jopt

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// helpWidth is the width that Kafka's own help is laid out for.
const helpWidth = 80

// WriteHelp writes the options in two columns, sorted by name, wrapped to 80 columns.
func (p *Parser) WriteHelp(w io.Writer) {
	sorted := slices.Clone(p.options)
	slices.SortFunc(sorted, func(a, b *option) int { return strings.Compare(a.Name(), b.Name()) })

	left := len("Option")
	for _, o := range sorted {
		left = max(left, min(len(o.usage()), helpWidth/2))
	}
	right := helpWidth - left - 1
	row := func(a, b string) {
		fmt.Fprintln(w, strings.TrimRight(fmt.Sprintf("%-*s %s", left, a, b), " "))
	}
	row("Option", "Description")
	row("------", "-----------")
	for _, o := range sorted {
		names, text := wrap(o.usage(), left), wrap(o.describe(), right)
		for i := range max(len(names), len(text)) {
			row(at(names, i), at(text, i))
		}
	}
}

func at(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return ""
}

func (o *option) usage() string {
	var b strings.Builder
	b.WriteString("--" + o.names[0])
	argument := o.kind
	if o.metavar != "" {
		argument += ": " + o.metavar
	}
	switch o.arity {
	case required:
		b.WriteString(" <" + argument + ">")
	case optional:
		b.WriteString(" [" + argument + "]")
	}
	return b.String()
}

func (o *option) describe() string {
	text := o.help
	if len(o.names) > 1 {
		text += " (also: --" + strings.Join(o.names[1:], ", --") + ")"
	}
	if o.fallback != "" {
		text += " (default: " + o.fallback + ")"
	}
	return text
}

// wrap breaks text at spaces; a continued line is indented by two, an explicit newline is kept.
func wrap(text string, width int) []string {
	var lines []string
	for _, paragraph := range strings.Split(text, "\n") {
		line := ""
		for _, word := range strings.Fields(paragraph) {
			switch {
			case line == "":
				line = word
			case len(line)+1+len(word) <= width:
				line += " " + word
			default:
				lines = append(lines, line)
				line = "  " + word
			}
		}
		lines = append(lines, line)
	}
	return lines
}
