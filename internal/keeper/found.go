package keeper

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/version"
	"go.etcd.io/etcd/client/pkg/v3/types"
	"go.etcd.io/etcd/server/v3/etcdserver"
	"go.etcd.io/etcd/server/v3/etcdserver/api/membership"
	"go.etcd.io/etcd/server/v3/etcdserver/api/snap"
	"go.etcd.io/etcd/server/v3/etcdserver/cindex"
	"go.etcd.io/etcd/server/v3/storage/mvcc"
	"go.etcd.io/etcd/server/v3/storage/schema"
	"go.etcd.io/etcd/server/v3/storage/wal"
	"go.etcd.io/etcd/server/v3/storage/wal/walpb"
	"go.etcd.io/raft/v3/raftpb"

	"barnabas/internal/keeper/rollcall"
	"barnabas/internal/metadata/etcdstore"
)

// charter is what all founders of an ensemble agree on: with it, each of them makes the same directory by itself.
type charter struct {
	// Ensemble is new, and random.
	Ensemble string `json:"ensemble"`
	// Ancestors are the ensembles whose key space it goes on with.
	Ancestors []string `json:"ancestors,omitempty"`
	// Revision is where the key space begins. It is beyond that of every ensemble before, so that whoever knew one of
	// those is told to read anew, and so that what is ordered by revisions (brokers' and controllers' epochs)
	// stays in order.
	Revision int64 `json:"revision"`
	// Kept is the revision up to which the ensemble before is kept, 0 for nothing.
	Kept int64 `json:"kept,omitempty"`
	// Newborn says that nobody has counted on the ensemble before, if there was one.
	Newborn bool `json:"newborn,omitempty"`
	// Members are the founders. Their identities follow from the ensemble and their addresses.
	Members []rollcall.Member `json:"members"`
}

// revisionAt is where a key space begins that is founded at an instant: a revision for each millisecond since 1970.
// An ensemble that lived before has had fewer transactions than that, as long as it had less than a thousand a second
// for all its life.
func revisionAt(now time.Time, atLeast int64) int64 { return max(now.UnixMilli(), atLeast) }

// foundSlack is by how much a recovered key space begins after what is known of the one before: others may have
// heard of revisions that the log that was left does not have.
const foundSlack = 1 << 20

// cluster are the founders as etcd has them, with the identities that all of them compute alike.
func (c *charter) cluster(d directory) (*membership.RaftCluster, error) {
	urls := types.URLsMap{}
	for _, m := range c.Members {
		u, err := peerURL(m.Peer)
		if err != nil {
			return nil, err
		}
		urls[nameOf(m.Number)] = u
	}
	return membership.NewClusterFromURLsMap(d.logger, c.Ensemble, urls)
}

func peerURL(address string) (types.URLs, error) {
	u, err := types.NewURLs([]string{"http://" + address})
	if err != nil {
		return nil, fmt.Errorf("keeper: the address %q: %w", address, err)
	}
	return u, nil
}

// found makes the directory of a founder: an ensemble whose log begins with a snapshot of the key space in the file
// keyspace, or of an empty one. Whoever joins later gets that snapshot.
func (d directory) found(c charter, number int, keyspace string) error {
	cluster, err := c.cluster(d)
	if err != nil {
		return err
	}
	self := cluster.MemberByName(nameOf(number))
	if self == nil {
		return fmt.Errorf("keeper: an ensemble without keeper %d is to be founded", number)
	}
	built, err := d.prepare(identity{
		Number: number, Ensemble: c.Ensemble, Ancestors: c.Ancestors, Newborn: c.Newborn,
	})
	if err != nil {
		return err
	}
	if keyspace != "" {
		if err := copyFile(keyspace, etcdDirs(built).db); err != nil {
			return fmt.Errorf("keeper: %w", err)
		}
	}
	confState := raftpb.ConfState{}
	for _, id := range cluster.MemberIDs() {
		confState.Voters = append(confState.Voters, uint64(id))
	}
	index := uint64(len(confState.Voters))
	d.fillKeyspace(built, c, cluster, confState, index)
	if err := d.writeLog(built, uint64(self.ID), cluster, confState, index); err != nil {
		return fmt.Errorf("keeper: %w", err)
	}
	return d.install(built)
}

// foundTerm is the term of a log's first snapshot.
const foundTerm = 1

