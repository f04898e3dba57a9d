package keepers

import (
	"barnabas/test/launch"
	"context"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
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
	e.await("the newcomer to be admitted", func() bool { return e.anySays("a newcomer is admitted") })
	launch.Pause(t, other.command.Process)
	// Where the promotion was agreed on before, the ensemble lives on without the one that sleeps.
	e.await("the quorum to be lost", func() bool {
		return e.anySays("has caught up and counts") || leader.readiness() != "ok"
	})
	e.wipe(other)
	e.launch(other)
	e.allReady()
	w.goesOn()
	w.check()
	if !e.anySays("has caught up and counts") && !e.anySays("is recovered from this log") {
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

// The keepers' quorum is away for longer than any registration lasts: brokers go on with what needs no change of the
// metadata, say what they can't do, and are whole again when the keepers are.
func TestQuorumAwayForLong(t *testing.T) {
	t.Parallel()
	e := startEnsemble(t, 3)
	e.session = 2 * time.Second
	e.startBrokers(3, false)
	admin := kadm.NewClient(e.client())
	before := e.createTopic(admin)
	p := e.produce()
	p.goesOn()
	for _, k := range e.keepers[:2] {
		k.kill()
	}
	for _, b := range e.brokers {
		e.await(b.name+" to have lost its registration", func() bool { return b.output.Says("the registration was lost") })
		e.await(b.name+" to say what does not change", func() bool {
			return strings.Contains(b.page("/readyz"), "ok\nwarning: the keepers have not answered for ") &&
				strings.Contains(b.page("/cluster/status"), "do not change until most keepers answer")
		})
	}
	p.goesOn()
	reader := e.client(kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for seen := 0; seen < 100 && ctx.Err() == nil; {
		seen += reader.PollFetches(ctx).NumRecords()
	}
	if ctx.Err() != nil {
		t.Errorf("nothing can be read\n%s", e.outputs())
	}
	within, done := context.WithTimeout(t.Context(), 2*time.Second)
	defer done()
	if made, err := admin.CreateTopic(within, 1, 3, nil, "impossible"); err == nil && made.Err == nil {
		t.Error("a topic was created without keepers")
	}
	p.goesOn()
	e.brokers[2].kill() // and nobody is there to elect others
	for _, k := range e.keepers[:2] {
		e.launch(k)
	}
	e.allReady()
	for _, b := range e.brokers[:2] {
		e.await(b.name+" to be registered again", func() bool { return b.output.Says("registered again") })
		e.ready(b)
	}
	p.goesOn()
	e.launchBroker(e.brokers[2])
	e.ready(e.brokers[2])
	e.another(admin)
	p.goesOn()
	if after := e.describe(admin); after.ID != before.ID {
		t.Errorf("the topic is %v, it was %v", after.ID, before.ID)
	}
	p.check()
}

// All keepers are told to stop at once, as where everything is scaled to zero. Nobody waits for a successor, nor for
// somebody to lead in its place, and all come back with what they had.
func TestWholeStop(t *testing.T) {
	t.Parallel()
	e := startEnsemble(t, 3)
	s := e.store()
	e.put(s, "k", "v")
	var all sync.WaitGroup
	began := time.Now()
	for _, k := range e.keepers {
		all.Go(func() { e.stop(k) })
	}
	all.Wait()
	t.Logf("all have stopped after %s", time.Since(began).Round(time.Millisecond))
	for _, k := range e.keepers {
		if k.output.Says("it stays until the newcomer") {
			t.Errorf("%s has waited for a successor", k.name)
		}
	}
	e.launchAll()
	e.allReady()
	if got := e.get(e.store(), "k"); got != "v" {
		t.Errorf("read %q", got)
	}
}
