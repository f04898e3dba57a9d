package main

import (
	"fmt"
	"html"
	"os"
	"path/filepath"
	"strings"
)

// plot is a picture of bars: for each case a group, and in it a bar for each system.
type plot struct {
	file, title, figure string
	cases               []string
	less                bool // is better
}

var plots = []plot{
	{"produce.svg", "Produce, 1 MiB batches, one broker on one core: MB/s", "MB/s", []string{"produce100", "produce1k"}, false},
	{"small.svg", "One-record requests, 64 connections, one core: requests/s", "requests/s", []string{"small"}, false},
	{"fetch.svg", "Catch-up fetch, one core: MB/s", "MB/s", []string{"fetch"}, false},
	{"three.svg", "Three brokers, RF 3, acks=all: MB/s", "MB/s", []string{"three", "threeclient"}, false},
	{"latency.svg", "End to end, 99th percentile: ms", "p99, ms", []string{"latency", "latency20k", "latency3"}, true},
	{"memory.svg", "Resident memory: MiB", "resident, MiB", []string{"idle", "idle3", "parts5k", "parts10k"}, true},
}

// What a picture looks like, in pixels.
const (
	plotWidth   = 640
	plotLeft    = 250 // the names of cases
	plotTop     = 40
	plotBar     = 18
	plotGap     = 14
	plotNumbers = 70 // beside the longest bar
)

var systemColours = map[string]string{
	nameKafka: "#b0b7c3", nameNATS: "#7fb2d9", nameLimit: "#d9c27f", nameBarnabas: "#2f7d4f",
}

func (r *results) draw(dir string) error {
	for _, p := range plots {
		picture := r.picture(p)
		if picture == "" {
			continue
		}
		if err := os.WriteFile(filepath.Join(dir, p.file), []byte(picture), 0o644); err != nil {
			return err
		}
	}
	return nil
}

type bar struct {
	group, system string
	value         float64
}

func (r *results) bars(p plot) (bars []bar, most float64) {
	for _, c := range cases {
		for _, name := range p.cases {
			if name != c.name {
				continue
			}
			for _, s := range systemNames {
				if values := r.values(c.name, s, p.figure); len(values) > 0 {
					bars = append(bars, bar{c.what, s, median(values)})
					most = max(most, median(values))
				}
			}
		}
	}
	return bars, most
}

// picture is an SVG, or empty where nothing was measured.
func (r *results) picture(p plot) string {
	bars, most := r.bars(p)
	if len(bars) == 0 || most == 0 {
		return ""
	}
	var b strings.Builder
	y, group := plotTop, ""
	room := float64(plotWidth - plotLeft - plotNumbers)
	for _, one := range bars {
		if one.group != group {
			if group = one.group; y > plotTop {
				y += plotGap
			}
			fmt.Fprintf(&b, `<text x="8" y="%d" class="group">%s</text>`+"\n", y+13, html.EscapeString(wrap(group)))
		}
		width := one.value / most * room
		fmt.Fprintf(&b, `<rect x="%d" y="%d" width="%.1f" height="%d" fill="%s"/>`+"\n", plotLeft, y, width, plotBar-3, systemColours[one.system])
		fmt.Fprintf(&b, `<text x="%.1f" y="%d">%s %s</text>`+"\n", float64(plotLeft)+width+5, y+12, short(one.value), html.EscapeString(shortName(one.system)))
		y += plotBar
	}
	better := "more is better"
	if p.less {
		better = "less is better"
	}
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="11">
<style>text{fill:#333}.title{font-size:14px;font-weight:bold}@media(prefers-color-scheme:dark){text{fill:#ddd}}</style>
<text x="8" y="18" class="title">%s (%s)</text>
%s</svg>
`, plotWidth, y+10, html.EscapeString(p.title), better, b.String())
}

// wrap keeps a case's name within its column.
func wrap(what string) string {
	const most = 44
	if len(what) <= most {
		return what
	}
	return what[:most-1] + "…"
}

func shortName(system string) string {
	return strings.TrimSuffix(strings.TrimPrefix(system, "Apache "), " JetStream")
}
