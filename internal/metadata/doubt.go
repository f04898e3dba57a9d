package metadata

import (
	"maps"
	"strings"

	"barnabas/internal/ident"
)

// Doubt is one broker's word that another does not answer it; or, where both are the same, a broker's answer to
// such words: it lives, and reaches the metadata store. It hangs on the lease of who said it.
type Doubt struct {
	Of, By ident.BrokerID `json:"-"`
	// Epoch is the broker epoch of the one in doubt: about any other registration it says nothing.
	Epoch Revision `json:"epoch"`
	// Refused says that the address refuses connections: no process is there.
	Refused bool `json:"refused,omitempty"`
	// At is the revision at which it was said.
	At Revision `json:"-"`
}

// DoubtKey holds what one broker says of another.
func DoubtKey(of, by ident.BrokerID) string {
	return DoubtsOf(of) + itoa(by)
}

// DoubtsOf is the prefix of all that is said of a broker.
func DoubtsOf(id ident.BrokerID) string { return doubtPrefix + itoa(id) + "/" }

// EncodeDoubt is the value of a DoubtKey.
func EncodeDoubt(d Doubt) []byte { return encodeJSON(d) }

// Doubts are all that is said now of brokers that do not answer, in no order.
func (img *Image) Doubts() []Doubt {
	all := make([]Doubt, 0, len(img.doubts))
	for _, d := range img.doubts {
		all = append(all, d)
	}
	return all
}

// doubt takes in one change.
func (b *builder) doubt(e *Event) error {
	head, by, ok := splitTail(e.Key)
	if !ok {
		return errKey
	}
	_, of, ok := splitTail(strings.TrimSuffix(head, "/"))
	if !ok {
		return errKey
	}
	next := maps.Clone(b.next.doubts)
	if next == nil {
		next = map[string]Doubt{}
	}
	b.next.doubts, b.doubts = next, true
	if e.Deleted {
		delete(next, e.Key)
		return nil
	}
	d := Doubt{Of: ident.BrokerID(of), By: ident.BrokerID(by), At: e.Modified}
	if err := decodeJSON(e.Value, &d); err != nil {
		return err
	}
	next[e.Key] = d
	return nil
}
