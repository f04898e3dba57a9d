package replication

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"barnabas/internal/ident"
	"barnabas/internal/record"
	"barnabas/internal/scenario"
)

// TestFetchScenarios runs the scripts in testdata/fetch: what a follower asks of one leader, line by line.
func TestFetchScenarios(t *testing.T) {
	scenario.Play(t, "testdata/fetch/*.txt", func(t *testing.T) scenario.Event {
		s := &fetchStage{fetcher: NewFetcher(time.Second), copies: map[int32]*copyAt{}, now: time.Unix(1000, 0)}
		return func(words []string) []string {
			answer := s.event(t, words[0], arguments(words[1:]))
			return slices.DeleteFunc([]string{answer}, func(a string) bool { return a == "" })
		}
	})
}

// copyAt is a replica that is only a position.
type copyAt struct {
	FetchPosition
	unsynced bool
}

func (c *copyAt) Position() FetchPosition { return c.FetchPosition }
func (c *copyAt) Synced() bool            { return !c.unsynced }

// fetchStage is a fetcher and the replicas that it fetches into, by number.
type fetchStage struct {
	fetcher *Fetcher
	copies  map[int32]*copyAt
	now     time.Time
}

func (s *fetchStage) event(t *testing.T, verb string, args map[string]string) string {
	n := int32(number(args["p"]))
	key := FetchKey{Topic: ident.TopicID{1}, Partition: n}
	switch verb {
	case "add": // p=1 at=10 epoch=3
		if s.copies[n] == nil {
			s.copies[n] = &copyAt{FetchPosition: FetchPosition{Offset: number(args["at"]), LastEpoch: record.NoEpoch}}
		}
		s.fetcher.Add(key, record.Epoch(number(args["epoch"])), s.copies[n])
	case "remove":
		s.fetcher.Remove(key)
	case "copied": // p=1 n=5
		s.copies[n].Offset += number(args["n"])
		s.copies[n].unsynced = args["unsynced"] != ""
		s.fetcher.Succeeded(key)
	case "synced":
		s.copies[n].unsynced = false
	case "failed":
		return "pauses for " + s.fetcher.Failed(key, s.now).String()
	case "answered": // session=7
		s.fetcher.Answered(int32(number(args["session"])))
	case "lost":
		s.fetcher.Reset()
	case "wait":
		d, err := time.ParseDuration(args["for"])
		if err != nil {
			t.Fatal(err)
		}
		s.now = s.now.Add(d)
	case "next":
		return s.next()
	default:
		t.Fatalf("unknown event %q", verb)
	}
	return ""
}

func (s *fetchStage) next() string {
	plan, wait, ok := s.fetcher.Next(s.now)
	if !ok {
		return fmt.Sprintf("nothing, look again in %s", wait)
	}
	if len(plan.Unsynced) > 0 {
		text := "sync first:"
		for _, key := range plan.Unsynced {
			text += fmt.Sprintf(" p%d", key.Partition)
		}
		return text
	}
	text := fmt.Sprintf("session=%d/%d", plan.Session, plan.Epoch)
	slices.SortFunc(plan.Partitions, func(a, b FetchAsk) int { return int(a.Partition - b.Partition) })
	for _, ask := range plan.Partitions {
		text += fmt.Sprintf(" p%d@%d(epoch %d)", ask.Partition, ask.Offset, ask.Epoch)
	}
	for _, key := range plan.Forgotten {
		text += fmt.Sprintf(" forget p%d", key.Partition)
	}
	return text
}
