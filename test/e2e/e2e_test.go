// Package e2e runs scripts against real broker processes, with real clients. A script is a txtar file in
// testdata; besides testscript's own commands it has those of commands_test.go.
package e2e

import (
	"cmp"
	"os"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"barnabas/test/launch"
	"barnabas/test/loopback"
)

// binary is the program under test, built once by TestMain.
var binary string

func TestMain(m *testing.M) {
	os.Exit(launch.Main(m, func(dir string) (_ func(), err error) {
		binary, err = launch.Build(dir)
		return nil, err
	}))
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
			env.Setenv("PID", strconv.Itoa(os.Getpid()))
			env.Setenv("KILLS", cmp.Or(os.Getenv("KILLS"), "15"))
			return nil
		},
		Cmds:          commands,
		UpdateScripts: os.Getenv("UPDATE_SCRIPTS") != "",
	})
}
