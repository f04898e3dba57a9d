package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

var systemNames = []string{nameKafka, nameNATS, nameLimit, nameBarnabas}

// String is a round's figures on one line.
func (f figures) String() string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(f)) {
		parts = append(parts, fmt.Sprintf("%s %s", name, short(f[name])))
	}
	return strings.Join(parts, "; ")
}

// short writes a figure with three digits that count.
func short(v float64) string {
	switch {
	case v >= 10_000:
		return fmt.Sprintf("%.3gk", v/1000)
	case v >= 1000:
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.3g", v)
}

// table has the medians, with the least and the most, the ratios, and what is to be reached.
func (r *results) table() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %s; %s, %d cores, Linux %s, %s.\n\n", r.Began.Format("2 January 2006 15:04 MST"),
		r.provenance(), r.Machine.CPU, r.Machine.Cores, r.Machine.Kernel, r.Machine.Go)
	b.WriteString("| case | figure |")
	for _, s := range systemNames {
		fmt.Fprintf(&b, " %s |", s)
	}
	b.WriteString(" to Kafka | to limit | to reach | met |\n|" + strings.Repeat("---|", 2+len(systemNames)+4) + "\n")
	for _, c := range cases {
		for _, name := range r.figuresOf(c.name) {
			r.row(&b, c, name)
		}
		for _, m := range r.Measured {
			if m.Case == c.name && len(m.Errors) > 0 {
				fmt.Fprintf(&b, "| %s | %s could not be measured | %s |\n", c.what, m.System, m.Errors[0])
			}
		}
		for _, s := range systemNames {
			if m := r.of(c.name, s); m != nil && s == nameBarnabas {
				fmt.Fprintf(&b, "| %s | others had of the machine, %% | | | | %s | | | | |\n", c.what, spread(m.Others))
			}
		}
	}
	return b.String()
}

// provenance are the commits, volumes and numbers of rounds of what was measured, several where that was in pieces.
func (r *results) provenance() string {
	var commits, scales, rounds []string
	note := func(list *[]string, s string) {
		if !slices.Contains(*list, s) {
			*list = append(*list, s)
		}
	}
	for _, m := range r.Measured {
		note(&commits, m.Commit)
		note(&scales, fmt.Sprintf("%g", m.Scale))
		note(&rounds, fmt.Sprint(len(m.Rounds)))
	}
	slices.Sort(rounds)
	return fmt.Sprintf("commit %s, %s rounds, scale %s", strings.Join(commits, " and "), strings.Join(rounds, " or "), strings.Join(scales, " and "))
}

func (r *results) row(b *strings.Builder, c benchCase, name string) {
	fmt.Fprintf(b, "| %s | %s |", c.what, name)
	for _, s := range systemNames {
		fmt.Fprintf(b, " %s |", spread(r.values(c.name, s, name)))
	}
	ours := r.values(c.name, nameBarnabas, name)
	for _, than := range []string{nameKafka, nameLimit} {
		if theirs := r.values(c.name, than, name); len(theirs) > 0 && len(ours) > 0 {
			fmt.Fprintf(b, " %.2f |", median(ours)/median(theirs))
		} else {
			b.WriteString(" |")
		}
	}
	var wanted, met []string
	for _, m := range c.marks {
		if m.figure == name {
			wanted = append(wanted, m.String())
			met = append(met, r.met(c.name, m))
		}
	}
	fmt.Fprintf(b, " %s | %s |\n", strings.Join(wanted, ", "), strings.Join(met, ", "))
}

func (m mark) String() string {
	bound := short(m.bound)
	if m.than != "" {
		bound += "x " + m.than
	}
	if m.most {
		return "at most " + bound
	}
	return "at least " + bound
}

func (r *results) met(name string, m mark) string {
	ours := r.values(name, nameBarnabas, m.figure)
	if len(ours) == 0 {
		return ""
	}
	value := median(ours)
	if m.than != "" {
		theirs := r.values(name, m.than, m.figure)
		if len(theirs) == 0 {
			return "not measured"
		}
		value /= median(theirs)
	}
	if m.most == (value <= m.bound) || value == m.bound {
		return "yes"
	}
	return "no"
}

// figuresOf are the names of a case's figures.
func (r *results) figuresOf(name string) []string {
	all := map[string]bool{}
	for _, m := range r.Measured {
		if m.Case != name {
			continue
		}
		for _, round := range m.Rounds {
			for figure := range round {
				all[figure] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(all))
}

// values are a figure's, of all rounds, in order of size.
func (r *results) values(name, system, figure string) []float64 {
	m := r.of(name, system)
	if m == nil {
		return nil
	}
	var values []float64
	for _, round := range m.Rounds {
		if v, ok := round[figure]; ok {
			values = append(values, v)
		}
	}
	slices.Sort(values)
	return values
}

func median(sorted []float64) float64 {
	middle := len(sorted) / 2
	if len(sorted)%2 == 0 {
		return (sorted[middle-1] + sorted[middle]) / 2
	}
	return sorted[middle]
}

func spread(values []float64) string {
	if len(values) == 0 {
		return ""
	}
	sorted := slices.Sorted(slices.Values(values))
	if len(sorted) == 1 {
		return short(sorted[0])
	}
	return fmt.Sprintf("%s (%s to %s)", short(median(sorted)), short(sorted[0]), short(sorted[len(sorted)-1]))
}
