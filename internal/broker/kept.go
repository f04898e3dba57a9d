package broker

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"

	"barnabas/internal/config"
	"barnabas/internal/vfs"
)

// Whether a directory outlives its process decides how long a broker waits when it is told to stop and nobody is there to
// receive what it has. One on a volume of a pod, or on a machine's disk, will be there when the broker is back: nothing is
// lost by going. One in a pod's own file system, or in an emptyDir, goes with the pod. The broker can't see which it is,
// but it can see that a directory has come back to it before.

// residence is a file in each log directory that says where it was used last (docs/formats).
type residence struct {
	Version int `json:"version"`
	// Place is the pod, or the container, that used the directory; empty for a process of neither kind.
	Place string `json:"place"`
	// Kept says that the directory has outlived such a place.
	Kept bool `json:"kept"`
}

const (
	residenceFile    = "residence"
	residenceVersion = 1
)

// outlives tells whether a directory that was used as a file says, nil for never before, has shown that it outlives
// what it is used by now. A container that is started again in its pod finds an emptyDir as it was: only another pod that finds
// it proves something. A process that is in no container finds what is on the machine's disk.
func outlives(before *residence, place string) bool {
	return before != nil && (before.Kept || place == "" || before.Place != place)
}

// findKept tells whether all log directories outlive this process, and leaves a note of where they are used now.
func (b *Broker) findKept() bool {
	if told := config.DataKept.In(b.config.View()); told != "auto" {
		return told == "true"
	}
	if b.options.FS != vfs.OS {
		return false // a simulated disk
	}
	place, kept := b.place(), true
	for _, d := range b.store.Dirs() {
		if d.Err() != nil {
			kept = false
			continue
		}
		path := filepath.Join(d.Path(), residenceFile)
		now := residence{Version: residenceVersion, Place: place, Kept: outlives(readResidence(path), place)}
		kept = kept && now.Kept
		if err := now.write(path); err != nil {
			b.logger.Warn("it could not be noted where a log directory is used", "file", path, "error", err)
		}
	}
	return kept
}

// place is what tells the pod or the container of this process from any other, empty where it is in neither.
func (b *Broker) place() string {
	if b.around.inside {
		return strings.Join([]string{b.around.pod.Namespace, b.around.pod.Name, b.around.pod.UID}, "/")
	}
	for _, mark := range []string{"/.dockerenv", "/run/.containerenv"} {
		if _, err := os.Stat(mark); err == nil {
			host, _ := os.Hostname()
			return host
		}
	}
	return ""
}

// readResidence is nil where there is none that can be read: then nothing is proven.
func readResidence(path string) *residence {
	raw, err := os.ReadFile(path)
	var r residence
	if err != nil || json.Unmarshal(raw, &r) != nil || r.Version != residenceVersion {
		return nil
	}
	return &r
}

// write replaces the file, if it says something else.
func (r residence) write(path string) error {
	if old := readResidence(path); old != nil && *old == r {
		return nil
	}
	raw, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return vfs.ReplaceFile(vfs.OS, path, append(raw, '\n'))
}
