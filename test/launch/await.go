package launch

import (
	"context"
	"io"
	"net/http"
	"testing"
	"time"
)

// askEvery is how often Await looks.
const askEvery = 5 * time.Millisecond

// probes bounds how long a process may take over an answer.
var probes = http.Client{Timeout: time.Minute}

// Await looks until something holds, and fails the test with the state of things when that has not come about within so long.
func Await(t *testing.T, within time.Duration, what string, state func() string, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	tick := time.NewTicker(askEvery)
	defer tick.Stop()
	for !holds() {
		select {
		case <-ctx.Done():
			t.Fatalf("waited in vain for %s\n%s", what, state())
		case <-tick.C:
		}
	}
}

// IsReady tells whether the process whose http.listener is there says that it is ready.
func IsReady(listener string) bool {
	response, err := probes.Get("http://" + listener + "/readyz")
	if err != nil {
		return false
	}
	defer response.Body.Close()
	io.Copy(io.Discard, response.Body)
	return response.StatusCode == http.StatusOK
}
