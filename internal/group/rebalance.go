package group

import "strings"

// rebalanceOrComplete begins a rebalance, or ends the join phase of the one under way if everyone is there.
func (g *group) rebalanceOrComplete(s *step, why string) {
	if g.state != preparingRebalance {
		g.prepareRebalance(s, why)
		return
	}
	g.completeJoinIfAll(s)
}

// completeJoinIfAll ends the join phase once everyone has joined; a group's first one lasts its
// initial delay in any case.
func (g *group) completeJoinIfAll(s *step) {
	if g.state == preparingRebalance && g.previous != empty && g.allJoined() {
		g.completeJoin(s)
	}
}

// prepareRebalance calls the members to join anew.
func (g *group) prepareRebalance(s *step, why string) {
	if g.state == completingRebalance {
		g.resetAssignments(s, codeRebalance)
	}
	g.stopAwaitingSync()
	initial := g.state == empty
	g.transition(s, preparingRebalance)
	g.log().Info("rebalance begins", "generation", g.generation, "members", len(g.members),
		"why", why)
	switch {
	case initial:
		// More members are likely to come: a rebalance for each would be a waste (KIP-134).
		g.initialDelay = g.m.config.InitialRebalanceDelay
		g.initialRemaining = max(g.rebalanceTimeout()-g.initialDelay, 0)
		g.joinTimer.fire = g.stretchInitialJoin
		g.m.timers.set(&g.joinTimer, s.now.Add(g.initialDelay))
	case g.allJoined():
		g.completeJoin(s)
	default:
		g.limitJoin(s)
	}
}

// limitJoin has the join phase end after the rebalance timeout.
func (g *group) limitJoin(s *step) {
	g.m.timers.cancel(&g.joinTimer)
	g.joinTimer.fire = g.completeJoin
	g.m.timers.set(&g.joinTimer, s.now.Add(g.rebalanceTimeout()))
}

// stretchInitialJoin waits on while new members keep coming, within the rebalance timeout.
func (g *group) stretchInitialJoin(s *step) {
	if !g.memberAdded || g.initialRemaining == 0 {
		g.completeJoin(s)
		return
	}
	g.memberAdded = false
	delay := min(g.m.config.InitialRebalanceDelay, g.initialRemaining)
	g.initialRemaining = max(g.initialRemaining-g.initialDelay, 0)
	g.initialDelay = delay
	g.m.timers.set(&g.joinTimer, s.now.Add(delay))
}

// completeJoin ends the join phase: dynamic members that did not join are out, the generation
// is the next, and who waits is told of it. Static members stay for as long as their sessions.
func (g *group) completeJoin(s *step) {
	g.m.timers.cancel(&g.joinTimer)
	g.dropAbsent()
	if !g.electLeader() && len(g.members) > 0 {
		g.log().Warn("no member joined in time: the rebalance goes on", "members", len(g.members))
		g.limitJoin(s)
		return
	}
	g.memberAdded = false
	g.nextGeneration(s)
	if g.state == empty {
		g.log().Info("group is empty", "generation", g.generation)
		s.recordWith(groupRecord(g, (*member).assigned), func(err error) {
			// The generation before would come back after a failover, and time out there.
			if err != nil {
				g.log().Warn("the empty generation was not recorded", "error", err)
			}
		})
		return
	}
	g.log().Info("generation is formed", "generation", g.generation, "members", len(g.members),
		"leader", g.leader, "protocol", g.protocolName())
	for _, mb := range g.members {
		g.answerJoin(s, mb, g.joined(mb))
		g.keepAlive(s, mb)
		mb.isNew = false
		g.pendingSync[mb.id] = struct{}{}
	}
	g.m.timers.set(&g.syncTimer, s.now.Add(g.rebalanceTimeout()))
}

// dropAbsent takes out the dynamic members that have not joined.
func (g *group) dropAbsent() {
	var absent []string
	for _, mb := range g.members {
		if mb.join == nil && mb.instanceID == nil {
			absent = append(absent, mb.id)
		}
	}
	for _, id := range absent {
		g.drop(id)
	}
	if len(absent) > 0 {
		g.log().Info("members did not join in time", "members", strings.Join(absent, ","))
	}
}

// electLeader keeps the leader if it has joined, or else takes the first that has. It says false if
// there is none.
func (g *group) electLeader() bool {
	if leader := g.byID[g.leader]; leader != nil && leader.join != nil {
		return true
	}
	for _, mb := range g.members {
		if mb.join != nil {
			g.log().Info("leader did not join in time", "leader", g.leader, "successor", mb.id)
			g.leader = mb.id
			return true
		}
	}
	return false
}

// nextGeneration moves on to the state that follows the join phase.
func (g *group) nextGeneration(s *step) {
	g.generation++
	g.protocol = nil
	next := empty
	if len(g.members) > 0 {
		name := g.selectProtocol()
		g.protocol = &name
		next = completingRebalance
	}
	g.topics = g.subscribedTopics()
	g.transition(s, next)
	g.pendingSync = map[string]struct{}{}
}

// stopAwaitingSync forgets who has yet to sync.
func (g *group) stopAwaitingSync() {
	g.pendingSync = nil
	g.m.timers.cancel(&g.syncTimer)
}

// expireSync takes out the members that did not sync within the rebalance timeout.
func (g *group) expireSync(s *step) {
	if len(g.pendingSync) == 0 {
		return
	}
	late := make([]string, 0, len(g.pendingSync))
	for _, mb := range g.members {
		if _, ok := g.pendingSync[mb.id]; ok {
			late = append(late, mb.id)
		}
	}
	for _, id := range late {
		g.drop(id)
	}
	g.prepareRebalance(s, "no sync in time from "+strings.Join(late, ","))
}

// resetAssignments takes the assignments back and answers who waits for one.
func (g *group) resetAssignments(s *step, errorCode int16) {
	for _, mb := range g.members {
		mb.assignment = nil
		if mb.sync != nil {
			g.answerSync(s, mb, syncError(errorCode))
			g.keepAlive(s, mb)
		}
	}
}
