package keeper

import (
	"reflect"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.etcd.io/etcd/server/v3/etcdserver/api/rafthttp"
)

const paceTick = 100 * time.Millisecond

// inPace runs a scenario with a pace in a bubble; passed tells how many ticks were given since it was last asked.
func inPace(t *testing.T, leads *atomic.Bool, scenario func(p *pace, passed func(after time.Duration) int)) {
	synctest.Test(t, func(*testing.T) {
		p := newPace(paceTick, leads.Load)
		defer p.stop()
		scenario(p, func(after time.Duration) int {
			synctest.Wait()
			given := 0
			for end := time.NewTimer(after); ; {
				select {
				case <-p.ticks:
					given++
					continue
				case <-end.C:
				}
				synctest.Wait()
				return given + drained(p)
			}
		})
	})
}

func drained(p *pace) (given int) {
	for len(p.ticks) > 0 {
		<-p.ticks
		given++
	}
	return given
}

func expect(t *testing.T, what string, got, want int) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %d ticks, %d were expected", what, got, want)
	}
}

func TestPaceOfAFollower(t *testing.T) {
	var leads atomic.Bool
	inPace(t, &leads, func(p *pace, passed func(time.Duration) int) {
		expect(t, "without a leader", passed(5*paceTick), 5)
		for range 10 {
			p.hear()
			expect(t, "while it is heard", passed(beatTicks*paceTick), 0)
		}
		p.hear()
		expect(t, "before a word is late", passed(graceTicks*paceTick-1), 0)
		expect(t, "when it is late", passed(1), graceTicks)
		expect(t, "and afterwards", passed(3*paceTick), 3)
	})
}

func TestPaceOfALeader(t *testing.T) {
	var leads atomic.Bool
	leads.Store(true)
	inPace(t, &leads, func(p *pace, passed func(time.Duration) int) {
		expect(t, "at first", passed(paceTick), 1)
		expect(t, "when all send their heartbeats", passed(paceTick), beatTicks) // the clock began at a full second
		expect(t, "between heartbeats", passed(beatTicks*paceTick-1), 0)
		expect(t, "at a heartbeat", passed(1), beatTicks)
		expect(t, "five later", passed(5*beatTicks*paceTick), 5*beatTicks)
		leads.Store(false)
		expect(t, "of the last one as a leader", passed(beatTicks*paceTick), beatTicks)
		expect(t, "as a follower", passed(2*paceTick), 2)
	})
}

func TestPaceInAHurry(t *testing.T) {
	var leads atomic.Bool
	inPace(t, &leads, func(p *pace, passed func(time.Duration) int) {
		p.hear()
		p.hurry(true)
		p.hear()
		expect(t, "in a hurry", passed(10*hurryTick), 10)
		p.hurry(false)
		expect(t, "at the pace of before", passed(4*paceTick), 4)
		p.stop()
		p.hear()
		p.hurry(true)
		expect(t, "after its end", passed(time.Second), 0)
	})
}

// An engine that takes no ticks for long is not told of all of them at once.
func TestPaceIsNotMadeUpFor(t *testing.T) {
	var leads atomic.Bool
	inPace(t, &leads, func(p *pace, passed func(time.Duration) int) {
		p.hear()
		time.Sleep(time.Minute) // the bubble's time
		synctest.Wait()
		expect(t, "after a minute", drained(p), graceTicks)
	})
}

// What paced reaches is where it looks for it, nothing is put in the place of what etcd's own goroutines read by then, and an
// ensemble elects by it.
func TestEnsembleIsPaced(t *testing.T) {
	members := three(t)
	leader := awaitLeader(t, members)
	for _, m := range members {
		server := m.running()
		if beat := within[int](reflect.ValueOf(server), "r", "Node", "rn", "raft", "heartbeatTimeout"); beat == nil || *beat != beatTicks {
			t.Fatal("a new release of etcd has its heartbeat, or its ticks, elsewhere")
		}
		transport, err := transportOf(server)
		if err != nil {
			t.Fatal(err)
		}
		if _, hears := transport.(*rafthttp.Transport).Raft.(listening); !hears {
			t.Error("the leader's words are not heard")
		}
		if m != leader {
			awaitThat(t, "a follower to wait for its leader's next word", func() bool {
				m.pace.mu.Lock()
				defer m.pace.mu.Unlock()
				return m.pace.owed == graceTicks
			})
		}
	}
	stopMember(leader)
	awaitLeader(t, slices.DeleteFunc(members, func(m *Member) bool { return m == leader }))
}
