package replication

import (
	"errors"
	"fmt"
	"slices"

	"barnabas/internal/ident"
	"barnabas/internal/metadata"
	"barnabas/internal/record"
	"barnabas/internal/storage"
)

// A replica is moved to another log directory of its broker (KIP-113) by way of a second copy, its future. It is copied from
// the replica until it has everything; from then on it is a mirror, which gets all that the replica gets before anybody
// is told of it. Only then the in-sync set is asked to name the other store, and only when it does the future takes the
// replica's place. So whichever of the two stores the set names, at any moment, holds all that was acknowledged: a crash
// before that leaves the replica as it was, and one after it finds the future's store named, and goes on with that.

var (
	// ErrUnknownDirectory says that a broker has no such log directory.
	ErrUnknownDirectory = errors.New("no such log directory")
	// ErrNameTooLong says that a partition's name leaves no room for its future's.
	ErrNameTooLong = errors.New("the topic's name is too long for its replicas to be moved")
	// ErrNoReplica says that a broker has no replica of a partition to be moved.
	ErrNoReplica = errors.New("there is no replica here")
)

// future is the second copy of a replica that is being moved. The partition's mu guards it.
type future struct {
	log *storage.Log
	// mirrored: it holds all that the replica holds, and gets all that it gets.
	mirrored bool
	// broken: it has missed something since the in-sync set was asked to name it. Nothing is acknowledged until it is known
	// which of the two is named.
	broken bool
	// counts: the in-sync set is about to be asked to name it, so what is acknowledged has to be on its disk as well
	// with fsync.on.ack.
	counts bool
	// proposed is the revision of the state in which the set was asked, 0 where it was not, or did not come to name it.
	proposed metadata.Revision
	// wanted is where the replica is to be in the end: given up for another directory, or for where it was, this one goes.
	wanted *storage.Directory
	// strayed: the replica was cut when this one could not be. It may hold what was cut off, beside or instead of what the replica holds.
	strayed bool
	// cuts counts the truncations of the replica: what was read before one may not be there any more.
	cuts int
}

// Exchange asks that the in-sync set names another store of this broker, which holds the same.
type Exchange struct {
	Topic     ident.TopicID
	Partition ident.TopicPartition
	From      metadata.Member
	To        ident.StoreID
	// Modified is the revision of the state that this is a change of: once that has been written again the request is void.
	Modified metadata.Revision
}

// MoveReplica has a replica moved to the log directory of that path, or, where it is there, left there. Where there is none
// to be moved it is made there, should it come. Errors: ErrUnknownDirectory, ErrNameTooLong, ErrUnknownPartition (there is no
// such partition), ErrNoReplica (there is, elsewhere), ErrStorage.
func (m *Manager) MoveReplica(name ident.TopicPartition, path string) error {
	store := m.options.Store
	if !storage.CanBeMoved(name) {
		return fmt.Errorf("%s: %w", name, ErrNameTooLong)
	}
	to := store.DirectoryAt(path)
	if to == nil {
		return fmt.Errorf("%s: %w", path, ErrUnknownDirectory)
	}
	if err := to.Err(); err != nil {
		return fmt.Errorf("%w: %w", ErrStorage, err)
	}
	m.applying.Lock() // what it makes may not be made, or deleted, by Apply beside it
	defer m.applying.Unlock()
	p, err := m.Get(name.Topic, name.Partition)
	if err != nil {
		m.mu.RLock()
		image := m.image
		m.mu.RUnlock()
		store.Prefer(name, to) // also where nobody knows of it yet: whoever creates a topic says where before that
		if image == nil || image.Partition(name) == nil {
			return fmt.Errorf("%s: %w", name, ErrUnknownPartition)
		}
		return fmt.Errorf("%s: %w", name, ErrNoReplica)
	}
	if err := m.move(p, to); err != nil {
		return err
	}
	m.nudgeMover()
	return nil
}

