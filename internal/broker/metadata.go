package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"

	"barnabas/internal/config"
	"barnabas/internal/keeper"
	"barnabas/internal/metadata"
)

// metadataAccess is the way to the cluster's metadata: a keeper within this process, or others elsewhere.
type metadataAccess struct {
	store  metadata.Store
	keeper *keeper.Keeper // nil if the keepers are elsewhere
}

// metadataAccess reaches the metadata store, starting a keeper here if none is named.
func (b *Broker) metadataAccess(ctx context.Context) (*metadataAccess, error) {
	if b.options.OpenMetadata != nil {
		store, err := b.options.OpenMetadata(ctx)
		return &metadataAccess{store: store}, err
	}
	if at := b.config.Keepers; len(at.Servers) > 0 {
		store, err := dialKeepers(at, b.logger)
		return &metadataAccess{store: store}, err
	}
	inside, err := keeper.Start(keeper.Options{
		Dir:      filepath.Join(b.config.LogDirs[0], keeper.DirName),
		Listener: config.KeeperListener.In(b.config.View()),
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

func dialKeepers(at config.Keepers, logger *slog.Logger) (metadata.Store, error) {
	remote := keeper.Remote{
		Servers: at.Servers, Chroot: at.Chroot, Username: at.User, Password: at.Password, Logger: logger,
	}
	if at.TLS != nil {
		c, err := keeper.TLSFiles(*at.TLS).Config()
		if err != nil {
			return nil, fmt.Errorf("keeper.tls: %w", err)
		}
		remote.TLS = c
	}
	return keeper.Dial(remote)
}

// watchKeeper says so when the keeper in this process ends by itself.
func (b *Broker) watchKeeper(run context.Context) {
	if b.meta.keeper == nil {
		return
	}
	select {
	case <-run.Done():
	case <-b.meta.keeper.Done():
		if run.Err() == nil {
			b.fail(errors.New("the keeper in this process has stopped"))
		}
	}
}

// close lets go of the store, and then stops the keeper.
func (m *metadataAccess) close() {
	m.store.Close()
	if m.keeper != nil {
		m.keeper.Stop()
	}
}
