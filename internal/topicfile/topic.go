package topicfile

import (
	"cmp"
	"fmt"
	"slices"
)

// Topic is one document.
type Topic struct {
	Name string
	// Partitions and Replicas are -1 where the document leaves them to the broker's defaults.
	Partitions int32
	Replicas   int16
	// Config are the settings to set; those of Reset are to be taken back to the broker's.
	Config map[string]string
	Reset  []string
	// Delete says that the topic shall not be there.
	Delete bool
	// Where is file:line.
	Where string
}

// Problem is what is wrong with a document, or with a file.
type Problem struct {
	// Where is file:line, or the file.
	Where string
	// Topic is the topic's name, as far as it is known.
	Topic   string
	Message string
}

func (p Problem) String() string {
	if p.Topic == "" {
		return p.Where + ": " + p.Message
	}
	return fmt.Sprintf("%s: topic %s: %s", p.Where, p.Topic, p.Message)
}

// Set is all that a directory says.
type Set struct {
	// Topics are in the order of their names, each once.
	Topics   []Topic
	Problems []Problem
	// Unmanaged counts the documents that say that their topics are left alone (strimzi.io/managed: "false").
	Unmanaged int
}

func (s *Set) problem(where, topic, format string, args ...any) {
	s.Problems = append(s.Problems, Problem{where, topic, fmt.Sprintf(format, args...)})
}

// settle refuses topics that have two documents, for which of them is meant is anybody's guess.
func (s *Set) settle() {
	slices.SortStableFunc(s.Topics, func(a, b Topic) int { return cmp.Compare(a.Name, b.Name) })
	kept := s.Topics[:0]
	for i := 0; i < len(s.Topics); {
		j := i + 1
		for j < len(s.Topics) && s.Topics[j].Name == s.Topics[i].Name {
			j++
		}
		if j == i+1 {
			kept = append(kept, s.Topics[i])
		}
		for k := i + 1; k < j; k++ {
			s.problem(s.Topics[k].Where, s.Topics[k].Name, "it has another document at %s: neither is followed until one of them goes", s.Topics[i].Where)
		}
		i = j
	}
	s.Topics = kept
}
