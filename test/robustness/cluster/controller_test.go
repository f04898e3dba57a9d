package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"syscall"
	"testing"
	"time"

	"barnabas/internal/overview"
)

// controller is who is elected as a broker tells it, 0 where that does not tell.
func (w *world) controller(of int) int {
	ctx, cancel := context.WithTimeout(w.t.Context(), 2*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://%s%d:8080/cluster/status", prefix, of), nil)
	if err != nil {
		w.t.Fatal(err)
	}
	asker := http.Client{Transport: &http.Transport{DialContext: w.net.dial, DisableKeepAlives: true}}
	response, err := asker.Do(request)
	if err != nil {
		return 0
	}
	defer response.Body.Close()
	var status overview.Status
	if response.StatusCode != http.StatusOK || json.NewDecoder(response.Body).Decode(&status) != nil {
		return 0
	}
	return int(status.Controller)
}

// makes creates a topic, however often it has to be asked for that.
func (w *world) makes(name string) {
	w.t.Helper()
	w.await("topic "+name, func() bool {
		ctx, cancel := context.WithTimeout(w.t.Context(), 5*time.Second)
		defer cancel()
		_, _ = w.admin.CreateTopic(ctx, 3, 3, nil, name) // it may be there already: the answer was lost
		topics, err := w.admin.ListTopics(ctx, name)
		return err == nil && len(topics[name].Partitions) == 3
	})
}

// A controller that sleeps and wakes up is not one any more: what it has under way is refused, and the one that was elected
// meanwhile goes on.
func TestPausedController(t *testing.T) {
	w := newWorld(t, nil)
	victim := 0
	w.await("a controller", func() bool { victim = w.controller(1); return victim > 0 })
	witness := victim%3 + 1
	w.load.Mark()
	if err := w.node(victim).Broker.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	w.await("another controller", func() bool { id := w.controller(witness); return id > 0 && id != victim })
	w.makes("while-it-sleeps")
	w.flows("while the old controller sleeps")
	if err := w.node(victim).Broker.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	w.mends()
	elected := 0
	w.await("all to name the same controller", func() bool {
		elected = w.controller(1)
		return elected > 0 && w.controller(2) == elected && w.controller(3) == elected
	})
	w.makes("when-it-is-awake")
	w.stalled("the controller sleeps")
	w.verify()
}