// fillKeyspace writes the members and the key space's beginning.
func (d directory) fillKeyspace(
	built string, c charter, cluster *membership.RaftCluster, confState raftpb.ConfState, index uint64,
) {
	be := openBackend(etcdDirs(built).db, d.logger)
	defer be.Close()
	members := schema.NewMembershipBackend(d.logger, be)
	members.MustCreateBackendBuckets()
	if err := members.TrimMembershipFromBackend(); err != nil {
		panic(err)
	}
	for _, m := range cluster.Members() {
		members.MustSaveMemberToBackend(m)
	}
	v := version.V3_6
	members.MustSaveClusterVersionToBackend(&v)
	born, err := json.Marshal(etcdstore.Born{Version: identityVersion, Ensemble: c.Ensemble, Ancestors: c.Ancestors, Kept: c.Kept})
	if err != nil {
		panic(err)
	}
	kv := mvccpb.KeyValue{Key: []byte(etcdstore.BornKey), Value: born, CreateRevision: c.Revision, ModRevision: c.Revision, Version: 1}
	value, err := kv.Marshal()
	if err != nil {
		panic(err)
	}
	tx := be.BatchTx()
	tx.LockOutsideApply()
	tx.UnsafeCreateBucket(schema.Key)
	schema.UnsafeCreateMetaBucket(tx)
	at := mvcc.BucketKey{Revision: mvcc.Revision{Main: c.Revision}}
	tx.UnsafePut(schema.Key, mvcc.BucketKeyToBytes(at, mvcc.NewRevBytes()), value)
	mvcc.UnsafeSetScheduledCompact(tx, c.Revision)
	schema.MustUnsafeSaveConfStateToBackend(d.logger, tx, &confState)
	tx.Unlock()
	cindex.UpdateConsistentIndexForce(tx, index, foundTerm)
	be.ForceCommit()
}

// writeLog writes a log that consists of one snapshot.
func (d directory) writeLog(
	built string, self uint64, cluster *membership.RaftCluster, confState raftpb.ConfState, index uint64,
) error {
	w, err := d.createLog(built, self, uint64(cluster.ID()))
	if err != nil {
		return err
	}
	defer w.Close()
	if err := w.Save(raftpb.HardState{Term: foundTerm, Commit: index}, nil); err != nil {
		return err
	}
	err = snap.New(d.logger, etcdDirs(built).snap).SaveSnap(raftpb.Snapshot{
		Data:     etcdserver.GetMembershipInfoInV2Format(d.logger, cluster),
		Metadata: raftpb.SnapshotMetadata{Index: index, Term: foundTerm, ConfState: confState},
	})
	if err != nil {
		return err
	}
	return w.SaveSnapshot(walpb.Snapshot{Index: index, Term: foundTerm, ConfState: &confState})
}

func (d directory) createLog(built string, self, cluster uint64) (*wal.WAL, error) {
	metadata, err := (&etcdserverpb.Metadata{NodeID: self, ClusterID: cluster}).Marshal()
	if err != nil {
		return nil, err
	}
	return wal.Create(d.logger, etcdDirs(built).wal, metadata)
}

// admission is what a newcomer is told that was admitted: with it, it makes its directory.
type admission struct {
	Ensemble  string   `json:"ensemble"`
	Ancestors []string `json:"ancestors,omitempty"`
	// Cluster is etcd's own number for the ensemble.
	Cluster uint64 `json:"cluster"`
	// Member is the newcomer's identity.
	Member  uint64            `json:"member"`
	Members []rollcall.Member `json:"members"`
}

// join makes the directory of a newcomer: an empty log, and who the members are, so that it can be sent the rest.
func (d directory) join(a admission, number int) error {
	built, err := d.prepare(identity{Number: number, Ensemble: a.Ensemble, Ancestors: a.Ancestors})
	if err != nil {
		return err
	}
	be := openBackend(etcdDirs(built).db, d.logger)
	members := schema.NewMembershipBackend(d.logger, be)
	members.MustCreateBackendBuckets()
	for _, m := range a.Members {
		members.MustSaveMemberToBackend(&membership.Member{
			ID:             types.ID(m.ID),
			RaftAttributes: membership.RaftAttributes{PeerURLs: []string{"http://" + m.Peer}, IsLearner: m.Learner},
			Attributes:     membership.Attributes{Name: nameOf(m.Number)},
		})
	}
	be.ForceCommit()
	be.Close()
	w, err := d.createLog(built, a.Member, a.Cluster)
	if err != nil {
		return fmt.Errorf("keeper: %w", err)
	}
	w.Close()
	return d.install(built)
}

// prepare makes an empty directory to build in.
func (d directory) prepare(id identity) (string, error) {
	built := filepath.Join(d.path, newDir)
	if err := os.RemoveAll(built); err != nil {
		return "", fmt.Errorf("keeper: %w", err)
	}
	if err := os.MkdirAll(etcdDirs(built).snap, 0o700); err != nil {
		return "", fmt.Errorf("keeper: %w", err)
	}
	id.Version = identityVersion
	if err := writeIdentity(filepath.Join(built, identityFile), id); err != nil {
		return "", err
	}
	return built, nil
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		out.Close()
		return err
	}
	return out.Close()
}
