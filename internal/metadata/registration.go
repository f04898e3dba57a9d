package metadata

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

var (
	// ErrBrokerIDTaken says that another broker, on other stores, is registered under the id and alive.
	ErrBrokerIDTaken = errors.New("the broker id is taken by another broker that is running")
	// ErrOtherCluster says that a data directory belongs to another cluster than the metadata does.
	ErrOtherCluster = errors.New("the directory belongs to another cluster")
)

// Brokers reads the brokers registered now, by id: what a tool needs that was given a keeper's
// address and wants to speak to a broker.
func Brokers(ctx context.Context, store Store) ([]*Broker, error) {
	var brokers []*Broker
	err := registrations(ctx, store, func(kv KV) error {
		b, err := DecodeBroker(kv)
		if err != nil {
			return fmt.Errorf("metadata: key %q: %w", kv.Key, err)
		}
		brokers = append(brokers, b)
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(brokers, func(a, b *Broker) int { return int(a.ID) - int(b.ID) })
	return brokers, nil
}

// NewestRegistration is the revision from which on an Image knows all brokers that are registered now; 0 when none is.
func NewestRegistration(ctx context.Context, store Store) (newest Revision, err error) {
	err = registrations(ctx, store, func(kv KV) error {
		newest = max(newest, kv.Modified)
		return nil
	})
	return newest, err
}

// registrations calls each for every registration that there is now.
func registrations(ctx context.Context, store Store, each func(KV) error) error {
	req := RangeRequest{Prefix: brokerPrefix}
	for {
		page, err := store.Range(ctx, req)
		if err != nil {
			return err
		}
		for _, kv := range page.KVs {
			if err := each(kv); err != nil {
				return err
			}
		}
		if !page.More {
			return nil
		}
		req.After = page.KVs[len(page.KVs)-1].Key
	}
}

// Found makes the cluster if the store is empty, with the identity wanted, and returns the identity that the
// cluster has, ours or the one it had. It refuses a format newer than this release knows.
func Found(ctx context.Context, store Store, want Cluster) (Cluster, error) {
	for awaited := false; ; {
		kv, found, err := store.Get(ctx, formatKey)
		if err != nil {
			return Cluster{}, err
		}
		if found {
			if err := checkFormat(kv.Value, false); err != nil {
				return Cluster{}, err
			}
		}
		kv, found, err = store.Get(ctx, clusterKey)
		if err != nil {
			return Cluster{}, err
		}
		if found {
			return decodeCluster(kv.Value)
		}
		if !awaited {
			// Only once: whoever is about to put a cluster back says so within that time.
			if err := awaitRestoration(ctx, store); err != nil {
				return Cluster{}, err
			}
			awaited = true
			continue
		}
		_, err = store.Txn(ctx, Txn{
			If:   []Compare{Absent(clusterKey)},
			Then: []Op{Put(formatKey, EncodeFormat()), Put(clusterKey, EncodeCluster(want))},
		})
		if err != nil {
			return Cluster{}, err
		}
	}
}

// Register enters a broker under its lease and returns the registration with its epoch. A registration
// that the same stores left behind is replaced: a store has one process at a time (it is locked), so
// that one is dead. One of another process's stores is ErrBrokerIDTaken until its lease ends.
func Register(ctx context.Context, store Store, b Broker, lease LeaseID) (*Broker, error) {
	key := BrokerKey(b.ID)
	for {
		kv, found, err := store.Get(ctx, key)
		if err != nil {
			return nil, err
		}
		if found {
			if err := evict(ctx, store, kv, &b); err != nil {
				return nil, err
			}
		}
		result, err := store.Txn(ctx, Txn{
			If:   []Compare{Absent(key)},
			Then: []Op{PutLeased(key, EncodeBroker(&b), lease), Put(MemberKey(b.ID), EncodeBroker(&b))},
		})
		if err != nil {
			return nil, err
		}
		if result.OK {
			b.Epoch, b.Modified = result.Revision, result.Revision
			return &b, nil
		}
	}
}

// ClaimID makes a number the broker's before it registers; false where another one was quicker.
func ClaimID(ctx context.Context, store Store, b Broker) (bool, error) {
	result, err := store.Txn(ctx, Txn{
		If:   []Compare{Absent(MemberKey(b.ID)), Absent(BrokerKey(b.ID))},
		Then: []Op{Put(MemberKey(b.ID), EncodeBroker(&b))},
	})
	return result.OK, err
}

// evict removes a registration that the broker's own stores left behind.
func evict(ctx context.Context, store Store, kv KV, b *Broker) error {
	old, err := DecodeBroker(kv)
	if err != nil {
		return fmt.Errorf("metadata: key %q: %w", kv.Key, err)
	}
	if !slices.ContainsFunc(old.Stores, b.HasStore) {
		return fmt.Errorf("%w: broker %d at %s", ErrBrokerIDTaken, b.ID, endpointsOf(old))
	}
	_, err = store.Txn(ctx, Txn{
		If:   []Compare{CreatedAt(kv.Key, kv.Created)},
		Then: []Op{Delete(kv.Key)},
	})
	return err
}

func endpointsOf(b *Broker) string {
	if len(b.Endpoints) == 0 {
		return "an unknown address"
	}
	return fmt.Sprintf("%s:%d", b.Endpoints[0].Host, b.Endpoints[0].Port)
}

// Update changes a registration in place, such as the stores that are online. It returns ErrLeaseLost when
// the registration is no longer the broker's own.
func Update(ctx context.Context, store Store, b Broker, lease LeaseID) (*Broker, error) {
	key := BrokerKey(b.ID)
	result, err := store.Txn(ctx, Txn{
		If:   []Compare{CreatedAt(key, b.Epoch)},
		Then: []Op{PutLeased(key, EncodeBroker(&b), lease), Put(MemberKey(b.ID), EncodeBroker(&b))},
	})
	if err != nil {
		return nil, err
	}
	if !result.OK {
		return nil, fmt.Errorf("%w: the registration of broker %d is gone", ErrLeaseLost, b.ID)
	}
	b.Modified = result.Revision
	return &b, nil
}
