package rollcall

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"barnabas/internal/scenario"
)

// The language of the scenarios. A member is named by its number; its identity in the ensemble is its number and a
// life: 3 is keeper 3's first one, 3' its second.
//
//	ensemble 1 2 3              the numbers that all were told of
//	self N empty | LOG          begins a new round: this is keeper N
//	keeper N empty | LOG        what another one answers
//	keeper N told 1,2 …         the same, of one that was told of others
//	double N empty | LOG        what another process of the own number answers
//	told N empty | N LOG        what one that this one does not hear has told one that both hear
//	silent N WHY                why another one did not answer
//	decide                      what is to be done
//
// LOG is [runs] NAME[<ANCESTOR][*] TERM/INDEX of 1,2,3 [as 3'] [leader N] [had N]: members with a ~ are learners, a
// log with a * is newborn, and an engine runs on it or not. A leader may know how far the log of the one that asks has been.
type stage struct {
	configured []int
	hall       Hall
}

func (s *stage) event(words []string) []string {
	switch words[0] {
	case "ensemble":
		s.configured = nil
		for _, w := range words[1:] {
			s.configured = append(s.configured, number(w))
		}
	case "self":
		s.hall = Hall{Self: s.standing(words[1:]), Heard: map[int]Standing{}, Told: map[int]Standing{}, Silent: map[int]string{}}
	case "keeper":
		other := s.standing(words[1:])
		s.hall.Heard[other.Number] = other
	case "told":
		other := s.standing(words[1:])
		s.hall.Told[other.Number] = other
	case "double":
		other := s.standing(words[1:])
		other.Peer = "10.0.0.9:2888"
		s.hall.Double = &other
	case "silent":
		s.hall.Silent[number(words[1])] = strings.Join(words[2:], " ")
	case "decide":
		d := s.hall.Decide()
		what := d.Do.String()
		if d.Via != 0 {
			what += " via " + strconv.Itoa(d.Via)
		}
		return []string{what + ": " + d.Why}
	default:
		return []string{"what is " + words[0] + "?"}
	}
	return nil
}

func (s *stage) standing(words []string) Standing {
	st := Standing{Number: number(words[0]), Configured: s.configured}
	words = words[1:]
	if words[0] == "told" {
		st.Configured = nil
		for n := range strings.SplitSeq(words[1], ",") {
			st.Configured = append(st.Configured, number(n))
		}
		words = words[2:]
	}
	if words[0] == "empty" {
		return st
	}
	if words[0] == "runs" {
		st.Running, words = true, words[1:]
	}
	l := &Log{Member: identity(strconv.Itoa(st.Number))}
	name, newborn := strings.CutSuffix(words[0], "*")
	l.Newborn = newborn
	names := strings.Split(name, "<")
	l.Ensemble = names[0]
	for i := len(names) - 1; i > 0; i-- {
		l.Ancestors = append(l.Ancestors, names[i])
	}
	if _, err := fmt.Sscanf(words[1], "%d/%d", &l.Term, &l.Index); err != nil {
		panic(err)
	}
	for i := 2; i+1 < len(words); i += 2 {
		switch words[i] {
		case "of":
			for m := range strings.SplitSeq(words[i+1], ",") {
				id, learner := strings.CutSuffix(m, "~")
				l.Members = append(l.Members, Member{ID: identity(id), Number: number(strings.TrimRight(id, "'")), Learner: learner})
			}
		case "as":
			l.Member = identity(words[i+1])
		case "leader":
			l.Leader = identity(words[i+1])
		case "had":
			st.Had = uint64(number(words[i+1]))
		}
	}
	st.Log = l
	return st
}

func number(word string) int {
	n, err := strconv.Atoi(word)
	if err != nil {
		panic(err)
	}
	return n
}

func identity(word string) uint64 {
	return uint64(number(strings.TrimRight(word, "'"))*100 + strings.Count(word, "'"))
}

func TestScenarios(t *testing.T) {
	scenario.Play(t, "testdata/*.txt", func(*testing.T) scenario.Event { return (&stage{}).event })
}

// Whatever survives, no two members decide at once to make an ensemble of what they hold.
func TestOneFounderOneRecoverer(t *testing.T) {
	logs := []*Log{
		nil,
		{Ensemble: "a", Term: 2, Index: 9},
		{Ensemble: "a", Term: 3, Index: 5},
		{Ensemble: "a", Term: 3, Index: 7},
		{Ensemble: "b", Ancestors: []string{"a"}, Term: 1, Index: 1},
	}
	members := func(lives int) (all []Member) {
		for n := 1; n <= 3; n++ {
			all = append(all, Member{ID: uint64(n*100 + lives), Number: n})
		}
		return all
	}
	for code := range 125 * 4 {
		cut := code / 125 // the one between the two others of this number; 0 for none
		code %= 125
		var all [4]Standing
		for n, c := 1, code; n <= 3; n, c = n+1, c/5 {
			all[n] = Standing{Number: n, Configured: []int{1, 2, 3}}
			if l := logs[c%5]; l != nil {
				own := *l
				own.Member, own.Members = uint64(n*100), members(0)
				all[n].Log = &own
			}
		}
		deciders, starters := 0, 0
		for n := 1; n <= 3; n++ {
			hall := Hall{Self: all[n], Heard: map[int]Standing{}, Told: map[int]Standing{}}
			for o := 1; o <= 3; o++ {
				switch {
				case o == n:
				case cut != 0 && o != cut && n != cut:
					hall.Told[o] = all[o]
				default:
					hall.Heard[o] = all[o]
				}
			}
			switch hall.Decide().Do {
			case Found, Recover:
				deciders++
			case Start:
				starters++
			}
		}
		if deciders > 1 || deciders == 1 && starters > 0 || deciders == 0 && starters < 2 && cut == 0 {
			t.Errorf("case %d, a link cut that is not of %d: %d found or recover, %d start: %+v", code, cut, deciders, starters, all)
		}
	}
}
