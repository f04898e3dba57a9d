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
		s := bubble(t, Options{Seed: seed})
		if len(s.Violations) > 0 {
			t.Errorf("seed %d: again: go test ./sim/step -run TestSeeds -seed %d\n%v", seed, seed, s.Violations)
		}
	}
}
