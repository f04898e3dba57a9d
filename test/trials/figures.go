package main

import (
	"context"
	"fmt"
	"strings"
)

// figure is one measurement beside the trials.
type figure struct{ What, System, Measured, Goal string }

// measurement makes figures on a cluster of its own.
type measurement struct {
	name string
	run  func(ctx context.Context, o options, s system) ([]*figure, error)
}

var measurements = []measurement{
	{"kill", measureKills},
	{"term", measureStops},
	{"vanish", measurePauses},
	{"many", measureMany},
	{"memory", measureMemory},
}

func figureNames() []string {
	var names []string
	for _, m := range measurements {
		names = append(names, m.name)
	}
	return names
}

func chooseFigures(o options) ([]measurement, error) {
	switch o.figures {
	case "":
		return nil, nil
	case "all":
		return measurements, nil
	}
	var chosen []measurement
	for _, name := range strings.Split(o.figures, ",") {
		found := false
		for _, m := range measurements {
			if m.name == name {
				chosen, found = append(chosen, m), true
			}
		}
		if !found {
			return nil, fmt.Errorf("there is no figure %q", name)
		}
	}
	return chosen, nil
}

// measure never fails: what went wrong is the figure.
func (m measurement) measure(ctx context.Context, o options, s system) []*figure {
	ctx, cancel := context.WithTimeout(ctx, o.limit)
	defer cancel()
	figures, err := m.run(ctx, o, s)
	if err != nil {
		figures = append(figures, &figure{What: m.name, Measured: "failed: " + err.Error()})
	}
	for _, f := range figures {
		f.System = s.name
	}
	return figures
}
