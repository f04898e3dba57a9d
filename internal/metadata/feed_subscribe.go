package metadata

import (
	"context"
	"fmt"
	"time"
)

// subscription is a Subscribe on its way to the goroutine, or, with leave set, an end of one.
type subscription struct {
	id *int
	// before is a Precede in place of fn.
	before func(img *Image, events []Event)
	fn     func(old, new *Image, d *Delta)
	leave  bool
	ready  chan struct{}
}

// Await returns once an Image of at least that revision is current and every subscriber has seen it.
// It fails with the context's error, or with ErrClosed. It must not be called from a subscriber.
func (f *Feed) Await(ctx context.Context, revision Revision) error {
	for {
		f.mu.Lock()
		seen, progress, err := f.seen, f.progress, f.err
		f.mu.Unlock()
		if seen >= revision {
			return nil
		}
		if err != nil {
			return err
		}
		if err := f.waitOnce(ctx, progress); err != nil {
			return fmt.Errorf("metadata: waiting for revision %d: %w", revision, err)
		}
	}
}

// progressAfter is how long Await waits before it asks the store how far it is: a revision in which
// nothing of this cluster's changed is heard of only so.
const progressAfter = 50 * time.Millisecond

// waitOnce waits for progress, and sees to it that there is some.
func (f *Feed) waitOnce(ctx context.Context, progress <-chan struct{}) error {
	timer := time.NewTimer(progressAfter)
	defer timer.Stop()
	for {
		select {
		case <-progress:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-timer.C:
			if p, ok := f.store.(interface{ Progress(context.Context) error }); ok {
				_ = p.Progress(ctx) // the watch tells if the store is in trouble
			}
			timer.Reset(10 * progressAfter)
		}
	}
}

// Subscribe calls fn for every change, in order, on the feed's goroutine. The first call happens before
// Subscribe returns and brings all there is, as a change from the empty Image. The function it returns
// ends the subscription. Neither may be called from a subscriber, and fn must not wait for long:
// everyone else waits with it.
func (f *Feed) Subscribe(fn func(old, new *Image, d *Delta)) (unsubscribe func()) {
	sub := subscription{id: new(int), fn: fn, ready: make(chan struct{})}
	if !f.join(sub) {
		img := f.Current()
		fn(NewImage(), img, Diff(NewImage(), img))
	}
	return func() {
		f.join(subscription{id: sub.id, leave: true, ready: make(chan struct{})})
	}
}

// join hands a subscription to the goroutine; false when that has ended.
func (f *Feed) join(sub subscription) bool {
	select {
	case f.joins <- sub:
		<-sub.ready
		return true
	case <-f.done:
		return false
	}
}

// Precede has fn called on the feed's goroutine with each Image before that is the current one and before any subscriber
// hears of it, so that what fn keeps is never older than what anybody has acted on. The events are those that made it, nil
// where it was read as a whole; so is the present one, with which fn is called before Precede returns. There is one such
// function at a time. It must not be called from a subscriber, and fn must not wait for long.
func (f *Feed) Precede(fn func(img *Image, events []Event)) {
	if !f.join(subscription{before: fn, ready: make(chan struct{})}) {
		fn(f.Current(), nil)
	}
}

func (f *Feed) admit(sub subscription, subs *[]subscription) {
	defer close(sub.ready)
	if sub.before != nil {
		f.before = sub.before
		f.announce(f.Current(), nil)
		return
	}
	if !sub.leave {
		img := f.Current()
		sub.fn(NewImage(), img, Diff(NewImage(), img))
		*subs = append(*subs, sub)
		return
	}
	kept := make([]subscription, 0, len(*subs))
	for _, s := range *subs {
		if s.id != sub.id {
			kept = append(kept, s)
		}
	}
	*subs = kept
}
