// Package limits bounds the memory of containers by cgroups, of either version, where this process may make some. Memory is what
// a kubelet bounds so: what processes have, what the kernel keeps for them, and the pages of files that they have touched, which go
// first.
package limits

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Tree is a directory of cgroups below which containers get theirs.
type Tree struct {
	dir   string
	files files
}

// files are how a version of cgroups calls what is asked of it.
type files struct {
	limit, peak, events string
	// inside is where a container looks for its own.
	inside string
}

var (
	first = files{limit: "memory.limit_in_bytes", peak: "memory.max_usage_in_bytes", events: "memory.oom_control", inside: "/sys/fs/cgroup/memory"}
	now   = files{limit: "memory.max", peak: "memory.peak", events: "memory.events", inside: "/sys/fs/cgroup"}
)

// Open makes a tree of the given name where this process may, or says why not.
func Open(name string) (*Tree, error) {
	mounts, err := os.Open("/proc/self/mounts")
	if err != nil {
		return nil, err
	}
	defer mounts.Close()
	why := errors.New("no cgroups of memory are mounted")
	lines := bufio.NewScanner(mounts)
	for lines.Scan() {
		// cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid 0 0
		words := strings.Fields(lines.Text())
		t := &Tree{}
		switch {
		case len(words) < 4:
			continue
		case words[2] == "cgroup2":
			t.files = now
			t.dir, err = distributes(words[1], own(""))
		case words[2] == "cgroup" && slices.Contains(strings.Split(words[3], ","), "memory"):
			t.files = first
			t.dir, err = filepath.Join(words[1], own("memory")), nil
		default:
			continue
		}
		if err == nil {
			t.dir = filepath.Join(t.dir, name)
			err = t.prepare()
		}
		if err == nil {
			return t, nil
		}
		why = err
	}
	return nil, why
}

// own is this process's cgroup of a controller, of version 2 for none.
func own(controller string) string {
	raw, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return "/"
	}
	for line := range strings.Lines(string(raw)) {
		// 4:memory:/session and 0::/session
		words := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(words) == 3 && slices.Contains(strings.Split(words[1], ","), controller) {
			return words[2]
		}
	}
	return "/"
}

// distributes finds the nearest directory, from a process's own upwards, that bounds the memory of those below it.
func distributes(root, own string) (string, error) {
	for at := filepath.Clean("/" + own); ; at = filepath.Dir(at) {
		raw, err := os.ReadFile(filepath.Join(root, at, "cgroup.subtree_control"))
		if err == nil && slices.Contains(strings.Fields(string(raw)), "memory") {
			return filepath.Join(root, at), nil
		}
		if at == "/" {
			return "", fmt.Errorf("no cgroup from %s upwards distributes memory", own)
		}
	}
}

func (t *Tree) prepare() error {
	if err := os.Mkdir(t.dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if t.files != now {
		return nil
	}
	return os.WriteFile(filepath.Join(t.dir, "cgroup.subtree_control"), []byte("+memory"), 0o644)
}

// Remove takes the tree away, which is empty.
func (t *Tree) Remove() error {
	groups, err := filepath.Glob(filepath.Join(t.dir, "*", "cgroup.procs"))
	if err != nil {
		return err
	}
	for _, g := range groups {
		_ = os.Remove(filepath.Dir(g)) // the tree's own removal says what is left
	}
	return os.Remove(t.dir)
}

// Group bounds the processes of one life of a container.
type Group struct {
	// Dir is where a container is shown its own cgroup, which is at Inside there.
	Dir, Inside string

	files files
}

// New makes a group of at most so many bytes.
func (t *Tree) New(name string, bytes int64) (*Group, error) {
	g := &Group{Dir: filepath.Join(t.dir, name), Inside: t.files.inside, files: t.files}
	if err := os.Mkdir(g.Dir, 0o755); err != nil {
		return nil, err
	}
	return g, os.WriteFile(filepath.Join(g.Dir, t.files.limit), []byte(strconv.FormatInt(bytes, 10)), 0o644)
}

// Processes is the file that takes the numbers of processes.
func (g *Group) Processes() string { return filepath.Join(g.Dir, "cgroup.procs") }

// Add puts a process into the group.
func (g *Group) Add(pid int) error {
	return os.WriteFile(g.Processes(), []byte(strconv.Itoa(pid)), 0o644)
}

// Peak is the most that was counted at once, in bytes; the pages of files are in it.
func (g *Group) Peak() (int64, error) {
	raw, err := os.ReadFile(filepath.Join(g.Dir, g.files.peak))
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(strings.TrimSpace(string(raw)), 10, 64)
}

// Killed is how many processes the kernel has ended because the limit was reached.
func (g *Group) Killed() (int, error) {
	raw, err := os.ReadFile(filepath.Join(g.Dir, g.files.events))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(raw)) {
		if count, ok := strings.CutPrefix(strings.TrimSpace(line), "oom_kill "); ok {
			return strconv.Atoi(count)
		}
	}
	return 0, fmt.Errorf("%s has no line oom_kill", g.files.events)
}

// Remove takes the group away once its processes are gone.
func (g *Group) Remove() error { return os.Remove(g.Dir) }
