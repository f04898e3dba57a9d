package replication

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"barnabas/internal/ident"
	"barnabas/internal/metadata"
	"barnabas/internal/record"
	"barnabas/internal/scenario"
)

// TestScenarios runs the scripts in testdata/isr: each line is an event at a leader, and below it stands
// what the leader then believes.
func TestScenarios(t *testing.T) {
	scenario.Play(t, "testdata/isr/*.txt", func(t *testing.T) scenario.Event {
		s := &stage{now: time.Unix(1000, 0)}
		return func(words []string) []string {
			return []string{s.event(t, words[0], arguments(words[1:]))}
		}
	})
}

// stage is a leader without a log: the pure decisions and the events that drive them.
type stage struct {
	Replicas
	now   time.Time
	fsync bool // fsync.on.ack
}

// event carries out one line and describes the outcome.
func (s *stage) event(t *testing.T, verb string, args map[string]string) string {
	switch verb {
	case "lead": // replicas=1,2,3 isr=1,2,3 end=10 hw=10 min=2
		s.lead(args)
	case "append":
		s.LogEnd += number(args["n"])
	case "synced": // to=10, on the leader's disk
		s.fsync, s.Synced = true, number(args["to"])
	case "wait":
		d, err := time.ParseDuration(args["for"])
		if err != nil {
			t.Fatal(err)
		}
		s.now = s.now.Add(d)
		s.propose(shrunk(s.Replicas, s.now))
	case "fetch": // from=2 at=10 life=5
		s.fetch(member(args["from"]), number(args["at"]), metadata.Revision(number(args["life"])))
	case "commit": // the metadata store took the proposal
		s.InSync = InSync{Committed: s.InSync.Pending}
	case "refuse":
		s.InSync.Pending = nil
	case "unheard": // its broker can't be reached
		f := s.follower(member(args["who"]))
		f.Silent = f.Progress.silentFor(s.now) >= time.Second
		s.propose(heard(s.Replicas))
	case "dropped": // the controller took it out of the set
		s.InSync.Committed = slices.DeleteFunc(s.InSync.Committed, func(m metadata.Member) bool { return m == member(args["who"]) })
	case "registered": // who=2 life=7
		f := s.follower(member(args["who"]))
		f.Eligible, f.Since = true, metadata.Revision(number(args["life"]))
	case "fence":
		s.follower(member(args["who"])).Eligible = false
	default:
		t.Fatalf("unknown event %q", verb)
	}
	if !s.fsync {
		s.Synced = s.LogEnd
	}
	s.HighWatermark = nextHighWatermark(s.Replicas, s.now)
	return s.String()
}

func (s *stage) lead(args map[string]string) {
	s.Replicas = Replicas{
		Leader: member("1"), LogEnd: number(args["end"]), HighWatermark: number(args["hw"]),
		EpochStart: number(args["end"]), InSync: InSync{Committed: members(args["isr"])},
		MinISR: int(number(args["min"])), MaxLag: 30 * time.Second,
	}
	for _, m := range members(args["replicas"])[1:] {
		inSync := slices.Contains(s.InSync.Committed, m)
		s.Followers = append(s.Followers, Follower{Member: m, Eligible: true, Progress: Unseen(inSync, s.now)})
	}
}

func (s *stage) fetch(who metadata.Member, at record.Offset, registered metadata.Revision) {
	f := s.follower(who)
	if f.Member != who {
		f.Member, f.Progress = who, Unseen(false, s.now)
	}
	f.fetched(Position{Offset: at, LeaderEnd: s.LogEnd, At: s.now}, registered, s.InSync)
	s.propose(expanded(s.Replicas, *f))
}

func (s *stage) propose(members []metadata.Member) {
	if members != nil {
		s.InSync.Pending = members
	}
}

func (s *stage) follower(who metadata.Member) *Follower {
	i := slices.IndexFunc(s.Followers, func(f Follower) bool { return f.Member.Broker == who.Broker })
	return &s.Followers[i]
}

func (s *stage) String() string {
	text := fmt.Sprintf("end=%d hw=%d isr=%s", s.LogEnd, s.HighWatermark, names(s.InSync.Committed))
	if s.InSync.Pending != nil {
		text += " asks=" + names(s.InSync.Pending)
	}
	return text
}

func arguments(words []string) map[string]string {
	args := map[string]string{}
	for _, word := range words {
		name, value, _ := strings.Cut(word, "=")
		args[name] = value
	}
	return args
}

func number(s string) record.Offset {
	n, _ := strconv.ParseInt(s, 10, 64)
	return record.Offset(n)
}

// member reads "2" as broker 2 on its first store and "2b" as the same broker on its next one.
func member(s string) metadata.Member {
	store := ident.StoreID{1}
	if name, second := strings.CutSuffix(s, "b"); second {
		s, store = name, ident.StoreID{2}
	}
	id, _ := strconv.Atoi(s)
	return metadata.Member{Broker: ident.BrokerID(id), Store: store}
}

func members(list string) []metadata.Member {
	var out []metadata.Member
	for s := range strings.SplitSeq(list, ",") {
		out = append(out, member(s))
	}
	return out
}

func names(list []metadata.Member) string {
	var out []string
	for _, m := range list {
		name := strconv.Itoa(int(m.Broker))
		if m.Store == (ident.StoreID{2}) {
			name += "b"
		}
		out = append(out, name)
	}
	return strings.Join(out, ",")
}
