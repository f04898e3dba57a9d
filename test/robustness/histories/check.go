package histories

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

// searchWithin bounds the search for an order; each key's takes milliseconds.
const searchWithin = time.Minute

// holds tells whether a history could be that of registers, and shows the key that could not.
func (h *history) holds(t *testing.T) bool {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	began := time.Now()
	for _, key := range byKey(h.operations) {
		switch porcupine.CheckOperationsTimeout(model, key, searchWithin) {
		case porcupine.Illegal:
			t.Logf("no order of these explains what was answered:\n%s", tell(key))
			show(t, key)
			return false
		case porcupine.Unknown:
			t.Errorf("no verdict within %s on these:\n%s", searchWithin, tell(key))
			return false
		}
	}
	t.Logf("%d operations on %d keys, searched in %s: %v; longest pause %s", len(h.operations), h.made,
		time.Since(began).Round(time.Millisecond), h.counts, h.pause.Round(time.Millisecond))
	return true
}

// tell is a history as text, in the order in which was asked.
func tell(operations []porcupine.Operation) string {
	sorted := slices.Clone(operations)
	slices.SortFunc(sorted, func(a, b porcupine.Operation) int { return int(a.Call - b.Call) })
	var out strings.Builder
	for _, o := range sorted {
		until := "?"
		if o.Return != never {
			until = time.Duration(o.Return).String()
		}
		fmt.Fprintf(&out, "%14s to %14s client %d: %s\n", time.Duration(o.Call), until, o.ClientId, model.DescribeOperation(o.Input, o.Output))
	}
	return out.String()
}

// show draws the history for a browser, in the folder that $SHOW names.
func show(t *testing.T, operations []porcupine.Operation) {
	dir := os.Getenv("SHOW")
	if dir == "" {
		return
	}
	_, info := porcupine.CheckOperationsVerbose(model, operations, searchWithin)
	path := filepath.Join(dir, strings.ReplaceAll(t.Name(), "/", "-")+".html")
	if err := porcupine.VisualizePath(model, info, path); err != nil {
		t.Logf("draw the history: %v", err)
		return
	}
	t.Logf("drawn in %s", path)
}
