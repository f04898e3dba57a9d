// Package tools runs scripts of Kafka's command line tools, under Kafka's names, against a real
// broker process. A script is a txtar file in testdata; besides testscript's own commands it has
// those of commands_test.go.
package tools

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"barnabas/test/launch"
)

// bin holds the program and the links to it by Kafka's names, made once by TestMain.
var bin string

func TestMain(m *testing.M) {
	os.Exit(launch.Main(m, func(dir string) (func(), error) {
		bin = dir
		program, err := launch.Build(dir)
		if err != nil {
			return nil, err
		}
		if out, err := exec.Command(program, "install-links", bin).CombinedOutput(); err != nil {
			return nil, fmt.Errorf("install-links: %w\n%s", err, out)
		}
		return nil, nil
	}))
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(env *testscript.Env) error {
			env.Setenv("PATH", bin+string(os.PathListSeparator)+env.Getenv("PATH"))
			return nil
		},
		Cmds:          commands,
		UpdateScripts: os.Getenv("UPDATE_SCRIPTS") != "",
	})
}

// startLimit is what a tool may cost until it could begin its work, of the processor's time: it is 15 ms of one as of 2023.
const startLimit = 150 * time.Millisecond

// TestToolsStartQuickly takes the best of many runs, and does not count what the machine does
// meanwhile: what the program does itself is in each of them.
func TestToolsStartQuickly(t *testing.T) {
	for _, tool := range []string{"kafka-topics.sh", "kafka-console-consumer.sh", "barnabas"} {
		best := time.Hour
		for range 20 {
			command := exec.Command(filepath.Join(bin, tool), "--help")
			_ = command.Run() // Kafka's tools end with 1
			best = min(best, command.ProcessState.UserTime()+command.ProcessState.SystemTime())
		}
		t.Logf("%s --help: %s", tool, best)
		if best > startLimit {
			t.Errorf("%s --help takes %s, more than %s", tool, best, startLimit)
		}
	}
}
