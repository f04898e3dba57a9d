package memstore_test

import (
	"testing"

	"barnabas/internal/metadata"
	"barnabas/internal/metadata/memstore"
	"barnabas/internal/metadata/storetest"
)

func TestConformance(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Backend {
		memory := memstore.New()
		return storetest.Backend{
			Open: func(t *testing.T) metadata.Store {
				s := memory.Open(memstore.Faults{})
				t.Cleanup(func() { s.Close() })
				return s
			},
			Compact: func(_ *testing.T, at metadata.Revision) { memory.Compact(at) },
		}
	})
}
