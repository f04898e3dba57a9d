package replication

// CheckInSync takes the followers that have lagged for too long out of the in-sync sets of the partitions led here, and
// moves high watermarks that waited for a follower that was about to join. The broker calls it every half
// replica.lag.time.max.ms: a follower leaves after once to one and a half times that, as in Kafka.
func (m *Manager) CheckInSync() {
	for _, p := range m.All() {
		p.checkInSync()
	}
}

func (p *Partition) checkInSync() {
	p.mu.Lock()
	var woken calls
	v := p.view.Load()
	if v.role == Leading && v.online() {
		if next := shrunk(p.replicasNow(v), p.local.clock()); next != nil && len(p.followers) > 0 {
			p.proposeISR(v, p.proposal(v, next))
			v = p.view.Load()
		}
		p.claim(v)
		woken = p.advance(v)
		p.forgetEligible(v)
	}
	p.mu.Unlock()
	woken.make()
}
