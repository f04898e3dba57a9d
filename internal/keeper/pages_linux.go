package keeper

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// pages are those of the metadata's file that this process has mapped. etcd has the kernel read all of a file that it
// maps (MAP_POPULATE), 16 MiB of holes at birth; that would be half of what a small broker has resident.
type pages struct {
	name  string // the file's, as the kernel names it
	known mapping
}

// mapping is where a file lies in the process's memory.
type mapping struct{ from, to uintptr }

// forget gives the pages of a mapping that is new back to the kernel's cache. Those that are used come again by
// themselves, one at a time; what was written to them is not lost, for the mapping is shared with the file.
func (p *pages) forget(file string) error {
	if p.name == "" {
		var err error
		if p.name, err = realName(file); err != nil {
			return err
		}
	}
	m, err := mappingOf(p.name)
	if err != nil || m == p.known || m == (mapping{}) {
		return err
	}
	if _, _, errno := unix.Syscall(unix.SYS_MADVISE, m.from, m.to-m.from, unix.MADV_DONTNEED); errno != 0 {
		return fmt.Errorf("keeper: madvise on %s: %w", file, errno)
	}
	p.known = m
	return nil
}

func realName(file string) (string, error) {
	file, err := filepath.EvalSymlinks(file)
	if err != nil {
		return "", err
	}
	return filepath.Abs(file)
}

// mappingOf finds a file that is mapped, shared and only for reading; nothing if there is none.
func mappingOf(file string) (mapping, error) {
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return mapping{}, err
	}
	end := []byte(" " + file)
	for line := range bytes.Lines(maps) {
		line = bytes.TrimRight(line, "\n")
		if !bytes.HasSuffix(line, end) {
			continue
		}
		var m mapping
		var mode string
		if _, err := fmt.Sscanf(string(line), "%x-%x %s", &m.from, &m.to, &mode); err == nil && mode == "r--s" {
			return m, nil
		}
	}
	return mapping{}, nil
}
