package group

import (
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"barnabas/internal/coordinator"
)

// classicType is the type of the groups that this room knows, as KIP-848 names it.
const classicType = "classic"

// List tells of all groups that this broker coordinates, of the states and types asked for (any, if
// none is named; case doesn't matter). While one partition of Topic is loading the answer is
// COORDINATOR_LOAD_IN_PROGRESS.
func (g *Groups) List(states, types []string, done func(*kmsg.ListGroupsResponse)) {
	wanted := filter{states: lowerSet(states), types: lowerSet(types)}
	response := kmsg.NewPtrListGroupsResponse()
	g.each(
		func(m *machine) any { return m.list(wanted) },
		func(answers []any, err error) {
			if err != nil {
				response.ErrorCode = code(err)
				done(response)
				return
			}
			for _, answer := range answers {
				response.Groups = append(response.Groups, answer.([]kmsg.ListGroupsResponseGroup)...)
			}
			done(response)
		})
}

// each asks the machines of all partitions and gathers their answers. A partition that is lost
// meanwhile is left out; any other error is the whole answer's.
func (g *Groups) each(ask func(m *machine) any, done func(answers []any, err error)) {
	partitions := g.runtime.Partitions()
	if len(partitions) == 0 {
		done(nil, nil)
		return
	}
	var mu sync.Mutex // guards what follows
	var answers []any
	var failure error
	left := len(partitions)
	one := func(answer any, err error) {
		mu.Lock()
		if err != nil && !errors.Is(err, coordinator.ErrNotCoordinator) {
			failure = err
		} else if err == nil {
			answers = append(answers, answer)
		}
		left--
		last := left == 0
		mu.Unlock()
		if last {
			done(answers, failure)
		}
	}
	for _, p := range partitions {
		g.runtime.Submit(p, coordinator.Command[*machine]{
			Run: func(m *machine, now time.Time) coordinator.Outcome {
				return m.run(now, func(s *step) {
					answer := ask(m)
					s.reply(func(err error) { one(answer, err) })
				})
			},
			Fail: func(err error) { one(nil, err) },
		})
	}
}

// filter of List; an empty set takes all.
type filter struct{ states, types map[string]struct{} }

func lowerSet(words []string) map[string]struct{} {
	set := map[string]struct{}{}
	for _, word := range words {
		set[strings.ToLower(word)] = struct{}{}
	}
	return set
}

func (f filter) takes(g *group) bool {
	_, state := f.states[strings.ToLower(g.state.String())]
	_, kind := f.types[classicType]
	return (state || len(f.states) == 0) && (kind || len(f.types) == 0)
}

func (m *machine) list(wanted filter) []kmsg.ListGroupsResponseGroup {
	var groups []kmsg.ListGroupsResponseGroup
	for _, g := range m.inOrder() {
		if wanted.takes(g) {
			groups = append(groups, kmsg.ListGroupsResponseGroup{
				Group:        g.id,
				ProtocolType: g.protocolType,
				GroupState:   g.state.String(),
				GroupType:    classicType,
			})
		}
	}
	return groups
}
