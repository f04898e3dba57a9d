package replication

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"barnabas/internal/ident"
	"barnabas/internal/record"
	"barnabas/internal/scenario"
)

// TestLaneScenarios runs the scripts in testdata/lanes: what a follower asks of one leader on each of two connections.
func TestLaneScenarios(t *testing.T) {
	scenario.Play(t, "testdata/lanes/*.txt", func(t *testing.T) scenario.Event {
		s := &laneStage{
			lanes: NewLanes(time.Second), copies: map[int32]*copyAt{}, now: time.Unix(1000, 0), throttled: map[Replica]bool{},
		}
		for _, f := range s.lanes.fetchers {
			f.Throttled = func(r Replica) bool { return s.throttled[r] }
		}
		return func(words []string) []string {
			answer := s.event(t, words[0], arguments(words[1:]))
			return slices.DeleteFunc([]string{answer}, func(a string) bool { return a == "" })
		}
	})
}

// laneStage is both lanes, and the replicas that they fetch into, by number.
type laneStage struct {
	lanes     *Lanes
	copies    map[int32]*copyAt
	throttled map[Replica]bool
	now       time.Time
}

func (s *laneStage) event(t *testing.T, verb string, args map[string]string) string {
	n := int32(number(args["p"]))
	key := FetchKey{Topic: ident.TopicID{1}, Partition: n}
	lane := LevelLane
	if args["lane"] == LaggingLane.String() {
		lane = LaggingLane
	}
	switch verb {
	case "add": // p=1 at=10 epoch=3 insync=yes
		if s.copies[n] == nil {
			s.copies[n] = &copyAt{FetchPosition: FetchPosition{Offset: number(args["at"]), LastEpoch: record.NoEpoch}}
		}
		s.lanes.Add(key, record.Epoch(number(args["epoch"])), s.copies[n], args["insync"] != "")
	case "remove":
		s.lanes.Remove(key)
	case "took": // lane=level p=1 n=5 hw=20: five records came, and the high watermark was at 20
		s.copies[n].Offset += number(args["n"])
		s.copies[n].unsynced = args["unsynced"] != ""
		return s.verdict(s.lanes.Took(lane, key, number(args["hw"])), lane)
	case "synced":
		s.copies[n].unsynced = false
		return s.verdict(s.lanes.Synced(key), LaggingLane)
	case "failed":
		return "pauses for " + s.lanes.Fetcher(lane).Failed(key, s.now).String()
	case "answered": // lane=level session=7
		s.lanes.Fetcher(lane).Answered(int32(number(args["session"])))
	case "lost":
		s.lanes.Fetcher(lane).Reset()
	case "throttled":
		s.throttled[s.copies[n]] = args["no"] == ""
	case "wait":
		d, err := time.ParseDuration(args["for"])
		if err != nil {
			t.Fatal(err)
		}
		s.now = s.now.Add(d)
	case "next":
		plan, wait, ok := s.lanes.Next(lane, s.now)
		return describePlan(plan, wait, ok)
	default:
		t.Fatalf("unknown event %q", verb)
	}
	return ""
}

func (s *laneStage) verdict(moved bool, from Lane) string {
	if !moved {
		return "stays"
	}
	return fmt.Sprintf("goes to the %s lane", 1-from)
}

func describePlan(plan FetchPlan, wait time.Duration, ok bool) string {
	if !ok {
		return fmt.Sprintf("nothing, look again in %s", wait)
	}
	text := []string{fmt.Sprintf("session=%d/%d", plan.Session, plan.Epoch)}
	if len(plan.Unsynced) > 0 {
		text[0] = "sync first:"
	}
	for _, key := range plan.Unsynced {
		text = append(text, fmt.Sprintf("p%d", key.Partition))
	}
	for _, ask := range plan.Partitions {
		one := fmt.Sprintf("p%d@%d(epoch %d)", ask.Partition, ask.Offset, ask.Epoch)
		if ask.Trial {
			one += " on trial"
		}
		text = append(text, one)
	}
	for _, key := range plan.Forgotten {
		text = append(text, fmt.Sprintf("forget p%d", key.Partition))
	}
	if plan.AtOnce {
		text = append(text, "at once")
	}
	if plan.Within > 0 {
		text = append(text, "within "+plan.Within.String())
	}
	return strings.Join(text, " ")
}
