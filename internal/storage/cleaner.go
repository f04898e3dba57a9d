package storage

import (
	"errors"
	"io/fs"
	"maps"
	"math"
	"sync"
	"time"

	"barnabas/internal/record"
)

// cleaner compacts the logs of topics with cleanup.policy compact: of each key the last record stays. The
// Store makes, starts and stops it. Its threads take one log after another, always the one with the
// largest dirty part, and sleep when none is dirty enough. While nothing is compacted it holds no
// buffers.
type cleaner struct {
	store    *Store
	settings CleanerSettings
	cleaned  cleanedOffsets
	rate     cleanerRate
	stop     chan struct{}
	woken    chan struct{}
	threads  sync.WaitGroup

	// life is held while threads start and stop. Settings and stop change only while there are none.
	life   sync.Mutex
	closed bool // guarded by life

	mu sync.Mutex
	// busy and hopeless are guarded by mu: the logs being cleaned, and those that can't be, with the
	// reason. They hold logs only while these are in the store.
	busy     map[*Log]bool
	hopeless map[*Log]error
	stats    CleanerStats // guarded by mu
}

// CleanerStats tell what compaction has done since the start.
type CleanerStats struct {
	Runs                      int64 // logs compacted
	BytesRead, BytesWritten   int64
	RecordsRead, RecordsKept  int64
	MaxDirtyRatio             float64 // of the dirtiest log when last looked
	Uncleanable               int     // logs that can't be compacted, because they can't be read
	LastRun                   time.Time
	LongestRun                time.Duration
	LastDedupeBufferUsedRatio float64
}

func newCleaner(s *Store, settings CleanerSettings) *cleaner {
	settings = settings.withDefaults()
	return &cleaner{
		store:    s,
		settings: settings,
		rate:     cleanerRate{perSecond: settings.MaxBytesPerSecond},
		stop:     make(chan struct{}),
		woken:    make(chan struct{}, 1),
		busy:     make(map[*Log]bool),
		hopeless: make(map[*Log]error),
	}
}

// start runs the threads, unless log.cleaner.enable is false.
func (c *cleaner) start() {
	if c.settings.Disabled {
		return
	}
	for range c.settings.Threads {
		c.threads.Go(c.run)
	}
}

// close stops the threads and waits for them. A log that is being compacted stays as it is.
func (c *cleaner) close() {
	c.life.Lock()
	defer c.life.Unlock()
	if c.closed {
		return
	}
	c.closed = true
	close(c.stop)
	c.threads.Wait()
}

// reconfigure starts the threads anew with other settings. What they were compacting stays as it is, and is
// found again.
func (c *cleaner) reconfigure(settings CleanerSettings) {
	c.life.Lock()
	defer c.life.Unlock()
	settings = settings.withDefaults()
	if c.closed || settings == c.settings {
		return
	}
	close(c.stop)
	c.threads.Wait()
	c.settings, c.rate.perSecond, c.stop = settings, settings.MaxBytesPerSecond, make(chan struct{})
	c.start()
	c.wake()
}

// wake makes the cleaner look for work now, as after a change of settings.
func (c *cleaner) wake() {
	select {
	case c.woken <- struct{}{}:
	default:
	}
}

// Stats are for the metrics.
func (c *cleaner) Stats() CleanerStats {
	c.mu.Lock()
	defer c.mu.Unlock()
	stats := c.stats
	stats.Uncleanable = len(c.hopeless)
	return stats
}

func (c *cleaner) stopping() bool {
	select {
	case <-c.stop:
		return true
	default:
		return false
	}
}

func (c *cleaner) run() {
	for {
		timer := time.NewTimer(c.settings.Backoff)
		select {
		case <-c.stop:
			timer.Stop()
			return
		case <-c.woken:
			timer.Stop()
		case <-timer.C:
		}
		for c.cleanDirtiest() {
		}
	}
}

// cleanDirtiest compacts the log that needs it most. It is false if none does, or the store closes.
func (c *cleaner) cleanDirtiest() bool {
	if c.stopping() {
		return false
	}
	found, ok := c.grab()
	if !ok {
		return false
	}
	defer c.release(found.log)
	c.clean(found)
	return true
}

