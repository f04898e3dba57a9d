package metadata

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"barnabas/internal/ident"
)

// Keys of a restoration: the bids of those that know something, and what came of it.
const (
	bidPrefix   = "restores/"
	restoredKey = "restored"
	livedKey    = "lived"
)

// bid says what a broker knows, or what has been put back.
type bid struct {
	// Ensemble is the life of the store that it is made in, and Of the one that is known.
	Ensemble string         `json:"ensemble"`
	Of       string         `json:"of,omitempty"`
	Revision Revision       `json:"revision"`
	Broker   ident.BrokerID `json:"broker"`
	// Complete says that the broker has acted on nothing later.
	Complete bool `json:"complete,omitempty"`
	// Lived says that it has gone on, and may lead by what it knows.
	Lived bool `json:"lived,omitempty"`
}

// Source is where a broker has what it knows from.
type Source int

const (
	// FromLife: the broker has lived on, and knows it still.
	FromLife Source = iota
	// FromJournal: it is from the disk, and all that its life before acted on.
	FromJournal
	// FromFile: it is from the disk, and the life before may have acted on what came later.
	FromFile
)

// Restoration puts back what a store has forgotten that was born again. All Images of one life are points of one
// history, so the furthest one has all that any of them has: each broker says how far its own is, and the furthest
// one puts back. A broker that comes later with a still further one adds the partitions' states that are newer: nobody
// but a partition's leader and the controller writes those, and each write counts an epoch on.
//
// Where no broker has lived on, one that has not said yet what it knows may have been the last to lead, by a state that
// nobody else had heard of. A partition that has a replica there is put back without a leader, and its stores are asked
// (InquiryRestored, ADR 15).
type Restoration struct {
	Store  Store
	Broker ident.BrokerID
	// Image is what is known, of the life Of.
	Image *Image
	Of    string
	// Birth is the store's present life.
	Birth  Birth
	Source Source
	Logger *slog.Logger
}

const (
	// bidsWithin is how long the others that served are waited for.
	bidsWithin = 3 * time.Second
	// restoredWithin is how long the furthest one may be silent before the next one does it, and sayAgain how often it says that
	// it is about it: a million partitions take their time.
	restoredWithin = 10 * time.Second
	sayAgain       = time.Second
	restorePoll    = 20 * time.Millisecond
)

// Run returns when the store has all that is known. ErrOtherCluster says that it is another cluster's by now.
func (r *Restoration) Run(ctx context.Context) error {
	if r.Birth.Ensemble == r.Of || r.Birth.Ensemble == "" || r.Image.ClusterID().IsZero() {
		return nil
	}
	if err := r.checkCluster(ctx); err != nil {
		return err
	}
	lived, err := r.lived(ctx)
	if err != nil {
		return err
	}
	if lived && r.allKept() {
		return r.leaveProducersOut(ctx) // it has kept all else that is known here
	}
	done, found, err := r.restored(ctx)
	if err != nil {
		return err
	}
	if found {
		return r.late(ctx, done)
	}
	if err := r.say(ctx); err != nil {
		return err
	}
	bids, err := r.hear(ctx)
	if err != nil {
		return err
	}
	for _, b := range bids {
		if b.Broker == r.Broker {
			break
		}
		done, found, err := r.await(ctx, b.Broker)
		if err != nil {
			return err
		}
		if found {
			return r.late(ctx, done)
		}
	}
	return r.putBack(ctx)
}

// own is what this broker says.
func (r *Restoration) own() bid {
	return bid{r.Birth.Ensemble, r.Of, r.Image.Revision(), r.Broker, r.Source != FromFile, r.Source == FromLife}
}

func (r *Restoration) checkCluster(ctx context.Context) error {
	kv, found, err := r.Store.Get(ctx, clusterKey)
	if err != nil || !found {
		return err
	}
	cluster, err := decodeCluster(kv.Value)
	if err != nil {
		return err
	}
	if cluster.ID != r.Image.ClusterID() {
		return fmt.Errorf("%w: this broker knows cluster %s, and the keepers, which lost everything, were given to %s",
			ErrOtherCluster, r.Image.ClusterID(), cluster.ID)
	}
	return nil
}

