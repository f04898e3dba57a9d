package controller

import (
	"strings"

	"barnabas/internal/metadata"
)

// maxTopicName is the longest name a topic may have: its log directory's name has to fit into 255 bytes.
const maxTopicName = 249

// CheckTopicName tells what is wrong with a topic's name, as an *Error with ErrInvalidTopic.
func CheckTopicName(name string) error {
	switch {
	case name == "":
		return refuse(ErrInvalidTopic, "Topic name is invalid: the empty string is not allowed")
	case name == "." || name == "..":
		return refuse(ErrInvalidTopic, "Topic name is invalid: '%s' is not allowed", name)
	case len(name) > maxTopicName:
		return refuse(ErrInvalidTopic, "Topic name is invalid: the length of '%s' is longer than the max allowed length %d",
			name, maxTopicName)
	case strings.ContainsFunc(name, func(r rune) bool { return !topicRune(r) }):
		return refuse(ErrInvalidTopic, "Topic name is invalid: '%s' contains one or more characters other than "+
			"ASCII alphanumerics, '.', '_' and '-'", name)
	}
	return nil
}

func topicRune(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '.' || r == '_' || r == '-'
}

// maxCollisionLookups is up to how many ambiguous characters a name's twins are looked up one by one; there are two to
// the power of that many.
const maxCollisionLookups = 10

// colliding finds a topic whose name differs only in '.' and '_': the two would share a metric's name.
// The topic itself counts.
func colliding(img *metadata.Image, name string) (string, bool) {
	ambiguous := strings.Count(name, ".") + strings.Count(name, "_")
	if ambiguous == 0 {
		return "", false
	}
	if ambiguous > maxCollisionLookups {
		unified := strings.ReplaceAll(name, ".", "_")
		for t := range img.Topics() {
			if strings.ReplaceAll(t.Name, ".", "_") == unified {
				return t.Name, true
			}
		}
		return "", false
	}
	twin := []byte(name)
	for pattern := range 1 << ambiguous {
		spell(twin, pattern)
		if t := img.Topic(string(twin)); t != nil {
			return t.Name, true
		}
	}
	return "", false
}

// spell writes the ambiguous characters of a name by the bits of a pattern.
func spell(name []byte, pattern int) {
	for i, c := range name {
		if c != '.' && c != '_' {
			continue
		}
		name[i] = '.'
		if pattern&1 == 1 {
			name[i] = '_'
		}
		pattern >>= 1
	}
}
