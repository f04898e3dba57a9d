// Package robustness gives real broker processes bad input and trouble, over real sockets: what they must refuse, what
// they must survive, and what they may cost meanwhile. Two lines of the same list are scripts of test/e2e: a data
// directory in use (directory_in_use.txt) and a port in use (port_in_use.txt). docs/found-bugs.md says what was found.
package robustness

import (
	"math/rand/v2"
	"os"
	"sync"
	"testing"

	"barnabas/test/launch"
)

// program is the broker under test: $BARNABAS, or what is built once from the tree.
var program string

// chance is the same in every run, but for SEED=7 another one: a run that fails can be repeated, and what one commit has
// passed the next one does not fail by chance.
func chance(t *testing.T) *rand.Rand {
	return rand.New(rand.NewPCG(launch.Seed(t, false), 0))
}

// workDir is where the common broker lives.
var workDir string

func TestMain(m *testing.M) {
	os.Exit(launch.Main(m, func(dir string) (_ func(), err error) {
		workDir = dir
		program, err = launch.Given(dir)
		return endCommon, err
	}))
}

// common is a broker that many tests put questions to; each leaves it as well as it found it.
var common struct {
	start   sync.Once
	process *broker
}

func endCommon() {
	if common.process != nil {
		common.process.kill()
	}
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
