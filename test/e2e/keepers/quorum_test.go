package keepers

import (
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
)

// leader is the keeper that says that it leads.
func (e *ensemble) leader(of ...*process) *process {
	e.t.Helper()
	var leader *process
	e.await("one to lead", func() bool {
		for _, k := range of {
			if strings.Contains(k.word(e.addresses()[k.number-1], "srvr"), "Mode: leader") {
				leader = k
				return true
			}
		}
		return false
	})
	return leader
}

// word asks a keeper one of ZooKeeper's four-letter words.
func (p *process) word(address, word string) string {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return ""
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, word); err != nil {
		return ""
	}
	answer, _ := io.ReadAll(conn)
	return string(answer)
}

// The quorum is lost while a newcomer learns: one that counts, one that does not yet, and an empty one are left. The
// promotion of the newcomer is in the logs by then, and nobody can commit it.
func TestQuorumLostBesideALearner(t *testing.T) {
	t.Parallel()
	e := startEnsemble(t, 3)
	w := e.write()
	w.goesOn()
	newcomer := e.keepers[2]
	e.wipe(newcomer)
	w.goesOn()
	leader, other := e.leader(e.keepers[:2]...), e.keepers[0]
	if other == leader {
		other = e.keepers[1]
	}
	e.launch(newcomer)
	e.await("the newcomer to be admitted", func() bool { return leader.output.Says("a newcomer is admitted") })
	other.command.Process.Signal(syscall.SIGSTOP)
	// Where the promotion was agreed on before, the ensemble lives on without the one that sleeps.
	e.await("the quorum to be lost", func() bool {
		return leader.output.Says("has caught up and counts") || leader.readiness() != "ok"
	})
	e.wipe(other)
	e.launch(other)
	e.allReady()
	w.goesOn()
	w.check()
	if !leader.output.Says("has caught up and counts") && !leader.output.Says("is recovered from this log") && !newcomer.output.Says("is recovered from this log") {
		t.Errorf("nobody has recovered the ensemble\n%s", e.outputs())
	}
}

// The leader is killed, wiped, and started again before anybody misses its heartbeats: its address never refuses for
// long, and the others see all the same that its process is gone, and elect another one at once.
func TestLeaderIsReplacedAtOnce(t *testing.T) {
	t.Parallel()
	e := newEnsemble(t, 3)
	e.heartbeat = 500 // an election by silence alone takes five seconds and more
	e.launchAll()
	e.allReady()
	w := e.write()
	w.goesOn()
	leader := e.leader(e.keepers...)
	e.wipe(leader)
	e.launch(leader)
	e.await("the others to see that its process is gone", func() bool {
		for _, k := range e.keepers {
			if k != leader && k.output.Says("the leader's process is gone") {
				return true
			}
		}
		return false
	})
	w.goesOn()
	e.allReady()
	w.check()
}
