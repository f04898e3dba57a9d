package cli

import (
	"fmt"
	"slices"
	"testing"
)

func TestMovePlans(t *testing.T) {
	for _, c := range []struct{ file, want string }{
		{`{"partitions":[{"topic":"t","partition":1,"replicas":[1,2]}],"version":1}`, ""},
		{`{"partitions":[{"topic":"t","partition":1,"replicas":[1,2],"log_dirs":["any","/d"]}]}`, ""},
		{`{"partitions":[{"topic":"t","partition":1,"replicas":[1,2],"log_dirs":["any"]}]}`,
			"Size of replicas list [1, 2] is different from size of log dirs list [any] for partition t-1"},
		{`{"partitions":[],"version":1}`, "Partition reassignment list cannot be empty"},
		{`{"partitions":[{"topic":"t","partition":1,"replicas":[]}]}`, "Partition replica list cannot be empty"},
		{`{"partitions":[{"topic":"t","partition":1,"replicas":[1]},{"topic":"t","partition":1,"replicas":[2]}]}`,
			"Partition reassignment contains duplicate topic partitions: t-1"},
		{`{"partitions":[{"topic":"t","partition":1,"replicas":[1,3,1]}]}`,
			"Partition replica lists may not contain duplicate entries: t-1 contains multiple entries for 1"},
		{`{"partitions":[{"topic":"t","replicas":[1]}]}`, "Every partition needs a topic, a partition and replicas"},
		{`{"version":2}`, "Not supported version field value 2"},
	} {
		plan, err := parseMovePlan([]byte(c.file))
		if err == nil {
			err = plan.check()
		}
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s:\n got %q\nwant %q", c.file, got, c.want)
		}
	}
}

// A proposal is even, and a partition's replicas stand on as many racks as there are.
func TestProposalIsEven(t *testing.T) {
	current := assignment{}
	for n := range int32(12) {
		current[partitionName{"t", n}] = []int32{9, 8}
	}
	for range 50 { // it begins at random
		brokers := []rackedBroker{{1, "a"}, {2, "a"}, {3, "b"}, {4, "b"}}
		proposed, err := propose(current, brokers)
		if err != nil {
			t.Fatal(err)
		}
		leads := map[int32]int{}
		for name, replicas := range proposed {
			leads[replicas[0]]++
			if len(replicas) != 2 || (replicas[0] <= 2) == (replicas[1] <= 2) {
				t.Fatalf("%s on %v: one rack", name, replicas)
			}
		}
		for _, b := range brokers {
			if leads[b.id] != 3 {
				t.Fatalf("leaders %v", leads)
			}
		}
	}
	if _, err := propose(current, []rackedBroker{{1, ""}}); err == nil {
		t.Error("two replicas on one broker")
	}
}

// A replica whose directory is not known, since its broker is away, is left to the broker.
func TestAssignmentNamesDirectories(t *testing.T) {
	current := assignment{{"t", 0}: {2, 1}, {"t", 1}: {1}}
	got := current.json(map[replicaName]string{{partitionName{"t", 0}, 1}: "/a", {partitionName{"t", 1}, 1}: "/b"})
	want := `{"version":1,"partitions":[{"topic":"t","partition":0,"replicas":[2,1],"log_dirs":["any","/a"]},` +
		`{"topic":"t","partition":1,"replicas":[1],"log_dirs":["/b"]}]}`
	if got != want {
		t.Errorf("got %s", got)
	}
}

func TestMovesAreDescribed(t *testing.T) {
	moves := reassignments{
		{"t", 1}: {replicas: []int32{3, 1}, adding: []int32{3}, removing: []int32{1}},
		{"t", 0}: {replicas: []int32{1, 2}, adding: []int32{2}},
	}
	want := "Current partition reassignments:\nt-0: replicas: 1,2. adding: 2.\nt-1: replicas: 3,1. adding: 3. removing: 1."
	if got := describeMoves(moves); got != want {
		t.Errorf("got %q", got)
	}
	if got := describeMoves(nil); got != "No partition reassignments found." {
		t.Errorf("got %q", got)
	}
}

// What is under way keeps its sources; what is added is copied from where it is now.
func TestThrottledMoves(t *testing.T) {
	under := reassignments{{"t", 0}: {replicas: []int32{3, 1}, adding: []int32{3}, removing: []int32{1}}}
	plan := &movePlan{replicas: assignment{{"t", 0}: {4}, {"t", 1}: {1, 2}}}
	moves := movesOf(under, plan, assignment{{"t", 0}: {3, 1}, {"t", 1}: {1}})
	got := ""
	for _, name := range namesOf(moves) {
		got += fmt.Sprint(name, " ", moves[name].from, moves[name].to, "; ")
	}
	if want := "t-0 [1] [4]; t-1 [1] [2]; "; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if !slices.Equal(lacking([]int32{1, 2, 3}, []int32{2}), []int32{1, 3}) {
		t.Error("lacking")
	}
}
