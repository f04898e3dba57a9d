package metrics

import (
	"bufio"
	"math"
	"strconv"
	"strings"
	"time"
)

// Type is what Prometheus makes of a family of samples.
type Type string

// The types of families.
const (
	CounterType Type = "counter"
	GaugeType   Type = "gauge"
	SummaryType Type = "summary"
)

// Writer writes the text exposition format, family after family. It is for one goroutine.
type Writer struct {
	out  *bufio.Writer
	now  time.Time
	name string
	num  []byte
}

// Family begins a family: samples that follow belong to it. A family is written once in a page.
func (w *Writer) Family(name string, kind Type, help string) {
	w.name = name
	w.out.WriteString("# HELP ")
	w.out.WriteString(name)
	w.out.WriteByte(' ')
	w.out.WriteString(help)
	w.out.WriteString("\n# TYPE ")
	w.out.WriteString(name)
	w.out.WriteByte(' ')
	w.out.WriteString(string(kind))
	w.out.WriteByte('\n')
}

// Sample writes one sample of the family. The labels are pairs of name and value; a label without a value
// is left out, which is the same to Prometheus.
func (w *Writer) Sample(value float64, labels ...string) { w.sample("", value, labels) }

// Count writes one sample of the family that is a whole number.
func (w *Writer) Count(value int64, labels ...string) {
	w.head("", labels)
	w.num = strconv.AppendInt(w.num[:0], value, 10)
	w.out.Write(w.num)
	w.out.WriteByte('\n')
}

func (w *Writer) sample(suffix string, value float64, labels []string) {
	w.head(suffix, labels)
	switch {
	case math.IsNaN(value):
		w.out.WriteString("NaN")
	case math.IsInf(value, 0):
		w.out.WriteString(map[bool]string{true: "+Inf", false: "-Inf"}[value > 0])
	default:
		w.num = strconv.AppendFloat(w.num[:0], value, 'g', -1, 64)
		w.out.Write(w.num)
	}
	w.out.WriteByte('\n')
}

func (w *Writer) head(suffix string, labels []string) {
	w.out.WriteString(w.name)
	w.out.WriteString(suffix)
	sep := byte('{')
	for i := 0; i+1 < len(labels); i += 2 {
		if labels[i+1] == "" {
			continue
		}
		w.out.WriteByte(sep)
		w.out.WriteString(labels[i])
		w.out.WriteString(`="`)
		w.value(labels[i+1])
		w.out.WriteByte('"')
		sep = ','
	}
	if sep == ',' {
		w.out.WriteByte('}')
	}
	w.out.WriteByte(' ')
}

func (w *Writer) value(s string) {
	if !strings.ContainsAny(s, "\\\"\n") {
		w.out.WriteString(s)
		return
	}
	for i := range len(s) {
		switch s[i] {
		case '\\', '"':
			w.out.WriteByte('\\')
			w.out.WriteByte(s[i])
		case '\n':
			w.out.WriteString(`\n`)
		default:
			w.out.WriteByte(s[i])
		}
	}
}

// one is 1 for true.
func one(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