// allKept tells whether the store has all that is known here.
func (r *Restoration) allKept() bool {
	return r.Birth.goesOnFrom(r.Of) && r.Image.Revision() <= r.Birth.Kept
}

// lived tells whether a broker has come into this life that had lived on, and says so of this one.
func (r *Restoration) lived(ctx context.Context) (bool, error) {
	if r.Source == FromLife {
		_, err := r.Store.Txn(ctx, Txn{Then: []Op{Put(livedKey, encodeJSON(bid{Ensemble: r.Birth.Ensemble, Broker: r.Broker}))}})
		return true, err
	}
	_, _, found, err := r.word(ctx, livedKey)
	return found, err
}

// restored tells what was put back in this life.
func (r *Restoration) restored(ctx context.Context) (bid, bool, error) {
	b, _, found, err := r.word(ctx, restoredKey)
	return b, found, err
}

// word reads what was said in this life, and when.
func (r *Restoration) word(ctx context.Context, key string) (b bid, said Revision, found bool, err error) {
	kv, found, err := r.Store.Get(ctx, key)
	if err != nil || !found {
		return b, 0, false, err
	}
	if err := decodeJSON(kv.Value, &b); err != nil {
		return b, 0, false, err
	}
	return b, kv.Modified, b.Ensemble == r.Birth.Ensemble, nil
}

func bidKey(id ident.BrokerID) string { return bidPrefix + strconv.Itoa(int(id)) }

func (r *Restoration) say(ctx context.Context) error {
	_, err := r.Store.Txn(ctx, Txn{Then: []Op{Put(bidKey(r.Broker), encodeJSON(r.own()))}})
	return err
}

// hear waits for the bids of those that served, and returns them, the furthest first. It ends when one of them has put back
// what it knows: the bids are taken away then.
func (r *Restoration) hear(ctx context.Context) ([]bid, error) {
	waitFor := map[ident.BrokerID]bool{}
	for _, id := range r.Image.serving() {
		waitFor[id] = true
	}
	for end := time.Now().Add(bidsWithin); ; {
		bids, err := r.bids(ctx)
		if err != nil {
			return nil, err
		}
		for _, b := range bids {
			delete(waitFor, b.Broker)
		}
		if _, found, err := r.restored(ctx); err != nil || found {
			return nil, err
		}
		if len(waitFor) == 0 || time.Now().After(end) {
			if len(waitFor) > 0 {
				r.Logger.Warn("the metadata is put back without those that have not said what they know", "brokers", slices.Sorted(maps.Keys(waitFor)))
			}
			return bids, nil
		}
		if err := pause(ctx, restorePoll); err != nil {
			return nil, err
		}
	}
}

// bids are what brokers have said in this life, the furthest first. Those that have lived go before others: what only one that
// died knows is put in the place of nothing that they lead by.
func (r *Restoration) bids(ctx context.Context) ([]bid, error) {
	page, err := r.Store.Range(ctx, RangeRequest{Prefix: bidPrefix})
	if err != nil {
		return nil, err
	}
	var bids []bid
	for _, kv := range page.KVs {
		var b bid
		if json.Unmarshal(kv.Value, &b) == nil && b.Ensemble == r.Birth.Ensemble {
			bids = append(bids, b)
		}
	}
	slices.SortFunc(bids, func(a, b bid) int {
		switch {
		case a.Lived && !b.Lived:
			return -1
		case b.Lived && !a.Lived:
			return 1
		}
		return cmp.Or(cmp.Compare(b.Revision, a.Revision), cmp.Compare(a.Broker, b.Broker))
	})
	return bids, nil
}

// await waits for another one to put back what it knows, for as long as that one says now and then that it is about it.
func (r *Restoration) await(ctx context.Context, other ident.BrokerID) (bid, bool, error) {
	var heard Revision
	for end := time.Now().Add(restoredWithin); ; {
		done, found, err := r.restored(ctx)
		if err != nil || found || time.Now().After(end) {
			return done, found, err
		}
		_, said, _, err := r.word(ctx, bidKey(other))
		if err != nil {
			return bid{}, false, err
		}
		if said > heard {
			heard, end = said, time.Now().Add(restoredWithin)
		}
		if err := pause(ctx, restorePoll); err != nil {
			return bid{}, false, err
		}
	}
}

