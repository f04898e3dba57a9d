package group

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
	"pgregory.net/rapid"

	"barnabas/internal/coordinator"
)

// model drives a machine with random requests and checks what must always hold.
type model struct {
	t       *rapid.T
	config  Config
	m       *machine
	now     time.Time
	ids     int
	log     []coordinator.Record
	refusal error // of appends, now and then

	open       int // requests without an answer
	generation int32
	leaders    map[int32]string            // by generation
	assigned   map[int32]map[string]string // by generation and member
}

func newModel(t *rapid.T) *model {
	md := &model{
		t:        t,
		config:   DefaultConfig(),
		now:      time.Unix(1_000_000, 0),
		leaders:  map[int32]string{},
		assigned: map[int32]map[string]string{},
	}
	md.config.MaxSize = 4
	md.m = md.machine()
	return md
}

func (md *model) machine() *machine {
	return newMachine(machineOptions{
		config:   &md.config,
		logger:   discard,
		newID:    func() string { md.ids++; return fmt.Sprint(md.ids) },
		counters: &Counters{},
	})
}

// do carries out one command as a shard does: append, apply, reply.
func (md *model) do(command func(s *step)) { md.finish(md.m.run(md.now, command)) }

func (md *model) finish(o coordinator.Outcome) {
	err := error(nil)
	if len(o.Records) > 0 {
		err = md.refusal
	}
	if err == nil {
		md.log = append(md.log, o.Records...)
	}
	switch {
	case o.Applied != nil:
		o.Applied(err)
	case err == nil:
		for _, r := range o.Records {
			md.m.Replay(r)
		}
	}
	for _, reply := range o.Replies {
		reply(err)
	}
	if md.group() == nil { // its next life begins anew
		md.generation = 0
		md.leaders = map[int32]string{}
		md.assigned = map[int32]map[string]string{}
	}
}

// pass lets time pass, with its timers.
func (md *model) pass(d time.Duration) {
	until := md.now.Add(d)
	for ticks := 0; ; ticks++ {
		at := md.m.Deadline()
		if at.IsZero() || at.After(until) {
			break
		}
		if ticks > 100_000 {
			md.t.Fatal("timers do not end")
		}
		if at.After(md.now) {
			md.now = at
		}
		md.finish(md.m.Tick(md.now))
	}
	md.now = until
}

// group is the one that all requests are about, or nil.
func (md *model) group() *group { return md.m.groups["g"] }

// member is one that the group knows or knew, or none.
func (md *model) member() string {
	ids := []string{"", "unknown"}
	if g := md.group(); g != nil {
		for _, mb := range g.members {
			ids = append(ids, mb.id, mb.id, mb.id)
		}
		ids = slices.AppendSeq(ids, slices.Values(slices.Sorted(maps.Keys(g.pendingJoin))))
	}
	return rapid.SampledFrom(ids).Draw(md.t, "member")
}

func (md *model) instance(memberID string) *string {
	if g := md.group(); g != nil && g.byID[memberID] != nil {
		return g.byID[memberID].instanceID
	}
	if !rapid.Bool().Draw(md.t, "static") {
		return nil
	}
	id := rapid.SampledFrom([]string{"i", "j"}).Draw(md.t, "instance")
	return &id
}

func (md *model) join() {
	r := kmsg.NewPtrJoinGroupRequest()
	r.Version = rapid.SampledFrom([]int16{3, 8, 9}).Draw(md.t, "version")
	r.Group = "g"
	r.MemberID = md.member()
	r.InstanceID = md.instance(r.MemberID)
	r.ProtocolType = "consumer"
	r.SessionTimeoutMillis = 10_000
	r.RebalanceTimeoutMillis = rapid.SampledFrom([]int32{5_000, 60_000}).Draw(md.t, "rebalance")
	r.Protocols = []protocol{{
		Name:     "range",
		Metadata: subscribe(rapid.SampledFrom([]string{"t", "u"}).Draw(md.t, "topic")),
	}}
	md.open++
	request := &joinRequest{JoinGroupRequest: r, client: Client{ID: "c"}, done: md.joined()}
	md.do(func(s *step) { md.m.join(s, request) })
}

// joined checks an answer to a join: once, and of one generation with one leader.
func (md *model) joined() func(*kmsg.JoinGroupResponse) {
	answered := false
	return func(j *kmsg.JoinGroupResponse) {
		if answered {
			md.t.Fatal("a join is answered twice")
		}
		answered = true
		md.open--
		if j.ErrorCode != 0 {
			return
		}
		if j.Generation < md.generation {
			md.t.Fatalf("joined generation %d after %d", j.Generation, md.generation)
		}
		md.generation = j.Generation
		if len(j.Members) > 0 && !j.SkipAssignment {
			if known, ok := md.leaders[j.Generation]; ok && known != j.MemberID {
				md.t.Fatalf("generation %d has leaders %s and %s", j.Generation, known, j.MemberID)
			}
			md.leaders[j.Generation] = j.MemberID
		}
	}
}

