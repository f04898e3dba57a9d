package pods

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"
)

// evicted are the pods that were ended for the room they took, and why.
func (w *world) evicted() map[string]string {
	out := map[string]string{}
	for _, e := range w.Events() {
		if e.Reason == "Evicted" {
			out[e.InvolvedObject.Name] = e.Message
		}
	}
	return out
}

// Somebody fills the emptyDirs of a broker and of a keeper beyond their limit: both are evicted, and come back with nothing. What was
// acknowledged is elsewhere.
func TestEviction(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.evicts = true
	w.install(map[string]any{
		"keepers": map[string]any{"storage": map[string]any{"size": "256Mi"}}, "brokers": map[string]any{"storage": map[string]any{"size": "64Mi"}},
	})
	w.chartReady("installed")
	l := w.startLoad("-bootstrap", w.nodePorts("queue-barnabas-outside"), "-create", "-partitions", "1")
	l.flows(500, "before")
	l.mark("before")
	for pod, bytes := range map[string]int{"queue-barnabas-broker-1": 65 << 20, "queue-barnabas-keeper-1": 257 << 20} {
		_, err := w.Exec(w.context(), pod, nil, "/bin/bash", "-c", fmt.Sprintf("head -c %d /dev/zero >/data/filled", bytes))
		w.say("filled the volume of %s: %v", pod, err) // it may go meanwhile
		w.event(pod, "Evicted")
		w.chartReady("the pod is back")
		l.flows(200, "after the eviction")
		l.mark("evicted")
	}
	w.event("queue-barnabas-broker-1", "BrokerReturnedEmpty")
	w.event("queue-barnabas-keeper-1", "KeeperReturnedEmpty")
	l.finish()
	if evicted := w.evicted(); len(evicted) != 2 {
		t.Errorf("evicted were %v", evicted)
	}
}

// A producer that never ends, as fast as it can, with default retention and segments that are larger than the whole volume: the budget that the
// chart gives has old records go, and no pod is evicted.
func TestBudgetPreventsEviction(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const limit, record, round = 64 << 20, 10 << 10, 800
	w.install(map[string]any{"brokers": map[string]any{"storage": map[string]any{"size": strconv.Itoa(limit)}}})
	w.chartReady("installed")
	w.deployClient("client")
	const bootstrap = "queue-barnabas:9092"
	written := func() int {
		out, err := w.Exec(w.context(), w.pod("client"), nil, "kafka-get-offsets.sh", "--bootstrap-server", bootstrap, "--topic", "endless", "--time", "latest")
		if err != nil {
			return 0
		}
		_, offset, _ := strings.Cut(strings.TrimPrefix(strings.TrimSpace(out), "endless:"), ":")
		end, _ := strconv.Atoi(offset)
		return end
	}
	began := time.Now()
	for end := 0; end*record < 3*limit; {
		before := end
		w.await("more to be written", func() bool {
			_, err := w.Exec(w.context(), w.pod("client"), nil, "kafka-producer-perf-test.sh", "--topic", "endless", "--num-records", strconv.Itoa(round),
				"--record-size", strconv.Itoa(record), "--throughput", "-1", "--producer-props", "bootstrap.servers="+bootstrap, "acks=all")
			if err != nil {
				last := strings.Split(strings.TrimSpace(err.Error()), "\n")
				w.say("the producer: %s", last[len(last)-1]) // it may be refused for a moment
			}
			end = written()
			return end > before
		})
	}
	largest := int64(0)
	for _, p := range w.GetPods() {
		if strings.HasPrefix(p.Name, "queue-barnabas-broker") {
			largest = max(largest, p.Largest)
		}
		if p.Restarts > 0 {
			t.Errorf("%s was started %d times more: %s", p.Name, p.Restarts, p.Message)
		}
	}
	w.say("FIGURE %d MiB written into volumes of %d MiB in %s; at most %.1f MiB were seen in one",
		3*limit>>20, limit>>20, time.Since(began).Round(time.Second), float64(largest)/(1<<20))
	w.says("queue-barnabas-broker", "segments go before their topics' retention is over")
}
