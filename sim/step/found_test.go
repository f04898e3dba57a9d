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
		1203, // the last copy was taken for one of a deleted topic, where all machines had gone down at once
		3014, // the same
	} {
		again(t, "TestSeeds", Options{Seed: seed})
	}
	for _, seed := range []uint64{
		165, // the preferred leader was elected while the stores were asked, and had the last copy of what was promised cut off
		252, // the same, and a copy with a high watermark behind its end stayed out of sync for good
	} {
		again(t, "TestPreferredSeeds", Options{Seed: seed, Preferred: true})
	}
	// Machines with several directories.
	for _, seed := range []uint64{
		23,   // a directory was destroyed, and the second copy of its replica, the last that there was, cut down to the empty log in its place
		360,  // a torn copy was called whole, for another directory could not be read
		338,  // of three logs of a replica that was moved twice the one was ignored that the in-sync set names
		628,  // the same, with fsync.on.ack
		3434, // a directory came back with the copy that the sets name, and another was used
		1070, // a leader that had just started put the directory back that a follower had left
		1580, // the same, where the new directory had failed
		3,    // a move whose directories had both failed was not gone on with
		194,  // a log that could not be removed stood in the way of every later move
		3713, // the same, in a directory that was away at the start
		891,  // the simulator: a record that was refused, and was in the log all the same
	} {
		again(t, "TestDirectorySeeds", Options{Seed: seed, Directories: true, Synced: seed%3 == 1, Groups: seed%3 == 2})
	}
}

func again(t *testing.T, test string, o Options) {
	t.Helper()
	if s := bubble(t, o); len(s.Violations) > 0 {
		t.Errorf("seed %d: again: go test ./sim/step -run %s -seed %d\n%v", o.Seed, test, o.Seed, s.Violations)
	}
}