func (md *model) sync() {
	g := md.group()
	if g == nil {
		return
	}
	r := kmsg.NewPtrSyncGroupRequest()
	r.Group = "g"
	r.MemberID = md.member()
	r.InstanceID = md.instance(r.MemberID)
	r.Generation = g.generation - rapid.SampledFrom([]int32{0, 0, 0, 1}).Draw(md.t, "behind")
	generation, memberID := r.Generation, r.MemberID
	if g.leader == memberID && g.state == completingRebalance && generation == g.generation {
		md.assigned[generation] = map[string]string{}
		for _, mb := range g.members {
			x := fmt.Sprintf("%s@%d", mb.id, generation)
			md.assigned[generation][mb.id] = x
			r.GroupAssignment = append(r.GroupAssignment, kmsg.SyncGroupRequestGroupAssignment{
				MemberID:         mb.id,
				MemberAssignment: []byte(x),
			})
		}
	}
	md.open++
	answered := false
	request := &syncRequest{SyncGroupRequest: r, done: func(s *kmsg.SyncGroupResponse) {
		if answered {
			md.t.Fatal("a sync is answered twice")
		}
		answered = true
		md.open--
		if s.ErrorCode == 0 {
			md.checkAssignment(generation, memberID, string(s.MemberAssignment))
		}
	}}
	md.do(func(s *step) { md.m.sync(s, request) })
}

// checkAssignment: a member gets what the leader of its generation gave it, or gave the static member
// whose place it took.
func (md *model) checkAssignment(generation int32, memberID, got string) {
	if want, ok := md.assigned[generation][memberID]; ok && got != want {
		md.t.Fatalf("%s of generation %d got %q, want %q", memberID, generation, got, want)
	}
	if len(md.assigned[generation]) == 0 {
		md.t.Fatalf("%s of generation %d got %q of no leader", memberID, generation, got)
	}
}

func (md *model) leave() {
	r := kmsg.NewPtrLeaveGroupRequest()
	r.Version = 5
	r.Group = "g"
	id := md.member()
	r.Members = []kmsg.LeaveGroupRequestMember{{MemberID: id, InstanceID: md.instance(id)}}
	md.do(func(s *step) { md.m.leave(s, r) })
}

func (md *model) heartbeat() {
	g := md.group()
	if g == nil {
		return
	}
	r := kmsg.NewPtrHeartbeatRequest()
	r.Group = "g"
	r.MemberID = md.member()
	r.InstanceID = md.instance(r.MemberID)
	r.Generation = g.generation
	md.do(func(s *step) { _ = md.m.heartbeat(s, r) })
}

func (md *model) commit() {
	r := kmsg.NewPtrOffsetCommitRequest()
	r.Version = 9
	r.Group = "g"
	r.Generation = -1
	if id := md.member(); id != "" && md.group() != nil {
		r.MemberID, r.InstanceID, r.Generation = id, md.instance(id), md.group().generation
	}
	topic := kmsg.OffsetCommitRequestTopic{Topic: rapid.SampledFrom([]string{"t", "u"}).Draw(md.t, "topic")}
	p := kmsg.NewOffsetCommitRequestTopicPartition()
	p.Offset = rapid.Int64Range(0, 9).Draw(md.t, "offset")
	topic.Partitions = append(topic.Partitions, p)
	r.Topics = append(r.Topics, topic)
	md.do(func(s *step) { md.m.commit(s, r) })
}

func (md *model) remove() {
	md.do(func(s *step) { _, _ = md.m.delete(s, "g") })
}

func (md *model) actions() map[string]func(*rapid.T) {
	at := func(do func()) func(*rapid.T) { return func(t *rapid.T) { md.t = t; do() } }
	return map[string]func(*rapid.T){
		"join":      at(md.join),
		"join too":  at(md.join),
		"sync":      at(md.sync),
		"sync too":  at(md.sync),
		"leave":     at(md.leave),
		"heartbeat": at(md.heartbeat),
		"commit":    at(md.commit),
		"delete":    at(md.remove),
		"pass": at(func() {
			md.pass(time.Duration(rapid.SampledFrom([]int{100, 3000, 9000, 61000}).Draw(md.t, "ms")) * time.Millisecond)
		}),
	}
}

