package robustness

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"

	"barnabas/test/launch"
)

// A log directory on a full disk goes offline, the other serves on, and it comes back when there is room again.
func TestFullDisk(t *testing.T) {
	small := filepath.Join(t.TempDir(), "small")
	if err := os.Mkdir(small, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", small, "tmpfs", 0, "size=8m"); err != nil {
		if errors.Is(err, syscall.EPERM) {
			launch.Cannot(t, "a small disk can't be mounted by this user: %v", err)
		}
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Unmount(small, syscall.MNT_DETACH) })
	large := filepath.Join(t.TempDir(), "large")
	b := start(t, "log.dirs="+large+","+small)

	// A topic for each directory: the one with the fewest logs takes the next.
	b.mustCreateTopic(t, "one")
	b.mustCreateTopic(t, "two")
	full, roomy := "one", "two"
	if _, err := os.Stat(filepath.Join(small, "two-0")); err == nil {
		full, roomy = roomy, full
	}
	ballast := filepath.Join(small, "ballast")
	fill(t, ballast, 3<<20)

	p := dial(t, b.address)
	written, code := int64(0), int16(0)
	for value := strings.Repeat("x", 500<<10); code == 0; {
		got := p.producePartition(full, plain(value).bytes())
		if code = got.ErrorCode; code == 0 {
			written = got.BaseOffset + 1
		}
		if written > 16 {
			t.Fatalf("%d records of 500 KiB fit on 5 MiB", written)
		}
	}
	if code != kerr.KafkaStorageError.Code {
		t.Errorf("a full disk: code %d", code)
	}
	if got := p.offsetAt(full, latest); got.ErrorCode != kerr.KafkaStorageError.Code && got.ErrorCode != kerr.NotLeaderForPartition.Code {
		t.Errorf("the end of a partition on it: code %d, offset %d", got.ErrorCode, got.Offset)
	}
	b.await(t, "say that the directory is offline", func() bool { return b.output.Says("log directory is offline") })
	for i := range int64(50) {
		if got := p.producePartition(roomy, plain("roomy").bytes()); got.ErrorCode != 0 || got.BaseOffset != i {
			t.Fatalf("the other directory: code %d, offset %d", got.ErrorCode, got.BaseOffset)
		}
	}

	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	b.await(t, "take records on the disk that has room again", func() bool {
		got := p.producePartition(full, plain("room again").bytes())
		if got.ErrorCode == 0 && got.BaseOffset != written {
			t.Errorf("the first record afterwards is at offset %d, not %d", got.BaseOffset, written)
		}
		return got.ErrorCode == 0
	})
	records := readAll(t, b, full)
	for i, r := range records {
		if last := i == len(records)-1; r.Offset != int64(i) || !last && len(r.Value) != 500<<10 || last && string(r.Value) != "room again" {
			t.Errorf("offset %d: %d bytes", r.Offset, len(r.Value))
		}
	}
	if len(records) != int(written)+1 {
		t.Errorf("%d records, %d were acknowledged", len(records), written+1)
	}
	b.await(t, "say that it came back", func() bool { return b.output.Says("log directory is online again") })
}

// fill writes a file of that size.
func fill(t *testing.T, path string, size int) {
	t.Helper()
	if err := os.WriteFile(path, bytes.Repeat([]byte("x"), size), 0o644); err != nil {
		t.Fatal(fmt.Errorf("ballast: %w", err))
	}
}
