package footprint

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"barnabas/test/launch"
)

func TestUntouched(t *testing.T) {
	got, err := untouched(strings.NewReader(`00400000-0156a000 r-xp 00000000 fe:00 17                     /opt/kafka/bin/barnabas
0156a000-028ae000 r--p 0116a000 fe:00 17                     /opt/kafka/bin/barnabas
028ae000-02943000 rw-p 024ae000 fe:00 17                     /opt/kafka/bin/barnabas
02943000-04992000 rw-p 00000000 00:00 0
c000000000-c000400000 rw-p 00000000 00:00 0
7f0000000000-7f0000001000 r--s 00000000 fe:00 18             /data/00000000000000000000.index
7ffd00000000-7ffd00002000 r-xp 00000000 00:00 0              [vdso]
`), "/opt/kafka/bin/barnabas")
	if want := []segment{{0x400000, 0x156a000}, {0x156a000, 0x28ae000}}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%x, %v, want %x", got, err, want)
	}
	if _, err := untouched(strings.NewReader("0040-x r-xp 0 0 0 p\n"), "p"); err == nil {
		t.Error("nonsense is taken")
	}
}

// The program runs on, with less of its file in memory than before.
func TestGiveBack(t *testing.T) {
	before := file(t)
	if err := GiveBack(); err != nil {
		t.Fatal(err)
	}
	if after := file(t); after >= before {
		t.Errorf("%d KiB of files are mapped after, %d before", after, before)
	}
}

// file is how much of the process's resident memory is that of files, in KiB.
func file(t *testing.T) int {
	t.Helper()
	raw, err := os.ReadFile("/proc/self/status")
	if err != nil {
		launch.Cannot(t, "this system has no /proc: %v", err)
	}
	_, rest, _ := strings.Cut(string(raw), "RssFile:")
	n, err := strconv.Atoi(strings.Fields(rest + " none")[0])
	if err != nil {
		t.Fatal(err)
	}
	return n
}
