package replication

import (
	"barnabas/internal/record"
	"barnabas/internal/storage"
)

// synced is how far a replica may say that it has records: its log end, or with fsync.on.ack what of it is on the disk. The
// second copy of a replica that is moved counts too once the in-sync set may come to name it. The caller holds mu.
func (p *Partition) synced(log *storage.Log) record.Offset {
	end := log.EndOffset()
	if !log.SyncOnAck() {
		return end
	}
	end = min(end, log.Synced())
	if f := p.future; f != nil && f.mayBeNamed() {
		end = min(end, f.log.Synced())
	}
	return end
}

// mayBeNamed tells whether the in-sync set names the second copy, or is about to be asked to.
func (f *future) mayBeNamed() bool {
	return f.proposed != 0 || f.counts && f.mirrored && f.log.Directory().Err() == nil
}

// syncSoon has what a led replica lacks on the disk be synced, where anybody waits for that. The caller holds mu.
func (p *Partition) syncSoon(log *storage.Log) {
	if !log.SyncOnAck() {
		return
	}
	if p.onSynced == nil {
		p.onSynced = p.syncedMore
	}
	if log.Synced() < log.EndOffset() {
		log.SyncSoon(p.onSynced)
	}
	if f := p.future; f != nil && f.mayBeNamed() && f.log.Synced() < f.log.EndOffset() {
		f.log.SyncSoon(p.onSynced)
	}
}

// syncedMore is called by the store when records have been synced, or can't be.
func (p *Partition) syncedMore() {
	p.mu.Lock()
	var woken calls
	switch v := p.view.Load(); {
	case v.log == nil:
	case !v.online():
		woken = p.watches.all() // they look again, and are refused
	case v.role == Leading:
		woken = p.advance(v)
	}
	p.mu.Unlock()
	woken.make()
}

// Synced tells whether a replica may say that it has all that is in its log.
func (p *Partition) Synced() bool {
	log := p.view.Load().log
	return log == nil || !log.SyncOnAck() || log.Synced() >= log.EndOffset()
}

// OnDisk reports whether records up to required (the last offset plus one), appended in the given leader epoch, are as safe
// on this replica as the topic asks for (fsync.on.ack): what acks=1 waits for. A nil error acknowledges; ErrNotLeader and
// ErrStorage say that it will not be known any more.
func (p *Partition) OnDisk(epoch record.Epoch, required record.Offset) (done bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	v := p.view.Load()
	switch {
	case v.role != Leading || v.epoch != epoch || v.log == nil:
		return true, ErrNotLeader
	case !v.online() || v.torn():
		return true, ErrStorage
	}
	return p.synced(v.log) >= required, nil
}

// SyncReplicas puts on the disk what replicas have, so that they may say so.
func (m *Manager) SyncReplicas(replicas []Replica) {
	logs := make([]*storage.Log, 0, len(replicas))
	for _, r := range replicas {
		if p, ok := r.(*Partition); ok {
			if log := p.Log(); log != nil {
				logs = append(logs, log)
			}
		}
	}
	m.options.Store.SyncRecords(logs)
}
