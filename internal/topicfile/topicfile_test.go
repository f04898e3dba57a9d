package topicfile

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// told is a Set in the words of these tests.
func told(s *Set) string {
	var b strings.Builder
	for _, t := range s.Topics {
		fmt.Fprintf(&b, "%s %d %d", t.Name, t.Partitions, t.Replicas)
		for _, name := range slices.Sorted(maps.Keys(t.Config)) {
			fmt.Fprintf(&b, " %s=%s", name, t.Config[name])
		}
		for _, name := range t.Reset {
			fmt.Fprintf(&b, " -%s", name)
		}
		if t.Delete {
			b.WriteString(" DELETE")
		}
		fmt.Fprintf(&b, " (%s)\n", t.Where)
	}
	for _, p := range s.Problems {
		fmt.Fprintf(&b, "! %s\n", p)
	}
	if s.Unmanaged > 0 {
		fmt.Fprintf(&b, "unmanaged %d\n", s.Unmanaged)
	}
	return b.String()
}

const strimzi = `# as Strimzi's documentation has it
apiVersion: kafka.strimzi.io/v1beta2
kind: KafkaTopic
metadata:
  name: my-topic-1
  namespace: kafka
  labels:
    strimzi.io/cluster: my-cluster
  annotations: {x: y}
spec:
  topicName: My_Topic
  partitions: 1_0
  replicas: 3
  config:
    retention.ms: 7200000
    segment.bytes: "1073741824"
    cleanup.policy: [compact, delete]
    unclean.leader.election.enable: false
status:
  conditions: [{type: Ready}]
---
# nothing
---
kind: KafkaTopic
metadata: {name: mine}
`

func TestDocuments(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"Strimzi's", strimzi, `My_Topic 10 3 cleanup.policy=compact,delete retention.ms=7200000 segment.bytes=1073741824 unclean.leader.election.enable=false (f:2)
mine -1 -1 (f:24)
`},
		{"JSON", `{"apiVersion": "barnabas/v1", "kind": "KafkaTopic", "metadata": {"name": "a"}, "spec": {"partitions": 2, "delete": true}}`, "a 2 -1 DELETE (f:1)\n"},
		{"what kubectl get -o yaml writes", `apiVersion: v1
kind: List
items:
- kind: KafkaTopic
  metadata: {name: a}
- kind: KafkaTopic
  metadata: {name: b}
`, "a -1 -1 (f:4)\nb -1 -1 (f:6)\n"},
		{"null is the default", "kind: KafkaTopic\nmetadata: {name: a}\nspec:\n  partitions:\n  config: {retention.ms: null}\n", "a -1 -1 -retention.ms (f:1)\n"},
		{"one that is left alone", "kind: KafkaTopic\nmetadata: {name: a, annotations: {strimzi.io/managed: \"false\"}}\nspec: {partitions: 0}\n", "unmanaged 1\n"},
		{"nothing", "", ""},
		{"no YAML", "kind: KafkaTopic\nmetadata: {name: a}\n---\nkind: KafkaTopic\nmetadata:\n\tname: b\n",
			"a -1 -1 (f:1)\n! f:6: is not YAML: found character that cannot start any token. Nothing after it in this file is read\n"},
		{"another kind", "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\n", "! f:2: topic a: the kind is Secret, and only KafkaTopic is known here: take it out of this directory\n"},
		{"no kind", "\nname: a\n", "! f:2: it has no kind: write `kind: KafkaTopic`\n! f:2: name is not a field of a KafkaTopic: what a topic is like stands below spec\n"},
		{"another version", "apiVersion: kafka.strimzi.io/v9\nkind: KafkaTopic\nmetadata: {name: a}\n",
			"! f:1: topic a: the apiVersion is kafka.strimzi.io/v9, and known are barnabas/v1, kafka.strimzi.io/v1, kafka.strimzi.io/v1beta2, kafka.strimzi.io/v1beta1\n"},
		{"values that are wrong", `kind: KafkaTopic
metadata: {name: a}
spec:
  partitions: many
  replicas: 0
  partitons: 3
  delete: maybe
  config:
    retention.ms: soon
    retention.msec: 3
    cleanup.policy: {a: b}
`, `! f:4: topic a: partitions is a number from 1 to 2147483647, and not "many"
! f:5: topic a: replicas is a number from 1 to 32767, and not "0"
! f:6: topic a: partitons is not a field of a KafkaTopic's spec: it has topicName, partitions, replicas, config and delete
! f:7: topic a: delete is true or false, and not "maybe"
! f:9: topic a: Invalid value soon for configuration retention.ms: Not a number of type LONG
! f:10: topic a: retention.msec is not a topic's setting: docs/configuration.md has them all
! f:11: topic a: the value of cleanup.policy is a word or a number, or a list of them
`},
		{"no name", "kind: KafkaTopic\n", "! f:1: it has no name: write it as metadata.name, or as spec.topicName\n"},
		{"a name that is none", "kind: KafkaTopic\nmetadata: {name: a/b}\n", "! f:1: topic a/b: a topic's name has 1 to 249 of a-z, A-Z, 0-9, '.', '_' and '-', and is not '.' or '..'\n"},
		{"twice in one", "kind: KafkaTopic\nkind: KafkaTopic\n", "! f:2: kind is there twice\n"},
		{"a list", "- a\n- b\n", "! f:1: a document is not a mapping of names to values\n"},
		{"a list of itself", "&a\nkind: List\nitems: [*a]\n", "! f:3: an item is an alias: write it out\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &Set{}
			s.Parse("f", []byte(c.text))
			if got := told(s); got != c.want {
				t.Errorf("got\n%swant\n%s", got, c.want)
			}
		})
	}
}

