package keepers

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// Whatever the order in which they start, nothing is born before all are there; and then it is born at once.
func TestBirthWithOneLate(t *testing.T) {
	for late := range 3 {
		t.Run(fmt.Sprintf("keeper %d", late+1), func(t *testing.T) {
			t.Parallel()
			e := newEnsemble(t, 3)
			for i, k := range e.keepers {
				if i != late {
					e.launch(k)
				}
			}
			missing := fmt.Sprintf("waiting for keeper %d", late+1)
			for i, k := range e.keepers {
				if i != late {
					e.await(k.name+" to say for whom it waits", func() bool { return strings.Contains(k.readiness(), missing) })
				}
			}
			began := time.Now()
			e.launch(e.keepers[late])
			e.allReady()
			t.Logf("all are ready %s after the last one started", time.Since(began).Round(time.Millisecond))
			s := e.store()
			e.put(s, "k", "v")
			if got := e.get(s, "k"); got != "v" {
				t.Errorf("read %q", got)
			}
		})
	}
}
