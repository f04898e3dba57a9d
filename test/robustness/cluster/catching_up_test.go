package cluster

import (
	"context"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"barnabas/test/launch"
	"barnabas/test/trials/numbers"
)

// coldRecords of 1 KiB are what a broker has to copy that is out of disk in the middle of it.
const coldRecords = 30_000

// A broker that comes back empty finds its disk full while it copies: it says so, nobody waits for it, and it goes on from
// where it was once there is room.
func TestFullDiskWhileCatchingUp(t *testing.T) {
	small := filepath.Join(t.TempDir(), "small")
	if err := os.Mkdir(small, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", small, "tmpfs", 0, "size=96m"); err != nil {
		launch.Cannot(t, "a small disk can't be mounted by this user: %v", err)
	}
	t.Cleanup(func() { syscall.Unmount(small, syscall.MNT_DETACH) })
	w := newWorld(t, map[int]string{2: filepath.Join(small, "data")})
	w.makes("cold")
	filled, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cold, err := numbers.Fill(filled, numbers.Options{Target: w.cluster.Target(), Topic: "cold", Partitions: 3, Size: 1 << 10}, coldRecords)
	if err != nil {
		t.Fatal(err)
	}
	w.load.Mark()
	wipe(w, 2)
	ballast := filepath.Join(small, "ballast")
	fill(t, ballast)
	if err := os.Truncate(ballast, 86<<20); err != nil { // ten are left, for forty
		t.Fatal(err)
	}
	restart(w, 2)
	w.await("the directory to go offline", func() bool { return says(w.node(2).Broker, "log directory is offline") })
	w.flows("with a broker that can't catch up")
	w.stalled("a disk full while it catches up")
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	w.mends()
	w.verify()
	read, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	verdict, err := numbers.Verify(read, w.cluster.Target(), "cold", cold)
	if err != nil || !verdict.Clean() {
		t.Errorf("the cold records: %v, %+v", err, verdict)
	}
}
