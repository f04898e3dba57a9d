package keeper

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/client/pkg/v3/types"
	"go.etcd.io/etcd/server/v3/etcdserver/api/membership"
	"go.etcd.io/etcd/server/v3/etcdserver/api/snap"
	"go.etcd.io/etcd/server/v3/storage/backend"
	"go.etcd.io/etcd/server/v3/storage/schema"
	"go.etcd.io/etcd/server/v3/storage/wal"
	"go.etcd.io/etcd/server/v3/storage/wal/walpb"
	"go.etcd.io/raft/v3/raftpb"
	"go.uber.org/zap"

	"barnabas/internal/keeper/rollcall"
)

// A member's directory:
//
//	lock                     one process at a time
//	ensemble/                the log and the key space, as etcd has them
//	ensemble/identity.json   whose they are
//	ensemble.new/            in the making: nothing that is half made is ever called ensemble
//	ensemble.old/            what was put aside last, because the ensemble had gone on without it
const (
	ensembleDir  = "ensemble"
	newDir       = "ensemble.new"
	oldDir       = "ensemble.old"
	identityFile = "identity.json"
)

// identity is what a directory says of the ensemble that it belongs to.
type identity struct {
	Version   int      `json:"version"`
	Number    int      `json:"number"`
	Ensemble  string   `json:"ensemble"`
	Ancestors []string `json:"ancestors,omitempty"`
	// Newborn is set until the first clients are let in.
	Newborn bool `json:"newborn,omitempty"`
}

// identityVersion is that of a directory's layout.
const identityVersion = 1

// directory is the place where a member keeps its log.
type directory struct {
	path   string
	logger *zap.Logger
}

func (d directory) ensemble() string { return filepath.Join(d.path, ensembleDir) }

// identity reads whose the directory is; nil if it is empty.
func (d directory) identity() (*identity, error) {
	path := filepath.Join(d.ensemble(), identityFile)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("keeper: %w", err)
	}
	id := new(identity)
	if err := json.Unmarshal(data, id); err != nil {
		return nil, fmt.Errorf("keeper: %s can't be read: %w", path, err)
	}
	if id.Version > identityVersion {
		return nil, fmt.Errorf("keeper: %s was written by a newer release (version %d, this one knows %d)", path, id.Version, identityVersion)
	}
	return id, nil
}

// grownUp notes that clients are let in.
func (d directory) grownUp(id identity) error {
	id.Newborn = false
	path := filepath.Join(d.ensemble(), identityFile)
	if err := writeIdentity(path+".tmp", id); err != nil {
		return err
	}
	if err := os.Rename(path+".tmp", path); err != nil {
		return fmt.Errorf("keeper: %w", err)
	}
	return syncDir(d.ensemble())
}

