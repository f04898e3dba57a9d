package storage

import (
	"fmt"
	"testing"

	"barnabas/internal/record"
	"barnabas/internal/vfs"
)

// A producer's last five batches are recognised also after a restart, however the broker went, and wherever the snapshot is.
func TestLastBatchesAreRecalled(t *testing.T) {
	for _, c := range []struct {
		name   string
		clean  bool
		change func(*LogConfig)
	}{{"after a clean stop", true, nil}, {"after a crash", false, nil}, {"in small segments", true, small}, {"in small segments after a crash", false, small}} {
		t.Run(c.name, func(t *testing.T) {
			h := newHarness(t, vfs.NewMem())
			l := h.log(c.change)
			batch := func(sequence int) record.Batch {
				return buildBatch(t, record.Options{Producer: &record.Producer{ID: 4000, Epoch: 2, Sequence: record.Sequence(2 * sequence)}},
					h.store.nowMs(), fmt.Sprint("value-", sequence), fmt.Sprint("and-", sequence))
			}
			send := func(sequence int) Appended {
				t.Helper()
				done, err := l.Append(batch(sequence), AppendOptions{LeaderEpoch: 1})
				if err != nil {
					t.Fatalf("batch %d: %v", sequence, err)
				}
				return done
			}
			for i := range 9 {
				h.append(l, 1, fmt.Sprint("somebody else's ", i))
				send(i)
			}
			h.close(c.clean)
			h.open()
			l = h.store.Log(testTopic)
			for i := 4; i < 9; i++ {
				if done := send(i); !done.Duplicate || done.BaseOffset != record.Offset(3*i+1) {
					t.Errorf("batch %d was sent again: %+v", i, done)
				}
			}
			if done := send(9); done.Duplicate {
				t.Errorf("a new batch: %+v", done)
			}
		})
	}
}
