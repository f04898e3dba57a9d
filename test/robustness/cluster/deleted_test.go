package cluster

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"barnabas/test/trials/numbers"
)

// A topic is deleted while a broker is down: its logs there go when the broker is back, and a topic of the same name that was made
// meanwhile keeps what it has.
func TestDeletedWhileAway(t *testing.T) {
	w := newWorld(t, nil, "log.segment.delete.delay.ms=100")
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	fill := func(topic string) *numbers.Sent {
		t.Helper()
		sent, err := numbers.Fill(ctx, numbers.Options{Target: w.cluster.Target(), Topic: topic, Partitions: 3, Size: 100}, 300)
		if err != nil {
			t.Fatal(err)
		}
		return sent
	}
	for _, topic := range []string{"gone", "again"} {
		w.makes(topic)
		fill(topic)
	}
	away := w.node(2).Broker
	w.await("logs of both topics on each broker", func() bool {
		return len(logsOf(t, away.Data, "gone-")) == 3 && len(logsOf(t, away.Data, "again-")) == 3
	})
	before := idsIn(t, away.Data, "again-")
	away.Kill()
	for _, topic := range []string{"gone", "again"} {
		w.deletes(topic)
	}
	w.makes("again")
	sent := fill("again")
	restart(w, 2)
	w.await("the logs of the deleted topic to go", func() bool { return len(logsOf(t, away.Data, "gone-")) == 0 })
	w.await("the logs of the new topic to be the only ones of its name", func() bool {
		now := idsIn(t, away.Data, "again-")
		for id := range now {
			if before[id] {
				return false
			}
		}
		return len(logsOf(t, away.Data, "again-")) == 3 && len(now) == 1
	})
	w.mends()
	verdict, err := numbers.Verify(ctx, w.cluster.Target(), "again", sent)
	if err != nil || !verdict.Clean() {
		t.Errorf("the new topic: %v, %+v", err, verdict)
	}
	w.verify()
}

// deletes deletes a topic, however often it has to be asked for that.
func (w *world) deletes(name string) {
	w.t.Helper()
	w.await("topic "+name+" to be deleted", func() bool {
		ctx, cancel := context.WithTimeout(w.t.Context(), 5*time.Second)
		defer cancel()
		_, _ = w.admin.DeleteTopics(ctx, name) // it may be gone already: the answer was lost
		topics, err := w.admin.ListTopics(ctx)
		return err == nil && !topics.Has(name)
	})
}

// logsOf are the directories of a log directory that belong to a topic, those to be deleted among them.
func logsOf(t *testing.T, dir, prefix string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, prefix+"*"))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// idsIn are the contents of the files that name the topic a log belongs to.
func idsIn(t *testing.T, dir, prefix string) map[string]bool {
	t.Helper()
	ids := map[string]bool{}
	for _, log := range logsOf(t, dir, prefix) {
		raw, err := os.ReadFile(filepath.Join(log, "partition.metadata"))
		if err == nil { // or it goes just now
			ids[string(raw)] = true
		}
	}
	return ids
}
