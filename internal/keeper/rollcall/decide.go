package rollcall

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Do is what a member has to do.
type Do int

const (
	// Wait is to ask again in a moment; Why says for whom or for what.
	Wait Do = iota
	// Rest is to wait too, and to stop the engine if it runs: nobody is to be elected by this log for the time being.
	Rest
	// Found is to found the ensemble: all are empty, and this is the member whose task it is.
	Found
	// Start is to start with the log as it is: the ensemble knows this member, and a quorum is there or nearly.
	Start
	// Join is to ask the leader, Via, to be admitted.
	Join
	// Discard is to put the own log aside, and to join if there is a leader, Via: the ensemble has gone on without it.
	Discard
	// Recover is to make an ensemble of the own log: nobody can be elected any more, and no other log is further.
	Recover
	// Refuse is to give up: something is wrong that waiting does not mend.
	Refuse
)

var names = [...]string{"wait", "rest", "found", "start", "join", "discard", "recover", "refuse"}

// String names what is to be done.
func (d Do) String() string { return names[d] }

// Decision is what a member has to do, and why.
type Decision struct {
	Do Do
	// Via is the number of the member that leads, for Join and Discard, 0 for a Discard while nobody does.
	Via int
	Why string
}

// Hall is one round of the roll-call as one member sees it.
type Hall struct {
	Self Standing
	// Heard are the answers of this round by number. Whoever is configured and not among them was silent.
	Heard map[int]Standing
	// Told is what those say of themselves by number whom this member does not hear, and another one that it hears does: that
	// one has asked them within this round. The link between the two is cut, and neither can vote for the other.
	Told map[int]Standing
	// Silent says of those who did not answer why, by number.
	Silent map[int]string
	// Double is another process of the own number, if one answered.
	Double *Standing
}

// Decide is the decision of the round.
func (h *Hall) Decide() Decision {
	if d, wrong := h.mismatch(); wrong {
		return d
	}
	if h.Self.Log == nil {
		return h.empty()
	}
	return h.holding()
}

// mismatch finds members that were told of another ensemble than this one was.
func (h *Hall) mismatch() (Decision, bool) {
	everyone := h.everyone()
	for _, n := range numbersOf(everyone) {
		other := everyone[n]
		if !slices.Equal(sorted(other.Configured), sorted(h.Self.Configured)) {
			return wait("keeper %d was told of the keepers %s, and this one of %s: give all the same ZOO_SERVERS",
				n, list(other.Configured), list(h.Self.Configured)), true
		}
	}
	return Decision{}, false
}

// empty decides for a member that holds nothing.
func (h *Hall) empty() Decision {
	if n, ok := h.leader(); ok {
		return Decision{Do: Join, Via: n, Why: fmt.Sprintf("the ensemble lives, keeper %d leads it", n)}
	}
	if silent := h.silent(); len(silent) > 0 {
		return h.waitFor(silent)
	}
	var holders []int
	everyone := h.everyone()
	for _, n := range numbersOf(everyone) {
		if everyone[n].Log != nil {
			holders = append(holders, n)
		}
	}
	if len(holders) > 0 {
		return wait("%s to elect a leader, or to be recovered", keepers(holders))
	}
	if told := numbersOf(h.Told); len(told) > 0 {
		return wait("%s, which others hear and this one does not", keepers(told)) // the charter would not reach them
	}
	if founder := slices.Min(h.Self.Configured); founder != h.Self.Number {
		return wait("keeper %d to found the ensemble: all are empty", founder)
	}
	return Decision{Do: Found, Why: "all keepers have answered, and all are empty"}
}

// silent are those that are missing: configured, or known to the log, and not heard.
func (h *Hall) silent() []int {
	missing := map[int]bool{}
	for _, n := range h.Self.Configured {
		missing[n] = true
	}
	if h.Self.Log != nil {
		for _, m := range h.Self.Log.Members {
			missing[m.Number] = true
		}
	}
	delete(missing, h.Self.Number)
	var silent []int
	for n := range missing {
		if _, known := h.of(n); !known {
			silent = append(silent, n)
		}
	}
	return sorted(silent)
}

func (h *Hall) waitFor(silent []int) Decision {
	var parts []string
	for _, n := range silent {
		part := fmt.Sprintf("keeper %d", n)
		switch why := h.Silent[n]; {
		case !slices.Contains(h.Self.Configured, n):
			part += " (the log knows it, ZOO_SERVERS does not)"
		case why != "":
			part += " (" + why + ")"
		}
		parts = append(parts, part)
	}
	return wait("%s", strings.Join(parts, ", "))
}

// numbers are those who were heard.
func (h *Hall) numbers() []int { return numbersOf(h.Heard) }

// of is what a member says of itself, or had said on its behalf.
func (h *Hall) of(n int) (Standing, bool) {
	if s, heard := h.Heard[n]; heard {
		return s, true
	}
	s, told := h.Told[n]
	return s, told
}

// everyone are all who were heard or told of.
func (h *Hall) everyone() map[int]Standing {
	all := maps.Clone(h.Told)
	if all == nil {
		all = map[int]Standing{}
	}
	maps.Copy(all, h.Heard)
	return all
}

func numbersOf(all map[int]Standing) []int { return slices.Sorted(maps.Keys(all)) }

func wait(format string, args ...any) Decision {
	return Decision{Do: Wait, Why: fmt.Sprintf(format, args...)}
}

func rest(format string, args ...any) Decision {
	return Decision{Do: Rest, Why: fmt.Sprintf(format, args...)}
}

func sorted(numbers []int) []int {
	s := slices.Clone(numbers)
	slices.Sort(s)
	return s
}

func keepers(numbers []int) string {
	if len(numbers) == 1 {
		return fmt.Sprintf("keeper %d", numbers[0])
	}
	return "keepers " + list(numbers)
}

func list(numbers []int) string {
	parts := make([]string, len(numbers))
	for i, n := range sorted(numbers) {
		parts[i] = fmt.Sprint(n)
	}
	return strings.Join(parts, ", ")
}
