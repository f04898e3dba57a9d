package main

import (
	"fmt"
	"html"
	"math"
	"os"
	"path/filepath"
	"strings"
)

// plot is a picture of bars: for each row a heading, and below it a bar for each system.
type plot struct {
	file, title, unit string
	rows              []plotRow
	less              bool // is better
	limit             bool // shows the limit, and not NATS
}

// plotRow is one figure of one case.
type plotRow struct{ benchCase, figure, heading string }

var plots = []plot{
	{"produce.svg", "Produce on one core", "MB/s", []plotRow{
		{"produce100", "MB/s", "records of 100 B, batches of 1 MiB"},
		{"produce1k", "MB/s", "records of 1 KiB, batches of 1 MiB"},
		{"tlsproduce", "MB/s", "the same over TLS 1.3"},
	}, false, true},
	{"fetch.svg", "Catch-up fetch on one core", "MB/s", []plotRow{
		{"fetch", "MB/s", "records of 1 KiB"}, {"tlsfetch", "MB/s", "the same over TLS 1.3"},
	}, false, true},
	{"small.svg", "One-record requests on one core, 64 connections", "requests/s",
		[]plotRow{{"small", "requests/s", "records of 100 B, acks=all"}}, false, true},
	{"fsync.svg", "One-record requests by what is synced, 64 connections", "requests/s", []plotRow{
		{"fsync", syncDefault + ": requests/s", "nothing is synced (the default)"},
		{"fsync", syncHundred + ": requests/s", "flush.messages=100"},
		{"fsync", syncEach + ": requests/s", "flush.messages=1"},
		{"fsync", syncOnAck + ": requests/s", "fsync.on.ack (Barnabas' own)"},
	}, false, false},
	{"three.svg", "Three brokers, RF 3, acks=all, min ISR 2, two cores", "MB/s", []plotRow{
		{"three", "MB/s", "prepared frames"}, {"threeclient", "MB/s", "a client (franz-go)"},
	}, false, false},
	{"latency.svg", "From due to consumed, 99th percentile", "ms", []plotRow{
		{"latency", "p99, ms", "1,000 records/s"}, {"latency20k", "p99, ms", "20,000 records/s"},
		{"latency3", "p99, ms", "1,000 records/s, three brokers, acks=all"},
	}, true, false},
	{"memory.svg", "Resident memory", "MiB", []plotRow{
		{"idle", "resident, MiB", "one idle broker"}, {"idle3", "resident, MiB", "three idle brokers"},
		{"parts5k", "resident, MiB", "5,000 partitions"}, {"parts10k", "resident, MiB", "10,000 partitions"},
	}, true, false},
	{"partitions.svg", "Seconds with 10,000 partitions", "s", []plotRow{
		{"parts10k", "create and lead, s", "create them, and lead"}, {"parts10k", "one record to each, s", "one record to each"},
		{"parts10k", "restart, clean, s", "restart"}, {"parts10k", "restart after kill -9, s", "restart after kill -9"},
	}, true, false},
}

// What a picture looks like, in pixels.
const (
	plotWidth   = 680
	plotLeft    = 92  // the names of systems
	plotNumbers = 118 // beside the longest bar
	plotTop     = 52
	plotHeading = 22
	plotBar     = 19
	plotGap     = 10
	plotAxis    = 36
)

// The ground is the picture's own, so that it can be read wherever it is shown; the colours of the bars differ in lightness too.
const plotStyle = `<style>
.title{font-size:15px;font-weight:600}.group{font-size:12px;font-weight:600;paint-order:stroke;stroke:#ffffff;stroke-width:4px}.us{font-weight:600}
.ground{fill:#ffffff}text{fill:#24292f}.dim{fill:#57606a}.grid{stroke:#d0d7de}.spread{stroke:#24292f}
.kafka{fill:#9aa4b2}.nats{fill:#58a6d6}.limit{fill:#d4a72c}.barnabas{fill:#1a7f4b}
@media(prefers-color-scheme:dark){.ground{fill:#0d1117}text{fill:#e6edf3}.dim{fill:#9198a1}.grid{stroke:#30363d}.spread{stroke:#e6edf3}
.kafka{fill:#7d8795}.nats{fill:#4493c8}.limit{fill:#bb8a09}.barnabas{fill:#3fb96f}.group{stroke:#0d1117}}
</style>`

var plotClasses = map[string]string{nameKafka: "kafka", nameNATS: "nats", nameLimit: "limit", nameBarnabas: "barnabas"}

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

// bar is a median with the least and the most of its rounds.
type bar struct {
	system              string
	value, least, worst float64
}

func (r *results) bars(p plot, row plotRow) (bars []bar) {
	for _, s := range systemNames {
		if s == nameLimit && !p.limit {
			continue
		}
		if v := r.values(row.benchCase, s, row.figure); len(v) > 0 {
			bars = append(bars, bar{s, median(v), v[0], v[len(v)-1]})
		}
	}
	return bars
}

