package cluster

import (
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"barnabas/test/launch"
)

// A leader that is cut off without a word: no connection is reset. Others lead, and it comes back as a follower.
func TestVanishedLeader(t *testing.T) {
	w := newWorld(t, nil)
	victim := w.leader()
	w.load.Mark()
	w.net.isolate(victim)
	w.await("others to lead", func() bool { return w.led(victim) == 0 })
	w.flows("without the broker that has vanished")
	w.stalled("a broker has vanished")
	w.net.rejoin(victim)
	w.mends()
	w.verify()
}

// A leader that reaches the other brokers and its clients, and no keeper: its lease ends, and with it what it may
// acknowledge, for the others go by the metadata.
func TestLeaderWithoutKeeper(t *testing.T) {
	w := newWorld(t, nil)
	victim := w.leader()
	w.load.Mark()
	w.net.part(victim, keeperID)
	w.flows("while a leader does not reach the keeper")
	w.await("others to lead", func() bool { return w.led(victim) == 0 })
	w.flows("under other leaders")
	w.stalled("a leader without a keeper")
	w.net.unite(victim, keeperID)
	w.mends()
	w.verify()
}

// One way only: the leader hears the others and they don't hear it, or the other way round.
func TestOneWay(t *testing.T) {
	for name, way := range map[string]func(n *network, victim, other int, cut bool){
		"to the others": func(n *network, victim, other int, cut bool) { set(n, victim, other, cut) },
		"to the leader": func(n *network, victim, other int, cut bool) { set(n, other, victim, cut) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil, slowForLong)
			victim := w.leader()
			others := []int{victim%3 + 1, (victim+1)%3 + 1}
			w.load.Mark()
			for _, other := range others {
				way(w.net, victim, other, true)
			}
			w.flows("with links cut one way")
			w.stalled("links cut one way")
			for _, other := range others {
				way(w.net, victim, other, false)
			}
			w.mends()
			w.verify()
		})
	}
}

func set(n *network, from, to int, cut bool) {
	if cut {
		n.mute(from, to)
	} else {
		n.unmute(from, to)
	}
}

// Two brokers that don't reach each other, while both reach the third and the keeper.
func TestTwoApart(t *testing.T) {
	w := newWorld(t, nil, slowForLong)
	w.load.Mark()
	w.net.part(1, 2)
	w.flows("with two brokers apart")
	w.stalled("two brokers apart")
	w.net.unite(1, 2)
	w.mends()
	w.verify()
}

// A leader that sleeps for longer than its lease and wakes up must not go on where it was.
func TestPausedLeader(t *testing.T) {
	w := newWorld(t, nil)
	victim := w.leader()
	w.load.Mark()
	if err := w.node(victim).Broker.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	w.await("others to lead", func() bool { return w.led(victim) == 0 })
	w.flows("while a leader sleeps")
	w.stalled("a leader sleeps")
	if err := w.node(victim).Broker.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	w.mends()
	w.verify()
}

// The keeper sleeps: brokers go on with what needs no change of the metadata, and lose nothing.
func TestPausedKeeper(t *testing.T) {
	w := newWorld(t, nil)
	w.load.Mark()
	if err := w.cluster.Apart.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	w.flows("while the keeper sleeps")
	w.stalled("the keeper sleeps")
	if err := w.cluster.Apart.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	w.mends()
	w.verify()
}

// A follower that gets what it copies over a link too slow for the load falls out of the in-sync sets, and nobody waits for it. It leads
// on what it leads itself, for it is not taken for gone, and comes back when the link is fast again.
func TestSlowLink(t *testing.T) {
	w := newWorld(t, nil, "replica.lag.time.max.ms=2000", "compression.type=uncompressed") // of the load nothing but zeros would be left
	victim := w.leader()
	w.load.Mark()
	w.net.starve(victim, 9092, 128) // a twelfth of what it has to copy
	w.await("the slow follower to be in the in-sync sets of what it leads alone", func() bool { return w.lags(victim) && w.led(victim) > 0 })
	w.flows("behind a slow link")
	w.stalled("a slow link")
	w.net.feed(victim)
	w.mends()
	w.verify()
}

// lags tells whether a broker is in sync nowhere but where it leads, and others lead something.
func (w *world) lags(id int) bool {
	followed := 0
	for _, p := range w.details() {
		switch {
		case p.Leader == int32(id):
		case slices.Contains(p.ISR, int32(id)):
			return false
		default:
			followed++
		}
	}
	return followed > 0
}

// A broker whose disk is full: its directory goes offline, others lead, and it comes back once there is room.
func TestFullDisk(t *testing.T) {
	small := filepath.Join(t.TempDir(), "small")
	if err := os.Mkdir(small, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", small, "tmpfs", 0, "size=64m"); err != nil {
		launch.Cannot(t, "a small disk can't be mounted by this user: %v", err)
	}
	t.Cleanup(func() { syscall.Unmount(small, syscall.MNT_DETACH) })
	w := newWorld(t, map[int]string{2: filepath.Join(small, "data")})
	w.load.Mark()
	ballast := filepath.Join(small, "ballast")
	fill(t, ballast)
	w.await("the directory to go offline", func() bool { return says(w.node(2).Broker, "log directory is offline") })
	w.await("others to lead", func() bool { return w.led(2) == 0 })
	w.flows("with a full disk")
	w.stalled("a full disk")
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	w.mends()
	w.verify()
}

// fill takes all the room that is left.
func fill(t *testing.T, path string) {
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for block := make([]byte, 64<<10); ; {
		if _, err := f.Write(block); err != nil {
			return
		}
	}
}

// A broker killed while another is cut off: one of the three is left, and nothing may be acknowledged by it alone.
func TestOneLeft(t *testing.T) {
	w := newWorld(t, nil)
	w.net.isolate(1)
	w.node(2).Broker.Kill()
	w.passes(2 * time.Second)
	if err := w.node(2).Start(); err != nil {
		t.Fatal(err)
	}
	w.flows("with two of three")
	w.net.rejoin(1)
	w.mends()
	w.verify()
}
