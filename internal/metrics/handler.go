package metrics

import (
	"bufio"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"
)

const contentType = "text/plain; version=0.0.4; charset=utf-8"

// Handler serves the page of all metrics, in Prometheus' text format, compressed for those who take that.
func (r *Registry) Handler() http.Handler {
	return http.HandlerFunc(func(out http.ResponseWriter, req *http.Request) {
		out.Header().Set("Content-Type", contentType)
		if !acceptsGzip(req) {
			r.WriteTo(out)
			return
		}
		out.Header().Set("Content-Encoding", "gzip")
		compressed, err := gzip.NewWriterLevel(out, gzip.BestSpeed)
		if err != nil {
			panic("metrics: gzip refuses its own level: " + err.Error())
		}
		r.WriteTo(compressed)
		compressed.Close()
	})
}

func acceptsGzip(req *http.Request) bool {
	for part := range strings.SplitSeq(req.Header.Get("Accept-Encoding"), ",") {
		coding, quality, _ := strings.Cut(part, ";")
		if strings.TrimSpace(coding) == "gzip" {
			return strings.ReplaceAll(quality, " ", "") != "q=0"
		}
	}
	return false
}

// WriteTo writes the page of all metrics. It returns how many bytes that were and the first error of out.
func (r *Registry) WriteTo(out io.Writer) (int64, error) {
	counted := &countingWriter{out: out}
	w := &Writer{out: bufio.NewWriterSize(counted, 32<<10), now: time.Now()}
	own, gatherers := r.sources()
	for _, c := range own {
		c.Collect(w)
	}
	for _, g := range gatherers {
		w.gathered(g)
	}
	err := w.out.Flush()
	return counted.n, err
}

// gathered writes what client_golang holds. What it could not collect is left out, as a comment on the
// page says; the rest is shown.
func (w *Writer) gathered(g prometheus.Gatherer) {
	families, err := g.Gather()
	if err != nil {
		fmt.Fprintf(w.out, "# left out: %s\n", strings.ReplaceAll(err.Error(), "\n", " "))
	}
	for _, family := range families {
		if _, err := expfmt.MetricFamilyToText(w.out, family); err != nil {
			return // out is broken, which Flush reports
		}
	}
}

type countingWriter struct {
	out io.Writer
	n   int64
}

func (c *countingWriter) Write(p []byte) (int, error) {
	n, err := c.out.Write(p)
	c.n += int64(n)
	return n, err
}
