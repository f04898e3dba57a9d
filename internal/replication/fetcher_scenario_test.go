package replication

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"barnabas/internal/ident"
	"barnabas/internal/record"
)

// TestFetchScenarios runs the scripts in testdata/fetch: what a follower asks of one leader, line by line.
func TestFetchScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/fetch/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			script, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := fetchPlay(t, string(script))
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if got != string(script) {
				t.Errorf("got:\n%s\nwant:\n%s", got, script)
			}
		})
	}
}

// copyAt is a replica that is only a position.
type copyAt struct{ FetchPosition }

func (c *copyAt) Position() FetchPosition { return c.FetchPosition }

// fetchStage is a fetcher and the replicas that it fetches into, by number.
type fetchStage struct {
	fetcher *Fetcher
	copies  map[int32]*copyAt
	now     time.Time
}

func fetchPlay(t *testing.T, script string) string {
	s := &fetchStage{fetcher: NewFetcher(time.Second), copies: map[int32]*copyAt{}, now: time.Unix(1000, 0)}
	var out strings.Builder
	for line := range strings.Lines(script) {
		if strings.HasPrefix(line, ">") {
			continue
		}
		out.WriteString(line)
		words := strings.Fields(line)
		if len(words) == 0 || words[0] == "#" {
			continue
		}
		if answer := s.event(t, words[0], arguments(words[1:])); answer != "" {
			fmt.Fprintf(&out, "> %s\n", answer)
		}
	}
	return out.String()
}

func (s *fetchStage) event(t *testing.T, verb string, args map[string]string) string {
	n := int32(number(args["p"]))
	key := FetchKey{Topic: ident.TopicID{1}, Partition: n}
	switch verb {
	case "add": // p=1 at=10 epoch=3
		if s.copies[n] == nil {
			s.copies[n] = &copyAt{FetchPosition{Offset: number(args["at"]), LastEpoch: record.NoEpoch}}
		}
		s.fetcher.Add(key, record.Epoch(number(args["epoch"])), s.copies[n])
	case "remove":
		s.fetcher.Remove(key)
	case "copied": // p=1 n=5
		s.copies[n].Offset += number(args["n"])
		s.fetcher.Succeeded(key)
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
