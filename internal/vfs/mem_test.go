package vfs

import (
	"errors"
	"io/fs"
	"strings"
	"syscall"
	"testing"
)

const crashes = 200

func TestCrashKeepsWhatIsSynced(t *testing.T) {
	m := NewMem()
	must(t, m.MkdirAll("/d", 0o755))
	must(t, m.SyncDir("/"))
	write(t, m, "/d/synced", "all of it", true)
	must(t, m.SyncDir("/d"))
	write(t, m, "/d/nameless", "synced bytes without a synced name", true)
	var lost, kept int
	for seed := range uint64(crashes) {
		c := m.Crash(seed)
		if got := read(t, c, "/d/synced"); got != "all of it" {
			t.Fatalf("seed %d: read %q", seed, got)
		}
		switch got, err := ReadFile(c, "/d/nameless"); {
		case errors.Is(err, fs.ErrNotExist):
			lost++
		case string(got) == "synced bytes without a synced name":
			kept++
		default:
			t.Fatalf("seed %d: read %q, %v", seed, got, err)
		}
	}
	if lost == 0 || kept == 0 {
		t.Fatalf("%d lost, %d kept: want some of each", lost, kept)
	}
}

func TestCrashTearsWhatIsNot(t *testing.T) {
	m := NewMem()
	first, second := strings.Repeat("a", 3*pageSize), strings.Repeat("b", 2*pageSize+100)
	write(t, m, "/log", first, true)
	must(t, m.SyncDir("/"))
	f, err := m.OpenFile("/log", 2, 0)
	must(t, err)
	_, err = f.WriteAt([]byte(second), int64(len(first)))
	must(t, err)
	var none, all, torn, holes int
	for seed := range uint64(crashes) {
		got := read(t, m.Crash(seed), "/log")
		if got != read(t, m.Crash(seed), "/log") {
			t.Fatalf("seed %d gives two results", seed)
		}
		if !strings.HasPrefix(got, first) {
			t.Fatalf("seed %d lost synced bytes", seed)
		}
		switch rest := got[len(first):]; {
		case rest == "":
			none++
		case rest == second:
			all++
		case strings.HasPrefix(second, rest):
			torn++
		default:
			holes++
		}
	}
	if none == 0 || all == 0 || torn == 0 || holes == 0 {
		t.Fatalf("%d none, %d all, %d torn, %d with holes: want some of each", none, all, torn, holes)
	}
}

func TestCrashNeverSplitsARename(t *testing.T) {
	m := NewMem()
	must(t, m.MkdirAll("/d", 0o755))
	write(t, m, "/d/a", "old", true)
	must(t, m.SyncDir("/d"))
	must(t, m.SyncDir("/"))
	must(t, WriteFileAtomic(m, "/d/a", []byte("new")))
	write(t, m, "/d/b.swap", "b", true)
	must(t, m.SyncDir("/d"))
	must(t, m.Rename("/d/b.swap", "/d/b"))
	for seed := range uint64(crashes) {
		c := m.Crash(seed)
		if got := read(t, c, "/d/a"); got != "new" {
			t.Fatalf("seed %d: read %q", seed, got)
		}
		_, errOld := c.Stat("/d/b.swap")
		_, errNew := c.Stat("/d/b")
		if (errOld == nil) == (errNew == nil) {
			t.Fatalf("seed %d: old name: %v, new name: %v", seed, errOld, errNew)
		}
	}
}

func TestRestartKeepsEverythingButLocks(t *testing.T) {
	m := NewMem()
	write(t, m, "/a", "x", false)
	_, err := m.Lock("/lock")
	must(t, err)
	r := m.Restart()
	if got := read(t, r, "/a"); got != "x" {
		t.Fatalf("read %q", got)
	}
	_, err = r.Lock("/lock")
	must(t, err)
	var lost bool
	for seed := range uint64(crashes) {
		_, err := r.Crash(seed).Stat("/a")
		lost = lost || err != nil
	}
	if !lost {
		t.Fatal("a restart has synced the disk")
	}
}

func TestFullVolume(t *testing.T) {
	m := NewMem()
	m.SetCapacity(10)
	f, err := m.Create("/a")
	must(t, err)
	_, err = f.WriteAt([]byte("12345678"), 0)
	must(t, err)
	_, err = f.WriteAt([]byte("xyz"), 8)
	wantErr(t, err, syscall.ENOSPC)
	must(t, m.Remove("/a"))
	write(t, m, "/b", "1234567890", false)
	if space, _ := m.Free("/"); space.Available != 0 {
		t.Fatalf("space %+v", space)
	}
}

func TestFaults(t *testing.T) {
	bad := errors.New("bad sector")
	m := NewMem()
	fsys := WithFaults(m, FailNth(2, true, bad, MatchPath("*.log", OpWrite)))
	f, err := fsys.Create("/a.log")
	must(t, err)
	_, err = f.WriteAt([]byte("a"), 0)
	must(t, err)
	for range 2 {
		_, err = f.WriteAt([]byte("b"), 1)
		wantErr(t, err, bad)
	}
	write(t, fsys, "/a.index", "fine", true)

	short := WithFaults(m, FailNth(1, false, &ShortWrite{Written: 2, Err: syscall.ENOSPC}, MatchPath("s", OpWrite)))
	f, err = short.Create("/s")
	must(t, err)
	n, err := f.WriteAt([]byte("abc"), 0)
	wantErr(t, err, syscall.ENOSPC)
	if got := read(t, m, "/s"); n != 2 || got != "ab" {
		t.Fatalf("%d bytes, %q", n, got)
	}
}
