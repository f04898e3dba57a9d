package histories

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/anishathalye/porcupine"

	"barnabas/internal/metadata"
)

// Keys are used one after another, for the search grows with the history of each, and much with what is unknown in it.
const (
	keysAtOnce     = 3
	questionsOfKey = 60
	unknownOfKey   = 3
)

// history is what all clients have seen. Its methods may be called at once from anywhere.
type history struct {
	began time.Time

	mu         sync.Mutex
	operations []porcupine.Operation // guarded by mu
	keys       [keysAtOnce]keyInUse  // guarded by mu
	made       int                   // keys so far; guarded by mu
	done       int                   // questions answered; guarded by mu
	unanswered int                   // guarded by mu
	counts     map[string]int        // of answers, by kind and outcome; guarded by mu
	errors     map[string]int        // guarded by mu
	pause      time.Duration         // the longest time in which nobody was answered; guarded by mu
	answered   time.Duration         // guarded by mu
}

// keyInUse is a key, and what of it is used up.
type keyInUse struct {
	name             string
	asked, uncertain int
}

func newHistory() *history {
	return &history{began: time.Now(), counts: map[string]int{}, errors: map[string]int{}}
}

// pick is one of the keys in use, a new one in the place of one that is used up.
func (h *history) pick(i int) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	k := &h.keys[i]
	if k.name == "" || k.asked >= questionsOfKey || k.uncertain >= unknownOfKey {
		h.made++
		*k = keyInUse{name: fmt.Sprintf("histories/%04d", h.made)}
	}
	k.asked++
	return k.name
}

// now is the time since the history began, by the clock that nobody sets.
func (h *history) now() int64 { return int64(time.Since(h.began)) }

// never is when an operation ends that may come about at any time.
const never = int64(1) << 62

// note takes what became of a question.
func (h *history) note(client int, q question, called int64, a answer, err error) {
	returned := h.now()
	h.mu.Lock()
	defer h.mu.Unlock()
	outcome := "done"
	switch {
	case err != nil:
		outcome = "unknown"
		h.unanswered++
		h.errors[err.Error()]++
		for i := range h.keys {
			if h.keys[i].name == q.key && q.kind != read {
				h.keys[i].uncertain++
			}
		}
	case q.kind != read && !a.ok:
		outcome = "refused"
	}
	h.counts[q.kind.String()+" "+outcome]++
	if err == nil {
		h.done++
		h.pause = max(h.pause, time.Duration(returned)-h.answered)
		h.answered = time.Duration(returned)
	}
	if err != nil && q.kind == read {
		return // it tells nothing, and has changed nothing
	}
	if err != nil {
		a, returned = answer{unknown: true}, never
	}
	h.operations = append(h.operations, porcupine.Operation{ClientId: client, Input: q, Call: called, Output: a, Return: returned})
}

// answers counts those that were no errors.
func (h *history) answers() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.done
}

// lost counts the questions that were not answered.
func (h *history) lost() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.unanswered
}

// client asks one question after another, each about what it has last seen. It is for one goroutine.
type client struct {
	number  int
	store   metadata.Store
	history *history
	random  *rand.Rand
	within  time.Duration // of a question
	seen    map[string]metadata.Revision
	values  int
}

// ask puts one question to the Store.
func (c *client) ask(ctx context.Context) {
	q := c.choose()
	ctx, cancel := context.WithTimeout(ctx, c.within)
	defer cancel()
	called := c.history.now()
	a, err := c.put(ctx, q)
	c.history.note(c.number, q, called, a, err)
	switch {
	case err != nil:
		delete(c.seen, q.key)
	case q.kind == read:
		c.seen[q.key] = a.modified
	case a.ok:
		c.seen[q.key] = a.revision
	}
}

// choose draws a question: a third are reads, and of the rest most are conditional on what this client knows.
func (c *client) choose() question {
	q := question{key: c.history.pick(c.random.IntN(keysAtOnce))}
	known := c.seen[q.key]
	switch n := c.random.IntN(12); {
	case n < 4:
		q.kind = read
	case n < 8 && known != 0:
		q.kind, q.expect = swap, known
	case n < 9 && known != 0:
		q.kind, q.expect = remove, known
	case n < 10:
		q.kind = put
	default:
		q.kind = create
	}
	if q.kind != read && q.kind != remove {
		c.values++
		q.value = fmt.Sprintf("%d.%d", c.number, c.values)
	}
	return q
}

// put is how a question is asked of a Store.
func (c *client) put(ctx context.Context, q question) (answer, error) {
	var txn metadata.Txn
	switch q.kind {
	case read:
		kv, found, err := c.store.Get(ctx, q.key)
		return answer{found: found, value: string(kv.Value), created: kv.Created, modified: kv.Modified}, err
	case create:
		txn.If = []metadata.Compare{metadata.Absent(q.key)}
	case swap, remove:
		txn.If = []metadata.Compare{metadata.ModifiedAt(q.key, q.expect)}
	}
	txn.Then = []metadata.Op{metadata.Put(q.key, []byte(q.value))}
	if q.kind == remove {
		txn.Then = []metadata.Op{metadata.Delete(q.key)}
	}
	result, err := c.store.Txn(ctx, txn)
	return answer{ok: result.OK, revision: result.Revision}, err
}
