package rollcall

import "fmt"

// holding decides for a member with a log.
func (h *Hall) holding() Decision {
	own := h.Self.Log
	if d := h.Double; d != nil && d.Log != nil && d.Log.Ensemble == own.Ensemble && d.Log.Member == own.Member {
		return Decision{Do: Refuse, Why: fmt.Sprintf(
			"keeper %d runs already, at %s, with a copy of this directory", h.Self.Number, d.Peer)}
	}
	if d, mistaken := h.mistaken(); mistaken {
		return d
	}
	if n, ok := h.leader(); ok && !h.oblivious(n) {
		return h.led(n)
	}
	if n, over := h.heir(); over {
		return rest("keeper %d, whose ensemble was recovered from this one", n)
	}
	if n, ok := h.electable(); ok {
		if _, told := h.Told[n]; told {
			return wait("keeper %d to be elected by those that hear it, which this one does not", n)
		}
		if n == h.Self.Number || h.Heard[n].Log.Has(own.Member) {
			return Decision{Do: Start, Why: "a quorum holds its logs"}
		}
		return rest("keeper %d to be elected, and to admit this one, which it does not know", n)
	}
	if silent := h.silent(); len(silent) > 0 {
		return h.waitFor(silent)
	}
	return h.recovery()
}

// led decides for a member with a log while keeper n leads.
func (h *Hall) led(n int) Decision {
	own, other := h.Self.Log, h.Heard[n].Log
	switch {
	case !other.descends(own) && h.newborn(other):
		return wait("keeper %d, which has founded another ensemble, to see that there is one already", n)
	case !other.descends(own):
		return Decision{Do: Refuse, Why: fmt.Sprintf(
			"the directory belongs to another ensemble (%s) than keeper %d and its followers do (%s)", own.Ensemble, n, other.Ensemble)}
	case other.Ensemble == own.Ensemble && other.Has(own.Member) && !h.Self.Running && h.Heard[n].Had > own.Index:
		// What it has acknowledged counts on it, and raft can't go on with a member that forgets.
		return Decision{Do: Discard, Via: n, Why: fmt.Sprintf(
			"this log is an old one: it ends at %d, and keeper %d, which leads, knows that it went to %d", own.Index, n, h.Heard[n].Had)}
	case other.Ensemble == own.Ensemble && other.Has(own.Member):
		return Decision{Do: Start, Why: fmt.Sprintf("the ensemble lives, keeper %d leads it", n)}
	}
	return Decision{Do: Discard, Via: n, Why: fmt.Sprintf("the ensemble has gone on without this log, keeper %d leads it", n)}
}

// mistaken decides for a member of an ensemble that was founded although there is one already. Nobody counts on it yet.
func (h *Hall) mistaken() (Decision, bool) {
	own := h.Self.Log
	if !h.newborn(own) {
		return Decision{}, false
	}
	for _, n := range h.numbers() {
		other := h.Heard[n].Log
		if other == nil || other.descends(own) || own.descends(other) || h.newborn(other) {
			continue
		}
		d := Decision{Do: Discard, Why: fmt.Sprintf(
			"there is an ensemble already, keeper %d is of it: its members' names lead to those that are to succeed them", n)}
		if other.Leads() {
			d.Via = n
		}
		return d, true
	}
	return Decision{}, false
}

// oblivious tells whether keeper n leads an ensemble that was founded although the own one was there: it will see that.
func (h *Hall) oblivious(n int) bool {
	own, other := h.Self.Log, h.Heard[n].Log
	return !other.descends(own) && h.newborn(other) && !h.newborn(own)
}

// newborn tells whether nobody counts on an ensemble yet, by all that was heard of it: a member may not have noted that
// others have let clients in.
func (h *Hall) newborn(l *Log) bool {
	if own := h.Self.Log; own != nil && own.Ensemble == l.Ensemble && !own.Newborn {
		return false
	}
	for _, other := range h.everyone() {
		if other.Log != nil && other.Log.Ensemble == l.Ensemble && !other.Log.Newborn {
			return false
		}
	}
	return l.Newborn
}

// heir is a member of an ensemble that was recovered from the own one, which is over then, even if enough of its
// members are back to elect a leader.
func (h *Hall) heir() (int, bool) {
	everyone := h.everyone()
	for _, n := range numbersOf(everyone) {
		other := everyone[n].Log
		if other != nil && other.Ensemble != h.Self.Log.Ensemble && other.descends(h.Self.Log) {
			return n, true
		}
	}
	return 0, false
}

// recovery decides when everyone has answered and nobody can be elected. No engine runs while an ensemble is recovered:
// what each of them says of its log's end is the end then, and nobody is elected after all.
func (h *Hall) recovery() Decision {
	own, furthest, best := h.Self.Log, h.Self.Number, h.Self.Log
	var running []int
	everyone := h.everyone()
	for _, n := range numbersOf(everyone) {
		other := everyone[n].Log
		switch {
		case other == nil:
			continue
		case !other.descends(own) && !own.descends(other):
			if d, decided := h.unrelated(n); decided {
				return d
			}
			continue
		case everyone[n].Running:
			running = append(running, n)
		}
		if other.further(best) || !best.further(other) && n < furthest {
			furthest, best = n, other
		}
	}
	switch {
	case h.Self.Running:
		return rest("the ensemble to be recovered: there is no quorum any more")
	case len(running) > 0:
		return wait("%s to see that there is no quorum any more", keepers(running))
	case furthest != h.Self.Number:
		return wait("keeper %d to recover the ensemble: of the logs that are left its own is the furthest", furthest)
	}
	return Decision{Do: Recover, Why: "there is no quorum any more, and of the logs that are left none is further"}
}

// unrelated decides between the own log and that of another ensemble, where neither has a leader; false if the own one
// need not mind the other.
func (h *Hall) unrelated(n int) (Decision, bool) {
	told, _ := h.of(n)
	own, other := h.Self.Log, told.Log
	switch {
	case !h.newborn(other):
		return Decision{Do: Refuse, Why: fmt.Sprintf(
			"the directory belongs to another ensemble (%s) than that of keeper %d (%s): empty the one that is not wanted",
			own.Ensemble, n, other.Ensemble)}, true
	case h.newborn(own) && own.Ensemble > other.Ensemble:
		return Decision{Do: Discard, Why: fmt.Sprintf("keeper %d is of another ensemble that was founded at the same time", n)}, true
	}
	return Decision{}, false // that one will be put aside
}
