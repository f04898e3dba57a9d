package keeper

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"go.etcd.io/etcd/server/v3/etcdserver"
	"go.etcd.io/etcd/server/v3/storage/wal"

	"barnabas/internal/keeper/rollcall"
)

// recoverDir is where a recovery works on a copy of the log: a recovery that is interrupted has changed nothing.
const recoverDir = "ensemble.recovery"

// recoverWithin bounds the wait for a copy to apply its own log.
const recoverWithin = time.Minute

// recover makes an ensemble of one of what the directory holds, all of its log included: what the log has may have
// been acknowledged, and whoever wrote it may know by now. It gets a new identity, and revisions beyond all
// that was known before.
func (d directory) recover(ctx context.Context, own *rollcall.Log, self rollcall.Member, ensemble string, now time.Time) error {
	work := filepath.Join(d.path, recoverDir)
	if err := os.RemoveAll(work); err != nil {
		return fmt.Errorf("keeper: %w", err)
	}
	if err := os.CopyFS(work, os.DirFS(d.ensemble())); err != nil {
		return fmt.Errorf("keeper: %w", err)
	}
	revision, err := d.settle(ctx, work)
	if err != nil {
		return fmt.Errorf("keeper: the log in %s can't be recovered: %w", d.ensemble(), err)
	}
	c := charter{
		Ensemble: ensemble, Ancestors: append(append([]string{}, own.Ancestors...), own.Ensemble),
		Revision: revisionAt(now, revision+foundSlack), Kept: revision, Newborn: own.Newborn, Members: []rollcall.Member{self},
	}
	if err := d.found(c, self.Number, etcdDirs(work).db); err != nil {
		return err
	}
	if err := os.RemoveAll(work); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("keeper: %w", err)
	}
	return nil
}

// settle has all of a log applied to its key space, and returns the revision that this comes to.
func (d directory) settle(ctx context.Context, dir string) (int64, error) {
	t, err := d.readTailOf(dir)
	if err != nil {
		return 0, err
	}
	w, err := wal.Open(d.logger, etcdDirs(dir).wal, t.snapshot)
	if err != nil {
		return 0, err
	}
	_, state, _, err := w.ReadAll()
	if err != nil {
		w.Close()
		return 0, err
	}
	state.Commit = max(state.Commit, t.index)
	state.Term = max(state.Term, t.term)
	err = w.Save(state, nil)
	w.Close()
	if err != nil {
		return 0, err
	}
	cfg := memberConfig(memberSettings{dir: dir, name: memberName, tick: aloneTick, electionTicks: electionTicks, quota: 0}, d.logger)
	cfg.ForceNewCluster = true
	server, err := newServer(cfg)
	if err != nil {
		return 0, err
	}
	server.Start()
	defer server.Stop()
	return awaitApplied(ctx, server, t.index)
}

func awaitApplied(ctx context.Context, server *etcdserver.EtcdServer, index uint64) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, recoverWithin)
	defer cancel()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for server.Leader() != server.MemberID() || server.AppliedIndex() < index {
		select {
		case <-tick.C:
		case <-server.StopNotify():
			return 0, ErrStopped
		case <-ctx.Done():
			return 0, fmt.Errorf("it was not applied to its end: %w", ctx.Err())
		}
	}
	return server.KV().Rev(), nil
}
