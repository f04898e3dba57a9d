package broker

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"barnabas/internal/ident"
	"barnabas/internal/keeper"
	"barnabas/internal/metadata"
)

// bootID is the machine's boot, zero where the system does not tell.
func bootID() ident.BootID {
	var id ident.BootID
	text, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return id
	}
	raw, err := hex.DecodeString(strings.ReplaceAll(strings.TrimSpace(string(text)), "-", ""))
	if err == nil && len(raw) == len(id) {
		copy(id[:], raw)
	}
	return id
}

// joinCluster settles which cluster this is, founding it if the metadata is empty.
func (b *Broker) joinCluster(ctx context.Context) error {
	want := metadata.Cluster{ID: b.store.ClusterID(), BornMs: b.options.Began.UnixMilli()}
	if want.ID.IsZero() && b.config.ClusterID != "" {
		id, err := ident.ParseClusterID(b.config.ClusterID)
		if err != nil {
			return fmt.Errorf("cluster.id: %w", err)
		}
		want.ID = id
	}
	if want.ID.IsZero() {
		want.ID = ident.NewClusterID()
	}
	if err := b.restoreKnown(ctx); err != nil {
		return fmt.Errorf("cluster metadata: %w", err)
	}
	err := b.patiently(ctx, func() error {
		cluster, err := metadata.Found(ctx, b.meta.store, want)
		b.cluster = cluster.ID
		return err
	})
	if err != nil {
		return fmt.Errorf("cluster metadata: %w", err)
	}
	return nil
}

// errRealZooKeeper says that what the settings call a keeper is none.
var errRealZooKeeper = errors.New("zookeeper.connect names a real ZooKeeper")

const (
	// unavailablePause is the pause before keepers that did not answer are asked again.
	unavailablePause = 200 * time.Millisecond
	// silence is how long nothing may happen before the log says what the broker waits for.
	silence = time.Second
)

// patiently repeats what the metadata store could not do because nobody answers: keepers may start after brokers.
func (b *Broker) patiently(ctx context.Context, do func() error) error {
	return b.patientlyWith(ctx, b.meta, do)
}

// patientlyWith does so with a store that is about to be the broker's.
func (b *Broker) patientlyWith(ctx context.Context, meta *metadataAccess, do func() error) error {
	waiting := time.AfterFunc(silence, func() {
		if meta.answers(ctx) {
			return // who founds a cluster listens for a while whether others bring one back
		}
		because := meta.waitsFor(ctx)
		b.logger.Warn("waiting for the keepers: none has answered yet", "keepers", b.config.Keepers.Servers, "because", because)
		b.ready.waits(fmt.Errorf("%w: waiting for the keepers: %v", errStarting, because))
	})
	defer b.ready.waits(nil)
	defer waiting.Stop()
	looked := false
	for began := time.Now(); ; {
		err := do()
		if !errors.Is(err, metadata.ErrUnavailable) || errors.Is(err, metadata.ErrDenied) || ctx.Err() != nil {
			return err
		}
		if ended := meta.ended(); ended != nil {
			return ended
		}
		if at := b.config.Keepers; !looked && !at.Etcd && time.Since(began) > silence {
			looked = true
			if real := keeper.RealZooKeeper(ctx, at.Servers); real != "" {
				return fmt.Errorf("%w: %s", errRealZooKeeper, real)
			}
		}
		b.logger.Debug("the keepers can't be reached", "error", err)
		pause(ctx, unavailablePause)
	}
}

// identify settles which broker this is: as configured, as the log directories remember, or else
// a number that the cluster does not know. New directories are told both identities.
func (b *Broker) identify(ctx context.Context) error {
	b.id = ident.BrokerID(b.config.NodeID)
	if b.id < 0 {
		b.id = b.store.BrokerID()
	}
	if b.id < 0 {
		if err := b.takeNumber(ctx); err != nil {
			return fmt.Errorf("broker id: %w", err)
		}
	}
	return b.store.Adopt(b.cluster, b.id)
}

// readiness is whether clients are well served here: an error says why not yet, or no more.
type readiness struct{ why atomic.Pointer[error] }

var (
	errStarting = fmt.Errorf("starting")
	errStopping = fmt.Errorf("stopping")
)

func (r *readiness) set(why error) { r.why.Store(&why) }

// waits says what a start waits for, nil for nothing in particular; it changes nothing once the start is over.
func (r *readiness) waits(why error) {
	var next *error
	if why != nil {
		next = &why
	}
	for {
		old := r.why.Load()
		if old != nil && !errors.Is(*old, errStarting) || r.why.CompareAndSwap(old, next) {
			return
		}
	}
}

func (r *readiness) err() error {
	if why := r.why.Load(); why != nil {
		return *why
	}
	return errStarting
}
