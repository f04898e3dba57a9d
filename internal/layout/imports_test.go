// Package layout keeps the architecture true: the rooms, their levels and who may import whom.
package layout

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// levels is the table of docs/ARCHITECTURE.md: a room imports only rooms of a lower level. A room within another
// (metadata/etcdstore) has a row of its own.
var levels = map[string]int{
	"ident": 0, "record": 0, "vfs": 0, "config": 0, "metrics": 0,
	"scenario": 0, "overview": 0, "probes": 0, "tlsstore": 0, "footprint": 0, "unison": 0,
	"wire": 1, "storage": 1, "metadata": 1,
	"keeper/rollcall":    1,
	"kubernetes":         1,
	"topicfile":          1,
	"metadata/etcdstore": 1, "metadata/memstore": 1, "metadata/storetest": 1,
	"zookeeper/jute": 0, "zookeeper/tree": 1, "zookeeper/registry": 2,
	"zookeeper": 2,
	"keeper":    2, "replication": 2, "controller": 2, "coordinator": 2,
	"group": 3, "txn": 3, "coordinator/shardlog": 3,
	"api": 4, "server": 4,
	"broker":   5,
	"cli/argp": 5,
	"cli/jopt": 5,
	"cli":      6,
	"layout":   9,
}

// sameLevel are the edges allowed within a level, each with its reason.
var sameLevel = map[[2]string]string{
	{"metadata/etcdstore", "metadata"}:           "implements the Store seam",
	{"metadata/memstore", "metadata"}:            "implements the Store seam",
	{"metadata/storetest", "metadata"}:           "the conformance suite of the Store seam",
	{"metadata/etcdstore", "metadata/storetest"}: "its tests run the suite",
	{"keeper", "zookeeper"}:                      "a keeper's port gives it the connections that speak ZooKeeper's protocol",
	{"zookeeper", "zookeeper/registry"}:          "the picture of a cluster is a part of the tree that it serves",
	{"metadata/memstore", "metadata/storetest"}:  "its tests run the suite",
}

// only are packages from outside that few rooms may know, with the reason.
var only = []struct {
	path, reason string
	rooms        []string
}{
	{"go.etcd.io/", "the engine is exchangeable behind metadata.Store", []string{"metadata/etcdstore", "keeper"}},
	{"github.com/twmb/franz-go/pkg/kgo", "a broker is not a client; the tools are", []string{"cli"}},
	{"github.com/twmb/franz-go/pkg/kadm", "a broker is not a client; the tools are", []string{"cli"}},
	{"github.com/spf13/cobra", "commands live in one room", []string{"cli"}},
}

// never are packages from outside that a room must not see, with the reason.
var never = []struct{ room, path, reason string }{
	{"record", "github.com/twmb/franz-go", "the log is independent of the protocol's messages"},
	{"storage", "github.com/twmb/franz-go", "the log is independent of the protocol's messages"},
	{"replication", "github.com/twmb/franz-go", "decisions are independent of the protocol's messages"},
}

const internal = "barnabas/internal/"

func TestRoomsImportOnlyLowerLevels(t *testing.T) {
	walkImports(t, func(file, room, path string) {
		level, known := levels[room]
		if !known {
			t.Errorf("%s: room %q has no row in the table of levels", file, room)
			return
		}
		test := strings.HasSuffix(file, "_test.go")
		if target, ok := strings.CutPrefix(path, internal); ok {
			checkEdge(t, file, room, target, level)
			return
		}
		for _, rule := range only {
			if strings.HasPrefix(path, rule.path) && !contains(rule.rooms, room) && !test {
				t.Errorf("%s imports %s: only %v may, because %s", file, path, rule.rooms, rule.reason)
			}
		}
		for _, rule := range never {
			if room == rule.room && strings.HasPrefix(path, rule.path) && !test {
				t.Errorf("%s imports %s: %s", file, path, rule.reason)
			}
		}
	})
}

func checkEdge(t *testing.T, file, room, target string, level int) {
	targetLevel, known := levels[target]
	switch {
	case !known:
		t.Errorf("%s imports %s, which has no row in the table of levels", file, target)
	case targetLevel < level || room == target:
	case sameLevel[[2]string{room, target}] != "":
	case strings.HasSuffix(file, "_test.go") && targetLevel <= level:
	default:
		t.Errorf("%s: %s (level %d) imports %s (level %d)", file, room, level, target, targetLevel)
	}
}

// walkImports calls visit for every import of every Go file under internal.
func walkImports(t *testing.T, visit func(file, room, path string)) {
	root := filepath.Join("..", "..", "internal")
	fset := token.NewFileSet()
	err := filepath.WalkDir(root, func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(file, ".go") {
			return err
		}
		parsed, err := parser.ParseFile(fset, file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		room, err := filepath.Rel(root, filepath.Dir(file))
		if err != nil {
			return err
		}
		for _, spec := range parsed.Imports {
			path, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			visit(file, filepath.ToSlash(room), path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func contains(list []string, s string) bool {
	for _, entry := range list {
		if entry == s {
			return true
		}
	}
	return false
}
