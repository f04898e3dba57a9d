package storage

import (
	"testing"
	"time"

	"barnabas/internal/record"
	"barnabas/internal/vfs"
)

// TestCleanerIsReconfigured changes the settings while threads run, and at the end when there are none.
func TestCleanerIsReconfigured(t *testing.T) {
	c := newCleaner(&Store{clock: time.Now}, CleanerSettings{Threads: 2, Backoff: time.Hour})
	c.start()
	first := c.stop
	c.reconfigure(CleanerSettings{Threads: 2, Backoff: time.Hour})
	if c.stop != first {
		t.Error("the same settings started the threads anew")
	}
	c.reconfigure(CleanerSettings{Threads: 1, Backoff: time.Minute, MaxBytesPerSecond: 5})
	if c.stop == first || c.settings.Backoff != time.Minute || c.rate.perSecond != 5 {
		t.Errorf("the settings are %+v", c.settings)
	}
	c.close()
	c.reconfigure(CleanerSettings{Threads: 3})
	if c.settings.Threads != 1 {
		t.Error("a closed cleaner was started")
	}
	c.close()
}

func TestProducerIDExpirationIsTakenOver(t *testing.T) {
	h := newHarness(t, vfs.NewMem())
	l := h.log(nil)
	batch := buildBatch(t, record.Options{Producer: &record.Producer{ID: 7}}, h.now.UnixMilli(), "a")
	if _, err := l.Append(batch, AppendOptions{LeaderEpoch: 1}); err != nil {
		t.Fatal(err)
	}
	h.pass(time.Minute)
	h.store.expireProducers()
	if len(l.Producers()) != 1 {
		t.Fatal("a producer is forgotten too soon")
	}
	h.store.SetProducerIDExpiration(30_000)
	h.store.expireProducers()
	if len(l.Producers()) != 0 {
		t.Error("the shorter time is not obeyed")
	}
}
