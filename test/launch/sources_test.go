package launch

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const testOfAll = `package launch

import (
	"os"
	"testing"
)

func TestMain(m *testing.M) {
	os.Exit(Main(m, func(string) (func(), error) { return nil, nil }))
}

func TestAll(*testing.T) {}
`

// TestCacheSeesTheProgram runs a package that is run by Main, in a module of its own: its result is kept until a file of the
// program is another one.
func TestCacheSeesTheProgram(t *testing.T) {
	root := t.TempDir()
	room := filepath.Join(root, "internal", "room", "room.go")
	files := map[string]string{
		"go.mod": "module example.test\n\ngo 1.26\n", "go.sum": "",
		"cmd/barnabas/main.go":    "package main\n\nfunc main() {}\n",
		"internal/room/room.go":   "package room\n",
		"test/launch/all_test.go": testOfAll,
	}
	for _, name := range []string{"launch.go", "sources.go"} {
		source, err := os.ReadFile(name)
		must(t, err)
		files["test/launch/"+name] = string(source)
	}
	for name, text := range files {
		path := filepath.Join(root, name)
		must(t, os.MkdirAll(filepath.Dir(path), 0o755))
		must(t, os.WriteFile(path, []byte(text), 0o644))
	}
	old := time.Now().Add(-time.Hour) // what has changed in the last seconds is never kept
	must(t, filepath.Walk(root, func(path string, _ os.FileInfo, err error) error {
		if err != nil {
			return err
		}
		return os.Chtimes(path, old, old)
	}))
	cached := func() bool {
		t.Helper()
		command := exec.Command("go", "test", "./test/launch")
		command.Dir, command.Env = root, append(os.Environ(), "GOFLAGS=", "GOWORK=off")
		out, err := command.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return strings.Contains(string(out), "(cached)")
	}
	if cached() {
		t.Fatal("kept before it ever ran")
	}
	if !cached() {
		t.Error("not kept, although nothing has changed")
	}
	must(t, os.WriteFile(room, []byte("package room\n\nvar changed = true\n"), 0o644))
	must(t, os.Chtimes(room, old, old.Add(time.Minute)))
	if cached() {
		t.Error("taken from the cache, although the program has changed")
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
