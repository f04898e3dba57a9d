package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// render makes the table of medians, spreads and, with two systems, ratios of the second to the first.
func render(results map[string]map[string][]figures, systems []system) string {
	var b strings.Builder
	b.WriteString("| case | figure |")
	for _, s := range systems {
		fmt.Fprintf(&b, " %s: median (min to max) |", s.name())
	}
	if len(systems) == 2 {
		fmt.Fprintf(&b, " %s / %s |", systems[1].name(), systems[0].name())
	}
	b.WriteString("\n|" + strings.Repeat("---|", strings.Count(b.String(), "|")-1) + "\n")
	for _, c := range cases {
		rounds := results[c.name]
		for _, figure := range names(rounds) {
			fmt.Fprintf(&b, "| %s | %s |", c.what, figure)
			var medians []float64
			for _, s := range systems {
				values := column(rounds[s.name()], figure)
				if len(values) == 0 {
					b.WriteString(" |")
					continue
				}
				medians = append(medians, values[len(values)/2])
				fmt.Fprintf(&b, " %.3g (%.3g to %.3g) |", values[len(values)/2], values[0], values[len(values)-1])
			}
			if len(medians) == 2 {
				fmt.Fprintf(&b, " %.2f |", medians[1]/medians[0])
			} else if len(systems) == 2 {
				b.WriteString(" |")
			}
			b.WriteString("\n")
		}
	}
	return b.String()
}

// names are the figures of a case, the same for each system that ran it.
func names(rounds map[string][]figures) []string {
	for _, of := range rounds {
		return slices.Sorted(maps.Keys(of[0]))
	}
	return nil
}

func column(rounds []figures, name string) []float64 {
	var values []float64
	for _, round := range rounds {
		values = append(values, round[name])
	}
	slices.Sort(values)
	return values
}
