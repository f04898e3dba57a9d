// Package robustness gives real broker processes bad input and trouble, over real sockets: what they must refuse, what
// they must survive, and what they may cost meanwhile. Two lines of the same list are scripts of test/e2e: a data
// directory in use (directory_in_use.txt) and a port in use (port_in_use.txt). docs/found-bugs.md says what was found.
package robustness

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// program is the broker under test: $BARNABAS, or what is built once from the tree.
var program string

// workDir is where the common broker lives.
var workDir string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "barnabas-robustness-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	workDir = dir
	if err := buildProgram(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() {
		if common.process != nil {
			common.process.kill()
		}
	}()
	return m.Run()
}

func buildProgram(dir string) error {
	if program = os.Getenv("BARNABAS"); program != "" {
		return nil
	}
	program = filepath.Join(dir, "barnabas")
	build := exec.Command("go", "build", "-o", program, "barnabas/cmd/barnabas")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build: %w\n%s", err, out)
	}
	return nil
}

// common is a broker that many tests put questions to; each leaves it as well as it found it.
var common struct {
	start   sync.Once
	process *broker
}

// ask returns the common broker, and has it looked at when the test ends.
func ask(t *testing.T) *broker {
	common.start.Do(func() {
		b := newBroker(t, workDir)
		b.launch(t)
		b.awaitReady(t)
		common.process = b
	})
	if common.process == nil {
		t.Fatal("the common broker did not start")
	}
	t.Cleanup(func() { common.process.mustServe(t) })
	return common.process
}

// cannot says that this machine does not allow what a test needs. In CI that is a failure.
func cannot(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}
