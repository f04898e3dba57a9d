package rollcall

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
)

// The model: keepers that carry out what the roll-call decides, over a log that is replicated as etcd's is. It
// knows no time; what happens next is drawn. What an engine does that is not decided here (votes, appending, commits,
// changes of membership one at a time) is done as raft does it, by what each member knows to be committed.

// entry is one of a log: a value, or a change of membership.
type entry struct {
	term   uint64
	value  int    // not 0 for a value
	kind   string // "add", "promote" or "remove" for a change
	member Member
}

// disk is what a keeper's directory holds.
type disk struct {
	ensemble  string
	ancestors []string
	newborn   bool
	member    uint64
	founders  []Member
	told      []Member // of a newcomer that was sent nothing yet
	entries   []entry
	term      uint64 // the highest in which it has voted
	commit    int    // what it knows to be committed; a crash may lose the news of it
	known     int    // what it knew as it last wrote
}

// node is one keeper.
type node struct {
	number    int
	up        bool
	run       int
	countsAll bool // planted: at rest all changes of membership in the log count
	disk      *disk
	running   bool
	leader    uint64 // whom it follows
	match     map[uint64]int
	round     map[int]Standing // heard so far in this round
	told      map[int]Standing // told of in it by others
	asked     map[int]bool
	recovers  bool            // it is making an ensemble of its log
	asks      int             // the leader that it has asked for admission
	admitting map[int]*asking // by number, at the leader
}

// asking is a newcomer that has asked the leader: which run of it, and as whom it was proposed.
type asking struct {
	run    int
	member Member
}

// world is all keepers and what is between them.
type world struct {
	random *rand.Rand
	nodes  []*node
	cut    map[[2]int]bool
	// parts: there are links that are cut for good, apart being the one of this turn.
	parts bool
	apart [2]int
	// mute, planted: nobody asks others for those whom it does not hear.
	mute bool
	// charters are on their way.
	charters []sentCharter
	names    int
	ids      uint64
	values   int
	budget   int // what clients still write in this turn
	acked    map[int]bool
	lost     map[int]bool
	calm     bool
	trace    []string
	wrong    string
}

type sentCharter struct {
	to, run int
	disk    disk
}

func newWorld(seed uint64, size int) *world {
	w := &world{random: rand.New(rand.NewPCG(seed, uint64(size))), cut: map[[2]int]bool{}, acked: map[int]bool{}, lost: map[int]bool{}}
	for n := 1; n <= size; n++ {
		w.nodes = append(w.nodes, &node{number: n})
	}
	return w
}

func (w *world) say(format string, args ...any) {
	w.trace = append(w.trace, fmt.Sprintf(format, args...))
}

func (w *world) fail(format string, args ...any) {
	if w.wrong == "" {
		w.wrong = fmt.Sprintf(format, args...)
		w.say("WRONG: %s", w.wrong)
	}
}

func (w *world) chance(percent int) bool { return w.random.IntN(100) < percent }

// reach tells whether one keeper can speak with another.
func (w *world) reach(a, b *node) bool {
	link := [2]int{min(a.number, b.number), max(a.number, b.number)}
	return a.up && b.up && !w.cut[link] && (a == b || link != w.apart)
}

func (d *disk) at(index int) uint64 {
	if index == 0 {
		return 1
	}
	return d.entries[index-1].term
}

// members are those by what the first entries of the log say.
func (d *disk) members(upTo int) []Member {
	all := slices.Clone(d.founders)
	for _, e := range d.entries[:min(upTo, len(d.entries))] {
		at := slices.IndexFunc(all, func(m Member) bool { return m.ID == e.member.ID })
		switch e.kind {
		case "add":
			all = append(all, e.member)
		case "promote":
			if at >= 0 {
				all[at].Learner = false
			}
		case "remove":
			if at >= 0 {
				all = slices.Delete(all, at, at+1)
			}
		}
	}
	return all
}

func (d *disk) removed(id uint64) bool {
	return slices.ContainsFunc(d.entries[:d.commit], func(e entry) bool { return e.kind == "remove" && e.member.ID == id })
}

// log is what the keeper says of it. A newcomer that was sent nothing yet holds nothing, once its engine has stopped.
func (n *node) log() *Log {
	d := n.disk
	known := 0
	if d != nil {
		known = d.commit
		if n.countsAll && !n.running {
			known = len(d.entries)
		}
	}
	switch {
	case d == nil || d.founders == nil && !n.running:
		return nil
	case d.founders == nil:
		return &Log{Ensemble: d.ensemble, Ancestors: d.ancestors, Member: d.member, Leader: n.leader, Members: d.told}
	}
	l := &Log{Ensemble: d.ensemble, Ancestors: d.ancestors, Member: d.member, Newborn: d.newborn,
		Term: d.at(len(d.entries)), Index: uint64(len(d.entries)), Members: d.members(known)}
	if n.running {
		l.Leader = n.leader
		if n.leader == d.member {
			l.Term = d.term
		}
	}
	return l
}