func writeIdentity(path string, id identity) error {
	data, err := json.Marshal(id)
	if err != nil {
		return fmt.Errorf("keeper: %w", err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		return fmt.Errorf("keeper: %w", err)
	}
	return syncDir(path)
}

// readLog reads what the directory holds, while no server runs on it; nil if that is nothing.
func (d directory) readLog() (held *rollcall.Log, err error) {
	id, err := d.identity()
	if err != nil || id == nil {
		return nil, err
	}
	defer func() {
		if reason := recover(); reason != nil {
			held, err = nil, fmt.Errorf("keeper: the log in %s can't be read: %v", d.ensemble(), reason)
		}
	}()
	tail, err := d.readTail()
	if err != nil {
		return nil, err
	}
	if tail.index == 0 {
		return nil, nil // admitted once, and never heard of the ensemble
	}
	l := &rollcall.Log{
		Ensemble: id.Ensemble, Ancestors: id.Ancestors, Newborn: id.Newborn, Member: tail.member, Term: tail.term, Index: tail.index,
	}
	l.Members = d.readMembers(tail)
	return l, nil
}

// tail is the part of the log that is after the last snapshot.
type tail struct {
	member, cluster uint64
	term, index     uint64
	state           raftpb.HardState
	entries         []raftpb.Entry
	snapshot        walpb.Snapshot
	// counting are the members that count, and learn, as of the snapshot.
	counting raftpb.ConfState
}

func (d directory) readTail() (tail, error) { return d.readTailOf(d.ensemble()) }

func (d directory) readTailOf(ensemble string) (tail, error) {
	var t tail
	dir := etcdDirs(ensemble)
	if !wal.Exist(dir.wal) {
		return t, nil
	}
	snapshots, err := wal.ValidSnapshotEntries(d.logger, dir.wal)
	if err != nil {
		return t, fmt.Errorf("keeper: %s: %w", dir.wal, err)
	}
	newest, err := snap.New(d.logger, dir.snap).LoadNewestAvailable(snapshots)
	if err != nil && !errors.Is(err, snap.ErrNoSnapshot) {
		return t, fmt.Errorf("keeper: %s: %w", dir.snap, err)
	}
	if newest != nil {
		t.snapshot = walpb.Snapshot{Index: newest.Metadata.Index, Term: newest.Metadata.Term}
		t.term, t.index, t.counting = newest.Metadata.Term, newest.Metadata.Index, newest.Metadata.ConfState
	}
	w, err := wal.OpenForRead(d.logger, dir.wal, t.snapshot)
	if err != nil {
		return t, fmt.Errorf("keeper: %s: %w", dir.wal, err)
	}
	defer w.Close()
	metadata, state, entries, err := w.ReadAll()
	if err != nil {
		return t, fmt.Errorf("keeper: %s: %w", dir.wal, err)
	}
	var m etcdserverpb.Metadata
	if err := m.Unmarshal(metadata); err != nil {
		return t, fmt.Errorf("keeper: %s: %w", dir.wal, err)
	}
	t.member, t.cluster, t.state, t.entries = m.NodeID, m.ClusterID, state, entries
	if n := len(entries); n > 0 {
		t.term, t.index = entries[n-1].Term, entries[n-1].Index
	}
	return t, nil
}

// readMembers are the members by what the log knows to be committed: those whose votes an engine on it counts. Who they
// are stands in the key space's file, and in the log what has not come there yet.
func (d directory) readMembers(t tail) []rollcall.Member {
	be := openBackend(etcdDirs(d.ensemble()).db, d.logger)
	defer be.Close()
	known, _ := schema.NewMembershipBackend(d.logger, be).MustReadMembersFromBackend()
	members := map[uint64]*membership.Member{}
	for id, m := range known {
		members[uint64(id)] = m
	}
	learners := map[uint64]bool{} // and those that count, false
	for _, id := range t.counting.Voters {
		learners[id] = false
	}
	for _, id := range t.counting.Learners {
		learners[id] = true
	}
	for _, e := range t.entries {
		var change raftpb.ConfChange
		if e.Type != raftpb.EntryConfChange || change.Unmarshal(e.Data) != nil {
			continue
		}
		introduce(members, change)
		if e.Index <= t.state.Commit {
			changeMembers(learners, change)
		}
	}
	var list []*membership.Member
	for id, learner := range learners {
		m := members[id]
		if m == nil {
			m = &membership.Member{ID: types.ID(id)}
		}
		m.IsLearner = learner
		list = append(list, m)
	}
	return membersOf(list)
}

func changeMembers(learners map[uint64]bool, change raftpb.ConfChange) {
	switch change.Type {
	case raftpb.ConfChangeAddNode:
		learners[change.NodeID] = false
	case raftpb.ConfChangeAddLearnerNode:
		learners[change.NodeID] = true
	case raftpb.ConfChangeRemoveNode:
		delete(learners, change.NodeID)
	}
}

// introduce notes what a change says of who a member is, and where.
func introduce(members map[uint64]*membership.Member, change raftpb.ConfChange) {
	var context membership.ConfigChangeContext
	if change.Type == raftpb.ConfChangeRemoveNode || json.Unmarshal(change.Context, &context) != nil {
		return
	}
	switch old := members[change.NodeID]; {
	case old == nil && !context.IsPromote:
		members[change.NodeID] = &context.Member
	case old != nil && change.Type == raftpb.ConfChangeUpdateNode:
		old.PeerURLs = context.PeerURLs
	}
}

// membersOf tells etcd's members as the roll-call has them, by identity.
func membersOf(list []*membership.Member) []rollcall.Member {
	var all []rollcall.Member
	for _, m := range list {
		member := rollcall.Member{ID: uint64(m.ID), Number: numberOf(m.Name), Learner: m.IsLearner}
		if len(m.PeerURLs) > 0 {
			member.Peer = strings.TrimPrefix(m.PeerURLs[0], "http://")
		}
		all = append(all, member)
	}
	slices.SortFunc(all, func(a, b rollcall.Member) int {
		if a.Number != b.Number {
			return a.Number - b.Number
		}
		return strings.Compare(strconv.FormatUint(a.ID, 16), strconv.FormatUint(b.ID, 16))
	})
	return all
}

// nameOf and numberOf are a member's name in etcd and back.
func nameOf(number int) string { return memberName + "-" + strconv.Itoa(number) }

func numberOf(name string) int {
	n, err := strconv.Atoi(strings.TrimPrefix(name, memberName+"-"))
	if err != nil {
		return 0
	}
	return n
}

// putAside moves the log out of the way, where it can be looked at until the next one is put aside.
func (d directory) putAside() error {
	old := filepath.Join(d.path, oldDir)
	if err := os.RemoveAll(old); err != nil {
		return fmt.Errorf("keeper: %w", err)
	}
	if err := os.Rename(d.ensemble(), old); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("keeper: %w", err)
	}
	return syncDir(d.path)
}

// install makes what was built the ensemble's directory, and puts the one before aside.
func (d directory) install(built string) error {
	if err := syncTree(built); err != nil {
		return fmt.Errorf("keeper: %w", err)
	}
	if err := d.putAside(); err != nil {
		return err
	}
	if err := os.Rename(built, d.ensemble()); err != nil {
		return fmt.Errorf("keeper: %w", err)
	}
	return syncDir(d.path)
}

// etcdPaths are where etcd has its files.
type etcdPaths struct{ wal, snap, db string }

func etcdDirs(dir string) etcdPaths {
	member := filepath.Join(dir, "member")
	return etcdPaths{
		wal: filepath.Join(member, "wal"), snap: filepath.Join(member, "snap"), db: filepath.Join(member, "snap", "db"),
	}
}

// openBackend opens the key space's file, which must have no other user.
func openBackend(path string, logger *zap.Logger) backend.Backend {
	c := backend.DefaultBackendConfig(logger)
	c.Path = path
	return backend.New(c)
}

func syncTree(dir string) error {
	return filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return syncPath(path)
	})
}

func syncDir(path string) error {
	if err := syncPath(path); err != nil {
		return fmt.Errorf("keeper: %w", err)
	}
	return nil
}

func syncPath(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	return file.Sync()
}