// grab chooses a log and marks it busy.
func (c *cleaner) grab() (candidate, bool) {
	nowMs := c.store.nowMs()
	var best candidate
	var bestRatio, dirtiest float64
	for _, l := range c.store.Logs() {
		if !l.config.Load().Compact || c.isTaken(l) {
			continue
		}
		cleanTo, err := c.cleanTo(l)
		if err != nil {
			c.failed(l, err)
			continue
		}
		found, ok, err := l.consider(cleanTo, nowMs)
		if err != nil {
			c.failed(l, err)
		}
		if !ok {
			continue
		}
		ratio := found.ratio()
		dirtiest = max(dirtiest, ratio)
		if found.wanted(l.config.Load()) && (best.log == nil || ratio > bestRatio) {
			best, bestRatio = found, ratio
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stats.MaxDirtyRatio = dirtiest
	c.stats.LastRun = time.UnixMilli(nowMs)
	if best.log == nil || c.busy[best.log] {
		return candidate{}, false
	}
	c.busy[best.log] = true
	return best, true
}

// cleanTo is the offset up to which a log is clean, also if it was cut since it was cleaned.
func (c *cleaner) cleanTo(l *Log) (record.Offset, error) {
	if cut := l.cutTo.Load(); cut != math.MaxInt64 {
		if err := c.cleaned.lower(l.dir, l.tp, record.Offset(cut)); err != nil {
			return 0, err
		}
		// Cut again meanwhile, it stays for the next time.
		l.cutTo.CompareAndSwap(cut, math.MaxInt64)
	}
	return c.cleaned.get(l.dir, l.tp), nil
}

func (c *cleaner) isTaken(l *Log) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.busy[l] || c.hopeless[l] != nil
}

func (c *cleaner) release(l *Log) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.busy, l)
}

// clean compacts one log and says what came of it.
func (c *cleaner) clean(found candidate) {
	start := c.store.nowMs()
	run := cleaning{cleaner: c, candidate: found}
	end, err := run.run()
	l := found.log
	if l.cutSince(found.truncations, err) {
		err = errSegmentsChanged
	}
	if err == nil {
		err = c.cleaned.set(l.dir, l.tp, end)
	}
	if err != nil {
		c.failed(l, err)
		return
	}
	took := time.Duration(c.store.nowMs()-start) * time.Millisecond
	c.count(&run, took)
	c.store.logger.Info("compacted log", "partition", l.tp.String(),
		"dirtyFrom", int64(found.firstDirty), "cleanTo", int64(end), "segments", run.dropped, "into", run.fresh,
		"bytesRead", run.read.Bytes, "bytesKept", run.written.Bytes,
		"recordsRead", run.read.Records, "recordsKept", run.written.Records, "took", took)
}

func (c *cleaner) count(run *cleaning, took time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stats.Runs++
	c.stats.BytesRead += run.read.Bytes
	c.stats.BytesWritten += run.written.Bytes
	c.stats.RecordsRead += run.read.Records
	c.stats.RecordsKept += run.written.Records
	c.stats.LongestRun = max(c.stats.LongestRun, took)
	c.stats.LastDedupeBufferUsedRatio = float64(run.keys.used) / float64(run.keys.limit)
}

// failed sorts out why a cleaning has ended early. A log that was deleted, cut or went offline meanwhile is
// no news; a disk that fails takes its directory offline; a log that can't be read is left alone from
// now on, since the next attempt would end in the same place.
func (c *cleaner) failed(l *Log, err error) {
	switch {
	case errors.Is(err, errCleanerStopped), errors.Is(err, errSegmentsChanged), l.usable() != nil:
		return
	case errors.Is(err, fs.ErrNotExist) && c.store.Log(l.tp) != l:
		return
	case errors.Is(err, errNoProgress), errors.Is(err, errMalformed), isBadBatch(err):
		c.giveUp(l, err)
		return
	}
	_ = l.failed("compact", err) // which takes the directory offline and says so
}

// giveUp leaves a log alone until the next start.
func (c *cleaner) giveUp(l *Log, err error) {
	c.mu.Lock()
	maps.DeleteFunc(c.hopeless, func(other *Log, _ error) bool { return other.closed.Load() })
	c.hopeless[l] = err
	c.mu.Unlock()
	c.store.logger.Error("log can't be compacted and won't be tried again until the next start",
		"partition", l.tp.String(), "error", err)
}

func isBadBatch(err error) bool {
	for _, bad := range []error{
		record.ErrCorrupt, record.ErrInvalid, record.ErrExpands, record.ErrUnsupportedCodec,
		record.ErrUnsupportedMagic, record.ErrTooLarge, ErrCorruptMessage,
	} {
		if errors.Is(err, bad) {
			return true
		}
	}
	return false
}

// throttle waits until the bytes may be read or written.
func (c *cleaner) throttle(bytes int) {
	wait := c.rate.take(bytes, time.Now())
	if wait <= 0 {
		return
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-c.stop:
	}
}

// cleanerRate spreads bytes over time: each taker waits until those before it are paid for.
type cleanerRate struct {
	perSecond float64
	mu        sync.Mutex
	paidUntil time.Time // guarded by mu
}

func (r *cleanerRate) take(bytes int, now time.Time) time.Duration {
	if r.perSecond <= 0 {
		return 0
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.paidUntil.Before(now) {
		r.paidUntil = now
	}
	r.paidUntil = r.paidUntil.Add(time.Duration(float64(bytes) / r.perSecond * float64(time.Second)))
	return r.paidUntil.Sub(now)
}