// picture is an SVG, or empty where nothing was measured.
func (r *results) picture(p plot) string {
	most := 0.0
	for _, row := range p.rows {
		for _, one := range r.bars(p, row) {
			most = max(most, one.worst)
		}
	}
	if most == 0 {
		return ""
	}
	a := axisTo(most)
	var b strings.Builder
	y := plotTop
	for _, row := range p.rows {
		bars := r.bars(p, row)
		if len(bars) == 0 {
			continue
		}
		fmt.Fprintf(&b, `<text x="16" y="%d" class="group">%s</text>`+"\n", y+13, html.EscapeString(row.heading))
		y += plotHeading
		for _, one := range bars {
			a.bar(&b, y, one)
			y += plotBar
		}
		y += plotGap
	}
	better := "more is better"
	if p.less {
		better = "less is better"
	}
	height := y + plotAxis
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %[1]d %[2]d" width="%[1]d" height="%[2]d" font-family="system-ui,-apple-system,'Segoe UI',Helvetica,Arial,sans-serif" font-size="12" role="img" aria-label="%[3]s, %[4]s">
%[5]s
<rect class="ground" width="%[1]d" height="%[2]d" rx="6"/>
<text x="16" y="24" class="title">%[3]s</text>
<text x="16" y="41" class="dim" font-size="11">%[4]s, %[6]s; medians, with the least and the most of the rounds</text>
%[7]s%[8]s</svg>
`, plotWidth, height, html.EscapeString(p.title), p.unit, plotStyle, better, a.grid(plotTop, y, p.unit), b.String())
}

// axis leads from 0 to a round figure at or beyond the largest one.
type axis struct{ step, most float64 }

func axisTo(most float64) axis {
	const steps = 5
	step := math.Pow(10, math.Floor(math.Log10(most/steps)))
	for _, nice := range []float64{1, 2, 2.5, 5, 10} {
		if most <= nice*step*steps {
			step *= nice
			break
		}
	}
	return axis{step, step * math.Ceil(most/step*(1-1e-9))}
}

func (a axis) x(value float64) float64 {
	return plotLeft + value/a.most*(plotWidth-plotLeft-plotNumbers)
}

// grid is a line for each step, from above the bars to below them, with its figure.
func (a axis) grid(top, bottom int, unit string) string {
	var b strings.Builder
	for i := 0; float64(i)*a.step <= a.most*(1+1e-9); i++ {
		at := float64(i) * a.step
		fmt.Fprintf(&b, `<line x1="%.1f" x2="%.1f" y1="%d" y2="%d" class="grid"/>`, a.x(at), a.x(at), top, bottom)
		fmt.Fprintf(&b, `<text x="%.1f" y="%d" text-anchor="middle" class="dim" font-size="11">%s</text>`+"\n", a.x(at), bottom+15, thousands(at))
	}
	fmt.Fprintf(&b, `<text x="%d" y="%d" class="dim" font-size="11">%s</text>`+"\n", plotWidth-plotNumbers+26, bottom+15, unit)
	return b.String()
}

func (a axis) bar(b *strings.Builder, y int, one bar) {
	class := plotClasses[one.system]
	emphasis := ""
	if one.system == nameBarnabas {
		emphasis = ` class="us"`
	}
	fmt.Fprintf(b, `<text x="%d" y="%d" text-anchor="end"%s>%s</text>`, plotLeft-8, y+12, emphasis, html.EscapeString(shortName(one.system)))
	fmt.Fprintf(b, `<rect x="%d" y="%d" width="%.1f" height="%d" rx="1.5" class="%s"/>`, plotLeft, y+1, max(1, a.x(one.value)-plotLeft), plotBar-5, class)
	if one.worst > one.least {
		middle := float64(y) + float64(plotBar-3)/2
		fmt.Fprintf(b, `<path d="M%.1f %.1fH%.1fM%.1f %.1fv6M%.1f %.1fv6" class="spread" fill="none"/>`,
			a.x(one.least), middle, a.x(one.worst), a.x(one.least), middle-3, a.x(one.worst), middle-3)
	}
	fmt.Fprintf(b, `<text x="%.1f" y="%d"%s>%s</text>`+"\n", a.x(one.worst)+7, y+12, emphasis, thousands(one.value))
}

// thousands writes a figure with three digits that count, and commas.
func thousands(v float64) string {
	if v < 1000 {
		return fmt.Sprintf("%.3g", v)
	}
	magnitude := math.Pow(10, math.Floor(math.Log10(v))-2)
	digits := fmt.Sprintf("%.0f", math.Round(v/magnitude)*magnitude)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

func shortName(system string) string {
	return strings.TrimSuffix(strings.TrimPrefix(system, "Apache "), " JetStream")
}
