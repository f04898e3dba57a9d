package metadata

import (
	"fmt"
	"slices"
	"strings"

	"github.com/google/btree"

	"barnabas/internal/ident"
	"barnabas/internal/record"
)

// Answer is what one broker's store holds of a partition whose copies are asked (Partition.Inquiry). It
// stays true until a leader is elected, for nothing is appended or cut off until then.
type Answer struct {
	// Key is the answer's key in the store; it says which broker answers about which partition.
	Key string `json:"-"`
	// Modified is the revision at which it was given.
	Modified Revision `json:"-"`
	// Broker is who answers, BrokerEpoch its registration then: an answer of an earlier one is void.
	Broker      ident.BrokerID `json:"-"`
	BrokerEpoch Revision       `json:"brokerEpoch"`
	// LeaderEpoch is that of the question; an answer to an earlier one is void.
	LeaderEpoch record.Epoch `json:"leaderEpoch"`
	// Offline says that the broker has no log to look into, for a directory of its can't be read.
	Offline bool `json:"offline,omitempty"`
	// Torn says that the copy's end may be missing. The registration says so no more once this is said.
	Torn bool `json:"torn,omitempty"`
	// Store is the log directory of the copy.
	Store ident.StoreID `json:"store"`
	// Start and End bound the copy's offsets, [Start, End); LastEpoch is that of its last record,
	// record.NoEpoch when it has none.
	Start     record.Offset `json:"start"`
	End       record.Offset `json:"end"`
	LastEpoch record.Epoch  `json:"lastEpoch"`
	// HighWatermark is up to where the copy knows records to have been shown.
	HighWatermark record.Offset `json:"highWatermark"`
}

// Empty tells whether the copy holds no record.
func (a *Answer) Empty() bool { return a.Offline || a.End <= a.Start }

// EncodeAnswer is the value of an AnswerKey.
func EncodeAnswer(a *Answer) []byte { return encodeJSON(a) }

func decodeAnswer(kv KV) (*Answer, error) {
	_, broker, ok := splitTail(kv.Key)
	if !ok {
		return nil, errKey
	}
	a := new(Answer)
	if err := decodeJSON(kv.Value, a); err != nil {
		return nil, err
	}
	a.Key, a.Modified, a.Broker = strings.Clone(kv.Key), kv.Modified, ident.BrokerID(broker)
	return a, nil
}

// answersTo reads which partition an answer's key is about.
func answersTo(key string) (id ident.TopicID, partition int32, err error) {
	head, _, ok := splitTail(key)
	if !ok {
		return id, 0, errKey
	}
	if head, partition, ok = splitTail(head); !ok {
		return id, 0, errKey
	}
	id, err = ident.ParseTopicID(strings.TrimPrefix(head, answerPrefix))
	if err != nil {
		return id, 0, fmt.Errorf("%w: %w", errKey, err)
	}
	return id, partition, nil
}

// answerIndex holds the answers in the order of their keys. It is empty but for moments.
type answerIndex struct{ tree *btree.BTreeG[*Answer] }

func newAnswerIndex() answerIndex {
	return answerIndex{btree.NewG(topicDegree, func(a, b *Answer) bool { return a.Key < b.Key })}
}

func (x answerIndex) clone() answerIndex { return answerIndex{x.tree.Clone()} }

// Answers are what stores have said about a partition, in no order that means anything.
func (img *Image) Answers(id ident.TopicID, partition int32) (answers []*Answer) {
	prefix := AnswersOf(id, partition)
	img.answers.tree.AscendGreaterOrEqual(&Answer{Key: prefix}, func(a *Answer) bool {
		if !strings.HasPrefix(a.Key, prefix) {
			return false
		}
		answers = append(answers, a)
		return true
	})
	return answers
}

// SaidTorn tells whether a copy has been called torn in answer to the question that is asked now, of which these are the answers. Its
// broker's registration says so no more since then, and the copy is no better for it. Of a state that was put back it holds whatever
// question it was in answer to, for that may be another one by now: a broker has come that knows of a later state.
func (p *Partition) SaidTorn(m Member, answers []*Answer) bool {
	return p.Inquiry != NoInquiry && slices.ContainsFunc(answers, func(a *Answer) bool {
		return a.Torn && a.Broker == m.Broker && a.Store == m.Store && (a.LeaderEpoch == p.LeaderEpoch || p.Inquiry == InquiryRestored)
	})
}

// PartitionRef names a partition by its topic's id.
type PartitionRef struct {
	Topic     ident.TopicID
	Partition int32
}

func (b *builder) answer(e *Event) error {
	id, partition, err := answersTo(e.Key)
	if err != nil {
		return err
	}
	if !b.ownsAnswers {
		b.ownsAnswers = true
		b.next.answers = b.next.answers.clone()
	}
	if e.Deleted {
		b.next.answers.tree.Delete(&Answer{Key: e.Key})
		return nil
	}
	answer, err := decodeAnswer(e.KV)
	if err != nil {
		return err
	}
	b.next.answers.tree.ReplaceOrInsert(answer)
	b.answered = append(b.answered, PartitionRef{id, partition})
	return nil
}

// diffAnswers is for a Diff: an answer that both have may yet be another one.
func (d *Delta) diffAnswers(new *Image) {
	new.answers.tree.Ascend(func(a *Answer) bool {
		if id, partition, err := answersTo(a.Key); err == nil {
			d.Answers = append(d.Answers, PartitionRef{id, partition})
		}
		return true
	})
}