// move is MoveReplica's part under the partition's mutex.
func (m *Manager) move(p *Partition, to *storage.Directory) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	v := p.view.Load()
	if !v.online() {
		return fmt.Errorf("%s: %w", p.name, ErrStorage)
	}
	if p.future != nil {
		if p.future.wanted = to; p.future.proposed != 0 {
			return nil // the mover goes by it once it is known what came of the proposal
		}
		if p.future.log.Directory() == to {
			return nil
		}
		if err := m.dropFuture(p); err != nil {
			return err
		}
	}
	return m.beginFuture(p, v, to)
}

// beginFuture makes the second copy. With a directory that can't be read there may be one already, somewhere in it. The
// caller holds p.mu.
func (m *Manager) beginFuture(p *Partition, v *view, to *storage.Directory) error {
	if v.log.Directory() == to {
		return nil
	}
	if dir := m.options.Store.Unread(); dir != nil {
		return fmt.Errorf("%w: %s can't be read", ErrStorage, dir.Path())
	}
	log, err := m.options.Store.CreateFuture(v.log, to, v.log.StartOffset())
	if err != nil {
		return failed(err)
	}
	p.future = &future{log: log, wanted: to}
	m.logger.Info("replica is being moved", "partition", p.name.String(), "from", v.log.Directory().Path(), "to", to.Path(),
		"bytes", v.log.Size())
	return nil
}

// dropFuture gives the second copy up. The caller holds p.mu.
func (m *Manager) dropFuture(p *Partition) error {
	p.future = nil
	if err := m.options.Store.DropFuture(p.name); err != nil && !errors.Is(err, storage.ErrUnknownLog) {
		return failed(err)
	}
	return nil
}

// copyNamed tells which store the sets of a partition name for this broker; false where they name none.
func copyNamed(state *metadata.Partition, self ident.BrokerID) (ident.StoreID, bool) {
	m, ok := state.InSets(self)
	return m.Store, ok && !m.Store.IsZero()
}

// resolve decides, before a replica takes its role, between the two logs that a move or a crash in one has left: the one
// whose store is named is the replica. What was the future of another topic of that name goes. Where the replica's own log is
// gone, with its directory, the future is the replica, out of sync as it is: what it has copied may be all that is left.
func (m *Manager) resolve(change metadata.PartitionChange) {
	name, store := change.TopicPartition(), m.options.Store
	future := store.Future(name)
	if future == nil {
		return
	}
	if id := future.TopicID(); id != change.TopicID && !id.IsZero() {
		m.logger.Warn("future log of a deleted topic of the same name is removed", "partition", name.String(), "topicId", id)
		m.complain(name, store.DropFuture(name))
		return
	}
	named, ok := copyNamed(change.New, m.options.Broker)
	log := store.Log(name)
	gone := log == nil && store.Unread() == nil && !(ok && store.HasDir(named))
	switch {
	case ok && named == future.Directory().ID() || gone:
		_, deleteOld, err := store.Promote(name)
		if err == nil {
			m.logger.Info("the second copy of a replica that was being moved is the replica", "partition", name.String(),
				"directory", future.Directory().Path(), "firstIsGone", gone)
			err = deleteOld()
		}
		m.complain(name, err)
	default:
		m.dropSecond(change, log)
	}
}

// dropSecond removes what is left of a replica in a directory from which it was moved, where a crash has come between, or that could
// not be written then, once the sets name the log that the replica has.
func (m *Manager) dropSecond(change metadata.PartitionChange, log *storage.Log) {
	name, store := change.TopicPartition(), m.options.Store
	future := store.Future(name)
	if future == nil || log == nil || future.IsNamedFuture() {
		return
	}
	if named, ok := copyNamed(change.New, m.options.Broker); ok && named == log.Directory().ID() {
		m.logger.Warn("a second log of a replica that was moved is removed", "partition", name.String(), "directory", future.Directory().Path())
		m.complain(name, store.DropFuture(name))
	}
}

func (m *Manager) complain(name ident.TopicPartition, err error) {
	if err != nil && !errors.Is(err, storage.ErrUnknownLog) {
		m.logger.Error("a log of the replica can't be renamed", "partition", name.String(), "error", err)
	}
}

