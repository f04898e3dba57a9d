package step

import (
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// What is to become of groups once nothing goes wrong any more.

// atRest tells whether each group has all its members in one generation, with all partitions among them. Where static members of a
// cooperative group come back between the two rebalances of a move, nobody knows that the second one is due.
func (w *world) atRest() bool {
	return !slices.ContainsFunc(w.groups, func(g *consumers) bool { return !g.atRest() })
}

func (g *consumers) atRest() bool {
	owned, mayLack := 0, false
	for _, mb := range g.members {
		if !mb.up || !mb.steady || mb.frozen > mb.now || mb.generation != g.members[0].generation {
			return false
		}
		owned += len(mb.owned)
		mayLack = mayLack || g.cooperative && mb.instance != nil
	}
	return owned == partitions || mayLack
}

// concludeGroups wants every group to be at rest, to its coordinator too, and to know what was committed.
func (w *world) concludeGroups() {
	if !w.atRest() {
		for _, g := range w.groups {
			for _, mb := range g.members {
				w.violation("rest: member %s: up %v, steady %v, id %q, generation %d, owns %v", mb.name, mb.up, mb.steady, mb.id, mb.generation, mb.owned)
			}
		}
		return
	}
	leader := w.leader()
	answered := 0
	for _, g := range w.groups {
		leader.groups.Describe(g.name, 5, func(d kmsg.DescribeGroupsResponseGroup) {
			answered++
			if d.ErrorCode != 0 || d.State != "Stable" || len(d.Members) != len(g.members) {
				w.violation("rest: group %s is %s (error %d) with %d members, and has %d", g.name, d.State, d.ErrorCode, len(d.Members), len(g.members))
			}
		})
	}
	all := w.groups
	if w.bystander != nil {
		all = append(slices.Clone(all), w.bystander.consumers)
	}
	for _, g := range all {
		leader.concludeOffsets(g, func() { answered++ })
	}
	w.run(w.now + 200*time.Millisecond)
	if answered != len(w.groups)+len(all) {
		w.violation("rest: %d of %d questions about groups were answered", answered, len(w.groups)+len(all))
	}
}

// concludeOffsets wants the coordinator to know what was committed.
func (m *machine) concludeOffsets(g *consumers, answered func()) {
	r := kmsg.NewOffsetFetchRequestGroup()
	r.Group, r.Topics = g.name, []kmsg.OffsetFetchRequestGroupTopic{{Topic: sharedTopic, Partitions: allPartitions}}
	asked := m.asked(g)
	m.groups.FetchOffsets(&r, func(answer kmsg.OffsetFetchResponseGroup) {
		answered()
		if answer.ErrorCode != 0 {
			m.violation("rest: the offsets of %s can't be read: error %d", g.name, answer.ErrorCode)
			return
		}
		for _, p := range answer.Topics[0].Partitions {
			asked.check(m, p)
		}
	})
}

// restartStatic restarts the static members of groups that are at rest, one after another: each has to come back to what it had, in
// the same generation.
func (w *world) restartStatic() (any bool) {
	if !w.well() || !w.atRest() {
		return false
	}
	for _, g := range w.groups {
		for _, mb := range g.members {
			if mb.instance == nil {
				continue
			}
			any = true
			generation, had, id := mb.generation, slices.Clone(mb.owned), mb.id
			w.fault("static member %s is restarted", mb.name)
			mb.up = false
			mb.life++
			w.after(w.between(moment, mb.session/10), "member starts", mb.start)
			w.run(w.now + mb.session/10 + moment)
			w.settle()
			slices.Sort(had)
			now := slices.Sorted(slices.Values(mb.owned))
			if mb.generation != generation || !slices.Equal(had, now) || mb.id == id {
				w.violation("static: member %s had %v in generation %d, and once restarted %v in %d", mb.name, had, generation, now, mb.generation)
			}
		}
	}
	return any
}
