package metadata

import (
	"context"
	"fmt"

	"barnabas/internal/ident"
)

// SuccessorKey holds the registration of a process that stands beside the broker of its id and waits to take its
// place (ADR 7). It hangs on the successor's lease.
func SuccessorKey(id ident.BrokerID) string { return successorPrefix + itoa(id) }

// Successor is who waits to take the place of a broker, nil where nobody does.
func (img *Image) Successor(id ident.BrokerID) *Broker { return img.successors[id] }

// Holder is the registration that a copy is with: the broker's, or its successor's; nil where neither is there with
// that store. A copy on a store that is not known yet is the broker's.
func (img *Image) Holder(m Member) *Broker {
	if b := img.brokers[m.Broker]; b != nil && (m.Store.IsZero() || b.HasStore(m.Store)) {
		return b
	}
	if b := img.successors[m.Broker]; b != nil && !m.Store.IsZero() && b.HasStore(m.Store) {
		return b
	}
	return nil
}

// successor takes in one change.
func (b *builder) successor(e *Event) error {
	successors, id, err := b.next.successors.with(e)
	if err == nil {
		b.next.successors = successors
		b.touchedSuccessors = append(b.touchedSuccessors, id)
	}
	return err
}

// Announce enters a broker as successor of the one that is registered under its id, or changes what was entered: Epoch
// is 0 the first time. ErrBrokerIDTaken while another successor waits there; ErrLeaseLost when the entry is gone.
func Announce(ctx context.Context, store Store, b Broker, lease LeaseID) (*Broker, error) {
	key := SuccessorKey(b.ID)
	result, err := store.Txn(ctx, Txn{
		If:   []Compare{CreatedAt(key, b.Epoch)},
		Then: []Op{PutLeased(key, EncodeBroker(&b), lease)},
	})
	switch {
	case err != nil:
		return nil, err
	case !result.OK && b.Epoch == 0:
		return nil, fmt.Errorf("%w: another process waits to succeed broker %d", ErrBrokerIDTaken, b.ID)
	case !result.OK:
		return nil, fmt.Errorf("%w: the entry of the successor of broker %d is gone", ErrLeaseLost, b.ID)
	}
	b.Modified = result.Revision
	if b.Epoch == 0 {
		b.Epoch = result.Revision
	}
	return &b, nil
}

// Succeed makes a successor the broker, once nobody is registered under the id any more. The entry of the successor
// goes in the same transaction, so that its copies are never nobody's. ErrBrokerIDTaken while somebody is.
func Succeed(ctx context.Context, store Store, b Broker, lease LeaseID) (*Broker, error) {
	key := BrokerKey(b.ID)
	result, err := store.Txn(ctx, Txn{
		If: []Compare{Absent(key), CreatedAt(SuccessorKey(b.ID), b.Epoch)},
		Then: []Op{
			PutLeased(key, EncodeBroker(&b), lease), Put(MemberKey(b.ID), EncodeBroker(&b)), Delete(SuccessorKey(b.ID)),
		},
	})
	if err != nil {
		return nil, err
	}
	if !result.OK {
		return nil, fmt.Errorf("%w: broker %d", ErrBrokerIDTaken, b.ID)
	}
	b.Epoch, b.Modified = result.Revision, result.Revision
	return &b, nil
}
