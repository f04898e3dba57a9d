package broker

import (
	"errors"
	"fmt"
	"testing"
)

// What a start waits for is told while it starts, and not any more afterwards.
func TestReadinessSaysWhatAStartWaitsFor(t *testing.T) {
	var r readiness
	if err := r.err(); !errors.Is(err, errStarting) {
		t.Fatal(err)
	}
	late := fmt.Errorf("%w: waiting for somebody", errStarting)
	r.waits(late)
	if err := r.err(); err != late {
		t.Errorf("while it waits: %v", err)
	}
	r.waits(nil)
	if err := r.err(); err != errStarting {
		t.Errorf("once it does not wait any more: %v", err)
	}
	for _, settled := range []error{nil, errStopping} {
		r.set(settled)
		r.waits(late)
		if err := r.err(); err != settled {
			t.Errorf("after the start: %v", err)
		}
	}
}
