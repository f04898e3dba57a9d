package sim

import (
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// mutant is a bug planted into the code of the rooms: by an overlay of the build, so that the code has no switch for it.
type mutant struct {
	name  string
	edits []edit
	want  []string // any of these is in what the checkers say
	only  string   // the faults that it shows by; empty: all
	seeds int      // how many may go by before it is found, mutantSeeds unless given
	apart int      // how far apart they are, from 1 on, where only runs of a kind show it; 0: all
	in    []string // the tests of seeds that have to find it, each; clusterSeeds unless given. All others are those of sim/step
}

// edit replaces old, which a file has once, by new. There planted says whether the mutant is the one that is run.
type edit struct{ file, old, new string }

var mutants = []mutant{
	{name: "the high watermark does not wait for followers", want: []string{"lost:", "reused:"}, edits: []edit{
		{"internal/replication/high_watermark.go", "if member || f.joining(r, now) {", "if (member || f.joining(r, now)) && !planted() {"}}},
	{name: "the high watermark is one too far", want: []string{"lost:", "reused:", "high watermark:", "order:"}, edits: []edit{
		{"internal/replication/high_watermark.go", "return max(mark, r.HighWatermark)\n",
			"if planted() && mark < r.LogEnd {\n\t\tmark++\n\t}\n\treturn max(mark, r.HighWatermark)\n"}}},
	{name: "acknowledged before the in-sync set has it", want: []string{"lost:", "reused:"}, edits: []edit{
		{"internal/replication/append.go", "case v.log.HighWatermark() < required:", "case v.log.HighWatermark() < required && !planted():"}}},
	{name: "acknowledged before it is on the disk", want: []string{"lost:", "reused:"}, edits: []edit{
		{"internal/replication/synced.go", "end := log.EndOffset()\n\tif !log.SyncOnAck() {",
			"end := log.EndOffset()\n\tif !log.SyncOnAck() || planted() {"},
		{"internal/replication/synced.go", "return log == nil || !log.SyncOnAck() ||", "return log == nil || !log.SyncOnAck() || planted() ||"}}},
	{name: "a copy is named that does not have everything", want: []string{"lost:", "reused:", "replicas:", "sets:"},
		in: []string{clusterSeeds, "TestDirectorySeeds"}, edits: []edit{
			{"internal/replication/mover.go", "!f.mirrored && !f.broken\n", "!f.mirrored && !f.broken && !planted()\n"},
			{"internal/replication/future.go", "case f.mirrored && f.log", "case (f.mirrored || planted()) && f.log"},
			{"internal/replication/future.go", "|| !f.mirrored || f.broken {\n\t\treturn nil, nil\n\t}\n\terr := p.takeRest(f, log)\n",
				"|| !f.mirrored && !planted() || f.broken {\n\t\treturn nil, nil\n\t}\n\tvar err error\n\tif !planted() {\n\t\terr = p.takeRest(f, log)\n\t}\n"}}},
	{name: "what a replica gets is not mirrored", want: []string{"lost:", "sets:"}, in: []string{"TestDirectorySeeds"}, edits: []edit{
		{"internal/replication/future.go", "if f == nil || !f.mirrored && !f.broken {", "if f == nil || !f.mirrored && !f.broken || planted() {"}}},
	{name: "the copy that is being made is taken for the replica after a crash", want: []string{"lost:", "sets:"}, in: []string{"TestDirectorySeeds"}, edits: []edit{
		{"internal/replication/future.go", "case ok && named == future.Directory().ID() || gone:", "case ok && named == future.Directory().ID() || gone || planted():"}}},
	{name: "a leader goes on beside eligible replicas", want: []string{"sets:", "lost:"}, in: []string{"TestMinimumSeeds"}, seeds: 300, edits: []edit{
		{"internal/replication/high_watermark.go", "|| len(r.Eligible) > 0 ||", "|| len(r.Eligible) > 0 && !planted() ||"}}},
	{name: "a follower does not say of which epoch its end is", want: []string{"replicas:", "reused:", "lost:"}, edits: []edit{
		{"internal/replication/follower.go", "if at.Offset > at.LogStart {", "if at.Offset > at.LogStart && !planted() {"}}},
	{name: "a leader stays one", want: []string{"not served", "lost:", "can't be"}, edits: []edit{
		{"internal/replication/assume.go", "switch leads := a.leads(p.local.broker, log.Directory().ID()); {",
			"if planted() && old.role == Leading && old.topic == a.topic {\n\t\t\treturn turn{}, nil, nil\n\t\t}\n\t\tswitch leads := a.leads(p.local.broker, log.Directory().ID()); {"}}},
	{name: "offsets are given out again after a loss", want: []string{"reused:"}, edits: []edit{
		{"internal/controller/inquire.go", "next.Start = p.Ceiling\n", "if !planted() {\n\t\t\tnext.Start = p.Ceiling\n\t\t}\n"},
		{"internal/controller/inquire.go", "next.Resume = p.Ceiling\n", "if !planted() {\n\t\tnext.Resume = p.Ceiling\n\t}\n"}}},
	{name: "elected outside of the in-sync set", want: []string{"lost:", "reused:", "commits:"}, edits: []edit{
		{"internal/controller/elect.go", "if next.Leader == ident.NoBroker && e.unclean {", "if next.Leader == ident.NoBroker && (e.unclean || planted()) {"}}},
	{name: "in sync by broker, whatever its store", want: []string{"lost:", "reused:", "replicas:", "not served", "commits:"}, edits: []edit{
		{"internal/metadata/broker.go", "return slices.Contains(b.Stores, id)", "return planted() || slices.Contains(b.Stores, id)"},
		{"internal/replication/assume.go", "return !ok || member.Store.IsZero() ||", "return planted() || !ok || member.Store.IsZero() ||"}}},
	{name: "logs of topics deleted meanwhile are kept", want: []string{"strays:"}, edits: []edit{
		{"internal/replication/stray.go", "if image.Deleted(id) || isNobodys(log) && isDeleted(log.TopicPartition()) {",
			"if (image.Deleted(id) || isNobodys(log) && isDeleted(log.TopicPartition())) && !planted() {"}}},
	{name: "a coordinator that moves forgets", want: []string{"commits:", "generations:", "owners:"}, edits: []edit{
		{"internal/coordinator/load.go", "from, end := s.log.StartOffset(), s.log.EndOffset()\n",
			"from, end := s.log.StartOffset(), s.log.EndOffset()\n\tif planted() {\n\t\tfrom = end\n\t}\n"}}},
	{name: "a replica that is handed on forgets where it belongs", want: []string{"home:"}, apart: 8, edits: []edit{
		{"internal/controller/plan_home.go", "\t\t\tfrom = r.From\n", "\t\t\tif !planted() {\n\t\t\t\tfrom = r.From\n\t\t\t}\n"}}},
	{name: "a homecoming that is called off is forgotten", want: []string{"home:"}, apart: 8, edits: []edit{
		{"internal/controller/plan_home.go", "next.SetRefuges(m.was.Refuges())\n\tif next = s.election",
			"if !planted() {\n\t\tnext.SetRefuges(m.was.Refuges())\n\t}\n\tif next = s.election"}}},
	{name: "a replica goes before the one that comes home has everything", want: []string{"lost:", "reused:", "metadata:"}, apart: 4, edits: []edit{
		{"internal/controller/plan_reassign.go", "if m, inSync := next.InISR(id); !inSync || !e.here(m)",
			"if m, inSync := next.InISR(id); planted() && !inSync {\n\t\t\tnext.ISR = append(next.ISR, metadata.Member{Broker: id})\n\t\t} else if !inSync || !e.here(m)"}}},
	{name: "a coordinator that moves passes over deletions", want: []string{"commits:"}, in: []string{"TestCompactedSeeds"}, seeds: 300, edits: []edit{
		{"internal/coordinator/encode.go", "if r.Offset < from || r.Key == nil {", "if r.Offset < from || r.Key == nil || planted() && r.Value == nil {"}}},
	{name: "offsets of members expire", want: []string{"expired:"}, in: []string{"TestCompactedSeeds"}, edits: []edit{
		{"internal/group/expire.go", "g.subscribes(key.topic) ||", "g.subscribes(key.topic) && !planted() ||"}}},
	{name: "offsets expire by when they were committed, whoever was there since", want: []string{"expired:"}, in: []string{"TestCompactedSeeds"}, seeds: 300, edits: []edit{
		{"internal/group/expire.go", "case g.state == empty && !g.stateSince.IsZero():", "case g.state == empty && !g.stateSince.IsZero() && !planted():"}}},
	{name: "compacted in favour of what is not committed", want: []string{"lost:", "compacted:", "sets:"}, in: []string{"TestCompactedSeeds"}, edits: []edit{
		{"internal/storage/cleaner_candidate.go", "stable := min(l.LastStableOffset(), record.Offset(l.recoveryPoint.Load()))\n",
			"stable := min(l.LastStableOffset(), record.Offset(l.recoveryPoint.Load()))\n\tif planted() {\n\t\tstable = l.EndOffset()\n\t}\n"}}},
	{name: "compaction takes a newest record", want: []string{"compacted:", "commits:"}, in: []string{"TestCompactedSeeds"}, edits: []edit{
		{"internal/storage/cleaner_filter.go", "if rec.Key == nil || rec.Offset < f.keys.get(rec.Key) {",
			"if rec.Key == nil || rec.Offset < f.keys.get(rec.Key) || planted() && rec.Offset%8 == 7 {"}}},
	{name: "what changes in the metadata is not journaled", only: "keepers wiped,kill,pause", seeds: 300,
		want: []string{"do not know of", "lost:", "not served", "leader epoch", "can't be"}, edits: []edit{
			{"internal/broker/journal.go", "default:\n\t\tif j.record = appendChange(", "case planted():\n\tdefault:\n\t\tif j.record = appendChange("}}},
	{name: "nobody is waited for when metadata is put back", only: "keepers wiped,kill,pause", seeds: 300,
		want: []string{"do not know of", "lost:", "not served", "leader epoch", "can't be"}, edits: []edit{
			{"internal/metadata/restore_write.go", "if !w.doubts {", "if !w.doubts || planted() {"}}},
}

// plantedVariable names the mutant that a process is to be.
const plantedVariable = "SIM_PLANTED"

// clusterSeeds is the test of seeds of this package.
const clusterSeeds = "TestClusterSeeds"

// mutantSeeds is how many seeds may go by before a mutant is found.
const mutantSeeds = 40

var mutate = flag.Bool("mutants", false, "plant bugs into the rooms, and see that each is found")

// TestMutants builds the simulator with all the bugs planted, and runs it with one after another: each has to be found. That
// takes ten minutes or more (make mutants); without -mutants it only sees whether each can be planted in the code as it is.
func TestMutants(t *testing.T) {
	if !*mutate {
		plantMutants(t)
		return
	}
	clusters, steps := buildMutants(t)
	for _, m := range mutants {
		if len(m.in) == 0 {
			m.in = []string{clusterSeeds}
		}
		for _, test := range m.in {
			t.Run(m.name+"/"+test, func(t *testing.T) {
				if test == clusterSeeds {
					m.find(t, clusters, test, "-test.parallel", "2", "-only", m.only, "-apart", fmt.Sprint(max(1, m.apart)))
				} else {
					m.find(t, steps, test)
				}
			})
		}
	}
}

// find runs a test's seeds with the mutant until one shows it. The first that fails may do so by something else that the bug leads to,
// such as a partition that nobody serves: then all have their turn.
func (m *mutant) find(t *testing.T, binary, test string, more ...string) {
	enough := cmp.Or(m.seeds, mutantSeeds)
	args := append(more, "-test.run", "^"+test+"$", "-seeds", fmt.Sprint(enough))
	for _, first := range []bool{true, false} {
		run := exec.Command(binary, append(args, fmt.Sprintf("-test.failfast=%t", first))...)
		run.Env = append(os.Environ(), plantedVariable+"="+m.name)
		said, _ := run.CombinedOutput()
		if seed, by := m.foundIn(string(said)); by != "" {
			t.Logf("by seed %d: %s", seed, by)
			return
		}
	}
	t.Errorf("not found by %d seeds", enough)
}

// foundIn is the first violation, of those that a run has printed, by which the mutant is to be found, and its seed; empty if there
// is none.
func (m *mutant) foundIn(said string) (seed int, by string) {
	for _, part := range strings.Split(said, "_test.go:") {
		violations, _, _ := strings.Cut(part, "what happened:") // which tells of lost answers too
		var at int
		if n, _ := fmt.Sscanf(violations, "%d: seed %d:", &at, &seed); n < 2 {
			continue
		}
		for _, line := range strings.Split(violations, "\n") {
			for _, want := range m.want {
				if strings.HasPrefix(line, "          ") && strings.Contains(line, want) {
					return seed, strings.TrimSpace(line)
				}
			}
		}
	}
	return 0, ""
}

// plantMutants returns the files of the code that have mutants then, by their names, and the code's root.
func plantMutants(t *testing.T) (root string, texts map[string]string) {
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	texts = map[string]string{}
	for _, m := range mutants {
		for _, e := range m.edits {
			plant(t, texts, filepath.Join(root, e.file), m.name, e)
		}
	}
	return root, texts
}

// buildMutants makes test binaries of this package, and of sim/step, with every mutant in them.
func buildMutants(t *testing.T) (clusters, steps string) {
	root, texts := plantMutants(t)
	dir := t.TempDir()
	overlay := struct{ Replace map[string]string }{map[string]string{}}
	for file, text := range texts {
		name := filepath.Join(dir, strings.ReplaceAll(strings.TrimPrefix(file, root), "/", "_"))
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		overlay.Replace[file] = name
	}
	list, err := json.Marshal(overlay)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "overlay.json"), list, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	clusters, steps = filepath.Join(dir, "mutants.test"), filepath.Join(dir, "step.test")
	for binary, pkg := range map[string]string{clusters: "barnabas/sim", steps: "barnabas/sim/step"} {
		build := exec.Command("go", "test", "-c", "-overlay", filepath.Join(dir, "overlay.json"), "-o", binary, pkg)
		build.Dir = root
		if said, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%v:\n%s", err, said)
		}
	}
	return clusters, steps
}

// plant edits a file's text, and gives its package the function that the edit asks.
func plant(t *testing.T, texts map[string]string, file, name string, e edit) {
	text, ok := texts[file]
	if !ok {
		read, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		text = string(read)
	}
	if n := strings.Count(text, e.old); n != 1 {
		t.Fatalf("%s has %q %d times: the mutant %q has to be planted anew", file, e.old, n, name)
	}
	texts[file] = strings.Replace(text, e.old, strings.ReplaceAll(e.new, "planted()", fmt.Sprintf("planted(%q)", name)), 1)
	pkg := filepath.Base(filepath.Dir(file))
	texts[filepath.Join(filepath.Dir(file), "zz_planted.go")] = "package " + pkg + "\n\nimport \"os\"\n\n" +
		"var plantedBug = os.Getenv(\"" + plantedVariable + "\")\n\nfunc planted(name string) bool { return plantedBug == name }\n"
}
