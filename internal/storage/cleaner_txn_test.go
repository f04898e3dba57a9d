package storage

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"barnabas/internal/record"
	"barnabas/internal/vfs"
)

func transactional(id record.ProducerID, sequence record.Sequence) record.Options {
	return record.Options{Producer: &record.Producer{ID: id, Sequence: sequence, Transactional: true}}
}

func (c *compacted) mark(id record.ProducerID, commit bool) record.Offset {
	c.t.Helper()
	b, err := record.NewMarker(id, 0, record.Marker{Commit: commit, TimestampMs: c.store.nowMs()})
	if err != nil {
		c.t.Fatal(err)
	}
	done, err := c.log.Append(b, AppendOptions{LeaderEpoch: 1, Origin: Coordinator})
	if err != nil {
		c.t.Fatal(err)
	}
	c.log.SetHighWatermark(c.log.EndOffset())
	return done.BaseOffset
}

// markers lists the control batches by offset: "commit", "abort", and whether they have a delete horizon.
func (c *compacted) markers() map[record.Offset]string {
	c.t.Helper()
	found := make(map[record.Offset]string)
	for _, b := range c.batches() {
		if !b.IsControl() || b.Count() == 0 {
			continue
		}
		m, ok, err := record.ParseMarker(b)
		if err != nil || !ok {
			c.t.Fatal(err)
		}
		found[b.BaseOffset()] = map[bool]string{true: "commit", false: "abort"}[m.Commit]
		if _, ok := b.DeleteHorizon(); ok {
			found[b.BaseOffset()] += ", dying"
		}
	}
	return found
}

func (c *compacted) want(what string, got, want any) {
	c.t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		c.t.Fatalf("%s: got %v, want %v", what, got, want)
	}
}

// cleanAgain gives the cleaner something new to look at.
func (c *compacted) cleanAgain() {
	c.t.Helper()
	c.put(record.Options{}, "dirt", c.now.String())
	c.roll()
	c.clean()
}

func TestAbortedDataGoesBeforeItsMarker(t *testing.T) {
	c := newCompacted(t, vfs.NewMem(), func(l *LogConfig) { l.SegmentBytes = 1 << 20 })
	c.put(record.Options{}, "a", "before")      // 0
	c.put(transactional(1, 0), "a", "aborted")  // 1
	c.put(transactional(2, 0), "b", "commited") // 2
	abort := c.mark(1, false)                   // 3
	commit := c.mark(2, true)                   // 4
	c.put(record.Options{}, "c", "after")
	entry := abortedTxn{Producer: 1, FirstOffset: 1, LastOffset: abort, LastStableOffset: 2}
	index := filepath.Join(c.log.path(), segmentFileName(0, txnIndexFile))
	if err := vfs.WriteFileAtomic(c.fs, index, entry.append(nil)); err != nil {
		t.Fatal(err)
	}
	c.roll()
	c.clean()
	found := c.records()
	c.want("the aborted value", found[1], keyed{})
	c.want("the value before it", found[0], keyed{key: "a", value: "before"})
	c.want("the committed value", found[2], keyed{key: "b", value: "commited"})
	c.want("markers", c.markers(), map[record.Offset]string{abort: "abort", commit: "commit"})
	txns, err := readAbortedTxns(c.fs, index)
	if err != nil || len(txns) != 1 || txns[0] != entry {
		t.Fatalf("index %+v, %v", txns, err)
	}

	// As long as the producers are remembered, an empty batch stays for each, and with it its marker.
	c.pass(time.Minute)
	c.cleanAgain()
	c.want("markers", c.markers(), map[record.Offset]string{abort: "abort", commit: "commit"})

	c.pass(25 * time.Hour)
	c.store.expireProducers()
	c.cleanAgain()
	c.want("markers", c.markers(), map[record.Offset]string{abort: "abort", commit: "commit"})
	c.cleanAgain()
	if txns, _ := readAbortedTxns(c.fs, index); len(txns) != 0 {
		t.Fatalf("index %+v", txns)
	}
	c.want("markers", c.markers(), map[record.Offset]string{abort: "abort, dying", commit: "commit"})
	c.pass(59 * time.Minute)
	c.cleanAgain()
	c.want("markers", c.markers(), map[record.Offset]string{abort: "abort, dying", commit: "commit"})
	c.pass(2 * time.Minute)
	c.put(record.Options{}, "b", "newer")
	c.cleanAgain()
	c.want("markers", c.markers(), map[record.Offset]string{commit: "commit"})
	c.cleanAgain()
	c.want("markers", c.markers(), map[record.Offset]string{commit: "commit, dying"})
	c.pass(61 * time.Minute)
	c.cleanAgain()
	c.want("markers", c.markers(), map[record.Offset]string{})
}

func TestOpenTransactionsAreNotCompacted(t *testing.T) {
	c := newCompacted(t, vfs.NewMem(), nil)
	c.put(record.Options{}, "a", "1")
	c.roll()
	c.put(transactional(1, 0), "a", "2")
	c.put(record.Options{}, "a", "3")
	c.roll()
	c.clean()
	if found := c.verify(c.log.EndOffset()); len(found) != 3 {
		t.Fatalf("found %v", found)
	}
}
