// Package txn hands out producer ids. Transactions will live here too; until then only idempotent
// producers are served, which need no more than an id that no one else has.
//
// Ids come from the metadata store in blocks (KIP-730), one block a broker at a time. The next one is
// fetched before the present one runs out, by one goroutine at most, which Close waits for.
package txn

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"barnabas/internal/record"
)

// ErrUnavailable says that no id could be had now; the producer asks again.
var ErrUnavailable = errors.New("no producer ids are available now")

// Block are the ids [First, First+Count), for one broker alone.
type Block struct {
	First record.ProducerID
	Count int64
}

const (
	// maxWaiting bounds the callers that wait for a block.
	maxWaiting = 10_000
	// refillPart is the part of a block, one in so many, that is left when the next is fetched.
	refillPart = 10
	// allocateTimeout bounds one attempt at a block.
	allocateTimeout = 5 * time.Second
)

// Producers gives out producer ids.
type Producers struct {
	allocate func(context.Context) (Block, error)
	logger   *slog.Logger
	ctx      context.Context
	stop     context.CancelFunc
	running  sync.WaitGroup

	mu       sync.Mutex // guards what follows
	block    Block
	next     Block // taken when block is used up
	refillAt int64 // how few ids of block are left when next is fetched
	fetching bool
	closed   bool
	waiting  []func(record.ProducerID, error)
}

// NewProducers returns Producers that get their blocks from allocate, which may block until its context
// ends. Nothing is allocated before the first Next.
func NewProducers(allocate func(context.Context) (Block, error), logger *slog.Logger) *Producers {
	ctx, stop := context.WithCancel(context.Background())
	return &Producers{allocate: allocate, logger: logger, ctx: ctx, stop: stop}
}

// Next calls done once with an id that was never given out before, at once or when a block has come;
// or with ErrUnavailable. done must not block.
func (p *Producers) Next(done func(record.ProducerID, error)) {
	p.mu.Lock()
	id, ok := p.take()
	refused := !ok && (p.closed || len(p.waiting) >= maxWaiting)
	if !ok && !refused {
		p.waiting = append(p.waiting, done)
	}
	p.refill()
	p.mu.Unlock()
	switch {
	case ok:
		done(id, nil)
	case refused:
		done(0, ErrUnavailable)
	}
}

// take returns an id of the present block or the next. Called with mu held.
func (p *Producers) take() (record.ProducerID, bool) {
	if p.block.Count == 0 {
		p.use(p.next)
		p.next = Block{}
	}
	if p.block.Count == 0 {
		return 0, false
	}
	id := p.block.First
	p.block.First++
	p.block.Count--
	return id, true
}

func (p *Producers) use(b Block) {
	p.block = b
	p.refillAt = b.Count / refillPart
}

// refill fetches the next block if it is time to. Called with mu held.
func (p *Producers) refill() {
	if p.closed || p.fetching || p.next.Count > 0 || p.block.Count > p.refillAt {
		return
	}
	p.fetching = true
	p.running.Go(p.fetch)
}

func (p *Producers) fetch() {
	ctx, cancel := context.WithTimeout(p.ctx, allocateTimeout)
	defer cancel()
	b, err := p.allocate(ctx)
	if err != nil {
		p.logger.Warn("can't get a block of producer ids", "error", err)
	}
	p.mu.Lock()
	p.fetching = false
	p.next = b
	served, ids := p.serve()
	var failed []func(record.ProducerID, error)
	if b.Count == 0 || p.closed {
		failed, p.waiting = p.waiting, nil
	} else {
		p.refill() // for those who still wait, or ahead of need
	}
	p.mu.Unlock()
	for i, done := range served {
		done(ids[i], nil)
	}
	for _, done := range failed {
		done(0, ErrUnavailable)
	}
}

// serve takes those who wait out of the queue, as far as there are ids for them. Called with mu held.
func (p *Producers) serve() (served []func(record.ProducerID, error), ids []record.ProducerID) {
	for len(ids) < len(p.waiting) {
		id, ok := p.take()
		if !ok {
			break
		}
		ids = append(ids, id)
	}
	served = p.waiting[:len(ids):len(ids)]
	p.waiting = p.waiting[len(ids):]
	return served, ids
}

// Close answers who waits with ErrUnavailable and ends the goroutine.
func (p *Producers) Close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.stop()
	p.running.Wait()
}
