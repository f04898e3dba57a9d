package histories

import (
	"context"
	"errors"
	"testing"

	"barnabas/internal/metadata"
	"barnabas/internal/metadata/memstore"
)

// planted is a Store with a fault in it.
type planted struct {
	metadata.Store
	get func(ctx context.Context, key string) (metadata.KV, bool, error)
	txn func(ctx context.Context, txn metadata.Txn) (metadata.TxnResult, error)
}

func (p *planted) Get(ctx context.Context, key string) (metadata.KV, bool, error) {
	if p.get == nil {
		return p.Store.Get(ctx, key)
	}
	return p.get(ctx, key)
}

func (p *planted) Txn(ctx context.Context, txn metadata.Txn) (metadata.TxnResult, error) {
	if p.txn == nil {
		return p.Store.Txn(ctx, txn)
	}
	return p.txn(ctx, txn)
}

// every tells each nth call of it.
func every(n int) func() bool {
	calls := 0
	return func() bool { calls++; return calls%n == 0 }
}

// faults are what a Store must not do. A client alone asks, so that each run is the same.
var faults = map[string]func(p *planted){
	"nothing is wrong": func(*planted) {},
	"an answer is lost, and what was asked has happened": func(p *planted) {
		lost := every(9)
		p.txn = func(ctx context.Context, txn metadata.Txn) (metadata.TxnResult, error) {
			result, err := p.Store.Txn(ctx, txn)
			if lost() {
				return metadata.TxnResult{}, errors.New("lost")
			}
			return result, err
		}
	},
	"an answer is lost, and what was asked happens at the next write": func(p *planted) {
		lost := every(9)
		var late []metadata.Txn
		p.txn = func(ctx context.Context, txn metadata.Txn) (metadata.TxnResult, error) {
			for _, before := range late {
				_, _ = p.Store.Txn(ctx, before)
			}
			late = nil
			if lost() {
				late = append(late, txn)
				return metadata.TxnResult{}, errors.New("lost")
			}
			return p.Store.Txn(ctx, txn)
		}
	},
	"BUG: a read is answered with what was": func(p *planted) {
		stale := every(20)
		before := map[string]metadata.KV{}
		p.get = func(ctx context.Context, key string) (metadata.KV, bool, error) {
			old, known := before[key]
			if known && stale() {
				return old, true, nil
			}
			kv, found, err := p.Store.Get(ctx, key)
			if found {
				before[key] = kv
			}
			return kv, found, err
		}
	},
	"BUG: a read finds nothing": func(p *planted) {
		blind := every(40)
		p.get = func(ctx context.Context, key string) (metadata.KV, bool, error) {
			if blind() {
				return metadata.KV{}, false, nil
			}
			return p.Store.Get(ctx, key)
		}
	},
	"BUG: a compare-and-set happens twice": func(p *planted) {
		twice := every(30)
		var again []metadata.Op
		p.txn = func(ctx context.Context, txn metadata.Txn) (metadata.TxnResult, error) {
			result, err := p.Store.Txn(ctx, txn)
			if again != nil {
				_, _ = p.Store.Txn(ctx, metadata.Txn{Then: again})
				again = nil
			}
			if err == nil && result.OK && len(txn.If) > 0 && twice() {
				again = txn.Then
			}
			return result, err
		}
	},
	"BUG: a condition is not looked at": func(p *planted) {
		careless := every(30)
		p.txn = func(ctx context.Context, txn metadata.Txn) (metadata.TxnResult, error) {
			if len(txn.If) > 0 && careless() {
				txn.If = nil
			}
			return p.Store.Txn(ctx, txn)
		}
	},
	"BUG: what was done is told as refused": func(p *planted) {
		wrong := every(30)
		p.txn = func(ctx context.Context, txn metadata.Txn) (metadata.TxnResult, error) {
			result, err := p.Store.Txn(ctx, txn)
			if wrong() {
				result.OK = false
			}
			return result, err
		}
	},
	"BUG: what was not done is told as done": func(p *planted) {
		forgotten := every(30)
		p.txn = func(ctx context.Context, txn metadata.Txn) (metadata.TxnResult, error) {
			if forgotten() {
				return metadata.TxnResult{OK: true, Revision: 1 << 40}, nil
			}
			return p.Store.Txn(ctx, txn)
		}
	},
	"BUG: a revision is told that is another's": func(p *planted) {
		wrong := every(30)
		p.txn = func(ctx context.Context, txn metadata.Txn) (metadata.TxnResult, error) {
			result, err := p.Store.Txn(ctx, txn)
			if result.OK && wrong() {
				result.Revision--
			}
			return result, err
		}
	},
}

// What the checker is there for it finds, and what may happen it takes.
func TestPlanted(t *testing.T) {
	t.Parallel()
	for name, plant := range faults {
		t.Run(name, func(t *testing.T) {
			store := &planted{Store: memstore.New().Open(memstore.Faults{})}
			defer store.Close()
			plant(store)
			h := newHistory()
			c := newClient(h, 0, store, 7)
			for range 2000 {
				c.ask(t.Context())
			}
			wrong := name[:4] == "BUG:"
			if h.holds(t) == wrong {
				t.Errorf("the checker is wrong about it")
			}
		})
	}
}
