package e2e

import (
	"github.com/rogpeppe/go-internal/testscript"
)

func init() { commands["ended"] = endedCommand }

// endedCommand waits for a broker that something else has told to stop; it must end with code 0: ended NAME
func endedCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: ended NAME")
	}
	p, err := worldOf(ts).broker(args[0])
	ts.Check(err)
	code, err := p.wait(stopTime)
	if err != nil || code != 0 {
		ts.Fatalf("broker %s: exit code %d, %v:\n%s", p.name, code, err, p.output)
	}
}
