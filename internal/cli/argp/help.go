package argp

import (
	"fmt"
	"io"
	"strings"
)

// The layout of the original: 75 columns, descriptions from the 25th on.
const (
	helpWidth  = 75
	helpIndent = 25
)

// WriteUsage writes the usage line, wrapped.
func (p *Parser) WriteUsage(w io.Writer) {
	line := "usage: " + p.Name
	indent := strings.Repeat(" ", min(len(line)+1, helpWidth/2))
	for _, part := range p.usageParts() {
		if len(line)+1+len(part) > helpWidth {
			fmt.Fprintln(w, line)
			line = indent + part
			continue
		}
		line += " " + part
	}
	fmt.Fprintln(w, line)
}

func (p *Parser) usageParts() []string {
	parts := []string{"[-h]"}
	shown := map[*Option]bool{p.options[0]: true}
	for _, o := range p.options[1:] {
		if g := p.groupOf(o); g != nil {
			if shown[o] {
				continue
			}
			for _, member := range g.options {
				shown[member] = true
			}
			parts = append(parts, g.usageParts()...)
			continue
		}
		if o.required {
			parts = append(parts, o.usage())
		} else {
			parts = append(parts, "["+o.usage()+"]")
		}
	}
	return parts
}

func (g *group) usageParts() []string {
	parts := make([]string, len(g.options))
	for i, o := range g.options {
		parts[i] = o.usage() + " |"
	}
	opening, closing := "[", "]"
	if g.required {
		opening, closing = "(", ")"
	}
	last := len(parts) - 1
	parts[last] = strings.TrimSuffix(parts[last], " |") + closing
	parts[0] = opening + parts[0]
	return parts
}

func (p *Parser) groupOf(o *Option) *group {
	for _, g := range p.groups {
		if g.has(o) {
			return g
		}
	}
	return nil
}

// usage is the option with its value, by its first name.
func (o *Option) usage() string { return o.names[0] + o.argument() }

func (o *Option) argument() string {
	switch {
	case o.flag:
		return ""
	case o.many:
		return " " + o.metavar + " [" + o.metavar + " ...]"
	}
	return " " + o.metavar
}

// WriteHelp writes the usage, the intro and every option with its description.
func (p *Parser) WriteHelp(w io.Writer) {
	p.WriteUsage(w)
	if p.Intro != "" {
		fmt.Fprintf(w, "\n%s\n", strings.Join(wrap(p.Intro, helpWidth), "\n"))
	}
	fmt.Fprintf(w, "\noptional arguments:\n")
	for i, o := range p.options {
		var names []string
		for _, name := range o.names {
			names = append(names, name+o.argument())
		}
		if i == 0 {
			names = []string{"-h", "--help"}
		}
		head := "  " + strings.Join(names, ", ")
		lines := wrap(o.describe(), helpWidth-helpIndent)
		if len(head) <= helpIndent-2 && len(lines) > 0 {
			head = fmt.Sprintf("%-*s%s", helpIndent, head, lines[0])
			lines = lines[1:]
		}
		fmt.Fprintln(w, head)
		for _, line := range lines {
			fmt.Fprintf(w, "%*s%s\n", helpIndent, "", line)
		}
	}
}

func (o *Option) describe() string {
	if o.fallback == "" {
		return o.help
	}
	return o.help + " (default: " + o.fallback + ")"
}

func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		switch {
		case line == "":
			line = word
		case len(line)+1+len(word) <= width:
			line += " " + word
		default:
			lines = append(lines, line)
			line = word
		}
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}
