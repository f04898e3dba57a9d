package replication

import (
	"cmp"
	"context"
	"errors"
	"time"

	"barnabas/internal/record"
	"barnabas/internal/storage"
)

const (
	// moveChunk is how much of a replica is copied to another directory at a time, unless Options say.
	moveChunk = 1 << 20
	// moveRetry is the pause after which replicas that wait, for a directory, for the in-sync set, or for the throttle, are
	// looked at again.
	moveRetry = 100 * time.Millisecond
)

// MoveLogs copies the replicas that are being moved to other log directories, one after another and a piece at a time, until
// ctx ends. The exchange is asked of the metadata store by the function given, which returns when that was answered.
func (m *Manager) MoveLogs(ctx context.Context, exchange func(context.Context, Exchange)) {
	m.TakeUpMoves()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		moving, busy := m.MoveSome(ctx, exchange)
		if busy {
			continue
		}
		var again <-chan time.Time
		if moving {
			timer.Reset(moveRetry)
			again = timer.C
		}
		select {
		case <-ctx.Done():
		case <-m.mover:
		case <-again:
		}
	}
}

// MoveSome takes each move one step on. It tells whether there are any, and whether more can be done at once. MoveLogs calls it
// again and again, and a simulator in its place.
func (m *Manager) MoveSome(ctx context.Context, exchange func(context.Context, Exchange)) (any, busy bool) {
	moving := m.moving()
	for _, p := range moving {
		busy = m.moveOne(ctx, p, exchange) || busy
	}
	return len(moving) > 0, busy
}

// nudgeMover has the replicas looked at that are being moved.
func (m *Manager) nudgeMover() {
	select {
	case m.mover <- struct{}{}:
	default:
	}
}

// TakeUpMoves goes on with what the process before has begun. It comes before the first MoveSome.
func (m *Manager) TakeUpMoves() {
	m.applying.Lock()
	defer m.applying.Unlock()
	for _, log := range m.options.Store.Futures() {
		if p, err := m.Get(log.TopicPartition().Topic, log.TopicPartition().Partition); err == nil {
			m.adopt(p)
		}
	}
}

// moving are the partitions whose replicas here are being moved.
func (m *Manager) moving() []*Partition {
	var moving []*Partition
	for _, log := range m.options.Store.Futures() {
		if p, err := m.Get(log.TopicPartition().Topic, log.TopicPartition().Partition); err == nil {
			moving = append(moving, p)
		}
	}
	return moving
}

// moveOne takes a replica's move one step on, and tells whether the next may follow at once.
func (m *Manager) moveOne(ctx context.Context, p *Partition, exchange func(context.Context, Exchange)) bool {
	p.mu.Lock()
	v, f := p.view.Load(), p.future
	if f == nil || !v.online() || f.log.Directory().Err() != nil {
		p.mu.Unlock()
		return false
	}
	unwanted, behind := f.wanted != f.log.Directory() && f.proposed == 0, !f.mirrored && !f.broken
	_, due := p.exchange(v)
	f.counts = f.counts || due
	p.mu.Unlock()
	switch {
	case unwanted:
		m.redirect(p, f)
		return true
	case behind:
		return m.copyPiece(p, v.log, f)
	case !due:
		return false
	}
	if err := f.log.Flush(); err != nil { // what is named shall be on the disk, as the replica is
		return false
	}
	p.mu.Lock()
	v = p.view.Load()
	asked, due := p.exchange(v)
	if due = due && p.future == f; due && asked.To == f.log.Directory().ID() {
		f.proposed = v.modified
	}
	p.mu.Unlock()
	if due {
		exchange(ctx, asked)
	}
	return false
}

// redirect gives a second copy up that is no longer wanted, for one in another directory or for none.
func (m *Manager) redirect(p *Partition, f *future) {
	m.applying.Lock()
	defer m.applying.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	v := p.view.Load()
	if p.future != f || f.proposed != 0 || !v.online() {
		return
	}
	err := m.dropFuture(p)
	if err == nil {
		err = m.beginFuture(p, v, f.wanted)
	}
	if err != nil {
		m.logger.Error("replica can't be moved", "partition", p.name.String(), "to", f.wanted.Path(), "error", err)
	}
}

// copyPiece copies the next piece, and tells whether there may be more to do at once.
func (m *Manager) copyPiece(p *Partition, log *storage.Log, f *future) bool {
	now := m.options.Clock()
	if m.throttles.AlterDirs.Exceeded(now) {
		return false
	}
	p.mu.Lock()
	from, start, cuts := f.log.EndOffset(), log.StartOffset(), f.cuts
	p.mu.Unlock()
	var batches []byte
	var err error
	if from >= start && from < log.EndOffset() {
		if batches, err = readChunk(log, from, cmp.Or(m.options.MoveChunk, moveChunk)); err != nil {
			m.logger.Debug("a piece of a replica that is being moved can't be read", "partition", p.name.String(), "error", err)
			return false
		}
	}
	done, err := p.takePiece(log, f, cuts, from, batches)
	if err != nil {
		m.logger.Error("replica can't be copied to another log directory", "partition", p.name.String(),
			"to", f.log.Directory().Path(), "error", err)
		return false
	}
	m.throttles.AlterDirs.Spend(len(batches), now)
	return done
}

// takePiece appends a piece to the second copy, unless the replica has been cut since it was read. Where that has
// everything it is a mirror from then on. It tells whether there is more to do.
func (p *Partition) takePiece(log *storage.Log, f *future, cuts int, from record.Offset, batches []byte) (bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.future != f || p.view.Load().log != log {
		return false, nil
	}
	if f.strayed {
		p.cutFuture(log)
		return !f.strayed, nil
	}
	if f.cuts != cuts || f.log.EndOffset() != from {
		return true, nil
	}
	if start := log.StartOffset(); f.log.EndOffset() < start {
		return true, f.log.TruncateFullyTo(start)
	}
	if len(batches) > 0 {
		err := appendCopy(f.log, batches)
		if errors.Is(err, storage.ErrUnexpectedOffset) {
			return true, f.log.TruncateFullyTo(log.StartOffset()) // the replica began anew within a batch
		}
		if err != nil {
			return false, err
		}
	}
	f.log.SetHighWatermark(log.HighWatermark())
	f.mirrored = f.log.EndOffset() == log.EndOffset()
	return true, nil
}