func (w *world) configured() (all []int) {
	for _, n := range w.nodes {
		all = append(all, n.number)
	}
	return all
}

func (w *world) standing(n *node) Standing {
	return Standing{Number: n.number, Configured: w.configured(), Log: n.log(), Running: n.running}
}

// holder is the keeper that runs as a member.
func (w *world) holder(id uint64) *node {
	for _, n := range w.nodes {
		if n.disk != nil && n.disk.member == id {
			return n
		}
	}
	return nil
}

func (n *node) leads() bool { return n.running && n.disk != nil && n.leader == n.disk.member }

// quorum counts those of the members who are reached and do something.
func (w *world) quorum(n *node, does func(other *node) bool) bool {
	voters, count := 0, 0
	for _, m := range n.disk.members(n.disk.commit) {
		if m.Learner {
			continue
		}
		voters++
		other := w.holder(m.ID)
		if other == n || other != nil && w.reach(n, other) && other.running && other.disk.ensemble == n.disk.ensemble && does(other) {
			count++
		}
	}
	return count > voters/2
}

// elect has a keeper ask for votes.
func (w *world) elect(n *node) {
	d := n.disk
	if d == nil || !n.running || n.leader != 0 || !n.log().votesAsModel() {
		return
	}
	term := d.term + 1
	grants := func(o *node) bool {
		own := o.disk
		long := own.at(len(own.entries)) > d.at(len(d.entries)) ||
			own.at(len(own.entries)) == d.at(len(d.entries)) && len(own.entries) > len(d.entries)
		return own.term < term && !long && !own.removed(d.member) && o.leader == 0
	}
	if !w.quorum(n, grants) {
		if w.chance(20) { // a vote that comes to nothing
			d.term = w.highest(n)
		}
		return
	}
	for _, m := range d.members(d.commit) {
		if o := w.holder(m.ID); o != nil && o != n && w.reach(n, o) && o.running && o.disk.ensemble == d.ensemble && grants(o) {
			o.disk.term = term
		}
	}
	d.term, n.leader, n.match = term, d.member, map[uint64]int{}
	n.admitting = map[int]*asking{}
	d.entries = append(slices.Clone(d.entries), entry{term: term})
	w.say("%d leads %s in term %d, log ends at %d, knows %d committed: %v", n.number, d.ensemble, term, len(d.entries), d.commit, d.members(d.commit))
	w.checkComplete(n, "was elected")
}

func (l *Log) votesAsModel() bool { return l != nil && l.votes(l.Member) }

func (w *world) highest(n *node) uint64 {
	highest := n.disk.term
	for _, o := range w.nodes {
		if o.disk != nil && o.disk.ensemble == n.disk.ensemble && w.reach(n, o) {
			highest = max(highest, o.disk.term)
		}
	}
	return highest
}

// replicate has a leader send a part of its log to a member.
func (w *world) replicate(n *node) {
	members := n.disk.members(n.disk.commit)
	m := members[w.random.IntN(len(members))]
	o := w.holder(m.ID)
	if o == nil || o == n || !w.reach(n, o) || !o.running || o.disk.ensemble != n.disk.ensemble {
		return
	}
	if o.disk.term > n.disk.term {
		w.depose(n)
		return
	}
	o.disk.term, o.leader = n.disk.term, n.disk.member
	if o.disk.founders == nil { // it is sent a snapshot
		o.disk.founders, o.disk.entries = n.disk.founders, slices.Clone(n.disk.entries[:n.disk.commit])
		o.disk.commit, o.disk.known = n.disk.commit, n.disk.commit
	}
	same := 0
	for same < min(len(o.disk.entries), len(n.disk.entries)) && o.disk.entries[same].term == n.disk.entries[same].term {
		same++
	}
	end := same + w.random.IntN(len(n.disk.entries)-same+1)
	if end > same {
		o.disk.entries = slices.Clone(n.disk.entries[:end])
	}
	o.disk.commit = max(o.disk.commit, min(n.disk.commit, end))
	if end > same || w.chance(50) {
		o.disk.known = o.disk.commit
	}
	if w.chance(80) {
		n.match[m.ID] = max(n.match[m.ID], end)
	}
}

func (w *world) depose(n *node) {
	n.leader, n.match, n.admitting = 0, nil, nil
}