// late adds the partitions that are newer here than what was put back already, and topics that nobody knew of.
func (r *Restoration) late(ctx context.Context, done bid) error {
	if done.Revision >= r.Image.Revision() {
		return nil // revisions of a later life are beyond all before
	}
	_, since, _, err := r.word(ctx, restoredKey)
	if err != nil {
		return err
	}
	lived, err := r.lived(ctx)
	if err != nil {
		return err
	}
	return r.write(ctx, writing{late: true, until: since, doubts: !lived})
}

// putBack writes all that is known, and says so; where another one has done it, only what is newer.
func (r *Restoration) putBack(ctx context.Context) error {
	done, found, err := r.restored(ctx)
	if err != nil {
		return err
	}
	if found {
		return r.late(ctx, done)
	}
	began := time.Now()
	lived, err := r.lived(ctx)
	if err != nil {
		return err
	}
	w := writing{kept: r.allKept(), until: r.Birth.Since - 1, led: lived && r.Source != FromLife}
	if err := r.doubt(ctx, &w, lived); err != nil {
		return err
	}
	if err := r.write(ctx, w); err != nil {
		return err
	}
	_, err = r.Store.Txn(ctx, Txn{Then: []Op{Put(restoredKey, encodeJSON(r.own())), DeletePrefix(bidPrefix)}})
	if err == nil {
		r.Logger.Warn("the metadata that the keepers lost was put back", "cluster", r.Image.ClusterID().String(),
			"revision", int64(r.Image.Revision()), "took", time.Since(began).Round(time.Millisecond).String())
	}
	return err
}

// deletedSince tells whether a key is of a topic that the store remembers as deleted: nobody who knows it still brings it back.
func deletedSince(there map[string]KV, key string) bool {
	for _, prefix := range []string{topicPrefix, partitionPrefix, answerPrefix} {
		if id, ok := strings.CutPrefix(key, prefix); ok {
			id, _, _ = strings.Cut(id, "/")
			_, deleted := there[deletionPrefix+id]
			return deleted
		}
	}
	return false
}

// staysThere tells whether a key says of a topic that the store has that it was deleted: it has been used since.
func staysThere(there map[string]KV, key string) bool {
	id, ok := strings.CutPrefix(key, deletionPrefix)
	_, stays := there[topicPrefix+id]
	return ok && stays
}

// oneByOne does what a transaction could not do as a whole, because somebody else has written some of it by now: that
// is newer.
func (r *Restoration) oneByOne(ctx context.Context, txn Txn) error {
	for i := range txn.Then {
		if _, err := r.Store.Txn(ctx, Txn{If: txn.If[i : i+1], Then: txn.Then[i : i+1]}); err != nil {
			return err
		}
	}
	return nil
}

// read is all that the store has.
func (r *Restoration) read(ctx context.Context) (map[string]KV, error) {
	there := map[string]KV{}
	req := RangeRequest{Limit: rangePage}
	for {
		page, err := r.Store.Range(ctx, req)
		if err != nil {
			return nil, err
		}
		if req.At == 0 {
			req.At = page.Revision
		}
		for _, kv := range page.KVs {
			there[kv.Key] = kv
		}
		if !page.More {
			return there, nil
		}
		req.After = page.KVs[len(page.KVs)-1].Key
	}
}

// maidenTime is how long a store that holds nothing is left alone by a broker that knows nothing: others may know the
// cluster that it held, and are about to put it back. It counts from when the broker sees it so: a newborn ensemble lets
// nobody in for a while, and by whose clock it was born is not known.
const maidenTime = time.Second

// awaitRestoration returns when an empty store may be given to a new cluster: nobody is about to put back an old one.
func awaitRestoration(ctx context.Context, store Store) error {
	birth, err := BirthOf(ctx, store)
	if err != nil || birth.Ensemble == "" {
		return err
	}
	if err := pause(ctx, maidenTime); err != nil {
		return err
	}
	for {
		page, err := store.Range(ctx, RangeRequest{Prefix: bidPrefix, Limit: 1})
		if err != nil || len(page.KVs) == 0 {
			return err
		}
		if err := pause(ctx, 10*restorePoll); err != nil {
			return err
		}
		if _, found, err := store.Get(ctx, clusterKey); err != nil || found {
			return err
		}
	}
}
