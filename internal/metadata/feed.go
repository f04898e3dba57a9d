package metadata

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// rangePage is how many keys the initial read asks for at once.
	rangePage = 5000
	// retryAfter is the pause before a lost watch or a failed read is tried again.
	retryAfter = 200 * time.Millisecond
)

// Feed keeps the newest Image. Its goroutine is the only one that builds Images; it starts with
// StartFeed and ends with Stop.
type Feed struct {
	store Store
	log   *slog.Logger
	// reborn, if given, is called before a store is read anew that was born again.
	reborn func(ctx context.Context, known *Image, before, now Birth) error
	// birth is the life that the current Image is of.
	birth   atomic.Pointer[Birth]
	current atomic.Pointer[Image]
	// before is told of each Image before anybody else; nil for nobody. The goroutine's own.
	before func(img *Image, events []Event)
	// trouble is set while the store can't be reached, so that it is said once. The goroutine's own.
	trouble bool
	cancel  context.CancelFunc
	done    chan struct{}
	joins   chan subscription

	// mu guards progress and err.
	mu sync.Mutex
	// progress is closed, and replaced, when a new Image is out and every subscriber has seen it.
	progress chan struct{}
	// seen is the revision that every subscriber has seen; written by the goroutine under mu.
	seen Revision
	err  error
}

// StartFeed reads the whole store and starts to follow it. ErrNewerFormat and other values that
// can't be read are errors; an unavailable store is waited for until ctx ends.
func StartFeed(ctx context.Context, store Store, log *slog.Logger) (*Feed, error) {
	return StartLastingFeed(ctx, store, log, nil)
}

// StartLastingFeed is StartFeed for one who remembers: when the store has lost what it held and was born again, reborn is
// called with what was known, on the feed's goroutine, before the store is read anew. It may put things back.
// ErrUnavailable has it called again; another error ends the feed.
func StartLastingFeed(
	ctx context.Context, store Store, log *slog.Logger, reborn func(ctx context.Context, known *Image, before, now Birth) error,
) (*Feed, error) {
	f := &Feed{
		store: store, log: log, reborn: reborn,
		done: make(chan struct{}), joins: make(chan subscription), progress: make(chan struct{}),
	}
	img, err := f.load(ctx)
	if err != nil {
		return nil, err
	}
	f.current.Store(img)
	f.seen = img.revision
	run, cancel := context.WithCancel(context.Background())
	f.cancel = cancel
	go f.run(run)
	return f, nil
}

// Stop ends the goroutine; Current stays as it is.
func (f *Feed) Stop() {
	f.cancel()
	<-f.done
}

// Done is closed when the feed has ended, by Stop or by an error that Err tells.
func (f *Feed) Done() <-chan struct{} { return f.done }

// Err says why the feed ended: nil while it runs, ErrClosed after Stop.
func (f *Feed) Err() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}

// Current is the newest Image.
func (f *Feed) Current() *Image { return f.current.Load() }

// Birth is the life of the store that the current Image is of.
func (f *Feed) Birth() Birth {
	if b := f.birth.Load(); b != nil {
		return *b
	}
	return Birth{}
}

// load reads the whole store at one revision.
func (f *Feed) load(ctx context.Context) (*Image, error) {
	for {
		img, err := f.read(ctx)
		if err == nil || !errors.Is(err, ErrUnavailable) && !errors.Is(err, ErrCompacted) {
			return img, err
		}
		f.complain(err)
		if err := pause(ctx, retryAfter); err != nil {
			return nil, err
		}
	}
}

// read reads the store, within one life of it.
func (f *Feed) read(ctx context.Context) (*Image, error) {
	before, err := BirthOf(ctx, f.store)
	if err != nil {
		return nil, err
	}
	if known := f.birth.Load(); known != nil && known.Ensemble != before.Ensemble && f.reborn != nil {
		if err := f.reborn(ctx, f.Current(), *known, before); err != nil {
			return nil, err
		}
	}
	img, err := readImage(ctx, f.store)
	if err != nil {
		return nil, err
	}
	after, err := BirthOf(ctx, f.store)
	if err != nil {
		return nil, err
	}
	if after.Ensemble != before.Ensemble {
		return nil, ErrCompacted // it was born again meanwhile: once more
	}
	f.birth.Store(&after)
	return img, nil
}

