package metadata

import (
	"testing"

	"barnabas/internal/ident"
)

// The oldest deletions are forgotten for new ones, and those that are remembered outlive the store.
func TestDeletionsAreBounded(t *testing.T) {
	var events []Event
	for n := range MaxDeletions {
		id := ident.TopicID{1, byte(n >> 8), byte(n)}
		events = append(events, Event{KV: KV{Key: DeletionKey(id), Value: EncodeDeletion(&Deletion{Name: "t", AtMs: int64(MaxDeletions - n)})}})
	}
	img, _, err := NewImage().Apply(1, events)
	if err != nil {
		t.Fatal(err)
	}
	if old := img.OldestDeletions(0); len(old) > 0 {
		t.Errorf("%d too many", len(old))
	}
	old := img.OldestDeletions(2)
	if len(old) != 2 || old[0].AtMs != 1 || old[1].AtMs != 2 {
		t.Errorf("to be forgotten: %v", old)
	}
	kept, err := ImageOf(2, img.Contents())
	if err != nil {
		t.Fatal(err)
	}
	if id := (ident.TopicID{1, 0, 7}); !kept.Deleted(id) || kept.Deleted(ident.TopicID{2}) {
		t.Error("what was put back does not know the deletion")
	}
}
