package broker

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"barnabas/internal/metadata"
	"barnabas/internal/topicfile"
)

// longEnough is how long a test waits for what has to come.
const longEnough = 30 * time.Second

// awaitState waits until a condition holds, and tells how things stand if it never does.
func awaitState(t *testing.T, what string, holds func() bool, state func() string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), longEnough)
	defer cancel()
	for !holds() {
		if pause(ctx, 10*time.Millisecond); ctx.Err() != nil {
			t.Fatalf("%s: never; %s", what, state())
		}
	}
}

func writeFile(t *testing.T, dir, name, text string) {
	t.Helper()
	fresh := filepath.Join(dir, ".fresh")
	if err := os.WriteFile(fresh, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(fresh, filepath.Join(dir, name)); err != nil {
		t.Fatal(err)
	}
}

// TestDeclaredTopics follows a directory of documents through the changes that people make.
func TestDeclaredTopics(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, dir, "a.yaml", "kind: KafkaTopic\nmetadata: {name: a}\nspec: {partitions: 2, config: {retention.ms: 60000, segment.bytes: 1048576}}\n")
	w := newWorld(t)
	b := w.start("barnabas.topics.dir="+dir, "barnabas.topics.interval.ms=100")
	state := func() string { return fmt.Sprintf("%+v", b.declared.current()) }
	topic := func() string {
		topic := b.feed.Current().Topic("a")
		if topic == nil {
			return "none"
		}
		config := b.feed.Current().Config(metadata.Resource{Type: metadata.TopicResource, Name: "a"})
		return fmt.Sprint(topic.NumPartitions(), " ", config["retention.ms"], " ", config["segment.bytes"])
	}
	become := func(what, want string) {
		t.Helper()
		awaitState(t, what, func() bool { return topic() == want }, func() string { return topic() + " " + state() })
	}
	become("created", "2 60000 1048576")
	writeFile(t, dir, "a.yaml", "kind: KafkaTopic\nmetadata: {name: a}\nspec: {partitions: 5, config: {retention.ms: null, segment.bytes: 2097152}}\n")
	become("changed", "5  2097152")
	writeFile(t, dir, "a.yaml", "kind: KafkaTopic\nmetadata: {name: a}\nspec: {partitions: 1}\n")
	awaitState(t, "the refusal", func() bool { return strings.Contains(state(), "can't have fewer than it has") }, state)
	become("left as it is", "5  2097152")
	if warnings := strings.Join(b.warnings(), "\n"); !strings.Contains(warnings, filepath.Join(dir, "a.yaml")+":1: topic a: it has 5 partitions") {
		t.Errorf("warnings: %s", warnings)
	}
	if err := os.Remove(filepath.Join(dir, "a.yaml")); err != nil {
		t.Fatal(err)
	}
	awaitState(t, "no documents", func() bool { return b.declared.current().Topics == 0 }, state)
	become("not deleted with its document", "5  2097152")
	writeFile(t, dir, "a.yaml", "kind: KafkaTopic\nmetadata: {name: a}\nspec: {delete: true}\n")
	become("deleted where that is said", "none")
	awaitState(t, "all is well", func() bool { s := b.declared.current(); return len(s.Problems) == 0 && len(s.Pending) == 0 }, state)
	writeFile(t, dir, "b.yaml", "kind: KafkaTopic\nmetadata: {name: b}\nspec: {replicas: 3}\n")
	awaitState(t, "what can't be created", func() bool { return strings.Contains(state(), "b.yaml:1: topic b: it could not be created") }, state)
}

func TestPlanDeclared(t *testing.T) {
	w := newWorld(t)
	b := w.start("num.partitions=3")
	if err := w.produce(w.client(b), 0, 1); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ document, want string }{
		{"metadata: {name: t}", ""},
		{"metadata: {name: t}\nspec: {partitions: 3, replicas: 1}", ""},
		{"metadata: {name: t}\nspec: {partitions: 4}", "lengthen 1"},
		{"metadata: {name: t}\nspec: {replicas: 2}", "! it can't have other than 1 replicas yet: 2 replicas want 2 brokers, and 1 are there that stay"},
		{"metadata: {name: t}\nspec: {config: {retention.ms: 5, cleanup.policy: null}}", "set settings of 1"},
		{"metadata: {name: u}\nspec: {partitions: 4}", "create 1"},
		{"metadata: {name: u}\nspec: {delete: true}", ""},
		{"metadata: {name: t}\nspec: {delete: true}", "delete 1"},
	} {
		set := &topicfile.Set{}
		set.Parse("f", []byte("kind: KafkaTopic\n"+c.document))
		plan := planDeclared(set, b.feed.Current(), true)
		got := plan.words()
		for _, p := range plan.problems {
			got += "! " + p.Message
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", c.document, got, c.want)
		}
	}
	set := &topicfile.Set{}
	set.Parse("f", []byte("kind: KafkaTopic\nmetadata: {name: t}\nspec: {delete: true}"))
	if plan := planDeclared(set, b.feed.Current(), false); plan.words() != "" || len(plan.problems) != 1 {
		t.Errorf("where topics can't be deleted: %+v", plan)
	}
}
