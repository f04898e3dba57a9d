package replication

import (
	"testing"
	"time"
)

func TestThrottleKeepsTheRate(t *testing.T) {
	var throttle Throttle
	now := time.UnixMilli(0)
	if throttle.Exceeded(now) {
		t.Error("no rate is exceeded")
	}
	throttle.Spend(1<<30, now)
	if throttle.Exceeded(now) {
		t.Error("without a limit nothing is owed")
	}
	throttle.SetRate(1000)
	copied := 0
	for range 10_000 { // of a millisecond
		if !throttle.Exceeded(now) {
			throttle.Spend(300, now)
			copied += 300
		}
		now = now.Add(time.Millisecond)
	}
	if copied < 9_900 || copied > 10_300 {
		t.Errorf("copied %d bytes in 10 s at 1000 a second", copied)
	}
	throttle.Spend(1<<30, now)
	throttle.SetRate(0)
	if throttle.Exceeded(now) {
		t.Error("the limit was taken away")
	}
}

// A replica that is throttled is not asked for, and leaves the session so that the leader does not send it either.
func TestFetcherLeavesOutTheThrottled(t *testing.T) {
	f := NewFetcher(time.Second)
	fast, slow := &still{}, &still{}
	throttled := false
	f.Throttled = func(r Replica) bool { return throttled && r == Replica(slow) }
	f.Add(FetchKey{Partition: 0}, 1, fast)
	f.Add(FetchKey{Partition: 1}, 1, slow)
	now := time.UnixMilli(0)
	plan, _, ok := f.Next(now)
	if !ok || len(plan.Partitions) != 2 {
		t.Fatalf("plan %+v", plan)
	}
	f.Answered(7)
	throttled = true
	plan, _, ok = f.Next(now)
	if !ok || len(plan.Partitions) != 0 || len(plan.Forgotten) != 1 || plan.Within != throttlePause {
		t.Fatalf("plan %+v", plan)
	}
	f.Answered(7)
	f.Remove(FetchKey{Partition: 0})
	if _, wait, ok := f.Next(now); ok || wait != throttlePause {
		t.Errorf("it goes on after %s, %v", wait, ok)
	}
	throttled = false
	plan, _, ok = f.Next(now.Add(throttlePause))
	if !ok || len(plan.Partitions) != 1 || plan.Partitions[0].Partition != 1 {
		t.Errorf("plan %+v", plan)
	}
}

type still struct{ at FetchPosition }

func (s *still) Position() FetchPosition { return s.at }
func (s *still) Synced() bool            { return true }