// commitMore has a leader see what is committed, and clients be told.
func (w *world) commitMore(n *node) {
	d := n.disk
	for index := len(d.entries); index > d.commit && d.at(index) == d.term; index-- {
		if !w.quorum(n, func(o *node) bool { return n.match[o.disk.member] >= index }) {
			continue
		}
		before := d.commit
		d.commit = index
		if w.chance(70) {
			d.known = index
		}
		for _, e := range d.entries[before:index] {
			if e.value != 0 && !d.newborn {
				w.acknowledge(n, e.value)
			}
		}
		return
	}
}

// acknowledge looks whether a client may be told that a value is there to stay.
func (w *world) acknowledge(n *node, value int) {
	w.acked[value] = true
	own := n.log()
	for _, o := range w.nodes {
		l := o.log()
		switch {
		case l == nil || l.Ensemble == own.Ensemble:
		case l.descends(own):
			w.fail("keeper %d acknowledges in %s, and keeper %d holds %s, which was recovered from it", n.number, own.Ensemble, o.number, l.Ensemble)
		case !own.descends(l) && !l.Newborn:
			w.fail("keeper %d acknowledges in %s while keeper %d holds another cluster, %s", n.number, own.Ensemble, o.number, l.Ensemble)
		}
	}
}

// checkComplete looks whether a log has all that was acknowledged and is anywhere.
func (w *world) checkComplete(n *node, what string) {
	has := map[int]bool{}
	for _, e := range n.disk.entries {
		has[e.value] = true
	}
	for value := range w.acked {
		if !has[value] && !w.lost[value] {
			w.fail("keeper %d %s without the acknowledged value %d, which is still held", n.number, what, value)
		}
	}
}

// change proposes a change of membership, if none is under way.
func (w *world) change(n *node, kind string, m Member) bool {
	for _, e := range n.disk.entries[n.disk.commit:] {
		if e.kind != "" {
			return false
		}
	}
	if n.disk.at(n.disk.commit) != n.disk.term {
		return false // it does not know yet what those before it have committed
	}
	n.disk.entries = append(slices.Clone(n.disk.entries), entry{term: n.disk.term, kind: kind, member: m})
	w.say("%d proposes to %s %v", n.number, kind, m)
	return true
}

// lead is what a leader does next.
func (w *world) lead(n *node) {
	if !w.quorum(n, func(o *node) bool { return o.disk.term <= n.disk.term }) && w.chance(30) {
		w.say("%d leads no more", n.number)
		w.depose(n)
		return
	}
	switch w.random.IntN(6) {
	case 0:
		if w.budget--; w.budget < 0 {
			return
		}
		w.values++
		n.disk.entries = append(slices.Clone(n.disk.entries), entry{term: n.disk.term, value: w.values})
	case 1:
		w.admit(n)
	case 2:
		for _, m := range n.disk.members(n.disk.commit) {
			if m.Learner && n.match[m.ID] > 0 && n.match[m.ID]*10 >= len(n.disk.entries)*9 {
				w.change(n, "promote", m)
				break
			}
		}
	case 3:
		w.commitMore(n)
	default:
		w.replicate(n)
	}
}

// admit goes on with what a leader does for newcomers, one after the other. One is told that it is a member once its
// admission is committed.
func (w *world) admit(n *node) {
	waiting := slices.Sorted(maps.Keys(n.admitting))
	for _, number := range waiting {
		a, o := n.admitting[number], w.nodes[number-1]
		switch {
		case !w.reach(n, o) || o.run != a.run || o.log() != nil:
			delete(n.admitting, number)
		case a.member.ID != 0:
			w.welcome(n, o, a)
			return
		}
	}
	for _, number := range waiting {
		a := n.admitting[number]
		if a == nil {
			continue
		}
		for _, m := range n.disk.members(n.disk.commit) {
			h := w.holder(m.ID)
			alive := h != nil && h.number != number && w.reach(n, h) && h.log() != nil
			if (m.Number == number || m.Learner) && !alive {
				w.change(n, "remove", m)
				return
			}
			if m.Learner {
				return
			}
		}
		w.ids++
		if m := (Member{ID: w.ids, Number: number, Learner: true}); w.change(n, "add", m) {
			a.member = m
		}
		return
	}
}

// welcome tells a newcomer that it was admitted, or loses the answer.
func (w *world) welcome(n, o *node, a *asking) {
	members := n.disk.members(n.disk.commit)
	isIt := func(m Member) bool { return m.ID == a.member.ID }
	if !slices.ContainsFunc(members, isIt) {
		if !slices.ContainsFunc(n.disk.members(len(n.disk.entries)), isIt) {
			delete(n.admitting, o.number) // it was taken out again for another
		}
		return
	}
	delete(n.admitting, o.number)
	if w.chance(70) {
		o.disk = &disk{ensemble: n.disk.ensemble, ancestors: n.disk.ancestors, member: a.member.ID, told: members}
		o.running, o.leader = true, 0
	}
}
