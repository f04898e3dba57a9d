package coordinator

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"barnabas/internal/record"
)

// sums is a machine that adds numbers up under names: a record is a name and one more decimal digit.
type sums struct {
	values   map[string]string
	deadline time.Time
	ticks    atomic.Int32
	loaded   bool
	unloaded error
}

func (m *sums) Replay(r Record) {
	if r.Value == nil {
		delete(m.values, string(r.Key))
		return
	}
	m.values[string(r.Key)] = string(r.Value)
}

func (m *sums) Loaded(time.Time)       { m.loaded = true }
func (m *sums) Deadline() time.Time    { return m.deadline }
func (m *sums) Unloaded(err error)     { m.unloaded = err }
func (m *sums) Tick(time.Time) Outcome { m.ticks.Add(1); m.deadline = time.Time{}; return Outcome{} }

// memoryLog is a partition in memory whose high watermark moves by hand or at once.
type memoryLog struct {
	mu      sync.Mutex
	batches []record.Batch
	end, hw record.Offset
	manual  bool  // the high watermark waits for commit
	refuse  error // of the next Append of more than limit records
	limit   int32
	appends int
	wakes   map[int]func()
	nextID  int
	readErr error
}

func (l *memoryLog) Append(b []byte) (record.Offset, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	batch := record.Batch(append([]byte(nil), b...))
	if l.refuse != nil && batch.Count() > l.limit {
		return 0, l.refuse
	}
	l.appends++
	batch.SetBaseOffset(l.end)
	l.end = batch.NextOffset()
	l.batches = append(l.batches, batch)
	if !l.manual {
		l.hw = l.end
	}
	return l.end, nil
}

func (l *memoryLog) Read(from record.Offset, maxBytes int) ([]byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.readErr != nil {
		return nil, l.readErr
	}
	var out []byte
	for _, b := range l.batches {
		if b.LastOffset() >= from && (len(out) == 0 || len(out)+len(b) <= maxBytes) {
			out = append(out, b...)
		}
	}
	return out, nil
}

func (l *memoryLog) StartOffset() record.Offset { return 0 }
func (l *memoryLog) EndOffset() record.Offset   { l.mu.Lock(); defer l.mu.Unlock(); return l.end }
func (l *memoryLog) HighWatermark() record.Offset {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.hw
}

func (l *memoryLog) Watch(end record.Offset, wake func()) func() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.wakes == nil {
		l.wakes = map[int]func(){}
	}
	id := l.nextID
	l.nextID++
	l.wakes[id] = wake
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.wakes, id)
	}
}

// commit moves the high watermark to the end.
func (l *memoryLog) commit() {
	l.mu.Lock()
	l.hw = l.end
	wakes := l.wakes
	l.wakes = nil
	l.mu.Unlock()
	for _, wake := range wakes {
		wake()
	}
}

func newRuntime(t *testing.T, timeout time.Duration) *Runtime[*sums] {
	r := New(Options[*sums]{
		Topic:         "__sums",
		Machine:       func(int32) *sums { return &sums{values: map[string]string{}} },
		CommitTimeout: timeout,
	})
	t.Cleanup(r.Close)
	return r
}

// add is a command that adds a digit to what a name has, and answers with what was there before.
func add(key, digit string, answer func(string, error)) Command[*sums] {
	return Command[*sums]{
		Key: key,
		Run: func(m *sums, _ time.Time) Outcome {
			before := m.values[key]
			return Outcome{
				Records: []Record{{Key: []byte(key), Value: []byte(before + digit)}},
				Replies: []func(error){func(err error) { answer(before, err) }},
			}
		},
		Fail: func(err error) { answer("", err) },
	}
}

// answers collects what commands answered, in order.
type answers struct {
	mu   sync.Mutex
	list []string
}

func (a *answers) take(name string) func(string, error) {
	return func(before string, err error) {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.list = append(a.list, fmt.Sprintf("%s:%s:%v", name, before, err))
	}
}

