package keeper

import (
	"context"
	"errors"
	"reflect"
	"sync"
	"time"
	"unsafe"

	"go.etcd.io/etcd/server/v3/etcdserver/api/rafthttp"
	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"

	"barnabas/internal/unison"
)

const (
	// beatTicks is how many ticks lie between two heartbeats of the leader.
	beatTicks = 2
	// graceTicks is after how many a follower begins to count, from the leader's last word on: until then another word is
	// due, and nothing would come of counting.
	graceTicks = 3
)

// pace gives an ensemble's engine its ticks. etcd wakes up for each; this wakes up a leader when a heartbeat is due, and a
// follower when one is late, and gives the ticks then that have passed: elections take as many as ever, and begin no
// sooner after the leader's last word.
type pace struct {
	tick  time.Duration
	ticks chan time.Time // what the engine takes for its ticker's
	leads func() bool

	mu      sync.Mutex
	timer   *time.Timer // guarded by mu
	due     time.Time   // guarded by mu; when the timer ends
	owed    int         // guarded by mu; how many ticks have passed then
	hurried bool        // guarded by mu; each tick is short, whoever is heard
	stopped bool        // guarded by mu
}

// newPace begins at once.
func newPace(tick time.Duration, leads func() bool) *pace {
	p := &pace{tick: tick, ticks: make(chan time.Time, graceTicks), leads: leads}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.timer = time.AfterFunc(tick, p.pass)
	p.wait(1, tick)
	return p
}

// wait has so many ticks given after a time. The caller holds mu.
func (p *pace) wait(ticks int, d time.Duration) {
	p.owed, p.due = ticks, time.Now().Add(d)
	p.timer.Reset(d)
}

// pass gives the ticks that have passed. An engine that does not take them is not given more than it has room for, as
// with a ticker: a process that was suspended does not take its own absence for the leader's.
func (p *pace) pass() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped || time.Now().Before(p.due) {
		return // the timer was set anew meanwhile
	}
	for range p.owed {
		select {
		case p.ticks <- p.due:
		default:
		}
	}
	switch {
	case p.hurried:
		p.wait(1, hurryTick)
	case p.leads():
		p.wait(beatTicks, unison.Wait(time.Now(), beatTicks*p.tick)) // with all else that is idle
	default:
		p.wait(1, p.tick)
	}
}

// hear notes a word of the leader's.
func (p *pace) hear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.hurried && !p.stopped {
		p.wait(graceTicks, graceTicks*p.tick)
	}
}

// hurry has ticks be short, or as long as ever again.
func (p *pace) hurry(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped {
		return
	}
	p.hurried = on
	if on {
		p.wait(1, hurryTick)
	} else {
		p.wait(1, p.tick)
	}
}

// stop ends it. The engine may still take ticks that were given.
func (p *pace) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopped = true
	p.timer.Stop()
}

// listening is an engine whose leader's words are heard. The transport brings it what the other members say.
type listening struct {
	*etcdServer
	pace *pace
}

// Process implements rafthttp.Raft.
func (l listening) Process(ctx context.Context, m raftpb.Message) error {
	switch m.Type {
	case raftpb.MsgHeartbeat, raftpb.MsgApp, raftpb.MsgSnap:
		if m.From == uint64(l.Leader()) && m.Term == l.Term() {
			l.pace.hear()
		}
	}
	return l.etcdServer.Process(ctx, m)
}

// errNoPace says that etcd's insides are not what they were.
var errNoPace = errors.New("keeper: etcd's ticks can't be reached")

// paced gives the ticks of a server that has not been started, and that nobody reaches yet, and has its heartbeats be rarer than
// its ticks. etcd has both be the same, and fixes them; so this reaches inside. A test tells when a new release of etcd has any of
// it elsewhere; ticks and heartbeats are etcd's own then.
func paced(server *etcdServer, tick time.Duration) (*pace, error) {
	at := reflect.ValueOf(server).Elem()
	ticker, err := ticker(server)
	if err != nil {
		return nil, err
	}
	transporter, err := transportOf(server)
	if err != nil {
		return nil, err
	}
	transport, ok := transporter.(*rafthttp.Transport)
	node := within[raft.Node](at, "r", "Node")
	late := within[time.Duration](at, "r", "td", "maxDuration")
	if !ok || node == nil || late == nil {
		return nil, errNoPace
	}
	beat := within[int](reflect.ValueOf(*node), "rn", "raft", "heartbeatTimeout")
	if beat == nil || *beat != 1 {
		return nil, errNoPace
	}
	*beat = beatTicks
	*late = 2 * beatTicks * tick // after which the leader complains that it is slow
	p := newPace(tick, func() bool { return server.Leader() == server.MemberID() })
	ticker.Stop()
	ticker.C = p.ticks
	// The transport runs by now, and its peers keep whom they bring messages to; new ones take what is put here.
	transport.Raft = listening{server, p}
	transport.RemoveAllPeers()
	for _, member := range server.Cluster().Members() {
		if member.ID != server.MemberID() {
			transport.AddPeer(member.ID, member.PeerURLs)
		}
	}
	return p, nil
}

// within is a field of a field of a value, nil where there is none of that type.
func within[T any](v reflect.Value, names ...string) *T {
	for _, name := range names {
		for v.IsValid() && (v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface) {
			v = v.Elem()
		}
		if !v.IsValid() || v.Kind() != reflect.Struct {
			return nil
		}
		v = v.FieldByName(name)
	}
	if !v.IsValid() || !v.CanAddr() || v.Type() != reflect.TypeFor[T]() {
		return nil
	}
	return (*T)(unsafe.Pointer(v.UnsafeAddr()))
}