// check is what holds between any two commands.
func (md *model) check() {
	g := md.group()
	if g == nil {
		return
	}
	fail := func(format string, args ...any) {
		md.t.Helper()
		md.t.Fatalf(format+fmt.Sprintf(" (state %s, generation %d)", g.state, g.generation), args...)
	}
	awaiting, spoken := 0, map[string]int{}
	for _, mb := range g.members {
		if mb.join != nil {
			awaiting++
		}
		for _, p := range mb.protocols {
			spoken[p.Name]++
		}
		if g.byID[mb.id] != mb || mb.instanceID != nil && g.static[*mb.instanceID] != mb {
			fail("member %s can't be found", mb.id)
		}
		if mb.join == nil && mb.sync == nil && !g.m.timers.pending(&mb.session) {
			fail("member %s would never expire", mb.id)
		}
		if mb.join != nil && g.state != preparingRebalance {
			fail("the join of %s waits outside of the join phase", mb.id)
		}
		if mb.sync != nil && g.state != completingRebalance {
			fail("the sync of %s waits for nothing", mb.id)
		}
	}
	for id := range g.pendingSync {
		if g.byID[id] == nil {
			fail("waits for a sync of %s, who isn't a member", id)
		}
	}
	switch {
	case awaiting != g.awaitingJoin:
		fail("%d joins wait, counted %d", awaiting, g.awaitingJoin)
	case !maps.Equal(spoken, g.spoken):
		fail("protocols %v, counted %v", spoken, g.spoken)
	case len(g.byID) != len(g.members):
		fail("%d members, %d by id", len(g.members), len(g.byID))
	case len(g.members) > 0 && g.byID[g.leader] == nil:
		fail("the leader %q isn't a member", g.leader)
	case g.state == empty && len(g.members) > 0, g.state >= completingRebalance && len(g.members) == 0:
		fail("%d members", len(g.members))
	case g.state == preparingRebalance && !g.m.timers.pending(&g.joinTimer):
		fail("the join phase would never end")
	case g.state == completingRebalance && !g.m.timers.pending(&g.syncTimer) && len(g.pendingSync) > 0:
		fail("the wait for members to sync would never end")
	}
}

// TestModel: the bookkeeping holds, each request is answered once, and all come to rest.
func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		md := newModel(t)
		actions := md.actions()
		actions["refuse"] = func(*rapid.T) {
			md.refusal = coordinator.ErrNotEnoughReplicas
			md.t = t
			md.sync()
			md.refusal = nil
		}
		actions[""] = func(*rapid.T) { md.check() }
		t.Repeat(actions)
		md.t = t
		md.pass(time.Hour)
		md.check()
		if g := md.group(); g != nil && (g.state != empty || len(g.pendingJoin) > 0) {
			t.Fatalf("after an hour of silence the group is %s with %d members", g.state, len(g.members))
		}
		md.m.Unloaded(coordinator.ErrNotCoordinator)
		if md.open != 0 {
			t.Fatalf("%d requests were never answered", md.open)
		}
	})
}

// TestReplayIsState: what is read back from the log is what was in memory, as far as it was complete.
func TestReplayIsState(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		md := newModel(t)
		actions := md.actions()
		actions[""] = func(t *rapid.T) {
			again := md.machine()
			for _, r := range md.log {
				again.Replay(r)
			}
			again.Loaded(md.now)
			if diff := md.difference(again); diff != "" {
				t.Fatal(diff)
			}
		}
		t.Repeat(actions)
	})
}

// difference compares the machine with one that read its log.
func (md *model) difference(again *machine) string {
	if len(md.m.groups) != len(again.groups) {
		return fmt.Sprintf("%d groups, read %d", len(md.m.groups), len(again.groups))
	}
	for id, g := range md.m.groups {
		read := again.groups[id]
		if read == nil {
			return "group " + id + " was not read"
		}
		if fmt.Sprint(g.offsets) != fmt.Sprint(read.offsets) {
			return fmt.Sprintf("offsets %v, read %v", g.offsets, read.offsets)
		}
		if g.state != stable && g.state != empty {
			continue // its last complete generation is what was read
		}
		if was, is := durable(g), durable(read); was != is {
			return fmt.Sprintf("was  %s\nread %s", was, is)
		}
	}
	return ""
}

// durable is what a record keeps of a group.
func durable(g *group) string {
	text := fmt.Sprintf("%s generation=%d type=%s protocol=%s topics=%v", g.state, g.generation,
		g.protocolType, g.protocolName(), slices.Sorted(maps.Keys(g.topics)))
	if g.state == empty && g.protocolType != "" {
		text += fmt.Sprintf(" since=%d", g.stateSinceMs())
	}
	if len(g.members) > 0 {
		text += " leader=" + g.leader
	}
	for _, mb := range g.members {
		instance := "-"
		if mb.instanceID != nil {
			instance = *mb.instanceID
		}
		text += fmt.Sprintf(" %s/%s/%s/%v/%v=%s(%x)", mb.id, instance, mb.client.ID, mb.sessionTimeout,
			mb.rebalanceTimeout, mb.assignment, mb.metadata(g.protocolName()))
	}
	return text
}
