package broker

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"barnabas/internal/config"
	"barnabas/internal/keeper"
	"barnabas/internal/kubernetes"
	"barnabas/internal/metadata"
)

// metadataAccess is the way to the cluster's metadata: a keeper within this process, or others elsewhere.
type metadataAccess struct {
	store  metadata.Store
	keeper *keeper.Keeper // one that is alone; nil if the keepers are elsewhere
	member *keeper.Member // one of an ensemble's members; nil if there is none in this process
	remote []string       // where the keepers are, if they are elsewhere
	tls    *tls.Config    // what is spoken there, nil for plain text
}

// metadataAccess reaches the metadata store, starting a keeper here if none is named.
func (b *Broker) metadataAccess(ctx context.Context) (*metadataAccess, error) {
	if b.options.OpenMetadata != nil {
		store, err := b.options.OpenMetadata(ctx)
		return &metadataAccess{store: store}, err
	}
	if at := b.config.Keepers; len(at.Servers) > 0 {
		access := &metadataAccess{remote: at.Servers}
		if at.TLS != nil {
			var err error
			if access.tls, err = keeper.TLSFiles(*at.TLS).Config(); err != nil {
				return nil, fmt.Errorf("keeper.tls: %w", err)
			}
		}
		if b.config.Member != nil {
			options := keeper.MemberOptionsOf(b.config.Member, b.logger)
			options.Tell = func(t keeper.Tiding) { b.say(kubernetes.KindOf(t.Grave), t.Reason, "%s", t.Message) }
			var err error
			if access.member, err = keeper.StartMember(options); err != nil {
				return nil, err
			}
		}
		var store metadata.Store
		err := b.patientlyWith(ctx, access, func() (err error) {
			store, err = keeper.Dial(keeper.Remote{
				Servers: at.Servers, Chroot: at.Chroot, TLS: access.tls, Username: at.User, Password: at.Password, Logger: b.logger,
			})
			return err
		})
		if err != nil {
			access.stopMember()
			return nil, err
		}
		reached := *access // and what says meanwhile for whom this waits has its own
		reached.store = store
		return &reached, nil
	}
	inside, err := keeper.Start(keeper.Options{
		Dir:      filepath.Join(b.config.LogDirs[0], keeper.DirName),
		Listener: config.KeeperListener.In(b.config.View()),
		Quota:    config.KeeperQuota.In(b.config.View()),
		Logger:   b.logger,
	})
	if err != nil {
		return nil, err
	}
	if err := inside.Ready(ctx); err != nil {
		inside.Stop()
		return nil, err
	}
	return &metadataAccess{store: inside.Store(""), keeper: inside}, nil
}

// watchKeeper says so when the keeper in this process ends by itself.
func (b *Broker) watchKeeper(run context.Context) {
	var ended <-chan struct{}
	switch {
	case b.meta.keeper != nil:
		ended = b.meta.keeper.Done()
	case b.meta.member != nil:
		ended = b.meta.member.Done()
	default:
		return
	}
	select {
	case <-run.Done():
	case <-ended:
		if run.Err() != nil {
			return
		}
		err := errors.New("the keeper in this process has stopped")
		if b.meta.member != nil && b.meta.member.Err() != nil {
			err = b.meta.member.Err()
		}
		b.fail(err)
	}
}

// memberGrace bounds how long the member of an ensemble inside waits for its successor when the broker stops.
const memberGrace = 20 * time.Second

// close lets go of the store, and then stops the keeper.
func (m *metadataAccess) close() {
	m.store.Close()
	if m.keeper != nil {
		m.keeper.Stop()
	}
	m.stopMember()
}

func (m *metadataAccess) stopMember() {
	if m.member == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), memberGrace)
	defer cancel()
	m.member.Stop(ctx)
}

// answers tells whether the store can be read.
func (m *metadataAccess) answers(ctx context.Context) bool {
	if m.store == nil {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, silence)
	defer cancel()
	_, _, err := m.store.Get(ctx, metadata.FormatKey())
	return err == nil
}

// waitsFor says for whom the keepers wait, as far as that is known here, or why none of them answers.
func (m *metadataAccess) waitsFor(ctx context.Context) string {
	if m.member != nil {
		if err := m.member.Ready(); err != nil {
			return err.Error()
		}
	}
	return keeper.WhySilent(ctx, m.remote, m.tls)
}

// ended is why the member in this process can't go on, nil while it can.
func (m *metadataAccess) ended() error {
	if m.member == nil {
		return nil
	}
	return m.member.Err()
}
