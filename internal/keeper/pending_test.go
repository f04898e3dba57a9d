package keeper

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/client/pkg/v3/types"
	"go.etcd.io/etcd/server/v3/etcdserver/api/membership"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3client"
	"go.etcd.io/etcd/server/v3/storage/wal"
	"go.etcd.io/raft/v3/raftpb"
	"go.uber.org/zap"

	"barnabas/internal/keeper/rollcall"
	"barnabas/test/launch"
)

// pending is an ensemble of three as a crash left it: keeper 3 was wiped and came back, is a learner, and the leader has
// just proposed that it should count. That is in the logs of keepers 1 and 3, and nobody has committed it.
type pending struct {
	t        *testing.T
	servers  []Server
	founders *membership.RaftCluster
	charter  charter
	newcomer *membership.Member
}

func newPending(t *testing.T) *pending {
	t.Helper()
	p := &pending{t: t, charter: charter{Ensemble: newEnsemble(), Revision: 1000}}
	p.servers = serversAt(t, 3)
	for n := 1; n <= 3; n++ {
		p.charter.Members = append(p.charter.Members, rollcall.Member{Number: n, Peer: p.peer(n)})
	}
	cluster, err := p.charter.cluster(directory{logger: p.engineLog()})
	if err != nil {
		t.Fatal(err)
	}
	p.founders = cluster
	urls, err := peerURL(p.peer(3))
	if err != nil {
		t.Fatal(err)
	}
	p.newcomer = membership.NewMemberAsLearner(nameOf(3), urls, "later", nil)
	return p
}

// start has the members run, on directories in the order of their numbers, and returns when all are ready.
func (p *pending) start(dirs ...string) (members []*Member) {
	p.t.Helper()
	for i, dir := range dirs {
		m, err := StartMember(p.options(i+1, dir))
		if err != nil {
			p.t.Fatal(err)
		}
		p.t.Cleanup(func() { stopMember(m) })
		members = append(members, m)
	}
	for _, m := range members {
		awaitReady(p.t, m)
	}
	return members
}

func (p *pending) peer(number int) string {
	s := p.servers[number-1]
	return join(s.Host, s.PeerPort)
}

func (p *pending) options(number int, dir string) MemberOptions {
	return MemberOptions{Number: number, Servers: p.servers, Dir: dir, Logger: launch.Log(p.t)}
}

func (p *pending) engineLog() *zap.Logger {
	return zapLogger(launch.Log(p.t))
}

// entries are what was written since the founding, and how much of it is committed.
func (p *pending) entries(first uint64) (entries []raftpb.Entry, committed uint64) {
	add := func(kind raftpb.EntryType, data []byte, err error) {
		if err != nil {
			p.t.Fatal(err)
		}
		entries = append(entries, raftpb.Entry{Term: 2, Index: first + uint64(len(entries)), Type: kind, Data: data})
	}
	change := func(kind raftpb.ConfChangeType, id types.ID, context any) {
		text, err := json.Marshal(context)
		if err != nil {
			p.t.Fatal(err)
		}
		data, err := (&raftpb.ConfChange{ID: uint64(len(entries)), Type: kind, NodeID: uint64(id), Context: text}).Marshal()
		add(raftpb.EntryConfChange, data, err)
	}
	add(raftpb.EntryNormal, nil, nil)
	change(raftpb.ConfChangeRemoveNode, p.founders.MemberByName(nameOf(3)).ID, nil)
	change(raftpb.ConfChangeAddLearnerNode, p.newcomer.ID, membership.ConfigChangeContext{Member: *p.newcomer})
	put, err := (&etcdserverpb.InternalRaftRequest{
		Header: &etcdserverpb.RequestHeader{ID: 77}, Put: &etcdserverpb.PutRequest{Key: []byte("k"), Value: []byte("v")},
	}).Marshal()
	add(raftpb.EntryNormal, put, err)
	committed = entries[len(entries)-1].Index
	promoted := *p.newcomer
	promoted.IsLearner = false
	change(raftpb.ConfChangeAddNode, p.newcomer.ID, membership.ConfigChangeContext{Member: promoted, IsPromote: true})
	return entries, committed
}

// directory makes a keeper's directory.
func (p *pending) directory(number int, member types.ID) directory {
	d := directory{p.t.TempDir(), p.engineLog()}
	built, err := d.prepare(identity{Number: number, Ensemble: p.charter.Ensemble})
	if err != nil {
		p.t.Fatal(err)
	}
	var state raftpb.ConfState
	for _, id := range p.founders.MemberIDs() {
		state.Voters = append(state.Voters, uint64(id))
	}
	index := uint64(len(state.Voters))
	d.fillKeyspace(built, p.charter, p.founders, state, index)
	if err := d.writeLog(built, uint64(member), p.founders, state, index); err != nil {
		p.t.Fatal(err)
	}
	if err := d.install(built); err != nil {
		p.t.Fatal(err)
	}
	t, err := d.readTail()
	if err != nil {
		p.t.Fatal(err)
	}
	w, err := wal.Open(d.logger, etcdDirs(d.ensemble()).wal, t.snapshot)
	if err != nil {
		p.t.Fatal(err)
	}
	defer w.Close()
	if _, _, _, err := w.ReadAll(); err != nil {
		p.t.Fatal(err)
	}
	entries, committed := p.entries(index + 1)
	if err := w.Save(raftpb.HardState{Term: 2, Commit: committed}, entries); err != nil {
		p.t.Fatal(err)
	}
	return d
}

// What a log knows to be committed says whose votes count; what it holds beyond that does not.
func TestReadLogWithAChangePending(t *testing.T) {
	p := newPending(t)
	held, err := p.directory(1, p.founders.MemberByName(nameOf(1)).ID).readLog()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range held.Members {
		got = append(got, fmt.Sprint(m.Number, " ", m.Peer, " ", m.Learner))
	}
	want := []string{fmt.Sprint("1 ", p.peer(1), " false"), fmt.Sprint("2 ", p.peer(2), " false"), fmt.Sprint("3 ", p.peer(3), " true")}
	if !slices.Equal(got, want) || held.Members[2].ID != uint64(p.newcomer.ID) {
		t.Errorf("the members are %v, want %v", got, want)
	}
}

// A keepers' quorum is lost with one voter, one learner and one empty member left: they come back with what was written.
func TestVoterLearnerAndEmpty(t *testing.T) {
	p := newPending(t)
	dirs := []string{
		p.directory(1, p.founders.MemberByName(nameOf(1)).ID).path, t.TempDir(), p.directory(3, p.newcomer.ID).path,
	}
	members := p.start(dirs...)
	client := v3client.New(members[1].running())
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), memberPatience)
	defer cancel()
	if got, err := client.Get(ctx, "k"); err != nil || len(got.Kvs) != 1 || string(got.Kvs[0].Value) != "v" {
		t.Errorf("read %v, error %v", got, err)
	}
}
