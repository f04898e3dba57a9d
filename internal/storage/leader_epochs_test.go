package storage

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"

	"pgregory.net/rapid"

	"barnabas/internal/record"
	"barnabas/internal/vfs"
)

func TestEpochEnd(t *testing.T) {
	es := leaderEpochs{}.assign(2, 10).assign(4, 20).assign(4, 25).assign(7, 20).assign(9, 40)
	if len(es) != 3 || es[1] != (epochStart{7, 20}) {
		t.Fatalf("%v", es)
	}
	tests := []struct {
		asked, epoch record.Epoch
		end          record.Offset
	}{
		{-1, -1, -1}, {0, 0, 10}, {1, 1, 10}, {2, 2, 20}, {3, 2, 20}, {6, 2, 20}, {7, 7, 40}, {8, 7, 40}, {9, 9, 50}, {10, -1, -1},
	}
	for _, tt := range tests {
		if epoch, end := es.end(tt.asked, 50); epoch != tt.epoch || end != tt.end {
			t.Errorf("epoch %d: %d, %d, want %d, %d", tt.asked, epoch, end, tt.epoch, tt.end)
		}
	}
	if epoch, end := (leaderEpochs{}).end(3, 50); epoch != record.NoEpoch || end != -1 {
		t.Errorf("no epochs: %d, %d", epoch, end)
	}
}

// TestEpochsAgainstRecords compares with a log that remembers every record's epoch.
func TestEpochsAgainstRecords(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var records []record.Epoch // of the offsets from 0 on
		es, start := leaderEpochs{}, 0
		epoch := record.Epoch(0)
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			switch rapid.IntRange(0, 5).Draw(t, "step") {
			case 0:
				epoch += record.Epoch(rapid.IntRange(1, 3).Draw(t, "newer"))
				es = es.assign(epoch, record.Offset(len(records)))
			case 1:
				to := rapid.IntRange(start, len(records)).Draw(t, "end")
				records = records[:to]
				es = es.truncateEnd(record.Offset(to))
			case 2:
				start = rapid.IntRange(start, len(records)).Draw(t, "start")
				es = es.truncateStart(record.Offset(start))
			default:
				es = es.assign(epoch, record.Offset(len(records)))
				records = append(records, epoch)
			}
			for i, e := range es {
				if i > 0 && (es[i-1].epoch >= e.epoch || es[i-1].start >= e.start) {
					t.Fatalf("not ascending: %v", es)
				}
			}
			for o := start; o < len(records); o++ {
				if at := es.at(record.Offset(o)); at != records[o] {
					t.Fatalf("offset %d: epoch %d, want %d: %v", o, at, records[o], es)
				}
			}
			if again, err := parseLeaderEpochs(es.encode()); err != nil || len(again) != len(es) {
				t.Fatalf("%v reads as %v, %v", es, again, err)
			}
		}
	})
}

// Whatever the file says, going over the batches one by one gives the epochs that these bear.
func TestEpochsAreConfirmedByBatches(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ascending := func(name string) (es leaderEpochs) {
			for _, start := range rapid.SliceOfNDistinct(rapid.IntRange(0, 12), 0, 5, rapid.ID).Draw(t, name) {
				es = append(es, epochStart{start: record.Offset(start)})
			}
			slices.SortFunc(es, func(a, b epochStart) int { return int(a.start - b.start) })
			for i := range es {
				es[i].epoch = record.Epoch(rapid.IntRange(0, 2).Draw(t, name+" epoch"))
				if i > 0 {
					es[i].epoch += es[i-1].epoch + 1
				}
			}
			return es
		}
		es, truth := ascending("file"), ascending("log")
		for base := record.Offset(0); base < 12; base++ {
			if epoch := truth.at(base); epoch >= 0 {
				es = es.confirm(epoch, base, base)
			}
		}
		for o := record.Offset(0); o < 12; o++ {
			if want := truth.at(o); want >= 0 && es.at(o) != want {
				t.Fatalf("offset %d: epoch %d, want %d: %v, the log has %v", o, es.at(o), want, es, truth)
			}
		}
	})
}

// A crash may bring back what was cut off, behind what was written in its place, on a disk that an older version of
// this program, or Kafka, has written. No leader wrote them in that order.
func TestEpochsThatGoBackAreCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := vfs.NewMem()
		h := newHarness(t, mem)
		l := h.log(nil)
		for at, epoch := range []record.Epoch{1, 1, 3, 3, 2, 2} {
			b := buildBatch(t, record.Options{BaseOffset: record.Offset(at)}, 1000, fmt.Sprintf("value-%d", at))
			b.SetLeaderEpoch(epoch)
			if _, err := l.Append(b, AppendOptions{Origin: Follower}); err != nil {
				t.Fatal(err)
			}
		}
		h.close(false)
		after := newHarness(t, mem.Restart())
		after.boot[0]++
		l = after.open().Log(testTopic)
		if epoch, end := l.EpochEnd(3); l.EndOffset() != 4 || epoch != 3 || end != 4 {
			t.Errorf("the log ends at %d, epoch %d at %d", l.EndOffset(), epoch, end)
		}
	})
}
