package broker

import (
	"testing"

	"barnabas/internal/ident"
	"barnabas/internal/metadata"
)

func TestPodOrdinal(t *testing.T) {
	for host, want := range map[string]ident.BrokerID{
		"kafka-0": 0, "kafka-12": 12, "my-kafka-3.headless.default.svc": 3, "kafka-1001": 1001,
		"kafka": -1, "kafka-": -1, "-1": -1, "kafka-01": -1, "kafka1-7d9c6b5f4-x2x5z": -1, "kafka1-7d9c6b5f4-24567": -1, "": -1,
		"kafka-+1": -1,
	} {
		got, err := ordinalOf(host)
		if got != want || (err == nil) != (want >= 0) {
			t.Errorf("%q: %d, %v, want %d", host, got, err, want)
		}
	}
	inside := func(name string) string { return map[string]string{"KUBERNETES_SERVICE_HOST": "10.0.0.1"}[name] }
	outside := func(string) string { return "" }
	host := func() (string, error) { return "kafka-2", nil }
	if id, ok := podOrdinal(inside, host); !ok || id != 2 {
		t.Errorf("in a pod: %d %t", id, ok)
	}
	named := func(name string) string { return map[string]string{"POD_NAME": "kafka-5"}[name] }
	if id, ok := podOrdinal(named, host); !ok || id != 5 {
		t.Errorf("in a pod that knows its name: %d %t", id, ok)
	}
	if id, ok := podOrdinal(outside, host); ok {
		t.Errorf("on a laptop: %d", id)
	}
}

// TestNumbersAreTakenOnce starts brokers without a number at the same time: each gets its own.
func TestNumbersAreTakenOnce(t *testing.T) {
	w := newWorld(t)
	const brokers = 3
	ids := make(chan ident.BrokerID, brokers)
	stores := make([]metadata.Store, brokers)
	for i := range stores {
		stores[i] = w.memory.Open(w.faults)
	}
	for i := range brokers {
		go func() {
			for {
				image, err := metadata.ReadImage(t.Context(), stores[i])
				if err != nil {
					ids <- ident.NoBroker
					return
				}
				id := freeBrokerID(image, 1000)
				claimed, err := metadata.ClaimID(t.Context(), stores[i], metadata.Broker{ID: id, Stores: []ident.StoreID{ident.NewStoreID()}})
				if err != nil || claimed {
					ids <- id
					return
				}
			}
		}()
	}
	seen := map[ident.BrokerID]bool{}
	for range brokers {
		seen[<-ids] = true
	}
	if !seen[1001] || !seen[1002] || !seen[1003] {
		t.Errorf("taken: %v", seen)
	}
}
