package robustness

import (
	"cmp"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// A broker killed a hundred times under load loses nothing that it has acknowledged.
func TestKillUnderLoad(t *testing.T) {
	kills, err := strconv.Atoi(cmp.Or(os.Getenv("KILLS"), "100"))
	if err != nil {
		t.Fatal(err)
	}
	b := start(t)
	l := startLoad(t, b, "killed")
	l.await(t, 1)
	random := chance(t)
	began, slowest := time.Now(), time.Duration(0)
	for range kills {
		l.await(t, 1+random.Int64N(200))
		b.kill()
		back := time.Now()
		b.launch(t)
		b.awaitReady(t)
		slowest = max(slowest, time.Since(back))
	}
	l.await(t, 1)
	t.Logf("%d kills in %s, back within %s", kills, time.Since(began).Round(time.Millisecond), slowest.Round(time.Millisecond))
	l.stop()
	l.verify(t, b)
}

// What a crash leaves behind the last whole batch is cut off, and said; appending goes on there.
func TestTornTail(t *testing.T) {
	b := start(t)
	l := startLoad(t, b, "torn")
	l.await(t, 300)
	l.stop()
	sound := plain("whole").bytes()
	random := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, 3000)
	for i := range noise {
		noise[i] = byte(random.Uint32())
	}
	flipped := append([]byte(nil), sound...)
	flipped[len(flipped)-1] ^= 1
	b.kill() // what the load had sent last may otherwise be written a moment later
	b.launch(t)
	b.awaitReady(t)
	end := b.endOf(t, "torn")
	for name, tail := range map[string][]byte{
		"zeroes": make([]byte, 5000), "noise": noise, "half a batch": sound[:len(sound)/2],
		"a few bytes": {1, 2, 3}, "a batch with a flipped bit": flipped, "a batch of other offsets": sound,
	} {
		b.kill()
		segment := filepath.Join(b.logDir(), "torn-0", "00000000000000000000.log")
		before := size(t, segment)
		appendTo(t, segment, tail)
		b.launch(t)
		b.awaitReady(t)
		b.await(t, "say what it cut off: "+name, func() bool { return b.output.Says("cut a broken tail off a log") })
		if after := size(t, segment); after != before {
			t.Errorf("%s: the segment has %d bytes, %d before", name, after, before)
		}
		if now := b.endOf(t, "torn"); now != end {
			t.Errorf("%s: the log ends at %d, not %d", name, now, end)
		}
	}
	l.verify(t, b)
	if got := dial(t, b.address).producePartition("torn", plain("next").bytes()); got.ErrorCode != 0 || got.BaseOffset != end {
		t.Errorf("the next record: code %d, offset %d, want %d", got.ErrorCode, got.BaseOffset, end)
	}
}

func size(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

func appendTo(t *testing.T, path string, tail []byte) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Write(tail); err != nil {
		t.Fatal(err)
	}
}

// SIGTERM under load: a clean end, the next start needs no recovery.
func TestStopUnderLoad(t *testing.T) {
	b := start(t)
	l := startLoad(t, b, "stopped")
	for range 3 {
		l.await(t, 500)
		if code := b.stop(t); code != 0 {
			t.Errorf("exit code %d:\n%s", code, b.output.Tail())
		}
		mark := filepath.Join(b.logDir(), ".kafka_cleanshutdown")
		if _, err := os.Stat(mark); err != nil {
			t.Errorf("no mark of a clean stop: %v", err)
		}
		b.launch(t)
		b.awaitReady(t)
	}
	l.await(t, 500)
	l.stop()
	l.verify(t, b)
}

// Supervisors like tini -g and timeout send a signal twice: that is one wish. One that comes a second later means it.
func TestStopTwice(t *testing.T) {
	b := start(t)
	l := startLoad(t, b, "twice")
	l.await(t, 500)
	b.signal(t, syscall.SIGTERM)
	b.signal(t, syscall.SIGTERM)
	b.signal(t, syscall.SIGINT)
	if code := b.wait(t); code != 0 {
		t.Errorf("told twice at once: exit code %d:\n%s", code, b.output.Tail())
	}
	if _, err := os.Stat(filepath.Join(b.logDir(), ".kafka_cleanshutdown")); err != nil {
		t.Errorf("no mark of a clean stop: %v", err)
	}
}
