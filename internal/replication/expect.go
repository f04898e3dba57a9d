package replication

import "barnabas/internal/storage"

// Parting is a replica whose leader has answered where their logs part.
type Parting struct {
	*Partition
	Copied
}

// ExpectCuts prepares the logs of several replicas for what Copy is about to cut off them: where checkpoint files speak of
// that they are written once for all, and not for each.
func ExpectCuts(parting []Parting) {
	cuts := make([]storage.Cut, 0, len(parting))
	for _, p := range parting {
		if cut, due := p.expected(p.Copied); due {
			cuts = append(cuts, cut)
		}
	}
	storage.ExpectCuts(cuts)
}

// expected is what Copy would cut off now.
func (p *Partition) expected(c Copied) (storage.Cut, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	log, err := p.copying(c.Epoch)
	if err != nil || !c.Diverges || log.EndOffset() != c.Offset {
		return storage.Cut{}, false
	}
	to := truncation(c.Diverging, log.EndOffset(), log.EpochEnd)
	return storage.Cut{Log: log, To: to}, mayGiveUp(log, to, p.view.Load().named) == nil
}
