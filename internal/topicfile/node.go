package topicfile

import (
	"errors"
	"strings"

	"go.yaml.in/yaml/v3"

	"barnabas/internal/config"
)

// fields are those of a mapping; nil, with a problem, where it is none, or where one is there twice.
func (r *reader) fields(n *yaml.Node, what string) map[string]*yaml.Node {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Kind != yaml.MappingNode {
		r.problem(n, "%s is not a mapping of names to values", what)
		return nil
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		name := n.Content[i].Value
		if seen[name] {
			r.problem(n.Content[i], "%s is there twice", name)
			return nil
		}
		seen[name] = true
	}
	return plainFields(n)
}

func plainFields(n *yaml.Node) map[string]*yaml.Node {
	fields := make(map[string]*yaml.Node, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		value := n.Content[i+1]
		if value.Kind == yaml.AliasNode {
			value = value.Alias
		}
		fields[n.Content[i].Value] = value
	}
	return fields
}

func scalar(n *yaml.Node) string {
	if n == nil || n.Kind != yaml.ScalarNode || isNull(n) {
		return ""
	}
	return n.Value
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

// names are those of a mapping's fields, in their order.
func names(n *yaml.Node) []string {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	var list []string
	for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
		list = append(list, n.Content[i].Value)
	}
	return list
}

// config reads the topic's settings, and checks them as a client's would be.
func (r *reader) config(n *yaml.Node) {
	fields := r.fields(n, "config")
	if fields == nil {
		return
	}
	for _, name := range names(n) {
		field := fields[name]
		setting := config.TopicSetting(name)
		if setting == nil {
			r.problem(field, "%s is not a topic's setting: docs/configuration.md has them all", name)
			continue
		}
		if isNull(field) {
			r.out.Reset = append(r.out.Reset, name)
			continue
		}
		value, ok := value(field)
		if !ok {
			r.problem(field, "the value of %s is a word or a number, or a list of them", name)
			continue
		}
		if _, err := setting.Parse(value); err != nil {
			r.problem(field, "%v", err)
			continue
		}
		if r.out.Config == nil {
			r.out.Config = map[string]string{}
		}
		r.out.Config[name] = value
	}
}

// value is a setting's as a client would send it: lists have commas.
func value(n *yaml.Node) (string, bool) {
	switch n.Kind {
	case yaml.ScalarNode:
		return plainNumber(n), true
	case yaml.SequenceNode:
		var items []string
		for _, item := range n.Content {
			if item.Kind != yaml.ScalarNode {
				return "", false
			}
			items = append(items, item.Value)
		}
		return strings.Join(items, ","), true
	}
	return "", false
}

// plainNumber undoes what YAML allows in numbers and Kafka does not: 1_000. Others stay as they are written.
func plainNumber(n *yaml.Node) string {
	if n.Tag != "!!int" {
		return n.Value
	}
	return strings.ReplaceAll(n.Value, "_", "")
}

var errName = errors.New("a topic's name has 1 to 249 of a-z, A-Z, 0-9, '.', '_' and '-', and is not '.' or '..'")

func checkName(name string) error {
	if name == "" {
		return errors.New("it has no name: write it as metadata.name, or as spec.topicName")
	}
	bad := func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '.' && c != '_' && c != '-'
	}
	if len(name) > 249 || name == "." || name == ".." || strings.ContainsFunc(name, bad) {
		return errName
	}
	return nil
}
