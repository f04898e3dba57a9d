package rollcall

import (
	"fmt"
	"slices"
	"strings"
)

// Do is what a member has to do.
type Do int

const (
	// Wait is to ask again in a moment; Why says for whom or for what.
	Wait Do = iota
	// Found is to found the ensemble: all are empty, and this is the member whose task it is.
	Found
	// Start is to start with the log as it is: the ensemble knows this member, and a quorum is there or nearly.
	Start
	// Join is to ask the leader, Via, to be admitted.
	Join
	// Discard is to put the own log aside, and to join: the ensemble has gone on without it.
	Discard
	// Recover is to make an ensemble of the own log: there is no quorum any more, and no other log is further.
	Recover
	// Refuse is to give up: something is wrong that waiting does not mend.
	Refuse
)

var names = [...]string{"wait", "found", "start", "join", "discard", "recover", "refuse"}

// String names what is to be done.
func (d Do) String() string { return names[d] }

// Decision is what a member has to do, and why.
type Decision struct {
	Do Do
	// Via is the number of the member that leads, for Join and Discard.
	Via int
	Why string
}

// Hall is one round of the roll-call as one member sees it.
type Hall struct {
	Self Standing
	// Heard are the answers of this round by number. Whoever is configured and not among them was silent.
	Heard map[int]Standing
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
	for _, n := range h.numbers() {
		other := h.Heard[n]
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
	for _, n := range h.numbers() {
		if h.Heard[n].Log != nil {
			holders = append(holders, n)
		}
	}
	if len(holders) > 0 {
		return wait("%s to elect a leader, or to be recovered", keepers(holders))
	}
	if founder := slices.Min(h.Self.Configured); founder != h.Self.Number {
		return wait("keeper %d to found the ensemble: all are empty", founder)
	}
	return Decision{Do: Found, Why: "all keepers have answered, and all are empty"}
}

// holding decides for a member with a log.
func (h *Hall) holding() Decision {
	own := h.Self.Log
	if d := h.Double; d != nil && d.Log != nil && d.Log.Ensemble == own.Ensemble && d.Log.Member == own.Member {
		return Decision{Do: Refuse, Why: fmt.Sprintf(
			"keeper %d runs already, at %s, with a copy of this directory", h.Self.Number, d.Peer)}
	}
	if n, ok := h.leader(); ok {
		other := h.Heard[n].Log
		switch {
		case !other.descends(own) && own.Newborn && !other.Newborn:
			return Decision{Do: Discard, Via: n, Why: fmt.Sprintf(
				"there is an ensemble already, keeper %d leads it: its members' names lead to those that are to succeed them", n)}
		case !other.descends(own) && other.Newborn:
			return wait("keeper %d, which has founded another ensemble, to see that there is one already", n)
		case !other.descends(own):
			return Decision{Do: Refuse, Why: fmt.Sprintf(
				"the directory belongs to another ensemble (%s) than keeper %d and its followers do (%s)", own.Ensemble, n, other.Ensemble)}
		case other.Ensemble == own.Ensemble && other.Has(own.Member):
			return Decision{Do: Start, Why: fmt.Sprintf("the ensemble lives, keeper %d leads it", n)}
		}
		return Decision{Do: Discard, Via: n, Why: fmt.Sprintf("the ensemble has gone on without this log, keeper %d leads it", n)}
	}
	if h.quorum() && !h.superseded() {
		return Decision{Do: Start, Why: "a quorum holds its logs"}
	}
	if silent := h.silent(); len(silent) > 0 {
		return h.waitFor(silent)
	}
	return h.recovery()
}

// superseded tells whether the own ensemble is over, even if enough of its members are back to elect a leader: somebody
// holds a log of an ensemble that was recovered from it.
func (h *Hall) superseded() bool {
	for _, other := range h.Heard {
		if other.Log != nil && other.Log.Ensemble != h.Self.Log.Ensemble && other.Log.descends(h.Self.Log) {
			return true
		}
	}
	return false
}

// recovery decides when everyone has answered and there is no quorum.
func (h *Hall) recovery() Decision {
	own, furthest, best := h.Self.Log, h.Self.Number, h.Self.Log
	for _, n := range h.numbers() {
		other := h.Heard[n].Log
		if other == nil {
			continue
		}
		if !other.descends(own) && !own.descends(other) {
			return Decision{Do: Refuse, Why: fmt.Sprintf(
				"the directory belongs to another ensemble (%s) than that of keeper %d (%s): empty the one that is not wanted",
				own.Ensemble, n, other.Ensemble)}
		}
		if other.further(best) || !best.further(other) && n < furthest {
			furthest, best = n, other
		}
	}
	if furthest != h.Self.Number {
		return wait("keeper %d to recover the ensemble: of the logs that are left its own is the furthest", furthest)
	}
	return Decision{Do: Recover, Why: "there is no quorum any more, and of the logs that are left none is further"}
}

// quorum tells whether enough of those whom the own log knows have answered, with their logs of this ensemble.
func (h *Hall) quorum() bool {
	own, voters, present := h.Self.Log, 0, 0
	for _, m := range own.Members {
		if m.Learner {
			continue
		}
		voters++
		if m.ID == own.Member {
			present++
			continue
		}
		if other := h.Heard[m.Number].Log; other != nil && other.Ensemble == own.Ensemble && other.Member == m.ID {
			present++
		}
	}
	return voters > 0 && present > voters/2
}

// leader is the member that leads the newest ensemble, as itself says. What its followers say is no news.
func (h *Hall) leader() (int, bool) {
	leader, found := 0, false
	for _, n := range h.numbers() {
		l := h.Heard[n].Log
		if l.Leads() && (!found || l.further(h.Heard[leader].Log)) {
			leader, found = n, true
		}
	}
	return leader, found
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
		if _, heard := h.Heard[n]; !heard {
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

func (h *Hall) numbers() []int {
	var all []int
	for n := range h.Heard {
		all = append(all, n)
	}
	return sorted(all)
}

func wait(format string, args ...any) Decision {
	return Decision{Do: Wait, Why: fmt.Sprintf(format, args...)}
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