// adopt goes on with a second copy that was found on disk: with what of it the replica has.
func (m *Manager) adopt(p *Partition) {
	log := m.options.Store.Future(p.name)
	p.mu.Lock()
	defer p.mu.Unlock()
	v := p.view.Load()
	if log == nil || p.future != nil || !v.online() || !log.IsNamedFuture() || log.Directory() == v.log.Directory() {
		return
	}
	if err := agree(log, v.log); err != nil {
		m.logger.Error("the move of a replica can't go on", "partition", p.name.String(), "error", err)
		return
	}
	p.future = &future{log: log, wanted: log.Directory()}
	m.logger.Info("replica is being moved", "partition", p.name.String(), "from", v.log.Directory().Path(),
		"to", log.Directory().Path(), "bytes", v.log.Size()-log.Size())
}

// agree cuts off of a second copy what the replica does not have, as a follower does with its leader's answers (KIP-279).
func agree(future, of *storage.Log) error {
	for future.EndOffset() > future.StartOffset() {
		last := future.EpochAt(future.EndOffset() - 1)
		epoch, end := of.EpochEnd(last)
		if epoch == record.NoEpoch || end < 0 || of.EpochAt(of.StartOffset()) > last {
			break // nothing is known of that time, or nothing any more
		}
		if epoch == last && end >= future.EndOffset() {
			return nil
		}
		to := truncation(EpochEnd{epoch, end}, future.EndOffset(), future.EpochEnd)
		if to >= future.EndOffset() {
			break
		}
		if err := future.TruncateTo(to); err != nil {
			return failed(err)
		}
	}
	if future.EndOffset() > future.StartOffset() {
		return failed(future.TruncateFullyTo(of.StartOffset()))
	}
	return nil
}

// mirror has the second copy, once it is level, take part in what happens to the replica. The caller holds mu. An error says
// that nothing may be acknowledged now.
func (p *Partition) mirror(log *storage.Log) error {
	f := p.future
	if f == nil || !f.mirrored && !f.broken {
		return nil
	}
	if f.broken {
		return fmt.Errorf("%s: %w: its other copy is named, or not, and lacks something", p.name, ErrStorage)
	}
	err := p.takeRest(f, log)
	if err == nil {
		return nil
	}
	f.mirrored, f.broken = false, f.proposed != 0
	if f.broken {
		return failed(err)
	}
	return nil // the directory it is in is offline, and says so
}

// mirrorChunk is how much of what was appended the mirror takes at a time.
const mirrorChunk = 1 << 20

// takeRest copies what the replica has beyond its second copy. The caller holds mu.
func (p *Partition) takeRest(f *future, log *storage.Log) error {
	for f.log.EndOffset() < log.EndOffset() {
		if start := log.StartOffset(); f.log.EndOffset() < start {
			if err := f.log.TruncateFullyTo(start); err != nil {
				return err
			}
			continue
		}
		batches, err := readChunk(log, f.log.EndOffset(), mirrorChunk)
		if err != nil {
			return err
		}
		if err := appendCopy(f.log, batches); err != nil {
			return err
		}
	}
	return nil
}

// readChunk reads whole batches, one at least.
func readChunk(log *storage.Log, from record.Offset, size int) ([]byte, error) {
	span, err := log.Read(from, storage.ReadOptions{MaxBytes: size, MinOneBatch: true})
	if err != nil {
		return nil, err
	}
	defer span.Release()
	buf := make([]byte, span.Len())
	if _, err := span.CopyTo(buf); err != nil {
		return nil, err
	}
	return buf, nil
}

// cutFuture has the second copy end no later than the replica, which has just been cut. The caller holds mu.
func (p *Partition) cutFuture(log *storage.Log) {
	f := p.future
	if f == nil {
		return
	}
	var err error
	switch {
	case f.strayed:
		err = agree(f.log, log)
	case f.log.EndOffset() > log.EndOffset():
		err = f.log.TruncateTo(log.EndOffset())
	}
	p.futureCut(err)
}