// TestDirectory reads a directory as kubelet makes it: links into ..data, which is itself a link that is exchanged.
func TestDirectory(t *testing.T) {
	dir := t.TempDir()
	put := func(version, name, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Join(dir, version), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, version, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	point := func(version string) {
		t.Helper()
		fresh := filepath.Join(dir, "..data_tmp")
		if err := os.Symlink(version, fresh); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(fresh, filepath.Join(dir, "..data")); err != nil {
			t.Fatal(err)
		}
	}
	put("..1", "a.yaml", "kind: KafkaTopic\nmetadata: {name: a}\nspec: {partitions: 1}\n")
	put("..1", "b.yml", "kind: KafkaTopic\nmetadata: {name: b}\n---\nkind: KafkaTopic\nmetadata: {name: a}\n")
	put("..1", "README.md", "kind: nothing")
	put("..2", "a.yaml", "kind: KafkaTopic\nmetadata: {name: a}\nspec: {partitions: 2}\n")
	point("..1")
	for _, name := range []string{"a.yaml", "b.yml", "README.md", "gone.yaml"} {
		if err := os.Symlink(filepath.Join("..data", name), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	want := fmt.Sprintf("b -1 -1 (%[1]s/b.yml:1)\n! %[1]s/b.yml:4: topic a: it has another document at %[1]s/a.yaml:1: neither is followed until one of them goes\n", dir)
	if got := told(ReadDir(dir)); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	point("..2")
	if got := told(ReadDir(dir)); got != fmt.Sprintf("a 2 -1 (%s/a.yaml:1)\n", dir) {
		t.Errorf("after the exchange:\n%s", got)
	}
	if got := told(ReadDir(filepath.Join(dir, "not-there"))); got != "" {
		t.Errorf("of a directory that is not there: %s", got)
	}
	if err := os.WriteFile(filepath.Join(dir, "huge.yaml"), make([]byte, maxFileBytes+1), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := told(ReadDir(dir)); !strings.Contains(got, "huge.yaml: it has 2097153 bytes") {
		t.Errorf("of a huge file: %s", got)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(strimzi))
	f.Add([]byte("&a\nkind: List\nitems: [*a]\n"))
	f.Add([]byte("a: &x [*x, *x]\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		s := &Set{}
		s.Parse("f", text)
		s.settle()
		for _, topic := range s.Topics {
			if checkName(topic.Name) != nil || topic.Partitions == 0 || topic.Replicas == 0 {
				t.Errorf("%+v was let through", topic)
			}
		}
	})
}