// readImage reads every key, page by page, as of the first page's revision.
func readImage(ctx context.Context, store Store) (*Image, error) {
	var events []Event
	req := RangeRequest{Limit: rangePage}
	for {
		page, err := store.Range(ctx, req)
		if err != nil {
			return nil, err
		}
		if req.At == 0 {
			req.At = page.Revision
		}
		for _, kv := range page.KVs {
			events = append(events, Event{KV: kv})
		}
		if !page.More {
			break
		}
		req.After = page.KVs[len(page.KVs)-1].Key
	}
	img, _, err := NewImage().Apply(req.At, events)
	return img, err
}

// ReadImage reads the whole store once, for tools that need no Feed.
func ReadImage(ctx context.Context, store Store) (*Image, error) { return readImage(ctx, store) }

func (f *Feed) run(ctx context.Context) {
	var subs []subscription
	err := f.follow(ctx, &subs)
	if ctx.Err() != nil {
		err = ErrClosed
	} else if !errors.Is(err, ErrClosed) {
		f.log.Error("metadata can't be followed any more", "error", err)
	}
	f.mu.Lock()
	f.err = err
	close(f.progress)
	f.mu.Unlock()
	close(f.done)
}

// follow watches until something happens that trying again can't mend.
func (f *Feed) follow(ctx context.Context, subs *[]subscription) error {
	for {
		err := f.watch(ctx, subs)
		switch {
		case ctx.Err() != nil:
			return ErrClosed
		case errors.Is(err, ErrCompacted):
			f.log.Info("metadata changed faster than this process read, reading it anew", "revision", f.Current().revision)
			img, err := f.load(ctx)
			if err != nil {
				return err
			}
			f.announce(img, nil)
			f.publish(img, Diff(f.Current(), img), *subs)
		case errors.Is(err, ErrUnavailable):
			f.complain(err)
			if err := pause(ctx, retryAfter); err != nil {
				return ErrClosed
			}
		default:
			return err
		}
	}
}

// watch follows one watch to its end.
func (f *Feed) watch(ctx context.Context, subs *[]subscription) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	changes := f.store.Watch(ctx, "", f.Current().revision+1)
	for {
		select {
		case change, ok := <-changes:
			if !ok {
				return ErrUnavailable
			}
			if change.Err != nil {
				return change.Err
			}
			if err := f.take(change, *subs); err != nil {
				return err
			}
		case sub := <-f.joins:
			f.admit(sub, subs)
		}
	}
}

// complain says that the store can't be reached, the first time.
func (f *Feed) complain(err error) {
	if !f.trouble {
		f.log.Warn("the metadata store can't be reached; what is known goes on, and nothing new is heard until it can", "error", err)
	}
	f.trouble = true
}

func (f *Feed) take(change Change, subs []subscription) error {
	if f.trouble {
		f.trouble = false
		f.log.Info("the metadata store is reached again", "revision", int64(change.Revision))
	}
	old := f.Current()
	if change.Revision <= old.revision {
		return nil
	}
	img, delta, err := old.Apply(change.Revision, change.Events)
	if err != nil {
		return err
	}
	if len(change.Events) > 0 {
		f.announce(img, change.Events)
	}
	f.publish(img, delta, subs)
	return nil
}

// announce tells of an Image that is about to be out: nil events stand for all that is in it.
func (f *Feed) announce(img *Image, events []Event) {
	if f.before != nil {
		f.before(img, events)
	}
}

func (f *Feed) publish(img *Image, delta *Delta, subs []subscription) {
	old := f.Current()
	f.current.Store(img)
	if !delta.Empty() {
		for _, sub := range subs {
			sub.fn(old, img, delta)
		}
	}
	f.mu.Lock()
	f.seen = img.revision
	close(f.progress)
	f.progress = make(chan struct{})
	f.mu.Unlock()
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
