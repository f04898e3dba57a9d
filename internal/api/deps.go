package api

import (
	"context"
	"log/slog"
	"time"

	"barnabas/internal/config"
	"barnabas/internal/controller"
	"barnabas/internal/footprint"
	"barnabas/internal/group"
	"barnabas/internal/ident"
	"barnabas/internal/metadata"
	"barnabas/internal/metrics"
	"barnabas/internal/replication"
	"barnabas/internal/storage"
	"barnabas/internal/txn"
	"barnabas/internal/wire"
)

// Deps are the rooms that handlers call.
type Deps struct {
	Broker     ident.BrokerID
	Partitions *replication.Manager
	Metadata   *metadata.Feed
	Controller *controller.Controller
	Groups     *group.Groups
	Producers  *txn.Producers
	Store      *storage.Store
	// Config are the broker's settings as they are now, dynamic ones included.
	Config func() *config.View
	// CheckSettings, if given, looks whether this broker could carry out a change of its dynamic settings, which are own; nil deletes one.
	CheckSettings func(own map[string]string, changes map[string]*string) error
	// InternalTopic is what an internal topic is created with; false for topics that are not internal.
	InternalTopic func(name string) (controller.NewTopic, bool)
	// Forward brings a request, header and body, to the controller at another broker, and its answer back. It
	// tries for as long as ctx lets it.
	Forward func(ctx context.Context, frame []byte, from *wire.Client) ([]byte, error)
	Metrics *metrics.Registry
	// Cores, if given, hear of requests: of all but those by which brokers without work keep in touch.
	Cores  *footprint.Cores
	Logger *slog.Logger
	// Clock is time.Now unless given.
	Clock func() time.Time
}
