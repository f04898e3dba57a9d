package topicfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// versions are the apiVersions of a KafkaTopic: ours, and Strimzi's.
var versions = []string{"barnabas/v1", "kafka.strimzi.io/v1", "kafka.strimzi.io/v1beta2", "kafka.strimzi.io/v1beta1"}

// unmanaged is the annotation by which Strimzi is told to leave a topic alone.
const unmanaged = "strimzi.io/managed"

// Parse adds the documents of one file.
func (s *Set) Parse(path string, text []byte) {
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	for {
		var document yaml.Node
		switch err := decoder.Decode(&document); {
		case errors.Is(err, io.EOF):
			return
		case err != nil:
			s.problem(path+lineOf(err), "", "is not YAML: %s. Nothing after it in this file is read", reasonOf(err))
			return
		}
		if len(document.Content) == 1 {
			s.document(path, document.Content[0])
		}
	}
}

// lineOf takes the line from the parser's words, as ":7".
func lineOf(err error) string {
	_, rest, found := strings.Cut(err.Error(), "line ")
	number, _, more := strings.Cut(rest, ":")
	if _, wrong := strconv.Atoi(number); !found || !more || wrong != nil {
		return ""
	}
	return ":" + number
}

// reasonOf takes the reason from them.
func reasonOf(err error) string {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	if line := lineOf(err); line != "" {
		_, text, _ = strings.Cut(text, "line "+line[1:]+": ")
	}
	return text
}

// reader is one document while it is read.
type reader struct {
	set  *Set
	path string
	bad  bool
	out  Topic
}

func (r *reader) at(n *yaml.Node) string { return fmt.Sprintf("%s:%d", r.path, n.Line) }

func (r *reader) problem(n *yaml.Node, format string, args ...any) {
	r.bad = true
	r.set.problem(r.at(n), r.out.Name, format, args...)
}

func (s *Set) document(path string, n *yaml.Node) {
	r := &reader{set: s, path: path, out: Topic{Partitions: -1, Replicas: -1, Where: fmt.Sprintf("%s:%d", path, n.Line)}}
	if n.Kind == yaml.ScalarNode && n.Tag == "!!null" {
		return // two separators, or a file of comments
	}
	fields := r.fields(n, "a document")
	if fields == nil {
		return
	}
	if list := scalar(fields["kind"]); list == "List" || list == "KafkaTopicList" {
		r.list(fields["items"])
		return
	}
	r.identity(n, fields)
	if scalar(r.annotation(fields, unmanaged)) == "false" && !r.bad {
		s.Unmanaged++
		return
	}
	if spec := fields["spec"]; spec != nil {
		r.spec(spec)
	}
	if err := checkName(r.out.Name); err != nil && !r.bad {
		r.problem(n, "%v", err)
	}
	if !r.bad {
		s.Topics = append(s.Topics, r.out)
	}
}

// list reads what `kubectl get kafkatopic -o yaml` writes.
func (r *reader) list(items *yaml.Node) {
	if items == nil {
		return
	}
	if items.Kind != yaml.SequenceNode {
		r.problem(items, "items is not a list")
		return
	}
	for _, item := range items.Content {
		if item.Kind == yaml.AliasNode { // which could be of the list itself
			r.problem(item, "an item is an alias: write it out")
			continue
		}
		r.set.document(r.path, item)
	}
}

// identity reads what kind of a document it is, and the topic's name, unless the spec gives another one.
func (r *reader) identity(n *yaml.Node, fields map[string]*yaml.Node) {
	if metadata := fields["metadata"]; metadata != nil {
		if meta := r.fields(metadata, "metadata"); meta != nil {
			r.out.Name = scalar(meta["name"])
		}
	}
	kind, version := scalar(fields["kind"]), scalar(fields["apiVersion"])
	switch {
	case kind == "":
		r.problem(n, "it has no kind: write `kind: KafkaTopic`")
	case kind != "KafkaTopic":
		r.problem(fields["kind"], "the kind is %s, and only KafkaTopic is known here: take it out of this directory", kind)
	case version != "" && !slices.Contains(versions, version):
		r.problem(fields["apiVersion"], "the apiVersion is %s, and known are %s", version, strings.Join(versions, ", "))
	}
	for _, name := range names(n) {
		if !slices.Contains([]string{"apiVersion", "kind", "metadata", "spec", "status"}, name) {
			r.problem(fields[name], "%s is not a field of a KafkaTopic: what a topic is like stands below spec", name)
		}
	}
}

func (r *reader) annotation(fields map[string]*yaml.Node, name string) *yaml.Node {
	for _, below := range []string{"metadata", "annotations"} {
		n := fields[below]
		if n == nil || n.Kind != yaml.MappingNode {
			return nil
		}
		fields = plainFields(n)
	}
	return fields[name]
}

// spec reads what the topic shall be like.
func (r *reader) spec(n *yaml.Node) {
	fields := r.fields(n, "spec")
	if fields == nil {
		return
	}
	if name := fields["topicName"]; name != nil {
		r.out.Name = scalar(name)
	}
	for _, name := range names(n) {
		field := fields[name]
		if isNull(field) {
			continue
		}
		switch name {
		case "topicName":
		case "partitions":
			r.out.Partitions = int32(r.count(field, name, 1<<31-1))
		case "replicas":
			r.out.Replicas = int16(r.count(field, name, 1<<15-1))
		case "config":
			r.config(field)
		case "delete":
			if err := field.Decode(&r.out.Delete); err != nil {
				r.problem(field, "delete is true or false, and not %q", field.Value)
			}
		default:
			r.problem(field, "%s is not a field of a KafkaTopic's spec: it has topicName, partitions, replicas, config and delete", name)
		}
	}
}

func (r *reader) count(n *yaml.Node, name string, most int64) int64 {
	var count int64
	if err := n.Decode(&count); err != nil || count < 1 || count > most {
		r.problem(n, "%s is a number from 1 to %d, and not %q", name, most, n.Value)
		return -1
	}
	return count
}
