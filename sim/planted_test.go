package sim

import (
	"io/fs"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"barnabas/internal/vfs"
	"barnabas/sim/world"
)

// TestPlantedBugs plants bugs and expects some seed to find each: what finds nothing proves nothing.
func TestPlantedBugs(t *testing.T) {
	for _, c := range []struct {
		name    string
		planted Options
		only    []string // faults
		want    []string // any of these begins a violation
		cluster bool     // with several log directories
	}{
		{"what is written is not synced", Options{Bugs: world.Bugs{Disk: forgetful(".log", false)}},
			[]string{"crash"}, []string{"lost:"}, false},
		{"names are not synced", Options{Bugs: world.Bugs{Disk: forgetful("", true)}},
			[]string{"crash"}, []string{"lost:"}, false},
		{"acknowledged before it is written", Options{Bugs: world.Bugs{AcknowledgesEarly: true}},
			[]string{"kill"}, []string{"lost:", "reused:"}, false},
		{"an empty store is trusted", Options{Bugs: world.Bugs{TrustsEmpty: true}},
			[]string{"wipe"}, []string{"reused:", "loss:"}, false},
		{"an empty directory is trusted", Options{Bugs: world.Bugs{TrustsEmpty: true}},
			[]string{"directory destroyed"}, []string{"lost:", "reused:", "order:", "replicas:"}, true},
		{"a disk that swallows writes", Options{Bugs: world.Bugs{Disk: swallowing(40)}},
			[]string{"kill", "restart"}, []string{"lost:", "reused:", "order:"}, false},
		{"a start forgets the end of a log", Options{Bugs: world.Bugs{Disk: shortening("/topic-")}},
			[]string{"kill", "restart"}, []string{"reused:", "order:"}, false},
		{"a start forgets the last commits", Options{Bugs: world.Bugs{Disk: shortening("/__consumer_offsets-")}},
			[]string{"kill", "restart"}, []string{"commits:", "owners:", "generations:"}, false},
		{"retries are taken for something new", Options{Anonymous: true}, []string{"connections reset"}, []string{"duplicate:"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			const enough = 20
			for seed := uint64(1); seed <= enough; seed++ {
				o, run := c.planted, Run
				o.Seed, o.Only, o.Logger = seed, c.only, logger()
				if c.cluster {
					o.Seed, run = 5*seed-1, RunCluster
				}
				var s Summary
				synctest.Test(t, func(*testing.T) { s = run(o) })
				for _, v := range s.Violations {
					for _, want := range c.want {
						if strings.HasPrefix(v.Error(), want) {
							t.Logf("seed %d: %v", o.Seed, v)
							return
						}
					}
				}
			}
			t.Errorf("not found by %d seeds", enough)
		})
	}
}

// forgetful makes a disk on which the syncs of files with a suffix, or of all directories, do nothing.
func forgetful(suffix string, directories bool) func(vfs.FS) vfs.FS {
	return func(inner vfs.FS) vfs.FS {
		return &lyingFS{FS: inner, forgetDirs: directories, wrap: func(f vfs.File) vfs.File {
			if suffix == "" || !strings.HasSuffix(f.Name(), suffix) {
				return f
			}
			return unsynced{f}
		}}
	}
}

// swallowing makes a disk on which every nth write to a log is said to be done and isn't.
func swallowing(nth int) func(vfs.FS) vfs.FS {
	return func(inner vfs.FS) vfs.FS {
		return &lyingFS{FS: inner, wrap: func(f vfs.File) vfs.File {
			if !strings.HasSuffix(f.Name(), ".log") {
				return f
			}
			return &swallower{File: f, nth: nth}
		}}
	}
}

// shortening makes a disk on which the newest log file of a directory has lost its end whenever a broker starts.
func shortening(where string) func(vfs.FS) vfs.FS {
	return func(inner vfs.FS) vfs.FS {
		opened := map[string]bool{}
		var mu sync.Mutex
		return &lyingFS{FS: inner, wrap: func(f vfs.File) vfs.File {
			mu.Lock()
			defer mu.Unlock()
			if !strings.HasSuffix(f.Name(), ".log") || !strings.Contains(f.Name(), where) || opened[f.Name()] {
				return f
			}
			opened[f.Name()] = true
			if size, err := f.Size(); err == nil && size > 0 {
				if w, err := inner.OpenFile(f.Name(), os.O_RDWR, 0); err == nil {
					w.Truncate(size * 3 / 4)
					w.Close()
				}
			}
			return f
		}}
	}
}

type lyingFS struct {
	vfs.FS
	wrap       func(vfs.File) vfs.File
	forgetDirs bool
}

func (l *lyingFS) OpenFile(name string, flag int, perm fs.FileMode) (vfs.File, error) {
	f, err := l.FS.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return l.wrap(f), nil
}

func (l *lyingFS) Create(name string) (vfs.File, error) {
	f, err := l.FS.Create(name)
	if err != nil {
		return nil, err
	}
	return l.wrap(f), nil
}

func (l *lyingFS) SyncDir(name string) error {
	if l.forgetDirs {
		return nil
	}
	return l.FS.SyncDir(name)
}

type unsynced struct{ vfs.File }

func (unsynced) Sync() error { return nil }

type swallower struct {
	vfs.File
	nth, seen int
}

func (s *swallower) WriteAt(data []byte, at int64) (int, error) {
	if s.seen++; s.seen%s.nth == 0 {
		return len(data), nil
	}
	return s.File.WriteAt(data, at)
}
