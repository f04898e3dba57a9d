package keeper

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
)

// TestPagesAreForgottenOnce: a file that is mapped and read is not resident any more, keeps what it says, and is left
// alone until it is mapped anew.
func TestPagesAreForgottenOnce(t *testing.T) {
	file := filepath.Join(t.TempDir(), "db")
	content := bytes.Repeat([]byte("metadata"), 1<<17)
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	mapped, err := unix.Mmap(int(f.Fd()), 0, len(content), unix.PROT_READ, unix.MAP_SHARED|unix.MAP_POPULATE)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(mapped)
	if kib := residentOf(t, file); kib != len(content)>>10 {
		t.Fatalf("%d KiB are resident after the mapping, of %d", kib, len(content)>>10)
	}
	var p pages
	if err := p.forget(file); err != nil {
		t.Fatal(err)
	}
	if kib := residentOf(t, file); kib != 0 {
		t.Fatalf("%d KiB are still resident", kib)
	}
	if !bytes.Equal(mapped, content) {
		t.Fatal("the mapping says something else now")
	}
	if err := p.forget(file); err != nil {
		t.Fatal(err)
	}
	if kib := residentOf(t, file); kib != len(content)>>10 {
		t.Fatalf("what came again was forgotten again: %d KiB are resident", kib)
	}
}

// residentOf is how much of a mapped file this process has resident, in KiB.
func residentOf(t *testing.T, file string) int {
	smaps, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	_, after, found := bytes.Cut(smaps, []byte(file+"\n"))
	if !found {
		t.Fatalf("%s is not mapped", file)
	}
	_, after, _ = bytes.Cut(after, []byte("\nRss:"))
	kib, err := strconv.Atoi(string(bytes.Fields(after)[0]))
	if err != nil {
		t.Fatal(err)
	}
	return kib
}
