package coordinator

import (
	"log/slog"
	"sync"
	"time"

	"barnabas/internal/record"
)

// stage is where a shard stands in its life; it only moves forward.
type stage uint8

const (
	stageLoading stage = iota
	stageActive
	stageStopped
)

// shard is one partition's machine. Any goroutine may queue commands; the one that run is on owns
// machine, log, pending and timer. It ends when nothing is left to do and starts again with wake.
type shard[M Machine] struct {
	runtime   *Runtime[M]
	partition int32
	epoch     record.Epoch
	logger    *slog.Logger

	mu      sync.Mutex // guards what follows
	stage   stage
	queue   []Command[M]
	running bool // a goroutine is on run
	woken   bool // something happened that run has not looked at
	waits   int  // replies in pending, as run last counted them

	// Owned by run.
	machine M
	log     Log
	batch   batch
	pending pending
	end     record.Offset // the end of what was appended: what replies wait for
	watch   *watch        // for the high watermark, while replies are pending
	timer   Timer         // wakes the shard for the machine's deadline or pending's
	timerAt time.Time     // zero while the timer is stopped

	loaded    bool
	loadPause time.Duration // before the next attempt to load
	loadAt    time.Time
}

func newShard[M Machine](r *Runtime[M], partition int32, epoch record.Epoch, log Log) *shard[M] {
	return &shard[M]{
		runtime:   r,
		partition: partition,
		epoch:     epoch,
		log:       log,
		logger: r.options.Logger.With("topic", r.options.Topic, "partition", partition,
			"leaderEpoch", int32(epoch)),
	}
}

// submit queues a command, or says why not.
func (s *shard[M]) submit(c Command[M]) error {
	s.mu.Lock()
	switch {
	case s.stage == stageStopped:
		s.mu.Unlock()
		return ErrNotCoordinator
	case s.stage == stageLoading:
		s.mu.Unlock()
		return ErrLoading
	case len(s.queue)+s.waits >= s.runtime.options.QueueLimit:
		s.mu.Unlock()
		return ErrQueueFull
	}
	s.queue = append(s.queue, c)
	s.start()
	s.mu.Unlock()
	return nil
}

// wake has run look at everything again.
func (s *shard[M]) wake() {
	s.mu.Lock()
	s.start()
	s.mu.Unlock()
}

// start makes sure that a goroutine is on run, and that it looks once more. Called with mu held.
func (s *shard[M]) start() {
	s.woken = true
	if !s.running {
		s.running = true
		s.runtime.running.Add(1)
		s.runtime.options.Stage.Go(s.run)
	}
}

// stop ends the shard: run answers all that waits.
func (s *shard[M]) stop() {
	s.mu.Lock()
	s.stage = stageStopped
	s.start()
	s.mu.Unlock()
}

// take empties the queue into spare. It says false, and that no goroutine is on run any more, when
// there was nothing to look at.
func (s *shard[M]) take(spare []Command[M]) ([]Command[M], stage, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waits = len(s.pending.queue)
	if !s.woken {
		s.running = false
		return nil, s.stage, false
	}
	s.woken = false
	taken := s.queue
	s.queue = spare[:0]
	return taken, s.stage, true
}

// run does what there is to do, and ends.
func (s *shard[M]) run() {
	defer s.runtime.running.Done()
	var spare []Command[M]
	for {
		commands, stage, ok := s.take(spare)
		if !ok {
			return
		}
		switch stage {
		case stageLoading:
			s.load()
		case stageStopped:
			s.finish(commands)
		case stageActive:
			s.step(commands)
		}
		clear(commands)
		spare = nil
		if cap(commands) <= spareQueue {
			spare = commands
		}
	}
}

// spareQueue bounds the capacity of an emptied queue that is kept while the shard is busy.
const spareQueue = 1024

// step carries out the commands and the timers that are due, appends what they yield and answers
// what is committed. Commands go first: when the shard stood still, they may have come before a timer
// that is due by now, and put it off, as a heartbeat does with the end of a session.
func (s *shard[M]) step(commands []Command[M]) {
	now := s.runtime.now()
	for _, c := range commands {
		s.execute(c.Key, func() Outcome { return c.Run(s.machine, now) }, now)
	}
	for at := s.machine.Deadline(); !at.IsZero() && !at.After(now); at = s.machine.Deadline() {
		s.execute("", func() Outcome { return s.machine.Tick(now) }, now)
	}
	s.flush(now)
	s.answer(now)
	s.setTimer()
}

// execute runs one command and adds its records to the batch. A command that reads what the batch
// is about to change has the batch appended first: state follows the log.
func (s *shard[M]) execute(key string, run func() Outcome, now time.Time) {
	if s.batch.touches(key) || s.batch.full() {
		s.flush(now)
	}
	outcome := run()
	if len(outcome.Records) > 0 {
		s.batch.add(key, outcome)
		return
	}
	s.pending.add(s.end, now.Add(s.runtime.options.CommitTimeout), outcome.Replies)
}

// finish ends a stopped shard; it may be called again for commands that came in between.
func (s *shard[M]) finish(commands []Command[M]) {
	s.wakeAt(time.Time{})
	s.stopWatching()
	for _, c := range commands {
		c.Fail(ErrNotCoordinator)
	}
	s.pending.fail(ErrNotCoordinator)
	if s.log != nil {
		if s.loaded {
			s.machine.Unloaded(ErrNotCoordinator)
			s.logger.Info("coordinator shard unloaded")
		}
		s.log = nil
		var none M
		s.machine = none
	}
}
