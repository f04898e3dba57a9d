package storage

import (
	"testing"

	"pgregory.net/rapid"

	"barnabas/internal/record"
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
