// Package histories has clients work on single keys of the metadata Store, notes what each asked, was told and when, and
// has porcupine look for an order in which a register for each key would have answered the same.
//
// The engine behind the Store is memory, or keepers as real processes that are killed, sent to sleep and wiped meanwhile.
// LONG=5m has the trouble with those go on for so long (SEED=7 repeats one).
package histories

import (
	"fmt"

	"github.com/anishathalye/porcupine"

	"barnabas/internal/metadata"
)

// kind is what a client does with a key.
type kind uint8

const (
	read kind = iota
	put
	create // writes where nothing is
	swap   // writes over what was written at a revision
	remove // deletes what was written at a revision
)

func (k kind) String() string { return [...]string{"read", "put", "create", "swap", "remove"}[k] }

// question is what a client asks of one key.
type question struct {
	key    string
	kind   kind
	value  string            // of put, create and swap; no two are alike
	expect metadata.Revision // of swap and remove
}

// answer is what it is told.
type answer struct {
	// unknown says that a write may have taken place, or may yet, or never.
	unknown bool
	// ok says that a write took place, at revision.
	ok       bool
	revision metadata.Revision
	// found and what follows it are of a read.
	found             bool
	value             string
	created, modified metadata.Revision
}

// register is what one key may be. A revision is 0 while it is not known: the answer that would have told it was lost.
type register struct {
	found             bool
	value             string
	created, modified metadata.Revision
	// after is below the revision of the last write, whatever that is.
	after metadata.Revision
}

// model is a register for each key.
var model = (&porcupine.NondeterministicModel{
	Partition: byKey,
	Init:      func() []any { return []any{register{}} },
	Step: func(state, input, output any) (next []any) {
		for _, r := range state.(register).step(input.(question), output.(answer)) {
			next = append(next, r)
		}
		return next
	},
	DescribeOperation: func(input, output any) string {
		return fmt.Sprintf("%s: %s", input.(question), output.(answer))
	},
	DescribeState: func(state any) string { return fmt.Sprintf("%+v", state) },
}).ToModel()

func byKey(history []porcupine.Operation) [][]porcupine.Operation {
	keys := map[string]int{}
	var parts [][]porcupine.Operation
	for _, operation := range history {
		key := operation.Input.(question).key
		i, known := keys[key]
		if !known {
			i = len(parts)
			keys[key] = i
			parts = append(parts, nil)
		}
		parts[i] = append(parts[i], operation)
	}
	return parts
}

// step is all that the register may be once it was asked that and has answered so; nothing if it can't have.
func (r register) step(q question, a answer) []register {
	if q.kind == read {
		return r.told(a)
	}
	var next []register
	if a.unknown || !a.ok {
		next = append(next, r.without(q, a)...)
	}
	if a.unknown || a.ok {
		next = append(next, r.with(q, a)...)
	}
	return next
}

// told is the register that a read has shown, of which it may show revisions that nobody had heard of.
func (r register) told(a answer) []register {
	if a.found != r.found {
		return nil
	}
	if !a.found {
		return []register{r}
	}
	if a.value != r.value || r.modified != 0 && a.modified != r.modified || r.created != 0 && a.created != r.created ||
		a.created > a.modified || a.modified <= r.after {
		return nil
	}
	r.created, r.modified = a.created, a.modified
	return []register{r}
}

// without is the register that a write has left as it was: because it never came about, or because of its condition.
func (r register) without(q question, a answer) []register {
	refused := q.kind == create && r.found || (q.kind == swap || q.kind == remove) && (!r.found || r.modified != q.expect)
	if !a.unknown && !refused {
		return nil
	}
	return []register{r}
}

// with is the register after a write whose condition has held.
func (r register) with(q question, a answer) []register {
	switch {
	case q.kind == create && r.found:
		return nil
	case q.kind == swap || q.kind == remove:
		if !r.found || r.modified != 0 && r.modified != q.expect || q.expect <= r.after {
			return nil
		}
		r.modified = q.expect
	}
	if !a.unknown && (a.revision <= r.after || a.revision <= r.modified) {
		return nil
	}
	next := register{found: q.kind != remove, value: q.value, modified: a.revision, created: r.created, after: max(r.after, r.modified)}
	switch {
	case q.kind == remove:
		next = register{after: max(next.after, a.revision)}
	case !r.found:
		next.created = a.revision
	}
	return []register{next}
}

func (q question) String() string {
	switch q.kind {
	case read:
		return "read " + q.key
	case swap, remove:
		return fmt.Sprintf("%s %s at %d %s", q.kind, q.key, q.expect, q.value)
	default:
		return fmt.Sprintf("%s %s %s", q.kind, q.key, q.value)
	}
}

func (a answer) String() string {
	switch {
	case a.unknown:
		return "unknown"
	case a.found:
		return fmt.Sprintf("%s, created %d, modified %d", a.value, a.created, a.modified)
	case a.ok:
		return fmt.Sprintf("done at %d", a.revision)
	default:
		return "no"
	}
}
