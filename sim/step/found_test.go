package step

import "testing"

// TestFound runs seeds again that have found something once (docs/found-bugs.md).
func TestFound(t *testing.T) {
	for _, seed := range []uint64{
		2400,  // a copy that was said to be torn was taken for an eligible one
		2885,  // the simulator: of two registrations under way the broker took the one that had gone for its own
		2911,  // the same
		5120,  // the ledger began behind what the copy left held of records that nobody had been shown
		9193,  // the ledger began at a high watermark of before a copy was elected that had lost its end
		16011, // the same
		5125,  // the simulator: a slow follower was not given the time to catch up
	} {
		again(t, "TestSeeds", Options{Seed: seed})
	}
	for _, seed := range []uint64{
		165, // the preferred leader was elected while the stores were asked, and had the last copy of what was promised cut off
		252, // the same, and a copy with a high watermark behind its end stayed out of sync for good
	} {
		again(t, "TestPreferredSeeds", Options{Seed: seed, Preferred: true})
	}
}

func again(t *testing.T, test string, o Options) {
	t.Helper()
	if s := bubble(t, o); len(s.Violations) > 0 {
		t.Errorf("seed %d: again: go test ./sim/step -run %s -seed %d\n%v", o.Seed, test, o.Seed, s.Violations)
	}
}
