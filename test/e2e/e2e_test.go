// Package e2e runs scripts against real broker processes, with real clients. A script is a txtar file in
// testdata; besides testscript's own commands it has those of commands_test.go.
package e2e

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"barnabas/test/loopback"
)

// binary is the program under test, built once by TestMain.
var binary string

func TestMain(m *testing.M) { os.Exit(runTests(m)) }

func runTests(m *testing.M) int {
	dir, err := os.MkdirTemp("", "barnabas-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "barnabas")
	build := exec.Command("go", "build", "-o", binary, "barnabas/cmd/barnabas")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(env *testscript.Env) error {
			world := newWorld(env.WorkDir)
			env.Values[worldKey{}] = world
			env.Defer(world.end)
			env.Setenv("BARNABAS", binary)
			keeper, err := loopback.Address()
			if err != nil {
				return err
			}
			env.Setenv("KEEPER", keeper)
			env.Setenv("KILLS", cmp.Or(os.Getenv("KILLS"), "15"))
			return nil
		},
		Cmds:          commands,
		UpdateScripts: os.Getenv("UPDATE_SCRIPTS") != "",
	})
}
