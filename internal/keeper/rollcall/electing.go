package rollcall

// electable is a member of the own ensemble that those who have answered can elect: each member counts the votes of
// those whom it knows to count, and votes for whom it knows if its own log does not end later.
//
// Who was only told of does not hear the own member, nor the other way round; of several, one that does is named.
func (h *Hall) electable() (int, bool) {
	logs := map[uint64]*Log{h.Self.Log.Member: h.Self.Log}
	numbers := map[uint64]int{h.Self.Log.Member: h.Self.Number}
	for n, other := range h.everyone() {
		if other.Log != nil && other.Log.Ensemble == h.Self.Log.Ensemble {
			logs[other.Log.Member], numbers[other.Log.Member] = other.Log, n
		}
	}
	lowest, found := 0, false
	for id, candidate := range logs {
		voters, votes := 0, 0
		for _, m := range candidate.Members {
			if m.Learner {
				continue
			}
			voters++
			if h.apart(numbers[m.ID], numbers[id]) {
				continue
			}
			if voter := logs[m.ID]; voter != nil && voter.Has(id) && !voter.longer(candidate) {
				votes++
			}
		}
		if candidate.votes(id) && votes > voters/2 && (!found || h.nearer(numbers[id], lowest)) {
			lowest, found = numbers[id], true
		}
	}
	return lowest, found
}

// nearer tells whether one of two members comes first: who hears the own one, and then the lower number.
func (h *Hall) nearer(a, b int) bool {
	_, toldA := h.Told[a]
	_, toldB := h.Told[b]
	if toldA != toldB {
		return toldB
	}
	return a < b
}

// apart tells whether two members do not hear each other, one of them being the own one.
func (h *Hall) apart(a, b int) bool {
	_, toldA := h.Told[a]
	_, toldB := h.Told[b]
	return a == h.Self.Number && toldB || b == h.Self.Number && toldA
}

// leader is the member that leads the newest ensemble, as itself says. What its followers say is no news, nor is what one
// says that leads in an earlier term than the end of another log of its ensemble was written in.
func (h *Hall) leader() (int, bool) {
	leader, found := 0, false
	for _, n := range h.numbers() {
		l := h.Heard[n].Log
		if !l.Leads() || h.deposed(l) {
			continue
		}
		if !found || h.newborn(h.Heard[leader].Log) && !h.newborn(l) || l.further(h.Heard[leader].Log) {
			leader, found = n, true
		}
	}
	return leader, found
}

// deposed tells whether somebody's log is of a later term than the one in which the member leads.
func (h *Hall) deposed(l *Log) bool {
	later := func(other *Log) bool { return other != nil && other.Ensemble == l.Ensemble && other.Term > l.Term }
	if later(h.Self.Log) {
		return true
	}
	for _, other := range h.everyone() {
		if later(other.Log) {
			return true
		}
	}
	return false
}