// futureCut notes that the second copy was cut, or could not be. The caller holds mu.
func (p *Partition) futureCut(err error) {
	f := p.future
	f.cuts++
	if f.strayed = err != nil; f.strayed {
		f.mirrored, f.broken = false, f.proposed != 0
	}
}

// promoted is the second copy, in the place of the replica, where the image names its store; nil otherwise. The
// function deletes what was the replica. The caller holds mu.
func (p *Partition) promoted(state *metadata.Partition, log *storage.Log) (*storage.Log, func() error) {
	f := p.future
	if f == nil || log == nil {
		return nil, nil
	}
	named, ok := copyNamed(state, p.local.broker)
	if !ok || named != f.log.Directory().ID() || !f.mirrored || f.broken {
		return nil, nil
	}
	err := p.takeRest(f, log)
	if err == nil && log.StartOffset() > f.log.StartOffset() {
		f.log.SetHighWatermark(log.HighWatermark())
		err = f.log.AdvanceStart(min(log.StartOffset(), f.log.HighWatermark()))
	}
	if err == nil {
		err = f.log.TakeEpochs(log)
	}
	if err != nil {
		f.mirrored, f.broken = false, true
		return nil, nil
	}
	f.log.SetHighWatermark(log.HighWatermark())
	f.log.SetConfig(log.Config())
	moved, deleteOld, err := p.local.store.Promote(p.name)
	if err != nil {
		f.mirrored, f.broken = false, true
		return nil, nil
	}
	if p.future = nil; f.wanted != moved.Directory() {
		p.wish = f.wanted
	}
	return moved, deleteOld
}

// settleMove is done once the view has the log that it is to have: what is left of a move goes, and a move that goes on notes
// what came of its exchange. The caller holds mu.
func (p *Partition) settleMove(state *metadata.Partition, deleteOld func() error) error {
	if p.future != nil {
		p.future.heard(state, p.local.broker)
	}
	if deleteOld == nil {
		return nil
	}
	return deleteOld()
}

// moveOn has the mover look at a replica after its state has changed, and begins the next move where one is wished.
func (m *Manager) moveOn(p *Partition) {
	p.mu.Lock()
	to, moving := p.wish, p.future != nil
	p.wish = nil
	p.mu.Unlock()
	if to != nil {
		if err := m.move(p, to); err != nil {
			m.logger.Error("replica can't be moved", "partition", p.name.String(), "to", to.Path(), "error", err)
		}
	}
	if to != nil || moving {
		m.nudgeMover()
	}
}

// heard notes what came of an exchange: where the state has been written since and does not name the second copy's store,
// it never will by that one. The caller holds mu.
func (f *future) heard(state *metadata.Partition, self ident.BrokerID) {
	named, ok := copyNamed(state, self)
	if f.proposed != 0 && state.Modified != f.proposed && !(ok && named == f.log.Directory().ID()) {
		f.proposed, f.broken = 0, false
	}
}

// exchange is what the in-sync set is to be asked for now, if anything. The caller holds mu, and notes for the first kind that
// it was asked.
func (p *Partition) exchange(v *view) (Exchange, bool) {
	f := p.future
	i := slices.IndexFunc(v.inSync.Committed, func(m metadata.Member) bool { return m.Broker == p.local.broker })
	if f == nil || i < 0 || !v.online() {
		return Exchange{}, false
	}
	e := Exchange{Topic: v.topic, Partition: p.name, From: v.inSync.Committed[i], Modified: v.modified}
	own := v.log.Directory().ID()
	switch {
	case f.broken && e.From.Store == f.log.Directory().ID():
		e.To = own
	case f.mirrored && f.log.Directory().Err() == nil && f.wanted == f.log.Directory() && (e.From.Store == own || e.From.Store.IsZero()):
		e.To = f.log.Directory().ID()
	default:
		return Exchange{}, false
	}
	return e, true
}