func (a *answers) String() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return fmt.Sprint(a.list)
}

func want(t *testing.T, got fmt.Stringer, text string) {
	t.Helper()
	if got.String() != text {
		t.Fatalf("got  %s\nwant %s", got, text)
	}
}

func TestCommandsSeeWhatWasAppendedBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, log, got := newRuntime(t, 0), &memoryLog{}, &answers{}
		r.Load(3, 1, log)
		synctest.Wait()
		for i, c := range []string{"a", "a", "b", "a"} {
			r.Submit(3, add(c, fmt.Sprint(i), got.take(c)))
		}
		synctest.Wait()
		want(t, got, "[a::<nil> a:0:<nil> b::<nil> a:01:<nil>]")
	})
}

func TestRepliesWaitForTheHighWatermark(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, log, got := newRuntime(t, 0), &memoryLog{manual: true}, &answers{}
		r.Load(0, 1, log)
		synctest.Wait()
		r.Submit(0, add("a", "1", got.take("first")))
		synctest.Wait()
		// It reads a change that isn't committed, so it waits as well.
		r.Submit(0, Command[*sums]{
			Key: "a",
			Run: func(m *sums, _ time.Time) Outcome {
				seen := m.values["a"]
				return Outcome{Replies: []func(error){func(err error) { got.take("read")(seen, err) }}}
			},
		})
		synctest.Wait()
		want(t, got, "[]")
		log.commit()
		synctest.Wait()
		want(t, got, "[first::<nil> read:1:<nil>]")
	})
}

func TestUncommittedTimesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, log, got := newRuntime(t, time.Second), &memoryLog{manual: true}, &answers{}
		r.Load(0, 1, log)
		synctest.Wait()
		r.Submit(0, add("a", "1", got.take("a")))
		time.Sleep(999 * time.Millisecond) // the bubble's time
		synctest.Wait()
		want(t, got, "[]")
		time.Sleep(time.Millisecond) // the bubble's time
		synctest.Wait()
		want(t, got, "[a::"+ErrTimeout.Error()+"]")
	})
}

func TestRefusedAppendChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, log, got := newRuntime(t, 0), &memoryLog{}, &answers{}
		r.Load(0, 1, log)
		synctest.Wait()
		log.refuse = ErrNotEnoughReplicas
		r.Submit(0, add("a", "1", got.take("a")))
		synctest.Wait()
		log.refuse = nil
		r.Submit(0, add("a", "2", got.take("a")))
		synctest.Wait()
		want(t, got, "[a::"+ErrNotEnoughReplicas.Error()+" a::<nil>]")
	})
}

// TestBatches holds the shard in a command while others queue: they share a batch as far as their keys
// allow, and what is too large is refused alone.
func TestBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, log, got := newRuntime(t, 0), &memoryLog{}, &answers{}
		r.Load(0, 1, log)
		synctest.Wait()
		held := make(chan struct{})
		r.Submit(0, Command[*sums]{Run: func(*sums, time.Time) Outcome { <-held; return Outcome{} }})
		for _, key := range []string{"a", "b", "c", "a"} {
			r.Submit(0, add(key, "1", got.take(key)))
		}
		close(held)
		synctest.Wait()
		want(t, got, "[a::<nil> b::<nil> c::<nil> a:1:<nil>]")
		if log.appends != 2 {
			t.Fatalf("%d batches, want 2: one for a, b and c, one for the second a", log.appends)
		}
		log.refuse, log.limit = ErrTooLarge, 1
		two := add("two", "1", got.take("two"))
		run := two.Run
		two.Run = func(m *sums, now time.Time) Outcome {
			o := run(m, now)
			o.Records = append(o.Records, Record{Key: []byte("more"), Value: []byte("1")})
			return o
		}
		held = make(chan struct{})
		r.Submit(0, Command[*sums]{Run: func(*sums, time.Time) Outcome { <-held; return Outcome{} }})
		got.list = nil
		r.Submit(0, two)
		r.Submit(0, add("d", "1", got.take("d")))
		close(held)
		synctest.Wait()
		want(t, got, "[two::"+ErrTooLarge.Error()+" d::<nil>]")
	})
}

func TestLoadReplaysTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, log, got := newRuntime(t, 0), &memoryLog{}, &answers{}
		r.Load(0, 1, log)
		synctest.Wait()
		for i := range 9 {
			r.Submit(0, add("a", fmt.Sprint(i), func(string, error) {}))
			synctest.Wait()
		}
		r.Unload(0, 1)
		r.Submit(0, add("a", "x", got.take("lost")))
		synctest.Wait()
		r.Load(0, 2, log)
		r.Load(0, 1, log) // of the past: ignored
		synctest.Wait()
		r.Submit(0, add("a", "9", got.take("a")))
		synctest.Wait()
		want(t, got, "[lost::"+ErrNotCoordinator.Error()+" a:012345678:<nil>]")
	})
}

func TestLoadIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, log, got := newRuntime(t, 0), &memoryLog{}, &answers{}
		log.Append(batchOf(t, "a", "7"))
		log.readErr = errors.New("disk on fire")
		r.Load(0, 1, log)
		synctest.Wait()
		r.Submit(0, add("a", "1", got.take("early")))
		log.mu.Lock()
		log.readErr = nil
		log.mu.Unlock()
		time.Sleep(firstLoadPause) // the bubble's time
		synctest.Wait()
		r.Submit(0, add("a", "1", got.take("a")))
		synctest.Wait()
		want(t, got, "[early::"+ErrLoading.Error()+" a:7:<nil>]")
	})
}

func batchOf(t *testing.T, key, value string) []byte {
	b := record.NewBuilder(record.Options{})
	b.Append(0, []byte(key), []byte(value))
	batch, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return batch
}

func TestUnloadAnswersWhatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var machine *sums
		r := New(Options[*sums]{Machine: func(int32) *sums {
			machine = &sums{values: map[string]string{}}
			return machine
		}})
		log, got := &memoryLog{manual: true}, &answers{}
		r.Load(0, 5, log)
		synctest.Wait()
		r.Submit(0, add("a", "1", got.take("a")))
		synctest.Wait()
		r.Unload(0, 4) // of the past: ignored
		synctest.Wait()
		want(t, got, "[]")
		r.Unload(0, 5)
		synctest.Wait()
		want(t, got, "[a::"+ErrNotCoordinator.Error()+"]")
		if !errors.Is(machine.unloaded, ErrNotCoordinator) {
			t.Fatalf("machine unloaded with %v", machine.unloaded)
		}
		r.Close()
	})
}

func TestQueueIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := New(Options[*sums]{
			Machine:    func(int32) *sums { return &sums{values: map[string]string{}} },
			QueueLimit: 2,
		})
		defer r.Close()
		got := &answers{}
		r.Load(0, 1, &memoryLog{})
		synctest.Wait()
		held := make(chan struct{})
		r.Submit(0, Command[*sums]{Run: func(*sums, time.Time) Outcome { <-held; return Outcome{} }})
		synctest.Wait()
		for _, key := range []string{"a", "b", "c"} {
			r.Submit(0, add(key, "1", got.take(key)))
		}
		want(t, got, "[c::"+ErrQueueFull.Error()+"]")
		close(held)
		synctest.Wait()
	})
}

func TestUncommittedAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := New(Options[*sums]{
			Machine:    func(int32) *sums { return &sums{values: map[string]string{}} },
			QueueLimit: 2,
		})
		defer r.Close()
		got, log := &answers{}, &memoryLog{manual: true}
		r.Load(0, 1, log)
		synctest.Wait()
		for _, key := range []string{"a", "b", "c"} {
			r.Submit(0, add(key, "1", got.take(key)))
			synctest.Wait()
		}
		want(t, got, "[c::"+ErrQueueFull.Error()+"]")
		log.commit()
		synctest.Wait()
		r.Submit(0, add("c", "1", got.take("c")))
		synctest.Wait()
		log.commit()
		synctest.Wait()
		want(t, got, "[c::"+ErrQueueFull.Error()+" a::<nil> b::<nil> c::<nil>]")
	})
}

// inAMinute has the timer of a machine, which it names, go off in a minute and not before.
func inAMinute(machine **sums) Command[*sums] {
	return Command[*sums]{Run: func(m *sums, now time.Time) Outcome {
		*machine = m
		m.deadline = now.Add(time.Minute)
		return Outcome{}
	}}
}

func TestTimersTickWithoutCommands(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRuntime(t, 0)
		r.Load(0, 1, &memoryLog{})
		synctest.Wait()
		var machine *sums
		r.Submit(0, inAMinute(&machine))
		time.Sleep(time.Minute - time.Nanosecond) // the bubble's time
		synctest.Wait()
		if machine.ticks.Load() != 0 {
			t.Fatal("ticked early")
		}
		time.Sleep(time.Nanosecond) // the bubble's time
		synctest.Wait()
		if machine.ticks.Load() != 1 {
			t.Fatalf("%d ticks, want 1", machine.ticks.Load())
		}
	})
}

// TestCommandsThatCameInTimeGoBeforeTimers: a shard that stood still finds heartbeats in its queue, and the end of the session that
// they prolong due. They came before it.
func TestCommandsThatCameInTimeGoBeforeTimers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRuntime(t, 0)
		r.Load(0, 1, &memoryLog{})
		synctest.Wait()
		var machine *sums
		prolong := inAMinute(&machine)
		r.Submit(0, prolong)
		synctest.Wait()
		held := make(chan struct{})
		r.Submit(0, Command[*sums]{Run: func(*sums, time.Time) Outcome { <-held; return Outcome{} }})
		time.Sleep(30 * time.Second) // the bubble's time
		r.Submit(0, prolong)
		time.Sleep(31 * time.Second) // the bubble's time
		close(held)
		synctest.Wait()
		if machine.ticks.Load() != 0 {
			t.Fatal("the timer went off although a command had put it off in time")
		}
		time.Sleep(time.Minute) // the bubble's time
		synctest.Wait()
		if machine.ticks.Load() != 1 {
			t.Fatalf("%d ticks, want 1", machine.ticks.Load())
		}
	})
}

// Idle shards have no goroutines, but for the few that stay for the next one; those end with the runtime, or synctest would fail a bubble that
// ends with goroutines blocked for good.
func TestIdleShardsHaveNoGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		before := runtime.NumGoroutine()
		r := New(Options[*sums]{Machine: func(int32) *sums { return &sums{values: map[string]string{}} }})
		for p := range int32(5 * maxIdle) {
			r.Load(p, 1, &memoryLog{})
		}
		synctest.Wait()
		if stayed := runtime.NumGoroutine() - before; stayed > maxIdle {
			t.Errorf("%d goroutines have stayed", stayed)
		}
		r.Close()
		r.Close() // as often as anybody likes
	})
}

// While goroutines of the crew wait for a shard's log, the others get new ones.
func TestNobodyWaitsForTheCrew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRuntime(t, 0)
		held, ran := make(chan struct{}), 0
		for p := range int32(5 * maxIdle) {
			r.Load(p, 1, &memoryLog{})
			synctest.Wait()
			r.Submit(p, Command[*sums]{Run: func(*sums, time.Time) Outcome { ran++; <-held; return Outcome{} }})
			synctest.Wait()
		}
		if ran != 5*maxIdle {
			t.Errorf("%d commands run at the same time", ran)
		}
		close(held)
		synctest.Wait()
	})
}
