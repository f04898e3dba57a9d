package controller

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"barnabas/internal/config"
	"barnabas/internal/ident"
	"barnabas/internal/metadata"
)

// maxQueued bounds the commands that wait for the controller's goroutine.
const maxQueued = 1024

// Options are what a Controller is made of.
type Options struct {
	Broker ident.BrokerID
	Store  metadata.Store
	Feed   *metadata.Feed
	// Lease is the broker's own, on which the election key hangs. It is another one after the
	// broker has lost its registration and made it anew.
	Lease func() metadata.Lease
	// View are the broker's settings as they are now.
	View func() *config.View
	// Policy, if given, may refuse topics (create.topic.policy.class.name).
	Policy func(NewTopic) error
	Logger *slog.Logger
	// Clock is time.Now unless given.
	Clock func() time.Time
}

// Controller stands for election and, while elected, changes the cluster's metadata. Its methods may
// be called from anywhere; on a broker that is not elected they return ErrNotController.
type Controller struct {
	options  Options
	commands chan command
	cancel   context.CancelFunc
	done     chan struct{}
	stop     sync.Once
	// epoch is the create revision of the election key while this broker is elected, 0 otherwise.
	epoch atomic.Int64
	// changed has an entry when there is news that the goroutine has not looked at.
	changed chan struct{}
	news    news
	// away says that replicas are to go back to a broker that serves, and can't yet. It is of the goroutine.
	away bool
	// waits are the brokers of which has been said that partitions wait for them. They are of the goroutine.
	waits map[ident.BrokerID]bool
	// additions are those of the last moments. They are of the goroutine.
	additions []addition
	// unreachable is of one that stands for the controller elsewhere.
	unreachable error
}

// Unreachable stands for the controller elsewhere that a request could not be brought to: its commands are refused with ErrUnavailable.
func Unreachable(why error) *Controller { return &Controller{unreachable: unavailable(why)} }

// notElected is why one that is not elected refuses a command.
func (c *Controller) notElected() error {
	if c.unreachable != nil {
		return c.unreachable
	}
	return ErrNotController
}

// Start begins to stand for election. Its goroutine ends with Stop.
func Start(options Options) *Controller {
	if options.Clock == nil {
		options.Clock = time.Now
	}
	ctx, cancel := context.WithCancel(context.Background())
	c := &Controller{
		options:  options,
		commands: make(chan command, maxQueued),
		cancel:   cancel,
		done:     make(chan struct{}),
		changed:  make(chan struct{}, 1),
	}
	go c.run(ctx)
	return c
}

// Stop ends the goroutine, and gives the election up.
func (c *Controller) Stop() {
	c.stop.Do(c.cancel)
	<-c.done
}

// Elected tells whether this broker is the controller, as far as it knows.
func (c *Controller) Elected() bool { return c.epoch.Load() != 0 }
