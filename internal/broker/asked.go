package broker

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"barnabas/internal/config"
	"barnabas/internal/metadata"
)

const (
	// maxAsking bounds the requests of keepers that are carried out at a time.
	maxAsking = 16
	// askedAgain is how often one that is not the controller looks whether it has become it while requests wait.
	askedAgain = 200 * time.Millisecond
)

// asking carries out, while this broker is the controller, what keepers ask for: their ZooKeeper clients have written it
// into the picture of the cluster. Its goroutine is run's.
type asking struct {
	store metadata.Store
	// answer carries a request out, elected tells whether this broker is to.
	answer  func(ctx context.Context, frame []byte) ([]byte, error)
	elected func() bool
	within  func() time.Duration
	logger  *slog.Logger
	// waiting are the requests that nobody has answered, by key. It is the goroutine's own.
	waiting map[string]metadata.KV
}

func (b *Broker) newAsking() *asking {
	return &asking{
		store: b.meta.store, answer: b.api.Ask, elected: func() bool { return b.controller.Elected() },
		within:  func() time.Duration { return config.RequestTimeout.In(b.settings.view()) },
		logger:  b.logger,
		waiting: make(map[string]metadata.KV),
	}
}

func (a *asking) run(ctx context.Context) {
	var under sync.WaitGroup
	defer under.Wait()
	places := make(chan struct{}, maxAsking)
	for ctx.Err() == nil {
		from, err := a.load(ctx)
		if err == nil {
			a.follow(ctx, from, places, &under)
		}
		pause(ctx, askedAgain)
	}
}

// load reads what waits, as of a revision.
func (a *asking) load(ctx context.Context) (metadata.Revision, error) {
	clear(a.waiting)
	request := metadata.RangeRequest{Prefix: metadata.AskedPrefix()}
	for {
		page, err := a.store.Range(ctx, request)
		if err != nil {
			return 0, err
		}
		if request.At == 0 {
			request.At = page.Revision
		}
		for _, kv := range page.KVs {
			a.waiting[kv.Key] = kv
		}
		if !page.More {
			return request.At, nil
		}
		request.After = page.KVs[len(page.KVs)-1].Key
	}
}

// follow carries out what waits and what comes, until the watch ends.
func (a *asking) follow(ctx context.Context, from metadata.Revision, places chan struct{}, under *sync.WaitGroup) {
	watch, stop := context.WithCancel(ctx)
	defer stop()
	changes := a.store.Watch(watch, metadata.AskedPrefix(), from+1)
	for {
		a.begin(ctx, places, under)
		var again <-chan time.Time
		if len(a.waiting) > 0 {
			again = time.After(askedAgain)
		}
		select {
		case change, ok := <-changes:
			if !ok || change.Err != nil {
				return
			}
			for _, e := range change.Events {
				if delete(a.waiting, e.Key); !e.Deleted {
					a.waiting[e.Key] = e.KV
				}
			}
		case <-again:
		case <-ctx.Done():
			return
		}
	}
}

// begin starts what can be started.
func (a *asking) begin(ctx context.Context, places chan struct{}, under *sync.WaitGroup) {
	for key, kv := range a.waiting {
		asked, err := metadata.DecodeAsked(kv.Value)
		if err != nil || asked.Answered {
			delete(a.waiting, key)
			continue
		}
		if !a.elected() {
			return
		}
		select {
		case places <- struct{}{}:
		default:
			return
		}
		delete(a.waiting, key)
		under.Go(func() {
			defer func() { <-places }()
			a.carryOut(ctx, kv, asked)
		})
	}
}

// carryOut answers one request, in its own place, unless it has been taken back.
func (a *asking) carryOut(ctx context.Context, kv metadata.KV, asked metadata.Asked) {
	ctx, cancel := context.WithTimeout(ctx, a.within())
	defer cancel()
	frame, err := a.answer(ctx, asked.Frame)
	if err != nil {
		a.logger.Warn("what a keeper asks for a ZooKeeper client can't be carried out", "error", err)
		return
	}
	done := metadata.Asked{Answered: true, Lease: asked.Lease, Frame: frame}
	for {
		result, err := a.store.Txn(ctx, metadata.Txn{
			If:   []metadata.Compare{metadata.CreatedAt(kv.Key, kv.Created)},
			Then: []metadata.Op{metadata.PutLeased(kv.Key, metadata.EncodeAsked(done), asked.Lease)},
		})
		switch {
		case errors.Is(err, metadata.ErrUnavailable) && ctx.Err() == nil:
			pause(ctx, askedAgain)
			continue
		case err != nil:
			a.logger.Warn("a keeper can't be told that what it asked for is done", "error", err)
		case !result.OK:
			a.logger.Info("what a keeper asked for is done, and it does not wait for it any more")
		}
		return
	}
}
